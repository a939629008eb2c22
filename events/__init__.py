"""What can happen, where it is written, and how one hears of it.

The pure part (no I/O, no clock):

    errors       every refusal, drawn as a tree
    task         the task stream: event Structs, state, transition table, evolve
    runner       the runner stream
    system       the system stream (paused or not)
    request      the stream of a credential that somebody must provide
    directive    the stream of what is proposed, with its tasks, and what was decided
    planner      the stream of the planner's runs
    proposal     a directive as a model or a person writes it; guardrails: what it must keep to; draft: what is left
    lifecycle    what the streams have in common: Transition, legality
    catalog      event type <-> Struct; strict decode; upcasting of old shapes
    event        the stored envelope around one event

The part that speaks to PostgreSQL:

    connect      how a connection is opened: TLS, pooler (pooled), session settings; pool: many of them
    statements   named SQL statements, loaded from the .sql file beside each package
    log          append and read events
    follower     the log in commit order, gap-safe
    database_errors     which errors of PostgreSQL are refusals, which are transient, which are bugs
    committer    many callers, one connection, self-clocked batches (deferred: what is tried again)
    locks, outage       who holds a lock that a write waits for; two lines in the log about what is away
    commands     every write the product knows, as one method each
    creation, claims, reports, beats    what the commands do, batch by batch
    requests     the commands about credentials
    directives   the commands about directives: propose, apply, reject
    handover     a task that goes, as it is created, to a runner that waits
    dependencies, ids                   parents before children; names for new streams
    hint         where to look: the words of a wake-up
    notifier     sends hints after commit
    listener     hears them, knows when it is deaf (hearing: one connection's proof that it hears)
    session, backoff, subscribers       small parts of the two
"""
