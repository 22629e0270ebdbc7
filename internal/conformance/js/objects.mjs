// A parser as an application might write one, and the twin of ../objects.go: every packet is one JSON object
// in a text message, with binary values as base64 beside the placeholders.
import { EventEmitter } from "node:events";

const isBinary = (value) => value instanceof ArrayBuffer || ArrayBuffer.isView(value);

/** Returns value with every part for which replace has an answer replaced. */
function walk(value, replace) {
  const replaced = replace(value);
  if (replaced !== undefined) return replaced;
  if (Array.isArray(value)) return value.map((element) => walk(element, replace));
  if (value === null || typeof value !== "object" || typeof value.toJSON === "function") return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, walk(member, replace)]));
}

/** A member name that none of the objects in value has. */
function unused(value) {
  const names = JSON.stringify(value);
  let marker = "_placeholder";
  for (let n = 2; names.includes(marker); n++) marker = `_placeholder${n}`;
  return marker;
}

export class Encoder {
  encode({ type, nsp, id, data }) {
    const marker = unused(data ?? null);
    const binary = [];
    const plain = walk(data, (value) => {
      if (!isBinary(value)) return undefined;
      const bytes = ArrayBuffer.isView(value) ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : Buffer.from(value);
      return { [marker]: true, num: binary.push(bytes.toString("base64")) - 1 };
    });
    return [JSON.stringify({ type, nsp, id, data: plain, binary: binary.length ? binary : undefined, marker })];
  }
}

export class Decoder extends EventEmitter {
  add(message) {
    if (typeof message !== "string") throw new Error("a binary message: packets are text");
    const { binary = [], marker = "_placeholder", ...packet } = JSON.parse(message);
    if (!(packet.type >= 0 && packet.type <= 4)) throw new Error(`packet type ${packet.type}`);
    packet.data = walk(packet.data, (value) => (binary.length && value?.[marker] === true ? Buffer.from(binary[value.num], "base64") : undefined));
    this.emit("decoded", packet);
  }
  destroy() {}
}

export const protocol = 5;
