// Two servers behind a proxy, of which one goes away and comes back: the clients of the other notice
// nothing, and its own find the other one.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, assertCounts, barrier, fixture, modes, next, record, scenario, upgraded, within } from "../../../internal/conformance/js/harness.mjs";

const control = async (what) => {
  const response = await fetch(`${fixture.controlURL}/${what}`, { method: "POST" });
  assert.equal(response.status, 200, await response.text());
};

// Which of them to run; all take half a minute.
const wanted = (process.env.SIOKIT_RESTARTS || "all").split(",");

// What a socket hears, in numbers.
const listen = (socket) => {
  socket.heard = [];
  socket.on("said", (text) => socket.heard.push(Number(text)));
};

const options = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100 };

describe("restart of one of two", { timeout: 600_000 }, () => {
  for (const [name, mode] of Object.entries(modes)) {
    for (const end of ["stop", "kill"]) {
      if (!wanted.includes("all") && !wanted.includes(`${end} ${name}`)) continue;
      test(`${end}, ${name}`, scenario(mode, async ({ connect }) => {
        const room = `restart ${name} ${end}`;
        const where = {}; // the sockets by server
        const all = [];
        // The cookie decides, at random: enough of them are on both.
        while (all.length < 8 || !where.a || !where.b) {
          assert.ok(all.length < 100, "all clients are on one server");
          const socket = await connect("/", options);
          if (name === "upgrade") await upgraded(socket);
          listen(socket);
          // After every connect, as applications do.
          socket.on("connect", () => socket.emit("join", room));
          await ask(socket, "join", room);
          const [node] = await ask(socket, "which node");
          (where[node] ??= []).push(socket);
          all.push(socket);
        }
        const [speaker] = where.a;
        // Until the servers know each other: before that barrier is none. An answer that is an error has no length.
        const together = async (socket, count) => {
          while (!((await ask(socket, "members", room))[0].length >= count));
        };
        await together(speaker, all.length);
        await together(where.b[0], all.length);
        let said = 0;
        const say = (socket = speaker) => ask(socket, "say to all", { rooms: [room], except: [], text: String(said++) });
        await say();
        await barrier(...all); // what two servers say has no order
        await say(where.b[0]);
        await barrier(...all);
        for (const socket of all) assertCounts(socket.heard, 2, "with both servers");

        // One goes, while the other's clients speak on.
        const stayed = record(speaker, "disconnect");
        const left = where.b.map((s) => next(s, "disconnect"));
        const moved = where.b.map((s) => next(s, "connect"));
        const ended = control(end);
        for (const [reason] of await within("all disconnects", (ok, no) => {
          let going = true;
          Promise.all(left).finally(() => (going = false)).then(ok, no);
          (async () => { while (going) await say(); })().catch(no);
        })) {
          // Anything but "io server disconnect", after which a client stays away for ever.
          assert.match(reason, /^transport (close|error)$/);
        }
        await ended;
        await Promise.all(moved);
        for (const socket of where.b) assert.deepEqual(await ask(socket, "which node"), ["a"]);
        await barrier(...where.b); // their joins are done
        await say();
        await say(where.b[0]);
        await barrier(...all);
        for (const socket of where.a) assertCounts(socket.heard, said, "a client of the server that stayed");
        for (const socket of where.b) assert.deepEqual(socket.heard.slice(-2), [said - 2, said - 1]);

        // And comes back: new clients find it, and the old ones.
        await control("start");
        let late;
        for (let tries = 0; !late; tries++) {
          assert.ok(tries < 400, "no client reaches the server that is back");
          const socket = await connect("/", options);
          if ((await ask(socket, "which node"))[0] === "b") late = socket;
          else {
            socket.disconnect();
            await new Promise((resolve) => setTimeout(resolve, 20)); // the proxy tries it again after a while
          }
        }
        await ask(late, "join", room);
        listen(late);
        // Until the two have found each other.
        await together(late, all.length + 1);
        await together(speaker, all.length + 1);
        await say();
        await barrier(late, ...all);
        await say(late);
        await barrier(late, ...all);
        assert.deepEqual(late.heard, [said - 2, said - 1]);
        for (const socket of where.a) assertCounts(socket.heard, said, "a client of the server that stayed");
        for (const socket of where.b) assert.deepEqual(socket.heard.slice(-2), [said - 2, said - 1]);
        assert.deepEqual(stayed, []);
      }));
    }
  }
});
