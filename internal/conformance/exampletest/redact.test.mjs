// The official client against a server whose access log hides the query: run by internal/conformance/adapters.
import assert from "node:assert/strict";
import { test } from "node:test";
import { io } from "socket.io-client";

const url = process.env.EXAMPLE_URL;
const modes = { polling: ["polling"], websocket: ["websocket"], upgrade: ["polling", "websocket"] };

for (const [mode, transports] of Object.entries(modes)) {
  test(`${process.env.EXAMPLE}: ${mode}`, { timeout: 600_000 }, async () => {
    const socket = io(url, { transports, forceNew: true, reconnection: false, query: { token: process.env.TOKEN } });
    try {
      await new Promise((resolve, reject) => {
        socket.on("connect", resolve);
        socket.on("connect_error", reject);
      });
      if (mode === "upgrade") {
        await new Promise((resolve) => {
          if (socket.io.engine.transport.name === "websocket") resolve();
          else socket.io.engine.once("upgrade", resolve);
        });
      }
      assert.equal(await socket.emitWithAck("echo", "hello"), "hello");
      assert.equal(await socket.emitWithAck("token"), process.env.TOKEN);
    } finally {
      socket.disconnect();
    }
  });
}
