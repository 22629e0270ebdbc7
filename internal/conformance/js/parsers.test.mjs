// Parsers other than the protocol's text: npm's socket.io-msgpack-parser, and one that an application might write.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import msgpack from "socket.io-msgpack-parser";
import { ask, assertCounts, barrier, connected, departure, fixture, modes, next, record, refused, scenario, upgraded, within } from "./harness.mjs";
import * as objects from "./objects.mjs";

const parsers = {
  msgpack: { parser: msgpack, url: fixture.msgpackURL, encodesUndefined: true },
  objects: { parser: objects, url: fixture.objectsURL },
};

const values = [
  null, true, false, 0, -1, 127, 128, 255, 256, 65535, 65536, 2 ** 32, -32, -33, -129, -32769, -(2 ** 31) - 1, 0.1, -2.5e-7, 1e-7, 1.5e-300,
  Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, "", "plain", "nul \0 rs \x1e", '"quoted" \\ / <&>', "\u2028\u{10ffff} 👩‍👩‍👧‍👦", "x".repeat(31), "x".repeat(32),
  "ü".repeat(300), "x".repeat(70_000), [], {}, [[], [[]]], { "": { a: [{ b: null }] } }, Array.from({ length: 40 }, (_, i) => i),
  Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`k${i}`, i])), { _placeholder: true, num: 0 },
];

