"""Claims tasks and executes them.

One run, from a claimed task to its outcome, without a database: `execute.py`, and below it `executors/` (what a
task does), `workspace.py` (where), `process.py` and `output.py` (commands), `changes.py`, `scope.py` and
`acceptance.py` (what came of it), `redact.py` (what nobody may see).
"""
