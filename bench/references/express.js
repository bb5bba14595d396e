// Express 4 handlers that do nothing: they answer every order with the same reply and read no body.
//
// POST /orders       the fastest there is: the reply's bytes made beforehand, nothing of Express but
//                    its routing
// POST /json/orders  the same with Express's own way to answer
// POST /body/orders  the same as people write it: the order is read (and thrown away)
import express from "express";
import { ready, REPLY } from "./reply.js";

const app = express();
app.disable("x-powered-by");
app.disable("etag");
app.post("/orders", (_request, response) => {
  response.writeHead(201, { "Content-Type": "application/json", "Content-Length": REPLY.length });
  response.end(REPLY);
});
const reply = JSON.parse(REPLY);
app.post("/json/orders", (_request, response) => {
  response.status(201).json(reply);
});
app.post("/body/orders", express.json(), (_request, response) => {
  response.status(201).json(reply);
});
ready(app.listen(0, "127.0.0.1"));
