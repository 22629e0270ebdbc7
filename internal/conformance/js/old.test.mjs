// socket.io-client 2, which speaks Engine.IO 3 and Socket.IO protocol 4: the server joins it to "/"
// unasked, the query of a namespace is its auth payload, and a refusal is an "error" event.
//
// What it calls socket.id is made of the engine's id. The suite does not compare it with what the server
// says: there the reference and siokit differ on purpose.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import io from "socket.io-client-2";
import { io as current } from "socket.io-client";
import { ask, assertCounts, barrier, connected, departure, fixture, modes, next, record, scenario, upgraded, within } from "./harness.mjs";
import { proxyTo } from "./proxy.mjs";
import { texts, values } from "./values.mjs";

const forms = {
  ...modes,
  ...Object.fromEntries(Object.entries(modes).map(([name, mode]) => [`${name} in base64`, { ...mode, forceBase64: true }])),
};

/** Resolves with what a server refused this socket with. */
const error = (socket) => next(socket, "error").then(([data]) => data);
const idOf = async (socket) => (await ask(socket, "whoami"))[0].id;

const oldOver = (mode) => (body, url = fixture.oldURL) => scenario(mode, body, { io, url });

// A watcher that hears why others left.
const leavingOver = (mode) => (body, url = fixture.oldURL) =>
  oldOver(mode)(async (clients) => {
    const watcher = await clients.connect();
    await ask(watcher, "join", "watchers");
    const subject = async (options) => {
      const socket = await clients.connect("/", options);
      if (mode.transports.length > 1) await upgraded(socket);
      const id = await idOf(socket);
      return {
        socket,
        told: next(socket, "disconnect").then(([reason]) => reason),
        watched: departure(watcher, id),
      };
    };
    await body({ ...clients, watcher, subject });
  }, url);

