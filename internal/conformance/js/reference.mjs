// The yardstick: socket.io's own server. What it answers here is the contract that siokit's fixture
// (../fixture.go) follows too; the suite must pass against this one before it may judge the other.
//
// Prints one line of JSON with the addresses, then serves until its standard input closes.
import { createHash } from "node:crypto";
import { createSocket } from "node:dgram";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Server } from "socket.io";
import msgpack from "socket.io-msgpack-parser";
import * as objects from "./objects.mjs";

function contract(io) {
  for (const name of ["/", "/second"]) events(io.of(name));

  const orgs = io.of(/^\/org\/\d+$/);
  events(orgs);
  orgs.on("connection", (socket) => {
    socket.on("where", (ack) => ack(socket.nsp.name, socket.nsp.name.slice("/org/".length)));
    socket.on("tell every org", (text, ack) => (orgs.emit("said", text), ack()));
  });

  io.of("/guarded").use((socket, next) => {
    if (socket.handshake.auth.token === "open sesame") return next();
    const refusal = new Error("please log in");
    refusal.data = { code: 401, hint: ["token", "missing"] };
    next(refusal);
  });
  events(io.of("/guarded"));
}

function events(namespaces) {
  namespaces.on("connection", (socket) => {
    const auth = socket.handshake.auth;
    const nsp = socket.nsp;
    if (auth.welcome) socket.emit("welcome", socket.id, auth.welcome);
    socket.on("disconnect", (reason) => nsp.to("watchers").emit("gone", socket.id, reason));

    socket.on("whoami", (ack) =>
      ack({
        id: socket.id,
        auth,
        query: socket.handshake.query.q ?? "",
        header: socket.handshake.headers["x-conformance"] ?? "",
        transport: socket.conn.transport.name,
      }),
    );
    socket.on("echo0", (ack) => ack());
    socket.on("echo1", (a, ack) => ack(a));
    socket.on("echo2", (a, b, ack) => ack(a, b));
    socket.on("echo3", (a, b, c, ack) => ack(a, b, c));
    socket.on('naïve "event" 🦉', (a) => socket.emit('naïve "event" 🦉', a));
    socket.on("back", (a, b, c) => socket.emit("back", a, b, c));
    socket.on("upload", (file, ack) =>
      ack({
        name: file.name,
        sizes: file.parts.map((p) => p.length),
        reversed: Buffer.from(file.bytes).reverse(),
      }),
    );
    socket.on("download", (n) =>
      socket.emit("downloaded", "label", { a: Buffer.alloc(n, 7), list: [Buffer.from([1]), Buffer.alloc(0)] }, Buffer.from([255, 0])),
    );
    socket.on("count", (n) => {
      for (let i = 0; i < n; i++) socket.emit("number", i);
    });
    socket.on("late", async (ms, value, ack) => {
      await sleep(ms);
      ack(value);
    });

    socket.on("ask me", async (question, ack) => ack(await socket.timeout(20_000).emitWithAck("question", question)));
    socket.on("ask me in vain", async (ms, ack) => {
      try {
        await socket.timeout(ms).emitWithAck("unanswered");
        ack("answered");
      } catch {
        ack("timeout");
      }
    });
    socket.on("vote", async (room, ack) => ack((await nsp.to(room).timeout(20_000).emitWithAck("vote")).sort()));
    socket.on("vote within", (room, ms, ack) =>
      nsp.to(room).except(socket.id).timeout(ms).emit("vote", (missing, votes) => ack(!missing, votes.sort())),
    );
    socket.on("ask by callback", (question, ms) =>
      socket.timeout(ms).emit("question", question, (late, answer) => socket.emit("answered", late ? "timeout" : answer)),
    );
    socket.on("volatile", (n) => {
      for (let i = 0; i < n; i++) {
        socket.volatile.emit("position", i, Buffer.from([i & 255]));
        nsp.to(socket.id).volatile.compress(false).emit("position", i, Buffer.from([i & 255]));
      }
      socket.emit("positions end");
    });
    socket.on("volatile to others", (room, ack) => (socket.to(room).volatile.emit("position", 0, Buffer.from([0])), ack()));
    socket.on("send back", (...args) => socket.send(...args));

    socket.on("join", (room, ack) => (socket.join(room), ack()));
    socket.on("leave", (room, ack) => (socket.leave(room), ack()));
    socket.on("rooms", (ack) => ack([...socket.rooms].sort()));
    socket.on("say to others", ({ rooms, except, text }, ack) => (socket.to(rooms).except(except).emit("said", text), ack()));
    socket.on("say to all", ({ rooms, except, text }, ack) => (nsp.to(rooms).except(except).emit("said", text), ack()));
    socket.on("broadcast to others", (text, ack) => (socket.broadcast.emit("said", text), ack()));
    socket.on("broadcast to all", (text, ack) => (nsp.emit("said", text), ack()));
    socket.on("empty room", (room, ack) => (nsp.in(room).socketsLeave(room), ack()));
    socket.on("move", ({ rooms, except, to }, ack) => (nsp.in(rooms).except(except).socketsJoin(to), ack()));
    socket.on("members", async (room, ack) => ack((await nsp.in(room).fetchSockets()).map((s) => s.id).sort()));
    socket.on("kick room", ({ room, closeConnection }) => nsp.in(room).disconnectSockets(closeConnection));

    socket.on("kick me", (closeConnection) => socket.disconnect(closeConnection));
    socket.on("kick", (id) => nsp.in(id).disconnectSockets());

    torture(socket);
    stamped(socket);
  });
}

