// What a visitor of examples/standalone sees.
import assert from "node:assert/strict";
import { test } from "node:test";
import { io } from "socket.io-client";

const url = process.env.EXAMPLE_URL;

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  test(`standalone over ${transports}`, { timeout: 600_000 }, async () => {
    const socket = io(url, { transports, forceNew: true, reconnection: false });
    const next = (event) => new Promise((resolve) => { socket.once(event, resolve); });
    try {
      assert.match(await next("time"), /^\d\d:\d\d:\d\d$/);
      const said = next("said");
      socket.emit("say", "hello");
      assert.equal(await said, "hello");
      const posted = next("said");
      await fetch(`${url}/say`, { method: "POST", body: new URLSearchParams({ text: "from a route" }) });
      assert.equal(await posted, "from a route");
    } finally {
      socket.disconnect();
    }
  });
}
