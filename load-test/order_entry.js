// The same load as `load-test/run.py`, for those who have k6:
//
//   k6 run -e URL=http://127.0.0.1:8000 -e RATE=2000 -e DURATION=60 load-test/order_entry.js
//
// An open loop: orders start at a constant rate whatever the server does. k6 counts an order's latency from when it
// is sent; orders that it could not start, because all of its virtual users were waiting, stand under
// dropped_iterations: if there are any, the latencies flatter the server, and the run fails. More users: -e USERS=1000.
//
// The exchange must allow the load its rate: see "Rate limits" in load-test/README.md.

import http from "k6/http";
import { check } from "k6";
import { Counter, Trend } from "k6/metrics";
import exec from "k6/execution";

const url = __ENV.URL || "http://127.0.0.1:8000";
const rate = Number(__ENV.RATE || 2000);
const duration = Number(__ENV.DURATION || 60);
const users = Number(__ENV.USERS || Math.max(64, Math.ceil(rate / 10)));
const run = __ENV.RUN || `k6-${Date.now().toString(36)}`;

export const options = {
  scenarios: {
    orders: {
      executor: "constant-arrival-rate",
      rate,
      timeUnit: "1s",
      duration: `${duration}s`,
      preAllocatedVUs: users,
      maxVUs: 4 * users,
    },
  },
  summaryTrendStats: ["avg", "p(50)", "p(90)", "p(95)", "p(99)", "p(99.9)", "p(99.99)", "max"],
  thresholds: {
    accepted_ms: ["p(50)<2", "p(99)<10", "p(99.9)<50"],
    failed_orders: ["count==0"],
    dropped_iterations: ["count==0"],
  },
};

const accepted = new Trend("accepted_ms", true);
const failed = new Counter("failed_orders");
const turnedAway = new Counter("turned_away_orders");
http.setResponseCallback(http.expectedStatuses(201, 429, 503));

const MID = 7_000_000; // ticks of 0.01
const SPREAD = 50;
const QUANTITY_MAX = 20_000; // lots of 0.00001
const CROSSING_EXCESS = 1.1;

// Fours of a resting bid and ask and a crossing buy and sell, as in loadtest/orders.py: what is bought equals
// what is sold, the crossing ones are a little larger, and so the book stays small.
const orders = balancedOrders(4096, 1);

export default function () {
  const number = exec.scenario.iterationInTest;
  const body = `{"idempotency_key":"${run}-${number}",${orders[number % orders.length]}`;
  const reply = http.post(`${url}/orders`, body, {
    headers: { "Content-Type": "application/json" },
  });
  if (reply.status === 201) {
    accepted.add(reply.timings.duration);
  } else if (reply.status === 429 || reply.status === 503) {
    turnedAway.add(1);
    check(reply, { "says when to come back": (r) => r.headers["Retry-After"] !== undefined });
  } else {
    failed.add(1);
  }
}

function balancedOrders(count, seed) {
  const draw = mulberry32(seed);
  const between = (low, high) => low + Math.floor(draw() * (high - low + 1));
  const bodies = [];
  while (bodies.length < count) {
    const block = [];
    for (let n = 0; n < 32; n++) {
      const away = between(1, SPREAD);
      const resting = between(1, QUANTITY_MAX);
      const crossing = between(1, Math.round(QUANTITY_MAX * CROSSING_EXCESS));
      block.push(
        ["buy", MID - away, resting],
        ["sell", MID + away, resting],
        ["buy", MID + SPREAD, crossing],
        ["sell", MID - SPREAD, crossing],
      );
    }
    for (let n = block.length - 1; n > 0; n--) {
      const other = between(0, n);
      [block[n], block[other]] = [block[other], block[n]];
    }
    for (const [side, price, quantity] of block) {
      const client = String(between(0, 15)).padStart(2, "0");
      bodies.push(
        `"client_id":"load-${client}","instrument":"BTC-USD","side":"${side}","type":"limit",` +
          `"price":${(price / 100).toFixed(2)},"quantity":${(quantity / 100_000).toFixed(5)}}`,
      );
    }
  }
  return bodies;
}

// A small seeded generator: the same orders in every virtual user and every run.
function mulberry32(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
