// What is off by default, as a client sees it: compression of messages, the sticky cookie, headers of
// the program's own, and the packet that comes with the handshake.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, connected, fixture, modes, next, scenario, upgraded } from "./harness.mjs";

const url = fixture.optionsURL;
const long = "compress me ".repeat(20_000);

for (const [name, mode] of Object.entries(modes)) {
  describe(name, () => {
    test(
      "the initial packet is the first event",
      scenario(mode, async ({ open }) => {
        const socket = open("/", { url });
        const hello = next(socket, "hello");
        await connected(socket);
        assert.deepEqual(await hello, [{ from: "the handshake" }]);
      }),
    );

    test(
      "long and short messages, text and binary, both ways",
      scenario(mode, async ({ connect }) => {
        const socket = await connect("/", { url });
        if (name === "upgrade") await upgraded(socket);
        for (const value of [long, "short", Buffer.from(long), { a: [Buffer.alloc(5000, 1), long, Buffer.from([1])] }]) {
          assert.deepEqual(await ask(socket, "echo1", value), [value]);
        }
      }),
    );
  });
}

test(
  "messages are compressed on WebSocket",
  scenario(modes.websocket, async ({ connect }) => {
    const weigh = async (options) => {
      const socket = await connect("/", options);
      const { ws } = socket.io.engine.transport;
      const before = ws._socket.bytesRead;
      await ask(socket, "echo1", long);
      return { extensions: ws.extensions, bytes: ws._socket.bytesRead - before };
    };
    const on = await weigh({ url });
    assert.equal(on.extensions, "permessage-deflate");
    assert.ok(on.bytes < long.length / 20, `${on.bytes} bytes came for ${long.length}`);
    for (const plain of [{ url, perMessageDeflate: false }, {}]) {
      const off = await weigh(plain); // the client does not offer it, or the server has it off
      assert.equal(off.extensions, "");
      assert.ok(off.bytes > long.length, `${off.bytes} bytes came for ${long.length}`);
    }
  }),
);

test("a shared broadcast reaches those with compression and those without", async () => {
  await scenario(modes.websocket, async ({ connect }) => {
    const sockets = await Promise.all([true, false, true, false].map((on) => connect("/", { url, perMessageDeflate: on && { threshold: 1024 } })));
    const all = sockets.map((socket) => next(socket, "said"));
    await ask(sockets[0], "broadcast to all", long);
    for (const said of all) assert.deepEqual(await said, [long]);
  })();
});

test("polling answers are compressed as the client prefers", async () => {
  const engine = `${url}/socket.io/?EIO=4&transport=polling`;
  for (const [accept, coding] of [["gzip, deflate, br", "gzip"], ["deflate", "deflate"], ["gzip;q=0.1, deflate;q=0.9", "deflate"], ["gzip;q=0", null]]) {
    const open = await (await fetch(engine)).text();
    const { sid } = JSON.parse(open.slice(1).split("\x1e")[0]);
    const session = `${engine}&sid=${sid}`;
    await fetch(session, { method: "POST", body: "40" });
    assert.match(await (await fetch(session)).text(), /^40/);
    await fetch(session, { method: "POST", body: `421["echo1","${long}"]` });
    const answer = await fetch(session, { headers: { "Accept-Encoding": accept } });
    assert.equal(answer.headers.get("content-encoding"), coding, accept);
    assert.equal(await answer.text(), `431["${long}"]`); // fetch has inflated it
    await fetch(session, { method: "POST", body: "1" });
  }
});

test("cookie and headers of the handshake, and of what follows", async () => {
  const engine = `${url}/socket.io/?EIO=4&transport=polling`;
  const first = await fetch(engine);
  const { sid } = JSON.parse((await first.text()).slice(1).split("\x1e")[0]);
  assert.equal(first.headers.get("set-cookie"), `io=${encodeURIComponent(sid)}; Path=/; HttpOnly; SameSite=Lax`);
  assert.equal(first.headers.get("x-first"), "1");
  assert.equal(first.headers.get("x-all"), "1");
  const post = await fetch(`${engine}&sid=${sid}`, { method: "POST", body: "40" });
  const poll = await fetch(`${engine}&sid=${sid}`);
  for (const later of [post, poll]) {
    assert.equal(later.headers.get("set-cookie"), null);
    assert.equal(later.headers.get("x-first"), null);
    assert.equal(later.headers.get("x-all"), "1");
  }
  await fetch(`${engine}&sid=${sid}`, { method: "POST", body: "1" });
});

test(
  "headers of the 101, which has no sticky cookie",
  scenario(modes.websocket, async ({ open }) => {
    const socket = open("/", { url });
    const answered = next(socket.io.engine.transport.ws, "upgrade");
    await connected(socket);
    const [{ headers }] = await answered;
    assert.equal(headers["x-first"], "1");
    assert.equal(headers["x-all"], "1");
    assert.equal(headers["set-cookie"], undefined);
  }),
);
