"""The command line, one module per noun; each is registered in ops.cli.

db           migrate, url, stop
doctor       looks at everything and says what to mend
"""
