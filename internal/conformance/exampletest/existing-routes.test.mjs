// What the routes of the existing gin application do, with siokit or without it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { example, scenario } from "./visitor.mjs";

describe(`existing gin application, ${example.name}`, { timeout: 600_000 }, () => {
  test("the page is there", scenario({}, async (visitor) => {
    const { status, body } = await visitor().request("/");
    assert.equal(status, 200);
    assert.match(body, /<h1>shop<\/h1>/);
  }));

  test("login, order, logout", scenario({}, async (visitor) => {
    const ann = visitor();
    assert.equal((await ann.request("/me")).status, 401);
    assert.equal((await ann.request("/login", { name: "ann", password: "bob-secret" })).status, 401);
    assert.equal((await ann.request("/login", { name: "", password: "" })).status, 401);
    assert.equal((await ann.request("/orders", {})).status, 401);
    await ann.login("ann");
    assert.deepEqual(JSON.parse((await ann.request("/me")).body), { name: "ann" });
    assert.equal((await ann.request("/orders", {})).status, 303);
    assert.equal((await visitor().request("/me")).status, 401);
    assert.equal((await ann.request("/logout", {})).status, 303);
    assert.equal((await ann.request("/me")).status, 401);
  }));
});
