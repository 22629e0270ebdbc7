// What every test of this suite needs: the fixture's addresses, the three ways to connect, and
// waiting for events instead of for time.
//
// The suite is the judge of a server, so it knows nothing of which one it talks to. reference.mjs is
// the contract of a fixture: what it answers to each event.
import assert from "node:assert/strict";
import { io as io48 } from "socket.io-client";

/** Addresses of the fixture under test, from the environment. */
export const fixture = {
  url: required("SIOKIT_URL"), // default options
  optionsURL: required("SIOKIT_OPTIONS_URL"), // compression, cookie, headers and initial packet: options.test.mjs
  pingURL: required("SIOKIT_PING_URL"), // pingInterval 300 ms, pingTimeout 5 s
  oldURL: required("SIOKIT_OLD_URL"), // allowEIO3
  oldPingURL: required("SIOKIT_OLD_PING_URL"), // the same with the heartbeat of pingURL
  recoveryURL: required("SIOKIT_RECOVERY_URL"), // connection state recovery
  restartURL: required("SIOKIT_RESTART_URL"), // stopped and started through controlURL
  controlURL: required("SIOKIT_CONTROL_URL"), // POST /stop, /start
  msgpackURL: required("SIOKIT_MSGPACK_URL"), // parser: socket.io-msgpack-parser
  objectsURL: required("SIOKIT_OBJECTS_URL"), // parser: objects.mjs
};

function required(name) {
  const value = process.env[name];
  if (!value) {
    throw new Error(`${name} is not set: start the suite with "go test ./internal/conformance" or js/against-reference.mjs`);
  }
  return value;
}

/** The transports every scenario runs with. In "upgrade" the switch happens while the scenario runs. */
export const modes = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

/**
 * How many servers there are behind each address. With more than one they are behind a proxy that knows
 * clients by a cookie, and what one server says takes a while to reach the clients of another.
 */
export const servers = Number(process.env.SIOKIT_SERVERS || 1);

/** How long anything may take before a test fails. Nothing waits this long when all is well. */
export const patience = 30_000;

/**
 * Runs one scenario with clients that are closed afterwards, whatever happens. The scenario receives
 * open (does not wait), connect (waits until connected) and its mode's options.
 */
export function scenario(mode, body, { io = io48, url: site = fixture.url } = {}) {
  return async () => {
    const sockets = [];
    const open = (namespace = "/", options = {}) => {
      const { url = site, ...rest } = options;
      const socket = io(url + (namespace === "/" ? "" : namespace), {
        forceNew: true,
        reconnection: false,
        withCredentials: servers > 1, // in Node.js only then it keeps cookies
        ...mode,
        ...rest,
      });
      sockets.push(socket);
      return socket;
    };
    const connect = async (namespace, options) => connected(open(namespace, options));
    const alive = setInterval(() => {}, patience); // so that a wait ends with its own error
    try {
      await body({ open, connect, mode });
    } finally {
      clearInterval(alive);
      for (const { io: manager } of sockets) {
        manager.reconnection(false);
        // With every namespace on it; since version 3 the public way is one disconnect for each.
        if (manager._close) manager._close();
        else manager.close();
      }
    }
  };
}

/** Resolves with the socket once it is connected; rejects with its connect_error. */
export function connected(socket) {
  if (socket.connected) return Promise.resolve(socket);
  return within("connect", (resolve, reject) => {
    socket.once("connect", () => resolve(socket));
    socket.once("connect_error", reject);
  });
}

/** Resolves with the error a server refused this socket with. */
export function refused(socket) {
  return within("connect_error", (resolve, reject) => {
    socket.once("connect_error", resolve);
    socket.once("connect", () => reject(new Error("connected although it should have been refused")));
  });
}

/** Resolves with the arguments of the next event of this name. Call it before the cause. */
export function next(emitter, event) {
  return within(`event "${event}"`, (resolve) => emitter.once(event, (...args) => resolve(args)));
}

/**
 * Resolves with the reason why the socket with this id left, once the watcher, who is in the room of those
 * who hear it, has been told. Others may leave meanwhile: clients of the test before.
 */
export function departure(watcher, id) {
  return within(`"gone" for ${id}`, (resolve) => watcher.on("gone", (gone, reason) => gone === id && resolve(reason)));
}

/** Emits and resolves with the ack's arguments. Works with every client generation. */
export function ask(socket, event, ...args) {
  return within(`ack of "${event}"`, (resolve, reject) => {
    const gone = (reason) => reject(new Error(`disconnected (${reason}) before the ack of "${event}"`));
    socket.once("disconnect", gone);
    socket.emit(event, ...args, (...answer) => {
      socket.off("disconnect", gone);
      resolve(answer);
    });
  });
}

/** Resolves once the connection under the socket has moved to WebSocket. */
export function upgraded(socket) {
  const engine = socket.io.engine;
  if (engine.transport.name === "websocket" && !engine.upgrading) return Promise.resolve();
  return within("upgrade", (resolve, reject) => {
    engine.once("upgrade", () => resolve());
    engine.once("upgradeError", reject);
    engine.once("close", (reason) => reject(new Error(`closed while upgrading: ${reason}`)));
  });
}

/** Records every event of this name; the returned array grows. */
export function record(socket, event) {
  const seen = [];
  socket.on(event, (...args) => seen.push(args));
  return seen;
}

/**
 * Returns when everything the server sent this socket before now has arrived: messages to one client
 * keep their order, so an answer asked for now comes after them. This is how "did not receive" is
 * tested without waiting. What the sockets' servers said to others before has arrived there too: they
 * answer a question in between.
 */
export async function barrier(...sockets) {
  if (servers > 1) for (const socket of sockets) await ask(socket, "members", "nobody is here");
  for (const socket of sockets) await ask(socket, "echo1", "barrier");
}

/** A promise that names what it waited for when it fails. */
export function within(what, start) {
  const promise = new Promise((resolve, reject) => {
    // What nobody awaits any more must not keep the process; scenario does while it runs.
    const timer = setTimeout(() => reject(new Error(`no ${what} within ${patience} ms`)), patience).unref();
    const settle = (fn) => (value) => {
      clearTimeout(timer);
      fn(value);
    };
    start(settle(resolve), settle(reject));
  });
  promise.catch(() => {}); // a wait that a test does not use may fail; one that it awaits still throws
  return promise;
}

/** Fails unless actual is 0, 1, 2 … count-1, and says where it goes wrong: a list of thousands does not. */
export function assertCounts(actual, count, what) {
  const wrong = actual.findIndex((value, i) => value !== i);
  if (wrong >= 0) {
    const around = actual.slice(Math.max(0, wrong - 3), wrong + 4);
    assert.fail(`${what}: ${actual[wrong]} came where ${wrong} was due: … ${around.join(", ")} …`);
  }
  assert.equal(actual.length, count, `${what}: the last ones are missing, or there are too many`);
}
