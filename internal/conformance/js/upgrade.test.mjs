// The upgrade under fire: numbered messages in both directions while the transport changes, and none
// may be lost, doubled or out of order. SIOKIT_UPGRADES sets how many (default 1000).
import assert from "node:assert/strict";
import { test } from "node:test";
import { NodeWebSocket, NodeXHR } from "socket.io-client";
import { ask, assertCounts, connected, next, scenario, upgraded } from "./harness.mjs";

const upgrades = Number(process.env.SIOKIT_UPGRADES || 1000);
const inParallel = 32;

// On loopback a client upgrades before its first message. Opening the WebSocket only once the chat is
// on puts the switch into the middle of it, at a different place for each client.
function websocketOnce(chatting) {
  return class extends NodeWebSocket {
    doOpen() {
      chatting.then(() => super.doOpen());
    }
  };
}

// Chats both ways from the first moment until some messages after the upgrade, then compares.
async function chattyUpgrade({ open }, ticksBefore) {
  let begin;
  const chatting = new Promise((resolve) => (begin = resolve));
  const socket = open("/", { transports: [NodeXHR, websocketOnce(chatting)] });
  const ticks = [];
  const transports = new Set(); // that a tick arrived over
  socket.on("tick", (i, payload) => {
    transports.add(socket.io.engine.transport.name);
    ticks.push(i);
    if (i === ticksBefore) begin();
    if (i % 7 === 0) assert.ok(Buffer.from([i & 255, 1, 2]).equals(payload), `attachment of tick ${i}`);
    else assert.equal(payload, "text");
  });
  let tocks = 0;
  const tock = () => socket.emit("tock", tocks++, tocks % 11 === 0 ? Buffer.from([1]) : null);

  await connected(socket);
  socket.emit("start ticks");
  let switched = false;
  const moved = upgraded(socket).finally(() => (switched = true)); // also when it fails
  moved.catch(() => {}); // thrown below
  while (!switched) {
    tock();
    await new Promise((resolve) => setTimeout(resolve, 1)); // a flood would test the backlog, not the upgrade
    if (!socket.connected) break;
  }
  await moved;
  while (!transports.has("websocket")) await next(socket, "tick"); // the server goes on, over the new transport
  for (let i = 0; i < 5; i++) tock();
  const [sent, received] = await ask(socket, "stop ticks");

  assertCounts(received, tocks, "client to server");
  assertCounts(ticks, sent, "server to client");
  return { sent, tocks, bothTransports: transports.size === 2 };
}

test(`${upgrades} upgrades, ${inParallel} at a time`, { timeout: 600_000 }, async () => {
  const started = Date.now();
  let left = upgrades;
  const total = { sent: 0, tocks: 0, bothTransports: 0 };
  const worker = async () => {
    while (left-- > 0) {
      const ticksBefore = left % 25;
      await scenario({}, async (clients) => {
        const result = await chattyUpgrade(clients, ticksBefore);
        total.sent += result.sent;
        total.tocks += result.tocks;
        total.bothTransports += result.bothTransports;
      })();
    }
  };
  await Promise.all(Array.from({ length: inParallel }, worker));
  console.log(
    `${upgrades} upgrades in ${((Date.now() - started) / 1000).toFixed(1)} s: ${total.sent} messages down, ` +
      `${total.tocks} up, ${total.bothTransports} clients heard ticks over both transports`,
  );
  // Otherwise the test would pass without having tested the switch.
  assert.ok(total.bothTransports > upgrades * 0.9, `only ${total.bothTransports} were chatty during the upgrade`);
});
