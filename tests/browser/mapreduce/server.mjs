// The site of the page: the package as it is, and with workers that have a preamble; jobs; and inputs that change.

import { createReadStream, existsSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
const folders = {
  page: here("."),
  jobs: here("../../mapreduce/jobs"),
  labs: here("../../mapreduce"),
  dist: here("../../../pkg/dist"),
};
const types = { ".html": "text/html", ".wasm": "application/wasm" };
const policy =
  "default-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; connect-src *";

/** What runs in workers for tasks before anything is said to them. */
const preambles = {
  plain: "",
  // A browser without a private file system.
  blobs: "delete globalThis.StorageManager?.prototype.getDirectory;",
  // The disk gets full in the second write.
  full: `
    const full = () => { throw new DOMException("no room", "QuotaExceededError"); };
    let left = 1;
    const files = globalThis.FileSystemSyncAccessHandle?.prototype;
    if (files !== undefined) {
      const { write } = files;
      files.write = function (...given) { return left-- > 0 ? write.apply(this, given) : full(); };
    }
    IDBObjectStore.prototype.put = full;`,
};

/** Serves the site. `inputs` maps names to what is there: { body, tag, parts, zipped, next }. */
export async function serveSite() {
  const inputs = new Map();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const [, top, ...rest] = pathname.split("/");
    if (top === "data") return serveInput(inputs.get(rest.join("/")), request, response);
    const path =
      top in preambles
        ? join(folders.dist, ...rest)
        : top === "jobs"
          ? join(folders.jobs, ...rest)
          : join(top === "labs.mjs" ? folders.labs : folders.page, top || "index.html");
    if (!existsSync(path)) return response.writeHead(404).end();
    const type = types[extname(path)] ?? "text/javascript";
    response.writeHead(200, { "content-type": type, "content-security-policy": policy });
    if (rest.at(-1) === "mapreduce-tasks.js")
      return response.end(`${readFileSync(path, "utf8")}\n${preambles[top]}`);
    createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    inputs,
    url: `http://127.0.0.1:${port}/`,
    /** Another origin, to browsers. */
    other: `http://localhost:${port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  };
}

function serveInput(input, { method, headers: { range } }, response) {
  if (input === undefined) return response.writeHead(404).end();
  const { body, tag, parts, zipped } = input;
  const all = zipped ? gzipSync(body) : Buffer.from(body);
  const headers = { "access-control-allow-origin": "*", "content-type": "text/plain" };
  if (tag !== undefined) Object.assign(headers, { etag: `"${tag}"`, "content-length": all.length });
  if (zipped) Object.assign(headers, { "content-encoding": "gzip", "last-modified": LONG_AGO });
  if (parts) headers["accept-ranges"] = "bytes";
  if (method === "HEAD") return response.writeHead(200, headers).end();
  input.asked = [...(input.asked ?? []), range];
  const [, from, to] = /^bytes=(\d+)-(\d+)$/.exec((parts && range) || "") ?? [];
  if (from !== undefined && Number(to) >= all.length) response.writeHead(416).end();
  else if (from !== undefined) {
    const part = all.subarray(Number(from), Number(to) + 1);
    response.writeHead(206, { ...headers, "content-length": part.length });
    inPieces(response, part);
  } else {
    response.writeHead(200, headers);
    inPieces(response, all);
  }
  // What is given from now on.
  if (input.next !== undefined) Object.assign(input, input.next);
}

/** In pieces that end within characters. */
function inPieces(response, bytes) {
  for (let at = 0; at < bytes.length; at += 1_021) response.write(bytes.subarray(at, at + 1_021));
  response.end();
}

const LONG_AGO = "Thu, 01 Jan 2015 00:00:00 GMT";
