// A Fastify handler that does nothing: it answers every order with the same reply, made beforehand,
// and reads no body.
import Fastify from "fastify";
import { ready, REPLY } from "./reply.js";

const app = Fastify({ logger: false, keepAliveTimeout: 75_000 });
app.removeAllContentTypeParsers();
app.addContentTypeParser("*", (_request, _payload, done) => done(null));
app.post("/orders", (_request, reply) => {
  reply.code(201).header("content-type", "application/json").send(REPLY);
});
await app.listen({ port: 0, host: "127.0.0.1" });
ready(app.server);