for (const [name, mode] of Object.entries(forms)) {
  describe(`client 2.5, ${name}`, { timeout: 600_000 }, () => {
    const [old, leaving] = [oldOver(mode), leavingOver(mode)];

    test("is in the root namespace, with its query and headers", old(async ({ connect }) => {
      const socket = await connect("/", { query: { q: "a b&c=ü" }, extraHeaders: { "x-conformance": "yes" } });
      if (mode.transports.length > 1) await upgraded(socket);
      const [me] = await ask(socket, "whoami");
      assert.equal(me.query, "a b&c=ü");
      assert.equal(me.header, "yes");
      assert.equal(me.transport, mode.transports.at(-1));
    }));

    test("joins other namespaces, with a query for auth", old(async ({ connect }) => {
      const root = await connect();
      const welcome = (socket) => next(socket, "welcome").then(([id, text]) => [typeof id, text]);
      const second = root.io.socket("/second", { query: { token: "a b&c=ü 🗝", welcome: "hello" } });
      assert.deepEqual(await welcome(second), ["string", "hello"]);
      assert.deepEqual((await ask(second, "whoami"))[0].auth, { token: "a b&c=ü 🗝", welcome: "hello" });
      const guarded = await connected(root.io.socket("/guarded", { query: "token=open%20sesame" }));
      assert.deepEqual(await ask(guarded, "echo1", "in"), ["in"]);
      assert.equal(new Set(await Promise.all([root, second, guarded].map(idOf))).size, 3);
    }));

    test("is refused with an error, and the connection goes on", old(async ({ connect }) => {
      const root = await connect();
      const guarded = error(root.io.socket("/guarded"));
      assert.deepEqual(await guarded, { code: 401, hint: ["token", "missing"] });
      const nowhere = error(root.io.socket("/nowhere"));
      assert.deepEqual(await nowhere, { message: "Invalid namespace" });
      assert.deepEqual(await ask(root, "echo1", 1), [1]);
    }));

    test("round-trips text and JSON of every kind", old(async ({ connect }) => {
      const socket = await connect();
      for (const value of [...texts, ...values]) assert.deepEqual(await ask(socket, "echo1", value), [value]);
      const answer = next(socket, 'naïve "event" 🦉');
      socket.emit('naïve "event" 🦉', "hoot");
      assert.deepEqual(await answer, ["hoot"]);
      assert.deepEqual(await ask(socket, "echo3", [1], null, { c: "🦉" }), [[1], null, { c: "🦉" }]);
    }));

    test("round-trips binary", old(async ({ connect }) => {
      const socket = await connect();
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      for (const bytes of [all, Buffer.alloc(0), randomBytes(70_000)]) assert.deepEqual(await ask(socket, "echo1", bytes), [bytes]);
      const nested = { name: "ü 🦉", deep: [{ bytes: all }, [Buffer.from("x")]] };
      assert.deepEqual(await ask(socket, "echo2", nested, all), [nested, all]);
      const ten = Array.from({ length: 10 }, (_, i) => randomBytes(1 + i * 37));
      assert.deepEqual(await ask(socket, "echo1", ten), [ten]);
      const downloaded = next(socket, "downloaded");
      socket.emit("download", 1000);
      assert.deepEqual(await downloaded, [
        "label", { a: Buffer.alloc(1000, 7), list: [Buffer.from([1]), Buffer.alloc(0)] }, Buffer.from([255, 0]),
      ]);
      const [uploaded] = await ask(socket, "upload", { name: "f", bytes: all, parts: [Buffer.from("ab")] });
      assert.deepEqual(uploaded, { name: "f", sizes: [2], reversed: Buffer.from(all).reverse() });
    }));

    test("answers the server's questions", old(async ({ connect }) => {
      const socket = await connect();
      socket.on("question", (q, answer) => answer({ q, bytes: Buffer.from([0, 255]) }));
      assert.deepEqual(await ask(socket, "ask me", "é?"), [{ q: "é?", bytes: Buffer.from([0, 255]) }]);
      assert.deepEqual(await ask(socket, "ask me in vain", 50), ["timeout"]);
    }));

    test("keeps the order of thousands of messages, each way", old(async ({ connect }) => {
      const socket = await connect();
      const numbers = record(socket, "number");
      socket.emit("count", 2000);
      await barrier(socket);
      assertCounts(numbers.flat(), 2000, "server to client");
      for (let i = 0; i < 2000; i++) socket.emit("tock", i);
      const [, received] = await ask(socket, "stop ticks");
      assertCounts(received, 2000, "client to server");
      const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => ask(socket, "echo1", i)));
      assertCounts(answers.flat(), 300, "answers");
    }));

    test("shares rooms with current clients", old(async ({ connect }) => {
      const [a, b] = [await connect(), await connect()];
      await scenario(mode, async (clients) => {
        const c = await clients.connect();
        const heard = [a, b, c].map((s) => record(s, "said"));
        const room = `old and new ${name}`;
        for (const socket of [a, b, c]) await ask(socket, "join", room);
        assert.deepEqual(await ask(a, "rooms"), [[await idOf(a), room].sort()]);
        await ask(a, "say to others", { rooms: [room], except: [], text: "from old" });
        await ask(c, "say to all", { rooms: [room], except: [], text: "from new é🦉" });
        await barrier(a, b, c);
        assert.deepEqual(heard.map((events) => events.flat()), [["from new é🦉"], ["from old", "from new é🦉"], ["from old", "from new é🦉"]]);
        for (const [i, socket] of [a, b, c].entries()) socket.on("vote", (answer) => answer(`vote ${i}`));
        assert.deepEqual(await ask(c, "vote", room), [["vote 0", "vote 1", "vote 2"]]);
      }, { io: current, url: fixture.oldURL })();
    }));

    test("leaves, one namespace or all", leaving(async ({ watcher, subject }) => {
      const { socket, told, watched } = await subject();
      const second = await connected(socket.io.socket("/second"));
      second.disconnect();
      assert.deepEqual(await ask(socket, "echo1", "still here"), ["still here"]);
      socket.disconnect();
      assert.equal(await told, "io client disconnect");
      assert.equal(await watched, "client namespace disconnect");
      await barrier(watcher);
    }));

    test("is sent away", leaving(async ({ subject }) => {
      const first = await subject();
      const second = await connected(first.socket.io.socket("/second"));
      first.socket.emit("kick me", false);
      assert.equal(await first.told, "io server disconnect");
      assert.equal(await first.watched, "server namespace disconnect");
      assert.deepEqual(await ask(second, "echo1", "still here"), ["still here"]);

      const { socket, told, watched } = await subject();
      const numbers = record(socket, "number");
      socket.emit("count", 500);
      socket.emit("kick me", true);
      assert.equal(await told, "io server disconnect");
      assert.equal(await watched, "server namespace disconnect");
      assertCounts(numbers.flat(), 500, "before the disconnect");
    }));

    test("sends what is no packet, or a CONNECT for where it is", leaving(async ({ subject }) => {
      for (const packet of ["2{not json", '2["disconnect","forged"]', "0", "7"]) {
        const { socket, told, watched } = await subject();
        socket.io.engine.write(packet);
        assert.match(await told, /^transport (error|close)$/, packet);
        assert.match(await watched, /^(parse error|forced close|forced server close|server namespace disconnect)$/, packet);
      }
    }));
  });
}

