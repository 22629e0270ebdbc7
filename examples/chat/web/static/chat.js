// The page's behaviour: login over HTTP, everything else over one socket with the same cookie.

import { Room, load, save } from "./rooms.js";
import { $, drawMessages, drawOnline, drawRooms, drawTyping, hue, setStatus, show } from "./view.js";

const SUGGESTED = ["lobby", "go", "random"];
let me = "";
let rooms = new Map();
let current = new Room("lobby");

const socket = io({ autoConnect: false });

// Every answer of the server is either a result or {error: {code, message}}.
async function call(event, data) {
  const reply = await socket.timeout(8000).emitWithAck(event, data);
  if (reply?.error) throw Object.assign(new Error(reply.error.message), { code: reply.error.code });
  return reply;
}

const post = (url, form) => fetch(url, { method: "POST", body: new URLSearchParams(form), redirect: "manual" });

// ---- login and logout: plain HTTP, because only HTTP can set a cookie ----

async function start(note = "") {
  setStatus("connecting");
  const reply = await fetch("/me").catch(() => null);
  if (!reply) return retryStart(note);
  if (!reply.ok) return showLogin(note);
  me = (await reply.json()).name;
  ({ rooms, current } = load(me));
  SUGGESTED.forEach((name) => rooms.has(name) || rooms.set(name, new Room(name)));
  $("me-name").textContent = me;
  $("me-avatar").textContent = [...me][0];
  $("me-avatar").style.setProperty("--hue", hue(me));
  $("message").value = current.draft;
  document.body.dataset.view = "chat";
  draw(true);
  socket.connect();
}

function retryStart(note) {
  setStatus("offline");
  setTimeout(() => start(note), 2000);
}

function showLogin(note) {
  document.body.dataset.view = "login";
  socket.disconnect(); // ends the client's own attempts to come back
  setStatus("out", "offline · logged out");
  document.title = "siokit chat";
  $("title").textContent = "siokit chat";
  closeDrawer();
  show("login-note", note);
  $("login-name").focus();
}

$("login").onsubmit = async (e) => {
  e.preventDefault();
  const reply = await post("/login", new FormData(e.target)).catch(() => null);
  // With redirect: "manual" the 303 shows as an opaque answer, which is all we need to know.
  if (reply?.type !== "opaqueredirect") {
    return show("login-error", reply ? "That name and password do not match." : "The server does not answer.");
  }
  show("login-error", "");
  e.target.reset();
  start();
};

document.querySelectorAll("[data-demo]").forEach((button) => {
  button.onclick = () => {
    $("login-name").value = button.dataset.demo;
    $("login-password").value = `${button.dataset.demo}-secret`;
    document.querySelector("[data-testid=login-submit]").focus();
  };
});

// The server ends this login's sockets, so this tab learns of it as every other tab does: see "disconnect".
$("logout").onclick = async () => {
  const reply = await post("/logout", {}).catch(() => null);
  if (!reply) show("room-error", "The server does not answer: still logged in.");
  else if (!socket.connected) showLogin("You have been logged out.");
};

// ---- the connection ----

socket.on("connect", async () => {
  setStatus("online");
  // A new connection is in no room. Join all again, catch up, then send what had to wait.
  await Promise.all([...rooms.values()].map(enter));
});

socket.on("connect_error", (err) => {
  if (err.data?.code === 401) showLogin("Please log in.");
  else if (socket.active) setStatus(navigator.onLine ? "reconnecting" : "offline");
  else { setStatus("offline", `offline · ${err.message}`); setTimeout(() => socket.connect(), 3000); }
});

socket.on("disconnect", async (reason) => {
  if (document.body.dataset.view !== "chat") return;
  rooms.forEach((room) => { room.joined = false; room.typing.clear(); });
  setStatus(navigator.onLine ? "reconnecting" : "offline");
  draw();
  // The client comes back by itself, except after the server closed this socket on purpose. That is a
  // logout, here or in another tab; /me tells it from a server that closes its sockets to restart.
  if (reason !== "io server disconnect") return;
  const reply = await fetch("/me").catch(() => null);
  if (reply?.status === 401) showLogin("You have been logged out.");
  else socket.connect();
});

addEventListener("offline", () => me && setStatus("offline"));
addEventListener("online", () => me && !socket.connected && socket.active && setStatus("reconnecting"));

// ---- rooms and messages ----

async function enter(room) {
  try {
    room.members = (await call("join", { room: room.name })).members;
    const history = await call("history", { room: room.name });
    const fresh = history.filter((m) => room.add(m, me));
    if (room.ready && room !== current) room.unread += fresh.length;
    room.ready = true;
    room.joined = socket.connected;
    if (room === current) draw();
    if (room.joined) room.pending.filter((p) => !p.flying && !p.failed).forEach((p) => send(room, p));
  } catch (err) {
    if (err.code) show("room-error", `#${room.name}: ${err.message}`);
    else if (socket.connected) setTimeout(enter, 2000, room); // when lost again, "connect" comes back here
  }
  drawRooms(rooms, current, open);
}

