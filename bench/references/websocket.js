// Node `ws` echoing: every message goes back as it came, without compression.
import { WebSocketServer } from "ws";
import { ready } from "./reply.js";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
server.on("connection", (socket) => {
  socket.on("message", (data) => socket.send(data, { binary: false }));
});
ready(server);
