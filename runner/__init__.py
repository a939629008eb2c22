"""Claims tasks and executes them.

One run, from a claimed task to its outcome, needs no database:

    execute.py      the run as a whole            run.py, outcome.py, reporting.py   its state, end and listener
    executors/      what a task does, by kind     handlers.py                        the registry of python functions
    workspace.py    where it works                worktree.py, repository.py, scratch.py, run_directory.py
    step.py         one command of a run          process.py, process_group.py, pipe.py, output.py, environment.py
    acceptance.py   what must come of it          scope.py, changes.py
    redact.py       what nobody may see           git.py                             git without hooks and surprises
"""