async function send(room, message) {
  message.sent = message.flying = true;
  message.failed = "";
  try {
    room.settle(message, (await call("say", { room: room.name, text: message.text })).id, me);
  } catch (err) {
    // Refused by the server, or silent on a live connection. When the connection went away the message
    // stays pending: the history tells after the reconnect whether it had arrived.
    if (err.code || socket.connected) message.failed = err.code ? err.message : "No answer.";
  }
  message.flying = false;
  if (room === current) draw();
}

function retry(message) {
  message.failed = "";
  if (current.joined) send(current, message);
  else draw();
}

function say() {
  const text = $("message").value.trim();
  if (!text) return;
  const room = current;
  const message = room.queue(text, me);
  $("message").value = room.draft = "";
  toldTyping = 0; // the others stop showing it with the message: the next key must tell them again
  remember();
  if (room.joined) send(room, message);
  draw(true);
}

function open(name) {
  if (!rooms.has(name)) {
    rooms.set(name, new Room(name));
    if (socket.connected) enter(rooms.get(name));
  }
  current = rooms.get(name);
  current.unread = 0;
  $("message").value = current.draft;
  $("newer").hidden = true;
  closeDrawer();
  remember();
  draw(true);
  if (matchMedia("(hover: hover)").matches) $("message").focus(); // not on phones: it opens the keyboard
}

const remember = () => save(me, rooms, current);

function draw(toEnd = false) {
  drawRooms(rooms, current, open);
  drawMessages(current, me, socket.connected, retry, toEnd);
  drawTyping(current);
}

socket.on("said", (said) => {
  const room = rooms.get(said.room);
  if (!room?.add(said, me)) return;
  stopTyping(room, said.from);
  if (room !== current || document.hidden) room.unread += said.from === me ? 0 : 1;
  if (room === current) draw();
  else drawRooms(rooms, current, open);
});

socket.on("members", ({ room, members }) => {
  if (!rooms.has(room)) return;
  rooms.get(room).members = members;
  drawRooms(rooms, current, open);
});

socket.on("online", (names) => {
  drawOnline(names, me);
  // Somebody came or went. "members" tells of those who come; joining once more counts after one has left.
  if (current.joined) call("join", { room: current.name }).then((reply) => {
    current.members = reply.members;
    drawRooms(rooms, current, open);
  }, () => { /* lost again: "connect" asks anew */ });
});

socket.on("announcement", ({ from, text }) => {
  $("banner-from").textContent = `${from}:`;
  $("banner-text").textContent = text;
  $("banner").hidden = false;
});

// ---- typing ----

let toldTyping = 0;

socket.on("typing", ({ room: name, from }) => {
  const room = rooms.get(name);
  if (!room) return;
  clearTimeout(room.typing.get(from));
  room.typing.set(from, setTimeout(() => stopTyping(room, from), 4000));
  if (room === current) drawTyping(room);
});

function stopTyping(room, from) {
  clearTimeout(room.typing.get(from));
  room.typing.delete(from);
  if (room === current) drawTyping(room);
}

$("message").oninput = () => {
  current.draft = $("message").value;
  remember();
  // Volatile: worth nothing later, so it is dropped rather than kept while offline.
  if (current.draft && current.joined && Date.now() - toldTyping > 2000) {
    toldTyping = Date.now();
    socket.volatile.emit("typing", { room: current.name });
  }
};

// ---- controls ----

$("say").onsubmit = (e) => { e.preventDefault(); say(); };
$("message").onkeydown = (e) => {
  if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); say(); }
};

$("new-room").onsubmit = async (e) => {
  e.preventDefault();
  const name = $("new-room-name").value.trim().toLowerCase().replace(/\s+/g, "-");
  try {
    if (!rooms.has(name)) await call("join", { room: name }); // the server decides which names are fine
    show("room-error", "");
    e.target.reset();
    open(name);
  } catch (err) {
    show("room-error", err.code ? err.message : "Not connected: try again in a moment.");
  }
};

$("announce").onsubmit = async (e) => {
  e.preventDefault();
  const reply = await post("/announce", new FormData(e.target)).catch(() => null);
  show("announce-error", reply?.ok ? "" : reply ? await reply.text() : "The server does not answer.");
  if (!reply?.ok) return;
  e.target.reset();
  closeDrawer();
};

$("banner-close").onclick = () => { $("banner").hidden = true; };

$("newer").onclick = () => { $("scroller").scrollTop = $("scroller").scrollHeight; };
$("scroller").onscroll = () => {
  const box = $("scroller");
  if (box.scrollHeight - box.scrollTop - box.clientHeight < 60) $("newer").hidden = true;
};
new ResizeObserver(() => { // the phone's keyboard opens: keep the last message in sight
  if ($("newer").hidden) $("scroller").scrollTop = $("scroller").scrollHeight;
}).observe($("scroller"));
document.onvisibilitychange = () => {
  if (document.hidden || !me) return;
  current.unread = 0;
  drawRooms(rooms, current, open);
};

function closeDrawer() {
  document.body.classList.remove("drawer");
  $("menu").ariaExpanded = "false";
}
$("menu").onclick = () => {
  document.body.classList.add("drawer");
  $("menu").ariaExpanded = "true";
  $("rooms").querySelector("[aria-current]")?.focus();
};
$("shade").onclick = closeDrawer;
onkeydown = (e) => {
  if (e.key !== "Escape" || !document.body.classList.contains("drawer")) return;
  closeDrawer();
  $("menu").focus();
};

start();
