// What each of the login examples does, whatever its framework.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ask, example, farewells, modes, next, refusals, refused, scenario } from "./visitor.mjs";

describe(`${example.name}, HTTP`, { timeout: 600_000 }, () => {
  test("the page is complete and runs its own scripts only", scenario({}, async (visitor) => {
    const page = await visitor().request("/");
    assert.equal(page.status, 200);
    assert.match(page.headers.get("content-type"), /^text\/html/);
    const nonce = /'nonce-([A-Z2-7]+)'/.exec(page.headers.get("content-security-policy"))?.[1];
    assert.ok(nonce, "the policy has a nonce");
    assert.equal(page.body.split(`nonce="${nonce}"`).length - 1, 2, "one style and one script");
    const again = await visitor().request("/");
    assert.ok(!again.body.includes(nonce), "the nonce is new for each answer");
  }));

  test("login and logout", scenario({}, async (visitor) => {
    const ann = visitor();
    assert.equal((await ann.request("/me")).status, 401);
    for (const form of [
      { name: "ann", password: "bob-secret" },
      { name: "eve", password: "eve-secret" },
      { name: "", password: "nobody" },
      { name: "ann", password: "ann-secret", nickname: "a".repeat(41) },
    ]) {
      assert.equal((await ann.request("/login", form)).status, form.nickname ? 400 : 401, JSON.stringify(form));
    }
    assert.equal((await ann.request("/announce", { text: "psst" })).status, 401);
    const login = await ann.request("/login", { name: "ann", password: "ann-secret", nickname: "Annie" });
    assert.deepEqual([login.status, login.headers.get("location")], [303, "/"]);
    assert.deepEqual(JSON.parse((await ann.request("/me")).body), { name: "ann", nickname: "Annie" });
    assert.equal((await ann.request("/announce", { text: " " })).status, 400);
    const cookie = ann.cookie; // a copy of it must be worth nothing afterwards
    const logout = await ann.request("/logout", {});
    assert.deepEqual([logout.status, logout.headers.get("location")], [303, "/"]);
    assert.equal((await ann.request("/me")).status, 401);
    assert.equal((await visitor().request("/me", undefined, { headers: { cookie } })).status, 401);
  }));

  test("forms of other sites are refused", scenario({}, async (visitor) => {
    const ann = await visitor().login("ann");
    for (const path of ["/login", "/logout", "/announce"]) {
      const { status } = await ann.request(path, { text: "x" }, { headers: { origin: "https://evil.example" } });
      assert.equal(status, 403, path);
    }
    assert.equal((await ann.request("/me")).status, 200);
  }));
});

