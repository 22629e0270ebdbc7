// Namespaces whose names are not known beforehand.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, barrier, connected, departure, modes, next, record, refused, scenario } from "./harness.mjs";

let serial = process.pid * 1000;
const uniqueOrg = () => `/org/${serial++}`;

for (const [name, mode] of Object.entries(modes)) {
  describe(`dynamic namespaces, ${name}`, { timeout: 600_000 }, () => {
    test("one registration serves every name that matches", scenario(mode, async ({ connect }) => {
      const [one, two] = [uniqueOrg(), uniqueOrg()];
      const a = await connect(one);
      const b = await connected(a.io.socket(two));
      assert.notEqual(a.id, b.id);
      assert.deepEqual(await ask(a, "where"), [one, one.slice(5)]);
      assert.deepEqual(await ask(b, "where"), [two, two.slice(5)]);
    }));

    test("are apart from each other", scenario(mode, async ({ connect }) => {
      const [one, two] = [uniqueOrg(), uniqueOrg()];
      const [a, b, c] = [await connect(one), await connect(one), await connect(two)];
      const heard = [a, b, c].map((s) => record(s, "said"));
      for (const s of [a, b, c]) await ask(s, "join", "same name");
      await ask(a, "say to all", { rooms: ["same name"], except: [], text: "room" });
      await ask(a, "broadcast to others", "others");
      await barrier(a, b, c);
      assert.deepEqual(heard, [[["room"]], [["room"], ["others"]], []]);
    }));

    test("hear what is said on all of them", scenario(mode, async ({ connect }) => {
      const [a, b, outsider] = [await connect(uniqueOrg()), await connect(uniqueOrg()), await connect("/second")];
      const text = a.id; // other test files share the server
      const heard = [a, b, outsider].map((s) => record(s, "said"));
      await ask(a, "tell every org", text);
      await barrier(a, b, outsider);
      assert.deepEqual(heard.map((texts) => texts.filter(([t]) => t === text)), [[[text]], [[text]], []]);
    }));

    test("refuse names that do not match", scenario(mode, async ({ connect }) => {
      const root = await connect();
      for (const wrong of ["/org/", "/org/x", "/org/7/8", "/Org/7", "/orgs/7"]) {
        assert.equal((await refused(root.io.socket(wrong))).message, "Invalid namespace", wrong);
      }
      assert.deepEqual(await ask(root, "echo1", "still here"), ["still here"]);
    }));

    test("come again after the last one has left", scenario(mode, async ({ connect }) => {
      const org = uniqueOrg();
      const a = await connect(org);
      await ask(a, "join", "room");
      const root = await connected(a.io.socket("/"));
      a.disconnect();
      await barrier(root);
      a.connect();
      await connected(a);
      assert.deepEqual(await ask(a, "where"), [org, org.slice(5)]);
      assert.deepEqual(await ask(a, "members", "room"), [[]]);
    }));

    test("say why one left", scenario(mode, async ({ connect }) => {
      const org = uniqueOrg();
      const [a, watcher] = [await connect(org), await connect(org)];
      await ask(watcher, "join", "watchers");
      const { id } = a;
      const gone = departure(watcher, id);
      const told = next(a, "disconnect");
      a.emit("kick me", false);
      assert.equal((await told)[0], "io server disconnect");
      assert.equal(await gone, "server namespace disconnect");
    }));
  });
}
