-- GET of one path, by random keys if a header is named that carries them. Arguments: the path, the header.
local requests = {}
local letters = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

local function garbage()
    local key = {}
    for i = 1, 43 do
        local at = math.random(#letters)
        key[i] = letters:sub(at, at)
    end
    return 'vv_' .. table.concat(key)
end

function init(args)
    math.randomseed(os.time())
    for i = 1, 10000 do
        requests[i] = wrk.format('GET', args[1], args[2] and { [args[2]] = garbage() } or {})
    end
end

function request()
    return requests[math.random(#requests)]
end
