// A visitor of an example: one browser with its cookies, from which sockets are opened. What the examples' tests share.
import assert from "node:assert/strict";
import { io } from "socket.io-client";

/** The example under test. */
export const example = {
  name: required("EXAMPLE") + (process.env.EXAMPLE_SHARED ? " with shared sessions" : ""),
  url: required("EXAMPLE_URL"),
  shared: Boolean(process.env.EXAMPLE_SHARED), // sockets and routes have one session
};

function required(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: start these tests with "go test ./examples/..."`);
  return value;
}

/** The transports every scenario runs with. In "upgrade" it begins only after the switch to WebSocket. */
export const modes = {
  polling: { transports: ["polling"] },
  websocket: { transports: ["websocket"] },
  upgrade: { transports: ["polling", "websocket"] },
};

/**
 * What a request for another's session is answered with, over polling. Once a WebSocket carries the
 * session it is 400, whoever asks; after an upgrade the client knows that a moment before the server.
 */
export const refusals = { polling: [403], websocket: [400], upgrade: [400, 403] };

/**
 * What the client of a login that has ended is told: that the server sent it away. Over polling it hears that only
 * if a poll waits at the server, see docs/authentication.md; the next one comes with a cookie that is nobody's now.
 */
export const farewells = {
  polling: /^(io server disconnect|transport error)$/,
  websocket: /^io server disconnect$/,
  upgrade: /^io server disconnect$/,
};

/** How long anything may take before a test fails. Nothing waits this long when all is well. */
const patience = 30_000;

/** Runs body with a function that makes visitors, and closes all of their sockets afterwards. */
export function scenario(mode, body) {
  return async () => {
    const sockets = [];
    const alive = setInterval(() => {}, patience); // so that a wait ends with its own error
    try {
      await body(() => new Visitor(mode, sockets));
    } finally {
      clearInterval(alive);
      // Until the server knows: it would wait a while for a polling client that vanished.
      await Promise.all(sockets.map((socket) => gone(socket.disconnect().io.engine)));
    }
  };
}

function gone(engine) {
  return engine.readyState === "closed" ? undefined : within("close", (resolve) => engine.once("close", resolve));
}

class Visitor {
  #cookies = new Map();
  #mode;
  #sockets;

  constructor(mode, sockets) {
    this.#mode = mode;
    this.#sockets = sockets;
  }

  /** The Cookie header of the next request; undefined if there are no cookies. */
  get cookie() {
    return [...this.#cookies].map(([name, value]) => `${name}=${value}`).join("; ") || undefined;
  }

  /** Makes a request, a POST if there is a form or a body, and keeps the cookies of the answer. Follows no redirect. */
  async request(path, form, { body = form && new URLSearchParams(form), headers = {} } = {}) {
    const answer = await fetch(example.url + path, {
      method: body === undefined ? "GET" : "POST",
      headers: { ...(this.cookie && { cookie: this.cookie }), ...headers },
      body,
      redirect: "manual",
      signal: AbortSignal.timeout(patience),
    });
    for (const line of answer.headers.getSetCookie()) {
      const [pair, ...attributes] = line.split(";").map((part) => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const age = attributes.find((attribute) => /^max-age=/i.test(attribute))?.slice("max-age=".length);
      if (value === "" || (age !== undefined && Number(age) <= 0)) this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  }

  async login(name, fields = {}) {
    const { status, body } = await this.request("/login", { name, password: `${name}-secret`, ...fields });
    assert.equal(status, 303, body);
    return this;
  }

  /** A socket with the cookies of now. It does not wait. */
  open(headers = {}) {
    const socket = io(example.url, {
      forceNew: true,
      reconnection: false,
      extraHeaders: { ...(this.cookie && { cookie: this.cookie }), ...headers },
      ...this.#mode,
    });
    this.#sockets.push(socket);
    return socket;
  }

  /** A socket that is connected, on the transport that the mode ends with. */
  async connect(headers) {
    const socket = this.open(headers);
    await within("connect", (resolve, reject) => {
      socket.once("connect", resolve);
      socket.once("connect_error", reject);
    });
    const { engine } = socket.io;
    const wanted = this.#mode.transports.at(-1);
    if (engine.transport.name !== wanted) {
      await within("upgrade", (resolve, reject) => {
        engine.once("upgrade", resolve);
        engine.once("upgradeError", reject);
        engine.once("close", (reason) => reject(new Error(`closed while upgrading: ${reason}`)));
      });
    }
    assert.equal(engine.transport.name, wanted);
    return socket;
  }
}

/** Resolves with the error that a server refused this socket with. Call it right after open or connect. */
export function refused(socket) {
  return within("connect_error", (resolve, reject) => {
    socket.once("connect_error", resolve);
    socket.once("connect", () => reject(new Error("connected although it should have been refused")));
  });
}

/** Resolves with the first argument of the next event of this name. Call it before the cause. */
export function next(socket, event) {
  return within(`event "${event}"`, (resolve) => socket.once(event, resolve));
}

/** Emits and resolves with the ack. */
export function ask(socket, ...event) {
  return socket.timeout(patience).emitWithAck(...event);
}

function within(what, start) {
  const promise = new Promise((resolve, reject) => {
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
