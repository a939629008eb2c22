-- For wrk: sends one kind of request again and again, and says in one line of JSON how it went.
-- Arguments: the method, and the file that holds the body, if there is one.

function init(arguments)
    wrk.method = arguments[1]
    if arguments[2] then
        local file = assert(io.open(arguments[2], "rb"))
        wrk.body = file:read("*a")
        file:close()
    end
    request = wrk.format()
end

function done(summary, latency)
    local errors = summary.errors
    io.write(string.format(
        '\n{"requests": %d, "microseconds": %d, "p50": %d, "p99": %d, "refused": %d, "broken": %d}\n',
        summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        errors.status, errors.connect + errors.read + errors.write + errors.timeout
    ))
end
