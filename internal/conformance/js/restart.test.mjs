// A server that goes away and comes back at the same address: clients return by themselves.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, barrier, connected, fixture, modes, next, record, scenario, upgraded } from "./harness.mjs";

const control = async (what) => {
  const response = await fetch(`${fixture.controlURL}/${what}`, { method: "POST" });
  assert.equal(response.status, 200, await response.text());
};

describe("restart", { timeout: 600_000 }, () => {
  for (const [name, mode] of Object.entries(modes)) {
    test(`reconnects and works again, ${name}`, scenario(mode, async ({ connect }) => {
      const options = { url: fixture.restartURL, reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 100, auth: { welcome: "again" } };
      const sockets = await Promise.all(Array.from({ length: 5 }, () => connect("/", options)));
      const second = await connected(sockets[0].io.socket("/second", { auth: { token: "kept" } }));
      sockets.push(second);
      if (name === "upgrade") await Promise.all(sockets.map(upgraded));
      await barrier(...sockets); // the server has heard of the upgrade, too
      const before = sockets.map((s) => s.id);
      const reasons = sockets.map((s) => next(s, "disconnect"));
      const failures = record(sockets[0].io, "reconnect_error");

      await control("stop");
      for (const [reason] of await Promise.all(reasons)) {
        // Anything but "io server disconnect", after which a client stays away for ever.
        assert.match(reason, name === "polling" ? /^transport (close|error)$/ : /^transport close$/);
      }
      sockets[0].emit("tock", 1); // buffered until the server is back
      while (failures.length === 0) await next(sockets[0].io, "reconnect_error");

      const back = sockets.map((s) => next(s, "connect"));
      await control("start");
      await Promise.all(back);
      assert.equal(new Set([...before, ...sockets.map((s) => s.id)]).size, 2 * sockets.length);
      assert.deepEqual(await ask(sockets[0], "echo1", Buffer.from("again")), [Buffer.from("again")]);
      assert.deepEqual((await ask(sockets[0], "stop ticks"))[1], [1], "the buffered event came once");
      assert.deepEqual((await ask(second, "whoami"))[0].auth, { token: "kept" });
    }));
  }
});
