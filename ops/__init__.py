"""How El Ruso is run, configured, migrated and repaired.

The composition root: everything is built here and passed down; nobody imports it but tests.

    strangers    refuses to start among other people's packages of our names
    lossy_stream a stream for logs that loses what a full disk does not take
    private_process, environment_transfer   settings that no other process finds in /proc
    standard_streams   open, and able to write every character
    text_encoding      UTF-8 for files, whatever the locale
    inside_run   was this command typed inside a run?
    cli          the command line: language, errors, exit codes
    commands     one module per noun of the command line
    config       environment -> validated, frozen Config; the only reader of os.environ
    settings     one variable: type, limits, default, text
    prices       what tokens cost, from the table in the settings
    planner      asks a model for directives
    planning     the planner of a process, made from its settings
    messages     what the command line says, in Spanish and English
    memory       where the operator's memory files are read: the workspace's, else our own
    definitions  REQUESTS.json, read strictly
    report       what a command did, as lines of messages
    actions      what the API may start here: migrate, sync
    sync         TASKS.json and REQUESTS.json into the log, and back
    errors       a refusal the operator can act on
    printing     what handlers print by themselves, without secrets
    logs         structlog set-up: format, redaction, request ids
    home         ELRUSO_HOME, for its owner only
    checks       what doctor examines
    postgres     the embedded server: initialise, start, share, stop
    backup       a database into one file, and back
    migrate      empty database -> schema.sql; else pending files of migrations/; then the views
"""