for (const [parserName, { parser, url, encodesUndefined }] of Object.entries(parsers)) {
  for (const [name, transports] of Object.entries(modes)) {
    const mode = { ...transports, parser, url };
    const run = (body) => scenario(transports, ({ open, connect }) =>
      body({
        open: (namespace, options) => open(namespace, { ...mode, ...options }),
        connect: (namespace, options) => connect(namespace, { ...mode, ...options }),
      }));
    describe(`${parserName}, ${name}`, { timeout: 600_000 }, () => {
      test("round-trips values of every kind", run(async ({ connect }) => {
        const socket = await connect();
        for (const value of values) assert.deepEqual(await ask(socket, "echo1", value), [value]);
        assert.deepEqual(await ask(socket, "echo0"), []);
        assert.deepEqual(await ask(socket, "echo3", [1, 2], null, { c: 3 }), [[1, 2], null, { c: 3 }]);
      }));

      test("round-trips binary at the top, nested, empty, and more of it than text packets may have", run(async ({ connect }) => {
        const socket = await connect();
        const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
        assert.deepEqual(await ask(socket, "echo1", all), [all]);
        assert.deepEqual(await ask(socket, "echo1", Buffer.alloc(0)), [Buffer.alloc(0)]);
        const nested = { name: "f", deep: [{ bytes: all }, [Buffer.from("x")]], twin: Buffer.from("x") };
        assert.deepEqual(await ask(socket, "echo2", nested, all), [nested, all]);
        const thirty = Array.from({ length: 30 }, (_, i) => randomBytes(1 + i * 37));
        assert.deepEqual(await ask(socket, "echo1", thirty), [thirty]);
        const [echo] = await ask(socket, "echo1", new Uint8Array([9, 8, 7]).buffer);
        assert.deepEqual(Buffer.from(echo), Buffer.from([9, 8, 7]));
        const big = randomBytes(300_000);
        assert.ok(big.equals((await ask(socket, "echo1", big))[0]));
      }));

      test("decodes binary inside a typed object and answers binary", run(async ({ connect }) => {
        const socket = await connect();
        const bytes = randomBytes(5000);
        const [answer] = await ask(socket, "upload", { name: "photo 📷", bytes, parts: [Buffer.from("ab"), Buffer.alloc(0), randomBytes(300)] });
        assert.deepEqual(answer.sizes, [2, 0, 300]);
        assert.deepEqual(answer.reversed, Buffer.from(bytes).reverse());
        const downloaded = next(socket, "downloaded");
        socket.emit("download", 1000);
        assert.deepEqual(await downloaded, [
          "label", { a: Buffer.alloc(1000, 7), list: [Buffer.from([1]), Buffer.alloc(0)] }, Buffer.from([255, 0]),
        ]);
      }));

      test("leaves objects alone that look like placeholders, beside binary", run(async ({ connect }) => {
        const socket = await connect();
        const like = { _placeholder: true, num: 0, _placeholder2: true };
        assert.deepEqual(await ask(socket, "echo2", like, [Buffer.from("b"), { like }]), [like, [Buffer.from("b"), { like }]]);
      }));

      test("carries a Date, and undefined", run(async ({ connect }) => {
        const socket = await connect();
        for (const date of [new Date(), new Date(0), new Date(-1), new Date(8.64e15), new Date(-8.64e15)]) {
          const [echo] = await ask(socket, "echo1", date);
          assert.equal(new Date(echo).getTime(), date.getTime());
        }
        const [object, list] = await ask(socket, "echo2", { gone: undefined, kept: 1 }, [undefined, 2]);
        assert.equal(object.gone ?? null, null);
        assert.equal(object.kept, 1);
        assert.equal(list[0] ?? null, null);
        assert.equal(list[1], 2);
        if (encodesUndefined) assert.equal((await ask(socket, "echo1", undefined))[0] ?? null, null);
      }));

      test("connects with and without auth, to several namespaces, and is refused", run(async ({ connect, open }) => {
        const root = await connect("/", { query: { q: "x" } });
        assert.match(root.id, /^[\w-]{20}$/);
        assert.equal((await ask(root, "whoami"))[0].query, "x");
        const second = await connected(root.io.socket("/second", { auth: { nested: { n: [1, null] }, bool: true } }));
        assert.deepEqual((await ask(second, "whoami"))[0].auth, { nested: { n: [1, null] }, bool: true });
        const error = await refused(open("/guarded", { auth: { token: "wrong" } }));
        assert.equal(error.message, "please log in");
        assert.deepEqual(error.data, { code: 401, hint: ["token", "missing"] });
        assert.equal((await refused(open("/unknown"))).message, "Invalid namespace");
        await barrier(root, second);
      }));

      test("asks the client, with binary", run(async ({ connect }) => {
        const socket = await connect();
        socket.on("question", (q, answer) => answer({ parts: [Buffer.from(q).reverse(), Buffer.from("z")] }));
        assert.deepEqual(await ask(socket, "ask me", Buffer.from("abc")), [{ parts: [Buffer.from("cba"), Buffer.from("z")] }]);
      }));

      test("broadcasts to a room", run(async ({ connect }) => {
        const members = await Promise.all([connect(), connect(), connect()]);
        const seen = members.map((socket) => record(socket, "said"));
        for (const socket of members) await ask(socket, "join", `room of ${parserName} ${name}`);
        await barrier(...members);
        await ask(members[0], "say to others", { rooms: [`room of ${parserName} ${name}`], except: [], text: "hi 🗝" });
        await barrier(...members);
        assert.deepEqual(seen, [[], [["hi 🗝"]], [["hi 🗝"]]]);
      }));

      test("is disconnected by the server and leaves by itself", run(async ({ connect }) => {
        const socket = await connect();
        const gone = next(socket, "disconnect");
        socket.emit("kick me", false);
        assert.equal((await gone)[0], "io server disconnect");
        const second = await connected(socket.io.socket("/second"));
        const watcher = await connect("/second");
        await ask(watcher, "join", "watchers");
        const { id } = second;
        const left = departure(watcher, id);
        second.disconnect();
        assert.equal(await left, "client namespace disconnect");
      }));

      test("keeps the order of many messages each way", run(async ({ connect }) => {
        const socket = await connect();
        const got = record(socket, "number");
        socket.emit("count", 1000);
        for (let i = 0; i < 1000; i++) socket.emit("tock", i);
        if (name === "upgrade") await upgraded(socket);
        const [, received] = await ask(socket, "stop ticks");
        assertCounts(received, 1000, "client to server");
        await barrier(socket);
        assertCounts(got.flat(), 1000, "server to client");
      }));
    });
  }

  for (const [name, transports] of Object.entries(modes)) {
    describe(`mismatch with ${parserName}, ${name}`, { timeout: 600_000 }, () => {
      const closes = (options) => scenario(transports, async ({ open }) => {
        const socket = open("/", options);
        await within("close", (resolve) => socket.io.engine.once("close", resolve));
        assert.equal(socket.connected, false);
      });
      test("closes a client that speaks text", closes({ url }));
      test(`a text server closes a client that speaks ${parserName}`, closes({ parser }));
    });
  }
}
