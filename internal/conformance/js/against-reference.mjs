// Runs the suite against socket.io's own server: node against-reference.mjs [test files]
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { createInterface } from "node:readline";

const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const files = process.argv.slice(2).length
  ? process.argv.slice(2)
  : readdirSync(here).filter((f) => f.endsWith(".test.mjs") && !f.includes(".browser.")).map((f) => `${here}/${f}`);

const server = spawn(process.execPath, [`${here}/reference.mjs`], { stdio: ["pipe", "pipe", "inherit"] });
const [line] = await new Promise((ok) => createInterface(server.stdout).once("line", (l) => ok([l])));
const suite = spawn(process.execPath, ["--test", "--test-reporter=spec", ...files], {
  stdio: ["ignore", "inherit", "inherit"],
  env: { ...process.env, ...JSON.parse(line) },
});
suite.on("exit", (code) => {
  server.stdin.end();
  process.exit(code ?? 1);
});
