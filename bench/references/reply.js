// What the handlers that do nothing answer with: the bytes of a real reply of POST /orders.

export const REPLY = Buffer.from(
  JSON.stringify({
    order: {
      order_id: "1958b2b3-14c3-4fb5-9287-7847666a7993",
      client_id: "client-07",
      instrument: "BTC-USD",
      side: "buy",
      type: "limit",
      price: 70150.5,
      quantity: 0.25,
      filled_quantity: 0,
      remaining_quantity: 0.25,
      average_price: null,
      time_in_force: "gtc",
      post_only: false,
      self_trade_prevention: "none",
      status: "open",
      closed: false,
      reject_reason: null,
      created_at: "2026-01-01T00:00:00.000000Z",
      updated_at: "2026-01-01T00:00:00.000000Z",
      sequence: 2,
      updated_sequence: 2,
    },
    trades: [],
  }),
);

/** Tell whoever started `server` where it listens. */
export function ready(server) {
  const say = () => console.log(`ready on http://127.0.0.1:${server.address().port}`);
  server.listening ? say() : server.once("listening", say);
}
