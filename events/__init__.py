"""What can happen, where it is written, and how one hears of it.

The pure part (no I/O, no clock):

    errors       every refusal, drawn as a tree; SQLSTATE -> class
    task         the task stream: event Structs, state, transition table, evolve
    runner       the runner stream
    system       the system stream (paused or not)
    request      the stream of a credential that somebody must provide
    lifecycle    what the streams have in common: Transition, legality
    catalog      event type <-> Struct; strict decode; upcasting of old shapes
    event        the stored envelope around one event

The part that speaks to PostgreSQL:

    connect      how a connection is opened: TLS, pooler, session settings
    statements   named SQL statements, loaded from the .sql file beside each package
    log          append and read events
    follower     the log in commit order, gap-safe
    committer    many callers, one connection, self-clocked batches
    commands     every write the product knows, as one method each
    creation, claims, reports, beats    what the commands do, batch by batch
    requests     the commands about credentials
    dependencies, ids                   parents before children; names for new streams
    hint         where to look: the words of a wake-up
    notifier     sends hints after commit
    listener     hears them, knows when it is deaf (hearing: one connection's proof that it hears)
    session, backoff, subscribers       small parts of the two
"""
