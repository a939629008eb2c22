"""El Ruso over HTTP: JSON in, JSON out, one envelope; and the panel for people.

app          the route table, on one screen
deps         what the API is given by whoever starts it
endpoint     one row of the table: what it reads, who may call it
call         one request as a handler sees it
body         a request's bytes: bounded, checked, decoded
envelope     {"ok": true, "data": …} and {"ok": false, "error": …, "detail": …}
errors       exception -> answer
auth         who calls, and may they?
peer         is the other end of a connection a step of a task?
tokens       bearer tokens: made, revoked, looked up
request_log  request ids, one line in the log per request, the last net under every error
credentials  what the API must know of secrets: two protocols
screening    no secret of the vault gets into the log by a request
claiming     claims that wait for work
planning     the planner, as a protocol
idempotency  the same key again is the same request again
fixed_paths  a short way to the addresses that are always the same
sharing      one answer for all who ask the same
cross_origin pages of other origins that may use the API
negotiation  which form of an answer a client prefers
transfer     what goes over the wire: 304, gzip, or the whole
lookup       single tasks, read for many callers at once
broadcast    one follower of the log, many viewers
text         one message in Spanish and English
openapi      the contract, generated from the table and the Structs
server       uvicorn, bounded, without signals of its own
protocol     one connection: limits of time and size, refusals in the contract's shape
connections  how long the server waits for clients, and which connections it closes when there are too many
slots        how many requests may stay open, per caller and in all
wire/        the Structs that requests are made of
routes/      one file per resource
panel/       the operator's window
"""
