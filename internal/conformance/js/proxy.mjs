// A TCP proxy that can fail the way networks do.
import { connect, createServer } from "node:net";

/** Listens on a free port and passes everything to url's host until told otherwise. */
export async function proxyTo(url) {
  const { hostname, port } = new URL(url);
  const links = new Set();
  let frozen = false;
  const server = createServer((client) => {
    const upstream = connect(Number(port), hostname);
    const link = [client, upstream];
    links.add(link);
    for (const [from, to] of [[client, upstream], [upstream, client]]) {
      from.on("data", (bytes) => frozen || to.write(bytes));
      from.on("error", () => {});
      from.on("close", () => frozen || to.destroy());
    }
  });
  await new Promise((ok) => server.listen(0, "127.0.0.1", ok));
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    /** From now on bytes vanish, in both directions, and nobody is told: a cable that was pulled. */
    freeze: () => (frozen = true),
    /** Ends every connection at once and takes no more. */
    cut: () => {
      if (server.listening) server.close();
      links.forEach((link) => link.forEach((socket) => socket.destroy()));
    },
  };
}
