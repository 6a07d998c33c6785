-- GCRA over several limits at once: a request takes from all of them, or from none.
--
-- KEYS     one for each limit (and key).
-- ARGV     two for each: nanoseconds of one request, nanoseconds of a full burst.
-- returns  {0, ahead, ...}      admitted; by how many nanoseconds each limit is ahead of its rate now
--          {n, ahead, early}    the n-th limit refused; by how many nanoseconds the request comes too early
--
-- A value is the theoretical arrival time in whole seconds and nanoseconds of the server's clock (together they would
-- not fit a Lua number) and the nanoseconds of one request that it was counted in. It expires when the bucket is full.

local time = redis.call('TIME')
local seconds, nanos = tonumber(time[1]), time[2] * 1000
local SECOND = 1000000000

local function write(key, ahead, interval)
  local at = nanos + ahead
  local whole = math.floor(at / SECOND)
  local value = string.format('%.0f %.0f %.0f', seconds + whole, at - whole * SECOND, interval)
  redis.call('SET', key, value, 'PX', string.format('%.0f', math.max(1, math.ceil(ahead / 1000000))))
end

local next = {}
for n, key in ipairs(KEYS) do
  local interval, window = tonumber(ARGV[2 * n - 1]), tonumber(ARGV[2 * n])
  local ahead = 0
  -- A key that somebody else has taken for something else is begun anew.
  local kept = redis.pcall('GET', key)
  if type(kept) == 'string' then
    local s, ns, counted_in = string.match(kept, '^(%d+) (%d+) (%d+)$')
    if s then
      ahead = math.max(0, (s - seconds) * SECOND + (ns - nanos))
      counted_in = tonumber(counted_in)
      if counted_in > 0 and counted_in ~= interval then
        -- The limit was edited: requests that are used up stay used up.
        ahead = math.ceil(ahead / counted_in * interval)
      end
      if ahead > window then
        -- A smaller burst than before, or the server's clock was set back.
        ahead = window
        write(key, ahead, interval)
      end
    end
  end
  if ahead + interval > window then
    return {n, ahead, ahead + interval - window}
  end
  next[n] = ahead + interval
end
for n, key in ipairs(KEYS) do
  write(key, next[n], tonumber(ARGV[2 * n - 1]))
end
table.insert(next, 1, 0)
return next
