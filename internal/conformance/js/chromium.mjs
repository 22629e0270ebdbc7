// Finds the browser of the tests.
import { execFileSync } from "node:child_process";

export function findChromium() {
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