// The twin of ../stamped.go and ../../delivery: messages that say who sent them, their place and their sum.
const notes = new Map(); // what came for "take", by sender; it outlives restarts
const sum = (text, parts) => parts.reduce((hash, part) => hash.update(part), createHash("sha256").update(text)).digest().readUInt32BE();
function stamp(sender, stream, seq, count) {
  const text = "é\x1e".repeat(seq % 5) + `${stream} ${seq}`;
  const parts = Array.from({ length: count }, (_, i) => Buffer.from(`${sender} ${stream} ${seq} #${i}\0ÿ`, "latin1"));
  return { sender, stream, seq, count, hash: sum(text, parts), text, parts };
}
function stamped(socket) {
  socket.on("take", ({ sender, stream, seq, count, hash, text, parts }, ack) => {
    if (!notes.has(sender)) notes.set(sender, []);
    notes.get(sender).push({ sender, stream, seq, count, parts: parts.length, hash, sum: sum(text, parts) });
    ack?.();
  });
  socket.on("taken", (sender, ack) => {
    const all = notes.get(sender) ?? [];
    ack(all.splice(0, 1000));
    if (all.length === 0) notes.delete(sender);
  });
  socket.on("deliver", ({ room, stream, from, count }, ack) => {
    for (let seq = from; seq < from + count; seq++) {
      socket.nsp.to(room).emit("delivered", stamp("server", stream, seq, seq % 5 === 0 ? 2 : 0));
    }
    ack?.();
  });
}

// Numbered messages in both directions, for the upgrade: the server chats by itself until told to stop.
function torture(socket) {
  const received = [];
  let sent = 0;
  let chatting = false;
  const chat = () => {
    if (!chatting || !socket.connected) return;
    socket.emit("tick", sent, sent % 7 === 0 ? Buffer.from([sent & 255, 1, 2]) : "text");
    sent++;
    setTimeout(chat, sent % 3 === 0 ? 1 : 0);
  };
  socket.on("start ticks", () => {
    chatting = true;
    chat();
  });
  socket.on("tock", (i) => received.push(i));
  socket.on("stop ticks", (ack) => {
    chatting = false;
    ack(sent, received);
  });
}

/** Serves the contract; port 0 takes a free one. */
async function serve(port, options = {}) {
  const http = createServer((_, response) => response.writeHead(404).end("not found"));
  const io = new Server(http, options);
  contract(io);
  await new Promise((ok) => http.listen(port, "127.0.0.1", ok));
  return { port: http.address().port, engine: io.engine, stop: () => new Promise((ok) => (io.close(ok), http.closeAllConnections())) };
}

/** A port that nobody is given while the server that restarts is down: as internal/freeport finds it. */
async function freePort() {
  for (;;) {
    const port = 12_000 + Math.floor(Math.random() * 20_000);
    const reservation = createSocket("udp4");
    try {
      await new Promise((ok, failed) => reservation.once("error", failed).bind(port, "127.0.0.1", ok));
      const probe = createServer();
      await new Promise((ok, failed) => probe.once("error", failed).listen(port, "127.0.0.1", ok));
      await new Promise((ok) => probe.close(ok));
      return port;
    } catch {
      reservation.close();
    }
  }
}

const main = await serve(0);
const ping = await serve(0, { pingInterval: 300, pingTimeout: 5000 });
const options = await serve(0, {
  perMessageDeflate: true,
  cookie: true,
  initialPacket: '2["hello",{"from":"the handshake"}]',
});
options.engine.on("initial_headers", (headers) => (headers["x-first"] = "1"));
options.engine.on("headers", (headers) => (headers["x-all"] = "1"));
const old = await serve(0, { allowEIO3: true });
const oldPing = await serve(0, { allowEIO3: true, pingInterval: 300, pingTimeout: 5000 });
const recovering = await serve(0, { connectionStateRecovery: {} });
const packed = await serve(0, { parser: msgpack });
const written = await serve(0, { parser: objects });
const port = await freePort();
let restarting = await serve(port);

const control = createServer(async (request, response) => {
  await restarting.stop();
  if (request.url === "/start") restarting = await serve(port);
  response.end();
});
await new Promise((ok) => control.listen(0, "127.0.0.1", ok));

const at = (p) => `http://127.0.0.1:${p}`;
console.log(
  JSON.stringify({
    SIOKIT_URL: at(main.port),
    SIOKIT_PING_URL: at(ping.port),
    SIOKIT_OPTIONS_URL: at(options.port),
    SIOKIT_OLD_URL: at(old.port),
    SIOKIT_OLD_PING_URL: at(oldPing.port),
    SIOKIT_RECOVERY_URL: at(recovering.port),
    SIOKIT_RESTART_URL: at(port),
    SIOKIT_CONTROL_URL: at(control.address().port),
    SIOKIT_MSGPACK_URL: at(packed.port),
    SIOKIT_OBJECTS_URL: at(written.port),
  }),
);
process.stdin.on("end", () => process.exit(0)).resume();
