// What visitors of examples/cluster see: one at each server.
import assert from "node:assert/strict";
import { once as onceEver } from "node:events";
import { test } from "node:test";
import { io } from "socket.io-client";

const { EXAMPLE_URL, OTHER_URL } = process.env;
const once = (emitter, event) => onceEver(emitter, event, { signal: AbortSignal.timeout(30_000) });

for (const transports of [["polling"], ["websocket"], ["polling", "websocket"]]) {
  test(`cluster over ${transports}`, { timeout: 600_000 }, async () => {
    const open = (url) => io(url, { transports, forceNew: true, reconnection: false });
    const [here, there] = [open(EXAMPLE_URL), open(OTHER_URL)];
    try {
      const nodes = (await Promise.all([once(here, "node"), once(there, "node")])).flat();
      assert.deepEqual(nodes, [new URL(EXAMPLE_URL).host, new URL(OTHER_URL).host]);
      for (const socket of [here, there]) assert.match((await once(socket, "time"))[0], /^\d\d:\d\d:\d\d$/);
      // The servers may not have found each other yet.
      while ((await here.emitWithAck("who is there")) !== 2 || (await there.emitWithAck("who is there")) !== 2);
      for (const [speaker, listener, node] of [[here, there, nodes[0]], [there, here, nodes[1]]]) {
        const heard = [once(speaker, "said"), once(listener, "said")];
        speaker.emit("say", `hello from ${node}`);
        for (const [said] of await Promise.all(heard)) assert.deepEqual(said, { text: `hello from ${node}`, node });
      }
    } finally {
      here.disconnect();
      there.disconnect();
    }
  });
}
