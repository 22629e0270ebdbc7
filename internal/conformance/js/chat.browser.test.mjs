// The chat example in a real browser: two people with cookie logins, on a desktop and on a phone.
// CHAT_URL names a running chat, SCREENSHOTS the folder that pictures go to.
import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { findChromium } from "./chromium.mjs";

const { CHAT_URL: url, SCREENSHOTS: screenshots } = process.env;
const desktop = { viewport: { width: 1280, height: 800 } };
const phone = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true };

// One person's tab. Everything is found by data-testid, so the page may change its looks.
class Person {
  static async open(browser, options) {
    const person = new Person();
    person.context = await browser.newContext({ ...options, reducedMotion: "reduce" });
    person.context.setDefaultTimeout(60_000);
    person.page = await person.context.newPage();
    person.errors = [];
    person.page.on("pageerror", (error) => person.errors.push(String(error)));
    person.page.on("console", (m) => m.type() === "error" && !/status of 401/.test(m.text()) && person.errors.push(m.text()));
    // Remembers the page's sockets, to see them cut.
    person.sockets = [];
    person.page.on("websocket", (ws) => {
      person.sockets.push(ws);
      ws.on("framereceived", ({ payload }) => String(payload).startsWith("4") && (person.upgraded = true));
    });
    await person.page.goto(url);
    return person;
  }

  at(id) {
    return this.page.getByTestId(id);
  }

  async logIn(name, password) {
    await this.at("login-name").fill(name);
    await this.at("login-password").fill(password);
    await this.at("login-submit").click();
  }

  state(state) {
    return this.page.locator(`[data-testid=status][data-state=${state}]`).waitFor();
  }

  async say(text) {
    await this.at("message-input").fill(text);
    await this.at("message-send").click();
  }

  hears(text) {
    return this.at("message-list").getByText(text).first().waitFor();
  }

  async names() {
    return (await this.at("online-list").locator("li").allTextContents()).map((t) => t.trim());
  }

  /** Waits until the server has sent something over WebSocket: then both sides have upgraded. */
  async usesWebSocket() {
    for (; !this.upgraded; await sleep(100)) await this.context.request.post(`${url}/announce`, { form: { text: "soon" } });
  }

  shoot(name) {
    return this.page.screenshot({ path: `${screenshots}/${name}.png` });
  }
}

describe("the chat in Chromium", { timeout: 600_000 }, () => {
  let browser;
  let ann;
  let bob;

  before(async () => {
    assert.ok(url && screenshots, "CHAT_URL and SCREENSHOTS are not set: start this with go test ./internal/conformance");
    mkdirSync(screenshots, { recursive: true });
    browser = await chromium.launch({
      executablePath: findChromium(),
      timeout: 180_000,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"],
    });
    ann = await Person.open(browser, desktop);
    bob = await Person.open(browser, phone);
  });
  after(() => browser?.close());

  test("refuses a wrong password and stays logged out", async () => {
    await ann.logIn("ann", "guess");
    await ann.page.getByText("do not match").waitFor();
    assert.equal((await ann.context.request.get(`${url}/me`)).status(), 401);
    await ann.shoot("login-desktop");
    await bob.shoot("login-phone");
  });

  test("connects after the login, as that user", async () => {
    await ann.logIn("ann", "ann-secret");
    await ann.state("online");
    await bob.logIn("bob", "bob-secret");
    await bob.state("online");
    assert.deepEqual(await (await ann.context.request.get(`${url}/me`)).json(), { name: "ann" });
    await ann.at("online-list").getByText("bob").waitFor();
    assert.deepEqual((await ann.names()).map((n) => n.replace(" (you)", "")).sort(), ["ann", "bob"]);
  });

  test("carries messages both ways, with the sender's name", async () => {
    await ann.say("hello bob 👋");
    await bob.hears("hello bob 👋");
    await bob.say("hi ann, <b>no markup</b> & żółć");
    await ann.hears("hi ann, <b>no markup</b> & żółć");
    const last = bob.at("message-list").locator("li").filter({ hasText: "hello bob 👋" });
    assert.match(await last.textContent(), /ann/);
    assert.equal(await ann.at("message-list").locator("b").count(), 0, "a message became markup");
  });

  test("shows who is typing to the others only", async () => {
    // It shows for some seconds only, and is volatile: a client that is busy does not send it.
    let seen = false;
    const shown = ann.at("typing").getByText("bob").waitFor().then(() => (seen = true));
    while (!seen) {
      await bob.at("message-input").pressSequentially("typ");
      await Promise.race([shown, sleep(2500)]); // the page tells it again after 2 s
    }
    assert.equal(await bob.at("typing").textContent(), "");
    await bob.at("message-input").fill("");
  });

  test("takes pictures of a chat at both widths, and nothing overflows", async () => {
    for (const [person, name] of [[ann, "chat-desktop"], [bob, "chat-phone"]]) {
      await person.shoot(name);
      const overflow = await person.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      assert.ok(overflow <= 0, `${name} scrolls sideways by ${overflow} px`);
    }
  });

  test("announces from an HTTP route to every socket", async () => {
    await ann.at("announce-input").fill("lunch is served");
    await ann.at("announce-send").click();
    await bob.page.getByText("lunch is served").waitFor();
    await ann.page.getByText("lunch is served").waitFor();
    await bob.shoot("announcement-phone");
  });

  test("uses WebSocket after the upgrade", async () => {
    for (const person of [ann, bob]) {
      await person.usesWebSocket();
      assert.ok(person.sockets.some((ws) => !ws.isClosed()), "no open WebSocket");
    }
  });

  test("keeps the history for a reload", async () => {
    ann.sockets = []; // those of the page that goes away: nobody tells when they close
    ann.upgraded = false;
    await ann.page.reload();
    await ann.state("online");
    await ann.hears("hello bob 👋");
  });

  test("cuts every socket of a login at its logout, and nobody else's", async () => {
    const second = await ann.context.newPage();
    await second.goto(url);
    await second.locator("[data-testid=status][data-state=online]").waitFor();
    await ann.usesWebSocket();
    const open = ann.sockets.filter((ws) => !ws.isClosed());
    assert.ok(open.length > 0);
    const cut = Promise.all(open.map((ws) => ws.waitForEvent("close", { timeout: 30_000 })));

    await ann.at("logout").click();
    await cut;
    await ann.at("login-name").waitFor();
    await second.getByTestId("login-name").waitFor();
    assert.equal((await ann.context.request.get(`${url}/me`)).status(), 401);
    await ann.shoot("logged-out-desktop");

    await bob.page.waitForFunction(() => !document.querySelector("[data-testid=online-list]").textContent.includes("ann"));
    await bob.say("still here");
    await bob.hears("still here");
    await second.close();
  });

  test("logs no error in either browser's console", () => {
    assert.deepEqual(ann.errors, []);
    assert.deepEqual(bob.errors, []);
  });
});
