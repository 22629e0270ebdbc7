// A Node server with the Redis adapter, the emitter, and official clients. It runs the functions that arrive on
// stdin, one JSON object {id, code, args} a line, and writes what they return.
import { createInterface } from "node:readline";
import { createClient } from "redis";
import { Server } from "socket.io";
import { io as dial } from "socket.io-client";
import { createAdapter } from "@socket.io/redis-adapter";
import { Emitter } from "@socket.io/redis-emitter";

const redis = createClient({ url: process.argv[2] });
const subscriber = redis.duplicate();
for (const c of [redis, subscriber]) c.on("error", (e) => console.log("redis:", e.message));
await Promise.all([redis.connect(), subscriber.connect()]);

const write = (object) => console.log(JSON.stringify(object));
const tell = (name, ...result) => write({ tell: name, result });

const io = new Server(0, { adapter: createAdapter(redis, subscriber, { requestsTimeout: 20_000 }) });
const url = `http://127.0.0.1:${io.httpServer.address().port}`;
io.on("connection", (s) => s.on("join", (room, done) => { s.join(room); done(); }));
// Subscriptions are made in the background; a server that is counted has made all of them.
const counted = async (namespace = "/") => (await redis.sendCommand(["PUBSUB", "NUMSUB", `socket.io-request#${namespace}#`]))[1];
while ((await counted()) < 1) await new Promise((done) => setTimeout(done, 10));

const emitter = new Emitter(redis);
const clients = {};
// connect returns a connected client that tells of every event, under its name.
const connect = async (name, url, options) => {
  const c = (clients[name] = dial(url, { forceNew: true, reconnection: false, ...options }));
  const plain = (v) => (Buffer.isBuffer(v) || v instanceof ArrayBuffer ? { hex: Buffer.from(v).toString("hex") } : v);
  c.onAny((event, ...args) => tell(name, event, ...args.map((a) => (typeof a === "function" ? "ack" : plain(a)))));
  c.on("disconnect", (reason) => tell(name, "disconnect", reason));
  await new Promise((yes, no) => c.on("connect", yes).on("connect_error", no));
  return c.id;
};

const scope = { io, url, redis, subscriber, emitter, clients, connect, tell, counted };
const AsyncFunction = (async () => {}).constructor;
console.log("peer is ready");
for await (const line of createInterface({ input: process.stdin })) {
  const { id, code, args } = JSON.parse(line);
  new AsyncFunction(...Object.keys(scope), "args", code)(...Object.values(scope), args ?? []).then(
    (result) => write({ id, result: result ?? null }),
    (error) => write({ id, error: String(error?.stack ?? error) }),
  );
}
process.exit(0);
