"""What El Ruso costs and how fast it is, measured beside the least that PostgreSQL itself would need.

    elruso bench [NAME] [--json] [--runs N]
    elruso bench soak [--histories N] [--seed N]

    suite          the benchmarks by name; runs some of them and makes the document
    lifecycle  wakeup  wakeup_http  create  claim  rebuild  cost  idle  viewers  api  pages
    endurance
                   one benchmark each: `async def run(bench, plan) -> Result`
    soak           the long random histories of tests/properties, as a benchmark whose check is the result
    server         the Bench: a PostgreSQL of its own, with the settings of production, or a given one; fresh databases
    plan           the Plan: how many runs, how much of everything; how progress is shown
    measure        samples, medians, ratios, percentiles; ours and the baseline by turns
    machine        where and when it was measured, and of which commit
    report         the table and the JSON

    protocol       how workers and producers, each a process of its own, are driven
    peer           El Ruso speaking it; also beside rivals, see docs/benchmarks.md
    baseline       bare tables and plain asyncpg speaking it: the floor
    adapter        the driver's end
    workloads      drain a backlog; wake a sleeper
    history        a large history, event by event, in order; lives: whose; loading: into a database
    addresses      what `pages` asks for; visitor: who asks; bare: a server that only returns the bytes
    wrk            the load on the API, from a program of its own (wrk.lua is what it runs)
    bare_route     the API's baseline
    statement_log  every statement a database is sent, from the server's log

Numbers mean something only beside others of the same run on a quiet machine; the ratio is the result.
"""
