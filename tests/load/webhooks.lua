-- POST /webhooks/stripe with signed events out of a file, each once: a line is the signature, a tab and the body.
-- Says how many were answered 200 and in how many seconds: wrk itself would count the time it waits for its end.
local ffi = require('ffi')
ffi.cdef('typedef struct { long tv_sec; long tv_usec; } vv_time; int gettimeofday(vv_time *t, void *zone);')
ffi.cdef('int getpid(void); int kill(int pid, int signal);')

local threads = {}
local lines, last, connections
answered, refused, began, ended = 0, 0, 0, 0

local function now()
    local time = ffi.new('vv_time')
    ffi.C.gettimeofday(time, nil)
    return tonumber(time.tv_sec) + tonumber(time.tv_usec) / 1e6
end

function setup(thread)
    threads[#threads + 1] = thread
end

function init(args)
    lines = io.lines(args[1])
    total = tonumber(args[2])
    connections = tonumber(args[3])
    sent = 0
end

function request()
    if last == nil then -- wrk looks at the first request before it begins
        last = ''
        return wrk.format('GET', '/health/live')
    end
    local line = sent < total and lines() or nil
    if sent == 0 then began = now() end
    if line then
        sent = sent + 1
        local signature, body = line:match('^([^\t]*)\t(.*)$')
        last = wrk.format('POST', '/webhooks/stripe',
            { ['Content-Type'] = 'application/json', ['Stripe-Signature'] = signature }, body)
    end
    return last -- past the end the last one again, until every connection has had its answer
end

function response(status)
    if status == 200 then answered = answered + 1 else refused = refused + 1 end
    if answered + refused == total then ended = now() end
    if answered + refused >= total + connections then
        wrk.thread:stop()
        ffi.C.kill(ffi.C.getpid(), 2) -- wrk would sleep to the end of its time
    end
end

function done()
    local thread = threads[1]
    io.write(string.format('answered %d refused %d seconds %.3f\n', thread:get('answered'), thread:get('refused'),
        thread:get('ended') - thread:get('began')))
end
