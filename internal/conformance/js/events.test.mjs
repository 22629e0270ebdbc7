// Events, their arguments, binary, and acks in both directions.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";
import { ask, assertCounts, barrier, modes, next, record, scenario, upgraded } from "./harness.mjs";
import { texts, values } from "./values.mjs";

for (const [name, mode] of Object.entries(modes)) {
  describe(`events, ${name}`, { timeout: 600_000 }, () => {
    test("round-trips text of every kind", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      for (const text of texts) assert.deepEqual(await ask(socket, "echo1", text), [text]);
    }));

    test("round-trips every JSON value", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      for (const value of values) assert.deepEqual(await ask(socket, "echo1", value), [value]);
    }));

    test("takes event names that need escaping", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const answer = next(socket, 'naïve "event" 🦉');
      socket.emit('naïve "event" 🦉', "hoot");
      assert.deepEqual(await answer, ["hoot"]);
    }));

    test("keeps none, two and three arguments apart", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      assert.deepEqual(await ask(socket, "echo0"), []);
      assert.deepEqual(await ask(socket, "echo2", "a", ["b", 2]), ["a", ["b", 2]]);
      assert.deepEqual(await ask(socket, "echo3", [1, 2], null, { c: 3 }), [[1, 2], null, { c: 3 }]);
      const back = next(socket, "back");
      socket.emit("back", 1, "two", { three: [3] });
      assert.deepEqual(await back, [1, "two", { three: [3] }]);
    }));

    test("round-trips binary at the top, nested, empty and repeated", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const all = Buffer.from(Array.from({ length: 256 }, (_, i) => i));
      assert.deepEqual(await ask(socket, "echo1", all), [all]);
      assert.deepEqual(await ask(socket, "echo1", Buffer.alloc(0)), [Buffer.alloc(0)]);
      const nested = { name: "f", deep: [{ bytes: all }, [Buffer.from("x")]], twin: Buffer.from("x") };
      assert.deepEqual(await ask(socket, "echo2", nested, all), [nested, all]);
      const ten = Array.from({ length: 10 }, (_, i) => randomBytes(1 + i * 37));
      assert.deepEqual(await ask(socket, "echo1", ten), [ten]);
    }));

    test("takes typed arrays and array buffers", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const view = new Uint8Array([9, 8, 7, 6]);
      assert.deepEqual(await ask(socket, "echo1", view), [Buffer.from(view)]);
      assert.deepEqual(await ask(socket, "echo1", view.buffer), [Buffer.from(view)]);
      assert.deepEqual(await ask(socket, "echo1", view.subarray(1, 3)), [Buffer.from([8, 7])]);
    }));

    test("decodes binary inside a typed object and answers binary", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const bytes = randomBytes(5000);
      const [answer] = await ask(socket, "upload", { name: "photo 📷", bytes, parts: [Buffer.from("ab"), Buffer.alloc(0), randomBytes(300)] });
      assert.equal(answer.name, "photo 📷");
      assert.deepEqual(answer.sizes, [2, 0, 300]);
      assert.deepEqual(answer.reversed, Buffer.from(bytes).reverse());
    }));

    test("receives several attachments in several arguments", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const downloaded = next(socket, "downloaded");
      socket.emit("download", 1000);
      assert.deepEqual(await downloaded, [
        "label", { a: Buffer.alloc(1000, 7), list: [Buffer.from([1]), Buffer.alloc(0)] }, Buffer.from([255, 0]),
      ]);
    }));

    test("answers the client's emitWithAck", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      assert.equal(await socket.emitWithAck("echo1", "x"), "x");
      assert.deepEqual(await socket.timeout(20_000).emitWithAck("echo1", { b: Buffer.from("y") }), { b: Buffer.from("y") });
    }));

    test("leaves an event that nobody handles unanswered", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      await assert.rejects(socket.timeout(150).emitWithAck("nobody listens to this", 1), /timed out/);
      await barrier(socket);
    }));

    test("asks the client from inside a handler", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      socket.on("question", (q, answer) => answer({ q, and: "an answer" }));
      assert.deepEqual(await ask(socket, "ask me", "why?"), [{ q: "why?", and: "an answer" }]);
      socket.off("question").on("question", (q, answer) => answer({ parts: [Buffer.from(q).reverse(), Buffer.from("z")] }));
      assert.deepEqual(await ask(socket, "ask me", Buffer.from("abc")), [{ parts: [Buffer.from("cba"), Buffer.from("z")] }]);
    }));

    test("gives up on a client that does not answer", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      let late;
      socket.on("unanswered", (answer) => (late = answer));
      assert.deepEqual(await ask(socket, "ask me in vain", 50), ["timeout"]);
      late("too late");
      await barrier(socket);
    }));

    test("matches 300 concurrent acks to their questions", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const numbers = Array.from({ length: 300 }, (_, i) => i);
      const answers = await Promise.all(numbers.map((i) => ask(socket, "echo2", i, i % 10 === 0 ? Buffer.from([i & 255]) : `v${i}`)));
      assert.deepEqual(answers, numbers.map((i) => [i, i % 10 === 0 ? Buffer.from([i & 255]) : `v${i}`]));
    }));

    test("answers late acks whatever else is going on", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const late = [30, 5, 60, 1].map((ms) => ask(socket, "late", ms, `after ${ms}`));
      assert.deepEqual((await Promise.all(late)).flat(), ["after 30", "after 5", "after 60", "after 1"]);
    }));

    test("keeps the order of 2,000 messages each way", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const got = record(socket, "number");
      socket.emit("count", 2000);
      for (let i = 0; i < 2000; i++) socket.emit("tock", i);
      const [, received] = await ask(socket, "stop ticks");
      assertCounts(received, 2000, "client to server");
      await barrier(socket);
      assertCounts(got.flat(), 2000, "server to client");
    }));

    test("carries a message of exactly maxPayload", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      if (name === "upgrade") await upgraded(socket);
      // 4 2 <ack id> ["echo1","…"]: the first ack of a socket has id 0, so 15 bytes surround the text.
      const text = "ü".repeat(10) + "x".repeat(1_000_000 - 15 - 20);
      const [echo] = await ask(socket, "echo1", text);
      assert.equal(echo.length, text.length);
      assert.ok(echo === text);
    }));

    test("carries large binary", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      // Polling wraps binary in base64, which must fit as well.
      const bytes = randomBytes(name === "polling" || name === "upgrade" ? 700_000 : 1_000_000);
      const [echo] = await ask(socket, "echo1", bytes);
      assert.ok(bytes.equals(echo));
    }));
  });
}
