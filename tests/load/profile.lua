-- GET /profile as many different users: one prepared request a token, taken in turn. Tokens: a file, one a line.
local requests = {}
local at = 0

function init(args)
    for token in io.lines(args[1]) do
        requests[#requests + 1] = wrk.format('GET', '/profile', { ['Authorization'] = 'Bearer ' .. token })
    end
    at = math.random(#requests)
end

function request()
    at = at % #requests + 1
    return requests[at]
end
