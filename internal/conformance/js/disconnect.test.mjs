// Why a connection ended, as both sides are told.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, assertCounts, barrier, connected, departure, fixture, modes, next, record, scenario, upgraded, within } from "./harness.mjs";
import { proxyTo } from "./proxy.mjs";

// A watcher that hears why others left, and a subject that is about to leave.
const leavingOver = (mode) => (body, { url = fixture.url } = {}) =>
  scenario(mode, async (clients) => {
    const watcher = await clients.connect("/", { url });
    await ask(watcher, "join", "watchers");
    const subject = async (options) => {
      const socket = await clients.connect("/", { url, ...options });
      if (mode === modes.upgrade) await upgraded(socket);
      const told = next(socket, "disconnect").then(([reason]) => reason);
      const id = socket.id;
      return { socket, told, watched: departure(watcher, id) };
    };
    await body({ ...clients, subject });
  });

for (const [name, mode] of Object.entries(modes)) {
  describe(`disconnect, ${name}`, { timeout: 600_000 }, () => {
    const leaving = leavingOver(mode);

    test("the client leaves", leaving(async ({ subject }) => {
      const { socket, told, watched } = await subject();
      socket.disconnect();
      assert.equal(await told, "io client disconnect");
      assert.equal(await watched, "client namespace disconnect");
    }));

    test("the client closes its connection", leaving(async ({ subject }) => {
      const { socket, told, watched } = await subject();
      socket.io.engine.close();
      assert.equal(await told, "forced close");
      assert.equal(await watched, "transport close");
    }));

    test("the server disconnects one namespace and keeps the connection", leaving(async ({ subject }) => {
      const { socket, told, watched } = await subject();
      const second = await connected(socket.io.socket("/second"));
      socket.emit("kick me", false);
      assert.equal(await told, "io server disconnect");
      assert.equal(await watched, "server namespace disconnect");
      assert.equal(socket.active, false, "a client that was sent away must not come back by itself");
      assert.deepEqual(await ask(second, "echo1", "still here"), ["still here"]);
    }));

    test("the server disconnects and closes the connection", leaving(async ({ subject }) => {
      const { socket, told, watched } = await subject();
      const second = await connected(socket.io.socket("/second"));
      const secondTold = next(second, "disconnect");
      socket.emit("kick me", true);
      assert.equal(await told, "io server disconnect");
      assert.equal((await secondTold)[0], "io server disconnect");
      assert.equal(await watched, "server namespace disconnect");
    }));

    test("another client's handler disconnects it", leaving(async ({ subject, connect }) => {
      const { socket, told, watched } = await subject();
      (await connect()).emit("kick", socket.id);
      assert.equal(await told, "io server disconnect");
      assert.equal(await watched, "server namespace disconnect");
    }));

    test("delivers everything that was sent before the disconnect", leaving(async ({ subject }) => {
      const { socket, told } = await subject();
      const numbers = record(socket, "number");
      socket.emit("count", 500);
      socket.emit("kick me", true);
      await told;
      assertCounts(numbers.flat(), 500, "before the disconnect");
    }));

    test("the network breaks", leaving(async ({ subject }) => {
      const proxy = await proxyTo(fixture.url);
      try {
        const { socket, told, watched } = await subject({ url: proxy.url });
        // The next poll must wait at the server, or nobody there would notice: it leaves the client with
        // the barrier's answer, and another request through the proxy arrives after it.
        await barrier(socket);
        await fetch(`${proxy.url}/socket.io/?EIO=4&transport=pigeon`);
        proxy.cut();
        assert.equal(await told, name === "polling" ? "transport error" : "transport close");
        assert.equal(await watched, name === "polling" ? "transport error" : "transport close");
      } finally {
        proxy.cut();
      }
    }));

    test("one byte more than maxPayload", leaving(async ({ subject }) => {
      const { socket, told, watched } = await subject();
      socket.emit("echo1", "x".repeat(1_000_000 - 14 + 1)); // 42["echo1","…"]
      assert.equal(await told, name === "polling" ? "transport error" : "transport close");
      assert.match(await watched, /^transport (error|close)$/);
    }));

    test("more attachments than ten", leaving(async ({ subject }) => {
      const { socket, told, watched } = await subject();
      socket.emit("echo1", Array.from({ length: 11 }, () => Buffer.from("x")));
      assert.match(await told, name === "polling" ? /^transport (error|close)$/ : /^transport close$/);
      assert.match(await watched, /^(parse error|forced close)$/);
    }));

    test("a packet that is not Socket.IO", leaving(async ({ subject }) => {
      const { socket, told, watched } = await subject();
      socket.io.engine.write("2{not json");
      assert.match(await told, name === "polling" ? /^transport (error|close)$/ : /^transport close$/);
      assert.match(await watched, /^(parse error|forced close)$/);
    }));

    test("an event with a reserved name", leaving(async ({ subject }) => {
      const { socket, told, watched } = await subject();
      socket.io.engine.write('2["disconnect","forged"]');
      assert.match(await told, name === "polling" ? /^transport (error|close)$/ : /^transport close$/);
      assert.match(await watched, /^(parse error|forced close)$/);
    }));
  });
}

// They wait most of the time, and so at the same time.
describe("heartbeats", { timeout: 600_000, concurrency: 10 }, () => {
  for (const [name, mode] of Object.entries(modes)) {
    const leaving = leavingOver(mode);

    test(`the network falls silent, ${name}`, leaving(async ({ subject }) => {
      const proxy = await proxyTo(fixture.pingURL);
      try {
        const { told, watched } = await subject({ url: proxy.url });
        proxy.freeze();
        assert.equal(await told, "ping timeout");
        assert.equal(await watched, "ping timeout");
      } finally {
        proxy.cut();
      }
    }, { url: fixture.pingURL }));

    test(`heartbeats keep a quiet connection alive, ${name}`, leaving(async ({ subject }) => {
      const { socket } = await subject();
      // 20 pings of 300 ms are more than pingInterval + pingTimeout: without pongs it would be over.
      await within("20 pings", (resolve) => {
        let pings = 0;
        socket.io.engine.on("ping", () => ++pings === 20 && resolve());
      });
      await barrier(socket);
    }, { url: fixture.pingURL }));
  }
});
