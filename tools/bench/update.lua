-- wrk: every request comes from some host, with an address that it has never had.
-- Arguments: the number of hosts, a number that makes this run's addresses its own, and
-- "unchanged" if every host has this address already, always the same one.

local threads = 0

function setup(thread)
  thread:set("id", threads)
  thread:set("wrong", 0)
  threads = threads + 1
  everybody = everybody or {}
  table.insert(everybody, thread)
end

function init(args)
  hosts = tonumber(args[1])
  count = tonumber(args[2]) * 400000 + id * 200000
  unchanged = args[3] == "unchanged"
  right = unchanged and "UPTODATE" or "OK"
end

function request()
  count = count + 1
  local address = string.format("%d.%d.%d.%d", 11 + math.floor(count / 16777216) % 100,
    math.floor(count / 65536) % 256, math.floor(count / 256) % 256, count % 256)
  if unchanged then address = "192.0.2.1" end
  return wrk.format("GET", "/key" .. (count * 7919 % hosts), { ["X-Forwarded-For"] = address })
end

function response(status, headers, body)
  if body ~= right then wrong = wrong + 1 end
end

function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(everybody) do wrong = wrong + thread:get("wrong") end
  io.write(string.format("result %d %d %d %d %d %d\n", summary.requests, summary.duration,
    wrong, summary.errors.connect + summary.errors.read + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
