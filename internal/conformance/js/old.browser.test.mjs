// socket.io-client 2 as pages load it, in a real browser: its own build of every transport, and polling by
// script tags, which only a browser has. Runs on pages of the server's own origin.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { createRequire } from "node:module";
import { chromium } from "playwright-core";
import { findChromium } from "./chromium.mjs";
import { fixture, modes } from "./harness.mjs";

const client = createRequire(import.meta.url).resolve("socket.io-client-2/dist/socket.io.js");
const forms = {
  ...modes,
  "script tags": { transports: ["polling"], forceJSONP: true },
  "script tags, then upgrade": { transports: ["polling", "websocket"], forceJSONP: true },
};

describe("client 2.5 in Chromium", { timeout: 600_000 }, () => {
  let browser;
  before(async () => (browser = await chromium.launch({ executablePath: findChromium(), timeout: 180_000, args: ["--no-sandbox", "--disable-gpu", "--no-first-run"] })));
  after(() => browser?.close());

  for (const [name, options] of Object.entries(forms)) {
    test(name, { timeout: 600_000 }, async () => {
      const page = await browser.newPage();
      page.setDefaultTimeout(180_000);
      const failures = [];
      const requests = [];
      page.on("pageerror", (error) => failures.push(String(error)));
      page.on("request", (r) => requests.push(r));
      await page.goto(`${fixture.oldURL}/`); // a 404 is a page of that origin too
      await page.addScriptTag({ path: client });
      const seen = await page.evaluate(chat, options);
      assert.deepEqual(failures, []);
      const bytes = Array.from({ length: 256 }, (_, i) => i);
      assert.deepEqual(seen, {
        transport: options.transports.at(-1),
        texts: ["\\n \\\\n \n\r\t \"quoted\" \\", "é 日本語 👩‍👩‍👧‍👦 \u2028\u2029 <script>&amp;+%20;"],
        bytes,
        downloaded: [1, [1], []],
        count: 300,
        second: { token: "a b&c=ü" },
        error: { code: 401, hint: ["token", "missing"] },
        reason: "io server disconnect",
      });
      const scripted = requests.filter((r) => r.resourceType() === "script" && r.url().includes("transport=polling"));
      assert.equal(scripted.length > 0, options.forceJSONP === true, "polls by script tags");
      await page.close();
    });
  }
});

// Runs in the page.
async function chat(options) {
  const socket = window.io({ forceNew: true, reconnection: false, ...options });
  const next = (s, event) => new Promise((ok) => s.once(event, (...args) => ok(args)));
  const ask = (s, ...args) => new Promise((ok) => s.emit(...args, ok));
  const seen = {};
  await next(socket, "connect");
  const engine = socket.io.engine;
  if (options.transports.length > 1 && (engine.transport.name !== "websocket" || engine.upgrading)) await next(engine, "upgrade");
  seen.transport = (await ask(socket, "whoami")).transport;
  seen.texts = [];
  for (const text of ["\\n \\\\n \n\r\t \"quoted\" \\", "é 日本語 👩‍👩‍👧‍👦 \u2028\u2029 <script>&amp;+%20;"]) {
    seen.texts.push(await ask(socket, "echo1", text));
  }
  const toArray = (b) => Array.from(new Uint8Array(b));
  seen.bytes = toArray(await ask(socket, "echo1", new Uint8Array(256).map((_, i) => i).buffer));
  const downloaded = next(socket, "downloaded");
  socket.emit("download", 1);
  const [, parcel] = await downloaded;
  seen.downloaded = [new Uint8Array(parcel.a).length, toArray(parcel.list[0]), toArray(parcel.list[1])];
  let count = 0;
  socket.on("number", (i) => (count += i === count));
  socket.emit("count", 300);
  await ask(socket, "echo1", "barrier");
  seen.count = count;
  const second = socket.io.socket("/second", { query: { token: "a b&c=ü" } });
  await next(second, "connect");
  seen.second = (await ask(second, "whoami")).auth;
  const guarded = socket.io.socket("/guarded");
  seen.error = (await next(guarded, "error"))[0];
  const gone = next(socket, "disconnect");
  socket.emit("kick me", true);
  seen.reason = (await gone)[0];
  return seen;
}
