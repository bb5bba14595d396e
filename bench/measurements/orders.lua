-- wrk: POST the lines of a file in turn, each as a body.
--
--   wrk -t1 -c32 -d10s -s bench/measurements/orders.lua URL -- BODIES [KEY-PREFIX]
--
-- BODIES: a body a line, as `python bench/report.py --bodies DIRECTORY` or fixtures/gen_orders.py write
-- them. With a KEY-PREFIX every order gets an idempotency key of its own; take a new prefix for every
-- run, or the exchange answers with the first run's replies. All requests (but for the key) are made
-- beforehand, and replies aren't looked at beyond their status: wrk must not be the limit.

local before, after = {}, {}
local count, number, keyed = 0, 0, false

function init(args)
  local prefix = args[2]
  keyed = prefix ~= nil
  local headers = { ["Content-Type"] = "application/json" }
  for body in io.lines(args[1]) do
    if keyed then
      local whole = wrk.format(
        "POST", nil, headers,
        '{"idempotency_key":"' .. prefix .. "-" .. ("0"):rep(12) .. '",' .. body:sub(2))
      local at = whole:find(("0"):rep(12), 1, true)
      before[count], after[count] = whole:sub(1, at - 1), whole:sub(at + 12)
    else
      before[count] = wrk.format("POST", nil, headers, body)
    end
    count = count + 1
  end
end

function request()
  local place = number % count
  number = number + 1
  if keyed then
    return before[place] .. string.format("%012d", number) .. after[place]
  end
  return before[place]
end

function done(summary, latency)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"microseconds":%d,"p50_us":%d,"p90_us":%d,"p99_us":%d,"p999_us":%d,'
      .. '"max_us":%d,"other_status":%d,"broken":%d}\n',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(90),
    latency:percentile(99), latency:percentile(99.9), latency.max, errors.status,
    errors.connect + errors.read + errors.write + errors.timeout))
end
