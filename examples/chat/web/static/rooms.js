// What this page knows about each room. No network and no DOM in here.

const KEPT = 300; // messages kept per room in the page

// ready: shown once, its history is here. joined: the server has us in it on this connection.
export class Room {
  constructor(name, draft = "") {
    Object.assign(this, { name, draft, messages: [], pending: [], unread: 0, members: 0, ready: false, joined: false, typing: new Map() });
  }

  // Adds what the server said. Ids make this safe to repeat: history after a reconnect doubles nothing.
  // An own message may come back (as "said", or in the history) before or instead of its ack; then it
  // settles the oldest pending one with that text, so that it is neither shown nor sent twice.
  add(said, me) {
    if (this.messages.some((m) => m.id === said.id)) return false;
    if (said.from === me) {
      const i = this.pending.findIndex((p) => p.sent && p.text === said.text);
      if (i >= 0) this.pending.splice(i, 1);
    }
    this.messages.push(said);
    this.messages.sort((a, b) => a.id - b.id);
    this.messages.splice(0, this.messages.length - KEPT);
    return true;
  }

  // A message is pending until the server has acknowledged it. `sent` says that it may have arrived.
  queue(text, me) {
    const message = { from: me, text, at: new Date().toISOString(), sent: false, flying: false, failed: "" };
    this.pending.push(message);
    return message;
  }

  // The ack of a pending message: it carries the id, the rest is known already.
  settle(message, id, me) {
    const i = this.pending.indexOf(message);
    if (i < 0) return; // "said" came first
    this.pending.splice(i, 1);
    this.add({ ...message, id, room: this.name }, me);
  }
}

const KEY = "siokit-chat";

// Survives a reload of the tab: which rooms are open, which one is shown, and unsent text.
export function save(me, rooms, current) {
  const open = [...rooms.values()].map((r) => [r.name, r.draft]);
  sessionStorage.setItem(KEY, JSON.stringify({ me, open, current: current.name }));
}

export function load(me) {
  let saved = null;
  try { saved = JSON.parse(sessionStorage.getItem(KEY)); } catch { /* not ours: start afresh */ }
  if (saved?.me !== me) saved = { open: [["lobby", ""]], current: "lobby" };
  const rooms = new Map(saved.open.map(([name, draft]) => [name, new Room(name, draft)]));
  return { rooms, current: rooms.get(saved.current) ?? rooms.values().next().value };
}
