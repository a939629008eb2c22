"""Claims tasks and executes them.

The runner, which claims, reports, keeps its lease and leaves politely:

    worker.py       the loop: claim, sleep, stop  alarm.py, settings.py              what wakes it, what it is told
    runs.py         the runs of the process       slots.py                           the coroutines that execute them
    delivery.py     what runs report              transcript.py                      what their steps print
    heartbeat.py    its thread of heartbeats      link.py                            how it speaks to the engine:
                                                  postgres_link.py, http_link.py, http_client.py, http_environment.py

One run, from a claimed task to its outcome, needs no database:

    execute.py      the run as a whole            run.py, outcome.py, reporting.py   its state, end and listener
    executors/      what a task does, by kind     handlers.py                        the registry of python functions
    containment.py  what a handler may not do     control.py                         to the runner, and may ask
    workspace/      where it works, and how its work becomes part of the repository
    step.py         one command of a run          shell.py, process.py, pipe.py, output.py, environment.py
    child.py        a command as the runner       subreaper.py, subreaper_client.py  how all it starts is found and
                    sees it                       process_group.py                   ended: on Linux, elsewhere
                                                  subreaper_protocol.py, command_supervisor.py
    orphans.py      what outlived a runner        runner_mark.py, process_tree.py, linux.py
    acceptance.py   what must come of it          scope.py, run_state.py
    redact.py, redaction/                         commit_scan.py                     what nobody may see, or commit
    granting.py     what a task may see           git.py                             git without hooks and surprises
"""