// They wait most of the time, and so at the same time.
describe("client 2.5, heartbeat", { timeout: 600_000, concurrency: 10 }, () => {
  for (const [name, mode] of Object.entries(forms)) {
    test(`pings, and is missed when it stops, ${name}`, leavingOver(mode)(async ({ subject }) => {
      const proxy = await proxyTo(fixture.oldPingURL);
      try {
        const { socket, told, watched } = await subject({ url: proxy.url });
        // 20 pings of 300 ms are more than pingInterval + pingTimeout: unanswered, it would be over.
        await within("20 pongs", (resolve) => {
          let pongs = 0;
          socket.on("pong", () => ++pongs === 20 && resolve());
        });
        await barrier(socket);
        proxy.freeze();
        assert.equal(await told, "ping timeout");
        // The reference loses its timer in the upgrade and keeps a silent client for ever; what siokit does
        // then is tested in engineio.
        if (mode.transports.length === 1) assert.equal(await watched, "ping timeout");
      } finally {
        proxy.cut();
      }
    }, fixture.oldPingURL));
  }
});

describe("client 2.5, upgrades", { timeout: 600_000 }, () => {
  test("loses and doubles nothing while it upgrades", async () => {
    const one = scenario(modes.upgrade, async ({ connect }) => {
      const socket = await connect();
      const ticks = record(socket, "tick");
      socket.emit("start ticks");
      let tocks = 0;
      const tock = () => socket.emit("tock", tocks++, tocks % 5 ? "é" : Buffer.from([1]));
      let switched = false;
      const moved = upgraded(socket).finally(() => (switched = true));
      moved.catch(() => {}); // thrown below
      while (!switched) {
        tock();
        await new Promise((resolve) => setTimeout(resolve, 1));
        if (!socket.connected) break;
      }
      await moved;
      for (let i = 0; i < 5; i++) tock();
      const [sent, received] = await ask(socket, "stop ticks");
      assertCounts(received, tocks, "client to server");
      assertCounts(ticks.map(([i]) => i), sent, "server to client");
      for (const [i, payload] of ticks) if (i % 7 === 0) assert.deepEqual(payload, Buffer.from([i & 255, 1, 2]));
    }, { io, url: fixture.oldURL });
    for (let round = 0; round < 10; round++) await Promise.all(Array.from({ length: 10 }, one));
  });
});

test("a current client does not notice", { timeout: 600_000 }, async () => {
  for (const mode of Object.values(modes)) {
    await scenario(mode, async ({ connect }) => {
      const socket = await connect("/", { auth: { token: "t" } });
      assert.match(socket.id, /^[\w-]{20}$/);
      assert.deepEqual((await ask(socket, "whoami"))[0].auth, { token: "t" });
      assert.deepEqual(await ask(socket, "echo2", Buffer.from("x"), "y"), [Buffer.from("x"), "y"]);
    }, { url: fixture.oldURL })();
  }
});
