// The official Node server as the yardstick of internal/bench: its defaults,
// which include perMessageDeflate off. Node must run with --expose-gc. With REDIS=host:port in the
// environment it is one of several.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { Server } from "socket.io";

const { version } = createRequire(import.meta.url)("socket.io/package.json");

const http = createServer((req, res) => {
  if (req.url === "/gc") {
    gc();
    gc();
    res.end("ok");
    return;
  }
  res.writeHead(404).end();
});
const io = new Server(http, { perMessageDeflate: false });
if (process.env.REDIS) {
  const { createAdapter } = await import("@socket.io/redis-adapter");
  const { createClient } = await import("redis");
  const pub = createClient({ url: `redis://${process.env.REDIS}` });
  const sub = pub.duplicate();
  await Promise.all([pub.connect(), sub.connect()]);
  io.adapter(createAdapter(pub, sub));
  while (!(await pub.pubSubNumPat())) await new Promise((resolve) => setTimeout(resolve, 5)); // until it is subscribed
}

io.on("connection", (socket) => {
  socket.on("echo", (message, ack) => ack(message));
  socket.on("join", (room, ack) => {
    socket.join(room);
    ack(true);
  });
  socket.on("cast", (message) => io.to("board").emit("board", message));
});

http.listen(0, "127.0.0.1", () => {
  console.log(`127.0.0.1:${http.address().port} node ${process.version} socket.io ${version}`);
});

// The bench holds the other end: whatever becomes of it, this process goes too.
process.stdin.on("end", () => process.exit(0)).resume();
