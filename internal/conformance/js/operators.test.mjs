// How the server emits: volatile, with acks in every form, and send.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, barrier, modes, next, patience, record, scenario } from "./harness.mjs";

let rooms = 0;
const newRoom = () => `operators ${process.pid} ${rooms++}`;

for (const [name, mode] of Object.entries(modes)) {
  describe(`operators, ${name}`, { timeout: 600_000 }, () => {
    test("volatile events arrive whole and in order, or not at all", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const positions = record(socket, "position");
      const end = next(socket, "positions end");
      socket.emit("volatile", 500);
      await end;
      let last = -1;
      for (const [i, bytes] of positions) {
        assert.ok(i >= last, `${i} after ${last}`);
        assert.deepEqual([...bytes], [i & 255]);
        last = i;
      }
      assert.ok(positions.length < 1000, "none was dropped");
      await barrier(socket); // the connection is well
    }));

    test("a volatile event reaches a client that is ready for it", scenario(mode, async ({ connect }) => {
      const [a, b] = [await connect(), await connect()];
      const room = newRoom();
      await ask(b, "join", room);
      const positions = record(b, "position");
      const own = record(a, "position");
      for (const end = Date.now() + patience; positions.length === 0; ) {
        assert.ok(Date.now() < end, "every one was dropped");
        await ask(a, "volatile to others", room);
      }
      assert.deepEqual(own, []);
      assert.deepEqual([...positions[0][1]], [0]);
    }));

    test("asks by callback, with an answer and without", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      socket.once("question", (question, answer) => answer([question, Buffer.from([1])]));
      let answered = next(socket, "answered");
      socket.emit("ask by callback", "how?", 20_000);
      const [[question, bytes]] = await answered;
      assert.equal(question, "how?");
      assert.deepEqual([...bytes], [1]);

      const asked = next(socket, "question");
      answered = next(socket, "answered");
      socket.emit("ask by callback", "how?", 50);
      assert.deepEqual(await answered, ["timeout"]);
      const [, late] = await asked;
      late("too late");
      await barrier(socket);
    }));

    test("sends messages", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      const message = next(socket, "message");
      socket.emit("send back", "hello", { n: 1 });
      assert.deepEqual(await message, ["hello", { n: 1 }]);
    }));

    test("the client's emitWithAck ends by its timeout", scenario(mode, async ({ connect }) => {
      const socket = await connect();
      assert.equal(await socket.timeout(20_000).emitWithAck("late", 1, "x"), "x");
      await assert.rejects(socket.timeout(50).emitWithAck("nobody handles this"), /timed out/);
      await barrier(socket);
    }));
  });
}

// They wait most of the time, and so at the same time.
describe("operators, gathering", { timeout: 600_000, concurrency: 10 }, () => {
  for (const [name, mode] of Object.entries(modes)) {
    test(`gathers what there is when some do not answer, ${name}`, scenario(mode, async ({ connect }) => {
      const [a, b, c] = [await connect(), await connect(), await connect()];
      const room = newRoom();
      for (const s of [a, b, c]) await ask(s, "join", room);
      a.on("vote", () => assert.fail("the one who asks is left out"));
      b.on("vote", (answer) => answer("b votes"));
      let answers = true;
      c.on("vote", (answer) => answers && (answer("c votes"), answer("twice")));
      assert.deepEqual(await ask(a, "vote within", room, 20_000), [true, ["b votes", "c votes"]]);
      answers = false;
      assert.deepEqual(await ask(a, "vote within", room, 5000), [false, ["b votes"]]);
      assert.deepEqual(await ask(a, "vote within", newRoom(), 20_000), [true, []]);
    }));
  }
});
