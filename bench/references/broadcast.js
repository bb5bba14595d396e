// Node `ws` broadcasting: what the driver (path /drive) sends goes to everyone else, each text of
// an array as a message of its own, without compression. The texts are made into frames by `ws`.
import { WebSocketServer } from "ws";
import { ready } from "./reply.js";

const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: false });
const listeners = new Set();
server.on("connection", (socket, request) => {
  if (request.url === "/drive") {
    socket.on("message", (data) => {
      const texts = JSON.parse(data).map((text) => Buffer.from(text));
      for (const listener of listeners) {
        for (const text of texts) listener.send(text, { binary: false });
      }
    });
    return;
  }
  listeners.add(socket);
  socket.on("close", () => listeners.delete(socket));
});
ready(server);
