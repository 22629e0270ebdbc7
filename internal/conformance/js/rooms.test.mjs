// Rooms and broadcasts: who receives, and who must not.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, barrier, departure, modes, next, record, scenario } from "./harness.mjs";

let serial = 0;
const uniqueRoom = () => `room ${process.pid} ${serial++} 🚪`;

for (const [name, mode] of Object.entries(modes)) {
  describe(`rooms, ${name}`, { timeout: 600_000 }, () => {
    // Three clients and what each of them heard.
    const three = (body) =>
      scenario(mode, async ({ connect }) => {
        const sockets = await Promise.all([connect(), connect(), connect()]);
        const heard = sockets.map((s) => record(s, "said"));
        await body({
          sockets,
          heard: async () => {
            await barrier(...sockets);
            return heard.map((events) => events.splice(0).flat());
          },
          room: uniqueRoom(),
          other: uniqueRoom(),
        });
      });

    test("lists joined rooms with the socket's own", three(async ({ sockets: [a], room }) => {
      await ask(a, "join", room);
      assert.deepEqual(await ask(a, "rooms"), [[a.id, room].sort()]);
      await ask(a, "leave", room);
      assert.deepEqual(await ask(a, "rooms"), [[a.id]]);
    }));

    test("reaches members only, and not the sender", three(async ({ sockets: [a, b], heard, room }) => {
      await ask(a, "join", room);
      await ask(b, "join", room);
      await ask(a, "say to others", { rooms: [room], except: [], text: "hi" });
      assert.deepEqual(await heard(), [[], ["hi"], []]);
    }));

    test("reaches the sender too when the server speaks", three(async ({ sockets: [a, b, c], heard, room }) => {
      await ask(a, "join", room);
      await ask(b, "join", room);
      await ask(a, "say to all", { rooms: [room], except: [], text: "inside" });
      await barrier(a); // two servers' events have no order
      await ask(c, "say to all", { rooms: [room], except: [], text: "outside" });
      assert.deepEqual(await heard(), [["inside", "outside"], ["inside", "outside"], []]);
    }));

    test("reaches each client once when rooms overlap", three(async ({ sockets: [a, b, c], heard, room, other }) => {
      for (const s of [a, b]) await ask(s, "join", room);
      for (const s of [b, c]) await ask(s, "join", other);
      await ask(a, "say to all", { rooms: [room, other], except: [], text: "once" });
      assert.deepEqual(await heard(), [["once"], ["once"], ["once"]]);
    }));

    test("leaves out the members of except rooms", three(async ({ sockets: [a, b, c], heard, room, other }) => {
      for (const s of [a, b, c]) await ask(s, "join", room);
      await ask(b, "join", other);
      await ask(a, "say to all", { rooms: [room], except: [other], text: "not b" });
      await ask(a, "say to others", { rooms: [room], except: [c.id], text: "only b" });
      assert.deepEqual(await heard(), [["not b"], ["only b"], ["not b"]]);
    }));

    test("sends to one client by its id", three(async ({ sockets: [a, b], heard }) => {
      await ask(a, "say to others", { rooms: [b.id], except: [], text: "psst" });
      assert.deepEqual(await heard(), [[], ["psst"], []]);
    }));

    test("is silent in a room nobody is in, and after leaving", three(async ({ sockets: [a, b], heard, room }) => {
      await ask(a, "say to all", { rooms: [room], except: [], text: "empty" });
      await barrier(a);
      await ask(b, "join", room);
      await ask(b, "leave", room);
      await ask(a, "say to all", { rooms: [room], except: [], text: "left" });
      assert.deepEqual(await heard(), [[], [], []]);
    }));

    test("empties a room for everybody", three(async ({ sockets: [a, b], heard, room }) => {
      for (const s of [a, b]) await ask(s, "join", room);
      await ask(a, "empty room", room);
      await ask(a, "say to all", { rooms: [room], except: [], text: "gone" });
      assert.deepEqual(await heard(), [[], [], []]);
      assert.deepEqual(await ask(b, "rooms"), [[b.id]]);
    }));

    test("moves many at once", three(async ({ sockets: [a, b, c], heard, room, other }) => {
      for (const s of [a, b, c]) await ask(s, "join", room);
      await ask(a, "move", { rooms: [room], except: [c.id], to: other });
      await barrier(a);
      assert.deepEqual(await ask(c, "members", other), [[a.id, b.id].sort()]);
      await ask(c, "say to all", { rooms: [other], except: [], text: "moved" });
      assert.deepEqual(await heard(), [["moved"], ["moved"], []]);
    }));

    test("disconnects a whole room", three(async ({ sockets: [a, b, c], room }) => {
      for (const s of [a, b]) await ask(s, "join", room);
      const told = [a, b].map((s) => next(s, "disconnect"));
      c.emit("kick room", { room, closeConnection: false });
      assert.deepEqual((await Promise.all(told)).map(([reason]) => reason), ["io server disconnect", "io server disconnect"]);
      assert.deepEqual(await ask(c, "members", room), [[]]);
      await barrier(c);
    }));

    test("closes the connections of a whole room", three(async ({ sockets: [a, b, c], room }) => {
      await ask(a, "join", room);
      const told = next(a, "disconnect");
      const closed = next(a.io, "close");
      c.emit("kick room", { room, closeConnection: true });
      assert.equal((await told)[0], "io server disconnect");
      await closed;
      await barrier(b, c);
    }));

    test("broadcasts with and without the sender", three(async ({ sockets: [a], heard, room }) => {
      // Other test files share the server, so only texts of this test count.
      const mine = async () => (await heard()).map((texts) => texts.filter((t) => t.startsWith(room)));
      await ask(a, "broadcast to others", `${room} others`);
      assert.deepEqual(await mine(), [[], [`${room} others`], [`${room} others`]]);
      await ask(a, "broadcast to all", `${room} all`);
      assert.deepEqual(await mine(), [[`${room} all`], [`${room} all`], [`${room} all`]]);
    }));

    test("forgets a client's rooms when it leaves", three(async ({ sockets: [a, b], heard, room }) => {
      await ask(a, "join", "watchers");
      await ask(b, "join", room);
      const { id } = b;
      const left = departure(a, id);
      b.disconnect();
      await left;
      b.connect();
      assert.deepEqual(await ask(b, "rooms"), [[b.id]]);
      await ask(a, "say to all", { rooms: [room, id], except: [], text: "ghost" });
      assert.deepEqual(await heard(), [[], [], []]);
    }));

    test("gathers one answer of every member", three(async ({ sockets: [a, b, c], room }) => {
      for (const s of [a, b]) await ask(s, "join", room);
      a.on("vote", (answer) => answer("a votes"));
      b.on("vote", (answer) => answer("b votes"));
      c.on("vote", (answer) => answer("c was not asked"));
      assert.deepEqual(await ask(c, "vote", room), [["a votes", "b votes"]]);
    }));
  });
}
