// Connecting, being refused, and several namespaces on one connection.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, barrier, connected, departure, fixture, modes, record, refused, scenario, upgraded } from "./harness.mjs";

for (const [name, mode] of Object.entries(modes)) {
  describe(`connect, ${name}`, { timeout: 600_000 }, () => {
    test("gets an id of 20 characters that is not the engine's", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      assert.match(socket.id, /^[\w-]{20}$/);
      assert.notEqual(socket.id, socket.io.engine.id);
      const [me] = await ask(socket, "whoami");
      assert.equal(me.id, socket.id);
    }));

    test("tells the handler its transport, query and headers", scenario(mode, async ({ connect }) => {
      const socket = await connect("/", { query: { q: "a b&c=ü" }, extraHeaders: { "x-conformance": "yes" } });
      if (name === "upgrade") await upgraded(socket);
      const [me] = await ask(socket, "whoami");
      assert.equal(me.query, "a b&c=ü");
      assert.equal(me.header, "yes");
      assert.equal(me.transport, name === "polling" ? "polling" : "websocket");
    }));

    test("carries the auth payload, object or function", scenario(mode, async ({ connect }) => {
      const plain = await connect("/", { auth: { token: "ünï 🔑", nested: { n: [1, null] } } });
      assert.deepEqual((await ask(plain, "whoami"))[0].auth, { token: "ünï 🔑", nested: { n: [1, null] } });
      const computed = await connect("/", { auth: (give) => give({ token: "later" }) });
      assert.deepEqual((await ask(computed, "whoami"))[0].auth, { token: "later" });
    }));

    test("delivers what the connect handler emits, after the connect", scenario(mode, async ({ open }) => {
      const socket = open("/", { auth: { welcome: "hello" } });
      const order = [];
      socket.on("connect", () => order.push(["connect", socket.id]));
      socket.on("welcome", (id, text) => order.push(["welcome", id, text]));
      await connected(socket);
      await barrier(socket);
      assert.deepEqual(order, [["connect", socket.id], ["welcome", socket.id, "hello"]]);
    }));

    test("delivers what the client emitted before it was connected", scenario(mode, async ({ open }) => {
      const socket = open();
      assert.deepEqual(await ask(socket, "echo1", "early"), ["early"]);
    }));

    test("refuses with message and data", scenario(mode, async ({ open }) => {
      const socket = open("/guarded", { auth: { token: "wrong" } });
      const error = await refused(socket);
      assert.equal(error.message, "please log in");
      assert.deepEqual(error.data, { code: 401, hint: ["token", "missing"] });
      assert.equal(socket.connected, false);
      assert.equal(socket.id, undefined);
    }));

    test("accepts after a refusal on the same connection", scenario(mode, async ({ connect }) => {
      const root = await connect();
      const engine = root.io.engine.id;
      const guarded = root.io.socket("/guarded", { auth: { token: "wrong" } });
      await refused(guarded);
      guarded.auth = { token: "open sesame" };
      guarded.connect();
      await connected(guarded);
      assert.equal(guarded.io.engine.id, engine, "refusing one namespace closed the connection");
      assert.deepEqual(await ask(guarded, "echo1", 1), [1]);
      assert.deepEqual(await ask(root, "echo1", 2), [2]);
    }));

    test("refuses an unknown namespace by name", scenario(mode, async ({ open }) => {
      const error = await refused(open("/nowhere"));
      assert.equal(error.message, "Invalid namespace");
    }));

    test("serves two namespaces on one connection, each with its own id", scenario(mode, async ({ connect }) => {
      const root = await connect();
      const second = await connected(root.io.socket("/second", { auth: { welcome: "second" } }));
      assert.notEqual(root.id, second.id);
      assert.equal(root.io, second.io);
      assert.equal((await ask(root, "whoami"))[0].id, root.id);
      assert.equal((await ask(second, "whoami"))[0].id, second.id);
      assert.deepEqual(await ask(second, "echo2", Buffer.from([1, 2]), "x"), [Buffer.from([1, 2]), "x"]);
    }));

    test("keeps namespaces apart", scenario(mode, async ({ connect }) => {
      const root = await connect();
      const second = await connected(root.io.socket("/second"));
      const [inRoot, inSecond] = [record(root, "said"), record(second, "said")];
      await ask(root, "join", "same name");
      await ask(second, "join", "same name");
      await ask(root, "say to all", { rooms: ["same name"], except: [], text: "root" });
      await ask(second, "say to all", { rooms: ["same name"], except: [], text: "second" });
      await barrier(root, second);
      assert.deepEqual(inRoot, [["root"]]);
      assert.deepEqual(inSecond, [["second"]]);
    }));

    test("leaves one namespace and keeps the other", scenario(mode, async ({ connect }) => {
      const watcher = await connect("/second");
      await ask(watcher, "join", "watchers");
      const root = await connect();
      const second = await connected(root.io.socket("/second"));
      const { id } = second;
      const gone = departure(watcher, id);
      second.disconnect();
      assert.equal(await gone, "client namespace disconnect");
      assert.deepEqual(await ask(root, "echo1", "still here"), ["still here"]);
      second.connect();
      await connected(second);
      assert.notEqual(second.id, id);
    }));
  });
}

describe("connect, the handshake itself", { timeout: 600_000 }, () => {
  test("announces the documented limits", async () => {
    const response = await fetch(`${fixture.url}/socket.io/?EIO=4&transport=polling`);
    assert.equal(response.status, 200);
    const body = await response.text();
    assert.equal(body[0], "0");
    const open = JSON.parse(body.slice(1));
    assert.deepEqual(open.upgrades, ["websocket"]);
    assert.equal(open.pingInterval, 25_000);
    assert.equal(open.pingTimeout, 20_000);
    assert.equal(open.maxPayload, 1_000_000);
    assert.ok(open.sid.length >= 20);
  });

  test("refuses other protocol versions with their code", async () => {
    const response = await fetch(`${fixture.url}/socket.io/?EIO=3&transport=polling`);
    assert.equal(response.status, 400);
    assert.deepEqual(await response.json(), { code: 5, message: "Unsupported protocol version" });
  });

  test("refuses unknown transports and sessions with their code", async () => {
    const transport = await fetch(`${fixture.url}/socket.io/?EIO=4&transport=pigeon`);
    assert.deepEqual([transport.status, await transport.json()], [400, { code: 0, message: "Transport unknown" }]);
    const session = await fetch(`${fixture.url}/socket.io/?EIO=4&transport=polling&sid=no-such-session`);
    assert.deepEqual([session.status, await session.json()], [400, { code: 1, message: "Session ID unknown" }]);
  });
});