for (const [name, mode] of Object.entries(modes)) {
  describe(`${example.name}, ${name}`, { timeout: 600_000 }, () => {
    test("without a login a socket is refused", scenario(mode, async (visitor) => {
      const err = await refused(visitor().open());
      assert.equal(err.message, "please log in");
      assert.deepEqual(err.data, { code: 401 });
    }));

    test("a socket has the user and the session of the page", scenario(mode, async (visitor) => {
      const ann = await visitor().login("ann", { nickname: "Annie" });
      const socket = await ann.connect();
      assert.deepEqual(await ask(socket, "whoami"), { name: "ann", nickname: "Annie" });
    }));

    if (example.shared) test("a change of the session is seen everywhere", scenario(mode, async (visitor) => {
      const ann = await visitor().login("ann", { nickname: "Annie" });
      const [one, other] = [await ann.connect(), await ann.connect()];
      const elsewhere = await (await visitor().login("ann", { nickname: "Anna" })).connect(); // another session
      const cookie = ann.cookie;
      for (const [socket, nickname] of [[one, "Queen Ann"], [other, "Ann I"]]) {
        assert.equal(await ask(socket, "rename", nickname), undefined);
        assert.equal(JSON.parse((await ann.request("/me")).body).nickname, nickname);
        for (const tab of [one, other]) assert.equal((await ask(tab, "whoami")).nickname, nickname);
      }
      assert.equal((await ask(one, "rename", "a".repeat(41))).error.code, "bad_nickname");
      assert.equal((await ask(other, "whoami")).nickname, "Ann I");
      assert.equal((await ask(elsewhere, "whoami")).nickname, "Anna");
      assert.equal(ann.cookie, cookie, "the cookie only names the session");
    }));
    else test("a change of the session stays with the connection", scenario(mode, async (visitor) => {
      const ann = await visitor().login("ann", { nickname: "Annie" });
      const [one, other] = [await ann.connect(), await ann.connect()];
      assert.equal(await ask(one, "rename", "Queen Ann"), undefined);
      assert.equal((await ask(one, "whoami")).nickname, "Queen Ann");
      assert.equal((await ask(other, "whoami")).nickname, "Annie");
      assert.equal(JSON.parse((await ann.request("/me")).body).nickname, "Annie");
      assert.equal((await ask(one, "rename", "a".repeat(41))).error.code, "bad_nickname");
      assert.equal((await ask(one, "whoami")).nickname, "Queen Ann");
    }));

    test("two users talk", scenario(mode, async (visitor) => {
      const ann = await (await visitor().login("ann")).connect();
      const bob = await (await visitor().login("bob", { nickname: "Bobby" })).connect();
      assert.equal((await ask(bob, "say", { room: "lobby", text: "too early" })).error.code, "not_joined");
      for (const socket of [ann, bob]) assert.equal(await ask(socket, "join", "lobby"), undefined);
      const heard = [next(ann, "said"), next(bob, "said")];
      assert.equal(await ask(bob, "say", { room: "lobby", text: "hello" }), undefined);
      const said = { room: "lobby", from: { name: "bob", nickname: "Bobby" }, text: "hello" };
      assert.deepEqual(await Promise.all(heard), [said, said]);
      assert.equal((await ask(bob, "join", `user: ${ann.id}`)).error.code, "bad_room");
    }));

    test("an HTTP handler reaches every socket", scenario(mode, async (visitor) => {
      const annPage = await visitor().login("ann");
      const sockets = [await annPage.connect(), await (await visitor().login("bob")).connect()];
      const heard = sockets.map((socket) => next(socket, "announcement"));
      assert.equal((await annPage.request("/announce", { text: "lunch" })).status, 204);
      for (const announcement of await Promise.all(heard)) {
        assert.deepEqual(announcement, { from: "ann", text: "lunch" });
      }
    }));

    // The frameworks use their contexts again for other requests, which must not show in a handler.
    test("values of the middleware are those of the handshake", scenario(mode, async (visitor) => {
      const sockets = new Map();
      for (const user of ["ann", "bob"]) {
        for (const n of [1, 2]) {
          const id = `${user}-${n}`;
          sockets.set(id, await (await visitor().login(user)).connect({ "x-request-id": id, "x-forwarded-for": `203.0.113.${n}` }));
        }
      }
      for (let round = 0; round < 5; round++) {
        const other = await visitor().request("/me", undefined, { headers: { "x-request-id": "somebody else's" } });
        assert.equal(other.headers.get("x-request-id") ?? "somebody else's", "somebody else's");
        await Promise.all([...sockets].map(async ([id, socket]) => {
          assert.equal(await ask(socket, "request id"), id);
          assert.equal(await ask(socket, "address"), `203.0.113.${id.at(-1)}`);
          assert.equal((await ask(socket, "whoami")).name, id.slice(0, 3));
        }));
      }
      const plain = await (await visitor().login("ann")).connect();
      assert.match(await ask(plain, "address"), /^(127\.0\.0\.1|::1)$/);
      assert.notEqual(await ask(plain, "request id"), "");
    }));

    // The client sends one forged address, the proxy on this machine adds the one that it saw.
    test("an address that the client claims is not believed", scenario(mode, async (visitor) => {
      const socket = await (await visitor().login("ann")).connect({ "x-forwarded-for": "10.6.6.6, 203.0.113.9" });
      assert.equal(await ask(socket, "address"), "203.0.113.9");
    }));

    test("logout cuts the sockets of this login only", scenario(mode, async (visitor) => {
      const page = await visitor().login("ann");
      const cookie = page.cookie;
      const tabs = [await page.connect(), await page.connect()];
      const elsewhere = await (await visitor().login("ann")).connect(); // her other device
      const bob = await (await visitor().login("bob")).connect();
      for (const tab of tabs) await ask(tab, "whoami"); // the server has heard of the upgrade, too
      const told = tabs.map((tab) => next(tab, "disconnect"));
      assert.equal((await page.request("/logout", {})).status, 303);
      for (const reason of await Promise.all(told)) assert.match(reason, farewells[name]);
      for (const headers of [{}, { cookie }]) { // with the new cookie, and with a copy of the old one
        const err = await refused(page.open(headers));
        assert.equal(err.message, "please log in");
        assert.deepEqual(err.data, { code: 401 });
      }
      assert.equal((await ask(elsewhere, "whoami")).name, "ann");
      assert.equal((await ask(bob, "whoami")).name, "bob");
      assert.equal((await ask(await (await page.login("ann")).connect(), "whoami")).name, "ann");
    }));

    test("another user's cookie does not continue a connection", scenario(mode, async (visitor) => {
      const [ann, bob] = [await visitor().login("ann"), await visitor().login("bob")];
      const socket = await ann.connect();
      assert.equal(await ask(socket, "join", "lobby"), undefined);
      const path = `/socket.io/?EIO=4&transport=polling&sid=${encodeURIComponent(socket.io.engine.id)}`;
      for (const thief of [bob, visitor()]) {
        // 41 would disconnect her, 42… would speak in her name, a GET would take her messages.
        for (const packets of ["41", '42["say",{"room":"lobby","text":"I am ann"}]', undefined]) {
          const { status } = await thief.request(path, undefined, { body: packets });
          assert.ok(refusals[name].includes(status), `${status} on ${name}: ${thief === bob ? "bob" : "nobody"} sends ${packets}`);
        }
      }
      const heard = next(socket, "said");
      assert.equal(await ask(socket, "say", { room: "lobby", text: "I am here" }), undefined);
      assert.equal((await heard).text, "I am here"); // and nothing came before it
      assert.equal(socket.connected, true);
    }));
  });
}
