"""PostgreSQL from a wheel: nothing to install, one server per ELRUSO_HOME, shared by all our processes.

    server       a server as its users see it: addresses, password, where its files are
    control      start, use, stop: under locks the kernel releases, whoever dies
    cluster      initdb, pg_ctl and psql, run as the right account
    watchdog     starts a killed server again
    account      the unprivileged account PostgreSQL runs as when we are root
    binaries     where the wheel keeps the programs; a reachable copy when the account cannot enter there
    tuning       the server's settings

Why the last user stops the server, and where root keeps its data: docs/adr/0001-embedded-postgres.md.
"""
