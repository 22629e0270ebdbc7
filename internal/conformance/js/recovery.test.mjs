// Connection state recovery: a client that was cut off gets its id, its rooms and what it missed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, departure, fixture, modes, next, record, scenario, upgraded } from "./harness.mjs";

const options = { url: fixture.recoveryURL };

describe("recovery", { timeout: 600_000 }, () => {
  for (const [name, mode] of Object.entries(modes)) {
    test(`a cut client gets what it missed, ${name}`, scenario(mode, async ({ connect }) => {
      const [socket, witness, other] = await Promise.all([connect("/", options), connect("/", options), connect("/", options)]);
      if (name === "upgrade") await upgraded(socket);
      const said = record(socket, "said");
      const room = `room of ${socket.id}`;
      assert.equal(socket.recovered, false);
      await ask(socket, "join", room);
      await ask(witness, "join", "watchers");
      const first = next(socket, "said");
      await ask(other, "say to all", { rooms: [room], except: [], text: "before" });
      assert.equal((await first)[0], "before");

      for (let cut = 0; cut < 5; cut++) {
        const id = socket.id;
        const [left, gone, back] = [next(socket, "disconnect"), departure(witness, id), next(socket, "connect")];
        // It comes back when the server knows that it was away: before there is nothing to recover.
        socket.io.engine.close();
        await left;
        assert.equal(await gone, "transport close");
        await ask(other, "say to all", { rooms: [room], except: [], text: `missed ${cut}` });
        await ask(other, "say to all", { rooms: [room], except: [id], text: "for others" });
        await ask(other, "say to all", { rooms: [id], except: [], text: `private ${cut}` });
        socket.connect();
        await back;
        assert.equal(socket.recovered, true);
        assert.equal(socket.id, id);
        assert.ok((await ask(socket, "rooms"))[0].includes(room));
      }
      assert.deepEqual(said.map(([text]) => text), ["before", ...[0, 1, 2, 3, 4].flatMap((n) => [`missed ${n}`, `private ${n}`])]);
    }));

    test(`a client that leaves is not recovered, ${name}`, scenario(mode, async ({ connect }) => {
      const socket = await connect("/", options);
      const id = socket.id;
      socket.disconnect();
      const back = next(socket, "connect");
      socket.connect();
      await back;
      assert.equal(socket.recovered, false);
      assert.notEqual(socket.id, id);
    }));
  }
});
