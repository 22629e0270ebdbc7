// The page of the login examples in a real browser.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";
import { example } from "./visitor.mjs";

function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  for (const name of ["chromium", "chromium-browser", "google-chrome"]) {
    try {
      return execFileSync("/bin/sh", ["-c", `command -v ${name}`]).toString().trim();
    } catch {
      // not this one
    }
  }
  throw new Error("Chromium is missing: run `make setup-browser`, or set CHROMIUM to its path");
}

describe(`${example.name}, the page in Chromium`, { timeout: 600_000 }, () => {
  let browser;
  const errors = [];
  const overWebSocket = new Set(); // tabs that the server has sent a packet over WebSocket: their upgrade is complete

  // A browser of its own, and a tab in it.
  const person = async () => {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 } });
    context.setDefaultTimeout(60_000);
    return { context, tab: await open(context) };
  };
  const open = async (context) => {
    const tab = await context.newPage();
    tab.on("websocket", (ws) => ws.on("framereceived", ({ payload }) => String(payload).startsWith("4") && overWebSocket.add(tab)));
    tab.on("pageerror", (error) => errors.push(String(error)));
    // Chromium reports what the server refuses. That is right for a wrong password, and for the goodbye of a client
    // whose connection the server has ended already. A violation of the page's policy would come here as well.
    const expected = (m) => (/status of 401/.test(m.text()) && m.location().url.endsWith("/login")) ||
      (/status of 400/.test(m.text()) && m.location().url.includes("/socket.io/?"));
    tab.on("console", (m) => m.type() === "error" && !expected(m) && errors.push(`${m.text()} (${m.location().url})`));
    await tab.goto(example.url);
    return tab;
  };
  const status = (tab, text) => tab.getByRole("status").filter({ hasText: text }).waitFor();
  const heard = (tab, text) => tab.getByRole("log").getByText(text, { exact: true }).waitFor();
  const fill = async (tab, fields, button) => {
    for (const [label, text] of Object.entries(fields)) await tab.getByLabel(label, { exact: true }).fill(text);
    await tab.getByRole("button", { name: button, exact: true }).click();
  };

  before(async () => {
    browser = await chromium.launch({
      executablePath: findChromium(),
      timeout: 180_000,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync"],
    });
  });
  after(() => browser?.close());

  test("login, talk, rename, announce, logout", async () => {
    const [ann, bob] = [await person(), await person()];
    await status(ann.tab, "please log in");
    await fill(ann.tab, { Name: "ann", Password: "guess" }, "Log in");
    await status(ann.tab, "wrong name or password");
    await fill(ann.tab, { Name: "ann", Password: "ann-secret", Nickname: "Annie" }, "Log in");
    await status(ann.tab, /^Annie, from (127\.0\.0\.1|::1), request \S+$/);
    await fill(bob.tab, { Name: "bob", Password: "bob-secret" }, "Log in");
    await status(bob.tab, /^bob, from/);

    await fill(ann.tab, { Message: "<b>hello</b>" }, "Say");
    await heard(bob.tab, "Annie: <b>hello</b>");
    await fill(bob.tab, { "Nickname in this tab": "Bobby" }, "Rename");
    await fill(bob.tab, { Message: "hi" }, "Say");
    await heard(ann.tab, "Bobby: hi");
    await fill(bob.tab, { Announcement: "lunch" }, "Announce");
    await heard(ann.tab, "Announcement by bob: lunch");
    assert.ok(await ann.tab.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "the page is too wide");

    const second = await open(ann.context);
    await status(second, /^Annie, from/);
    for (const tab of [ann.tab, second]) {
      for (; !overWebSocket.has(tab); await sleep(100)) await ann.context.request.post(`${example.url}/announce`, { form: { text: "soon" } });
    }
    await ann.tab.getByRole("button", { name: "Log out everywhere" }).click();
    for (const tab of [ann.tab, second]) {
      await status(tab, "logged out");
      await tab.getByLabel("Password").waitFor();
    }
    await fill(second, { Name: "ann", Password: "ann-secret" }, "Log in");
    await status(second, /^ann, from/);
    assert.deepEqual(errors, []);
  });
});
