"""The words of the command line, one module per noun; ops.messages joins them.

Each module has TEXTS: message key -> Text in both languages. A key begins with its noun: `postgres.starting`. Help
texts are under `help.` and the command: `help.db.url`.
"""
