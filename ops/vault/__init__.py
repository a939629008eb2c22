"""The vault: secret values, sealed in one file on this machine, never in the database.

    cipher       seals bytes and opens them again; a flipped byte is noticed
    lock         what makes it sealed: keys in a file of mode 0600, or a passphrase
    folder       files that are replaced whole or not at all, one writer at a time
    contents     what is sealed: values by the names of their variables, and which ones tasks may have
    vault        read, set, remove, grant, rotate: survives being killed at any point, and two processes at once
    keyring      what the rest of ops is given: a value by its name, texts without secrets, what a task was granted
    desk         requests and their values, as the API speaks of them
    validation   runs a request's validation command

Whoever needs a value asks for it when it is needed and keeps no copy; so a value that is stored, replaced or removed
takes effect in running processes at once.
"""
