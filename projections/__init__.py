"""What is known: the views folded from the log, and the questions one can ask of them.

    views        every question in one class; what the API is given
    tasks        lists of tasks, and each with all that is known about it
    runs         lists of runs, and each with its steps and file changes
    runners      who executes, and who is there
    metrics      the numbers an operator looks at first
    system       paused or not
    requests     credentials that were asked for
    directives   what was proposed and decided, and what applying it would do
    planner_runs what the planner asked, cost and created
    output       what a run printed, and its patch
    board        what the panel asks; small answers as Structs
    briefs       tasks and runs as one line of a list
    why          why is a task not running?
    story        the log for people: events, newest first, with cause and effects
    neighbours   the tasks around a task
    activity     what happened of late
    page         parts of lists: windows and cursors
    ask          one question to the database, its answer in JSON
    hot_connection  a connection that is kept while it is asked again and again

    rebuild      the views anew from the log, beside the live ones, while everybody works on
    rows         the rows of the views, as Structs
    fold         the second bookkeeper: the same rows, computed in Python from the events alone
    audit        do the two agree, row by row?

The statements lie beside them in .sql files of the same names.
"""
