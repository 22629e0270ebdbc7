// What siokit adds to the existing gin application.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, example, modes, next, refusals, refused, scenario } from "./visitor.mjs";

for (const [name, mode] of Object.entries(modes)) {
  describe(`existing gin application, ${example.name}, ${name}`, { timeout: 600_000 }, () => {
    test("without the application's login a socket is refused", scenario(mode, async (visitor) => {
      for (const cookie of [undefined, "shop=forged"]) {
        const err = await refused(visitor().open(cookie && { cookie }));
        assert.equal(err.message, "please log in");
        assert.deepEqual(err.data, { code: 401 });
      }
    }));

    test("a socket knows the application's user, and hears of orders", scenario(mode, async (visitor) => {
      const [annPage, bobPage] = [await visitor().login("ann"), await visitor().login("bob")];
      const [ann, bob] = [await annPage.connect(), await bobPage.connect()];
      assert.equal(await ask(ann, "whoami"), "ann");
      assert.equal(await ask(bob, "whoami"), "bob");
      bob.on("ordered", () => assert.fail("bob hears of ann's order"));
      const heard = next(ann, "ordered");
      assert.equal((await annPage.request("/orders", {})).status, 303);
      await heard;
      await ask(bob, "whoami"); // what was sent to him before has arrived
    }));

    test("logout cuts the user's sockets", scenario(mode, async (visitor) => {
      const page = await visitor().login("ann");
      const bob = await (await visitor().login("bob")).connect();
      const tabs = [await page.connect(), await page.connect()];
      for (const tab of tabs) await ask(tab, "whoami"); // the server has heard of the upgrade, too
      const told = tabs.map((tab) => next(tab, "disconnect"));
      assert.equal((await page.request("/logout", {})).status, 303);
      assert.deepEqual(await Promise.all(told), ["io server disconnect", "io server disconnect"]);
      assert.equal((await refused(page.open())).message, "please log in");
      assert.equal(await ask(bob, "whoami"), "bob");
    }));

    test("another user's cookie does not continue a connection", scenario(mode, async (visitor) => {
      const [ann, bob] = [await visitor().login("ann"), await visitor().login("bob")];
      const socket = await ann.connect();
      const path = `/socket.io/?EIO=4&transport=polling&sid=${encodeURIComponent(socket.io.engine.id)}`;
      for (const thief of [bob, visitor()]) {
        for (const body of ["41", undefined]) {
          const { status } = await thief.request(path, undefined, { body });
          assert.ok(refusals[name].includes(status), `${status} on ${name}`);
        }
      }
      assert.equal(await ask(socket, "whoami"), "ann");
    }));
  });
}
