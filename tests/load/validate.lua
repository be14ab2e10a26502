-- POST /api-keys/validate, each time with another key at random. Arguments: a file of keys, one a line; the service's token.
local requests = {}

function init(args)
    math.randomseed(os.time())
    for key in io.lines(args[1]) do
        requests[#requests + 1] = wrk.format('POST', '/api-keys/validate',
            { ['Content-Type'] = 'application/json', ['Authorization'] = 'Bearer ' .. args[2] },
            '{"api_key": "' .. key .. '", "endpoint": "/search"}')
    end
end

function request()
    return requests[math.random(#requests)]
end
