"""The command line, one module per noun; each is registered in ops.cli.

db           migrate, rebuild, url, stop
serve, up    the API; the API and a runner
task         add, list, show, requeue, cancel
directive    list, show, preview, apply, reject
gpt          run, compose
tokens       create, revoke, list
audit        log against views
tail         the log as it grows
doctor       looks at everything and says what to mend
"""
