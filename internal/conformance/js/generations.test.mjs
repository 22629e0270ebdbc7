// Older official clients that speak the same protocol connect as they are.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as v3 from "socket.io-client-3";
import * as v40 from "socket.io-client-4.0";
import * as v45 from "socket.io-client-4.5";
import { ask, assertCounts, barrier, connected, modes, next, record, refused, scenario, upgraded } from "./harness.mjs";

// The oldest is CommonJS: its exports sit on the default one.
const generations = { "3.1": v3.io ?? v3.default.io, "4.0": v40.io, "4.5": v45.io };

for (const [version, io] of Object.entries(generations)) {
  for (const [name, mode] of Object.entries(modes)) {
    describe(`client ${version}, ${name}`, { timeout: 600_000 }, () => {
      const run = (body) => scenario(mode, body, { io });

      test("connects, with auth and several namespaces", run(async ({ connect }) => {
        const root = await connect("/", { auth: { token: "old 🗝" } });
        if (name === "upgrade") await upgraded(root);
        assert.deepEqual((await ask(root, "whoami"))[0].auth, { token: "old 🗝" });
        const second = await connected(root.io.socket("/second"));
        assert.notEqual(second.id, root.id);
        assert.deepEqual(await ask(second, "echo1", "two"), ["two"]);
      }));

      test("is refused with message and data", run(async ({ open }) => {
        const error = await refused(open("/guarded"));
        assert.equal(error.message, "please log in");
        assert.deepEqual(error.data, { code: 401, hint: ["token", "missing"] });
        assert.equal((await refused(open("/nowhere"))).message, "Invalid namespace");
      }));

      test("exchanges events, binary and acks both ways", run(async ({ connect }) => {
        const socket = await connect();
        const nested = { deep: [{ bytes: Buffer.from([0, 255]) }], text: "ü 🦉" };
        assert.deepEqual(await ask(socket, "echo2", nested, Buffer.from("b")), [nested, Buffer.from("b")]);
        socket.on("question", (q, answer) => answer(["answer", q]));
        assert.deepEqual(await ask(socket, "ask me", nested), [["answer", nested]]);
        const numbers = record(socket, "number");
        socket.emit("count", 300);
        await barrier(socket);
        assertCounts(numbers.flat(), 300, "server to client");
      }));

      test("is told why it was disconnected", run(async ({ connect }) => {
        const socket = await connect();
        const told = next(socket, "disconnect");
        socket.emit("kick me", true);
        assert.equal((await told)[0], "io server disconnect");
      }));
    });
  }
}
