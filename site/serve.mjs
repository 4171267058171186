// Serves the built site on this machine, as any static server would.

import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";

const types = {
  ".css": "text/css",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".png": "image/png",
  ".svg": "image/svg+xml",
};

/** Serves `folder` under the path `base`, on the first free port from `port` on (0: any). Gives `{ url, close }`. */
export async function serveSite(folder, { base = "/", port = 0 } = {}) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const inside = pathname.startsWith(base) ? pathname.slice(base.length) : "\0";
    const name = normalize(`/${decodeURIComponent(inside) || "index.html"}`);
    const path = join(folder, name);
    if (name.includes("\0") || !existsSync(path) || !statSync(path).isFile())
      return response
        .writeHead(404, { "content-type": "text/plain" })
        .end("There is no such page.");
    response.writeHead(200, { "content-type": types[extname(path)] ?? "application/octet-stream" });
    createReadStream(path).pipe(response);
  });
  await listen(server, port);
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${server.address().port}${base}`, close };
}

function listen(server, port) {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      if (error.code !== "EADDRINUSE" || port === 0) return reject(error);
      listen(server, port + 1).then(resolve, reject);
    });
    server.listen(port, "127.0.0.1", resolve);
  });
}
