// Draws. Everything a person typed goes through textContent, never through innerHTML.

export const $ = (id) => document.getElementById(id);

export function el(tag, className = "", text = "") {
  const e = document.createElement(tag);
  e.className = className;
  e.textContent = text;
  return e;
}

export function show(id, text) {
  $(id).textContent = text;
  $(id).hidden = !text;
}

export function setStatus(state, text = state) {
  $("status").dataset.state = state;
  $("status").textContent = text;
  $("online").toggleAttribute("data-stale", state !== "online");
}

// A colour per name, the same in every browser.
export function hue(name) {
  let h = 7;
  for (const ch of name) h = (h * 31 + ch.codePointAt(0)) % 360;
  return h;
}

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });

function bubble(message, mine, retry) {
  const li = el("li", "msg");
  const body = el("div", "body");
  const text = el("div", "bubble", message.text);
  const at = new Date(message.at);
  const time = el("time", "", clock.format(at));
  time.dateTime = at.toISOString();
  time.title = at.toLocaleString();
  text.append(time);
  body.append(el("span", mine ? "sr" : "from", message.from), text, el("span", "state"));
  const avatar = el("span", "avatar", [...message.from][0]);
  avatar.ariaHidden = "true";
  li.style.setProperty("--hue", hue(message.from));
  li.append(avatar, body);
  if (!message.id) {
    const again = el("button", "", "Try again");
    again.type = "button";
    again.onclick = () => retry(message);
    message.again = again;
  }
  return li;
}

const drawn = new WeakMap(); // message -> its <li>, so that a screen reader hears only what is new

// Draws the messages of a room, keeping the elements that are already there.
export function drawMessages(room, me, online, retry, toEnd) {
  const box = $("scroller");
  const atEnd = toEnd || box.scrollHeight - box.scrollTop - box.clientHeight < 60;
  const list = $("messages");
  const all = [...room.messages, ...room.pending];
  const grew = all.length > 0 && !drawn.has(all.at(-1));
  all.forEach((message, i) => {
    const before = all[i - 1];
    const mine = message.from === me;
    let li = drawn.get(message);
    if (!li) drawn.set(message, (li = bubble(message, mine, retry)));
    const newDay = !before || new Date(before.at).toDateString() !== new Date(message.at).toDateString();
    const follow = !newDay && before.from === message.from && new Date(message.at) - new Date(before.at) < 5 * 60_000;
    li.className = ["msg", mine && "mine", follow && "follow", !message.id && (message.failed ? "failed" : "pending")].filter(Boolean).join(" ");
    if (newDay) li.dataset.day = day.format(new Date(message.at));
    else delete li.dataset.day;
    if (!message.id) {
      const note = message.failed || (online ? "sending…" : "waiting for the connection");
      li.querySelector(".state").replaceChildren(note, ...(message.failed ? [message.again] : []));
    }
    if (list.children[i] !== li) list.insertBefore(li, list.children[i] ?? null);
  });
  while (list.children.length > all.length) list.lastChild.remove();
  $("empty").hidden = all.length > 0 || !room.ready;
  if (atEnd) box.scrollTop = box.scrollHeight;
  else if (grew) $("newer").hidden = false;
}

export function drawRooms(rooms, current, open) {
  const total = [...rooms.values()].reduce((n, r) => n + r.unread, 0);
  document.title = `${total ? `(${total}) ` : ""}#${current.name} · siokit chat`;
  $("menu-unread").hidden = !total;
  $("title").textContent = `#${current.name}`;
  $("members").textContent = current.joined ? `${current.members} connected here` : "";
  $("message").placeholder = `Message #${current.name}`;

  const focused = document.activeElement?.dataset?.room;
  $("rooms").replaceChildren(...[...rooms.values()].map((room) => {
    const button = el("button");
    button.type = "button";
    button.dataset.room = room.name;
    button.onclick = () => open(room.name);
    if (room === current) button.setAttribute("aria-current", "true");
    button.append(el("span", "name", room.name));
    if (room.unread) {
      const unread = el("span", "unread", room.unread > 99 ? "99+" : room.unread);
      unread.ariaLabel = `${room.unread} unread`;
      button.append(unread);
    }
    const li = el("li");
    li.append(button);
    return li;
  }));
  if (focused) $("rooms").querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
}

export function drawTyping(room) {
  const names = [...room.typing.keys()];
  $("typing").textContent = !names.length ? "" : names.length === 1 ? `${names[0]} is typing…`
    : names.length === 2 ? `${names[0]} and ${names[1]} are typing…` : "Several people are typing…";
}

export function drawOnline(names, me) {
  $("online").replaceChildren(...names.map((name) => el("li", "", name === me ? `${name} (you)` : name)));
}
