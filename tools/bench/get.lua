-- wrk: the same request again and again, each on a connection of its own, as clients
-- come. Argument: the answer's only right body.

local threads = {}

function setup(thread)
  thread:set("wrong", 0)
  table.insert(threads, thread)
end

function init(args)
  right = args[1]
  wrk.headers["Connection"] = "close"
end

function response(status, headers, body)
  if body ~= right then wrong = wrong + 1 end
end

function done(summary, latency, requests)
  local wrong = 0
  for _, thread in ipairs(threads) do wrong = wrong + thread:get("wrong") end
  io.write(string.format("result %d %d %d %d %d %d\n", summary.requests, summary.duration,
    wrong, summary.errors.connect + summary.errors.read + summary.errors.timeout,
    latency:percentile(50), latency:percentile(99)))
end
