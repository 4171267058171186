// What the packaging tests share: the tarball, installed in a project of its own, and a browser to open pages in.

import { execFile } from "node:child_process";
import {
  createReadStream,
  existsSync,
  mkdtempSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { launchChromium } from "../browser/chromium.mjs";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Runs a program to its end; rejects with all its output when it fails or takes over a minute. */
export async function run(command, args, cwd, input) {
  const running = promisify(execFile)(command, args, { cwd, timeout: 60_000 });
  running.child.stdin.end(input);
  try {
    return (await running).stdout;
  } catch (error) {
    throw new Error(
      `${command} ${args.join(" ")}: ${error.message}\n${error.stdout}${error.stderr}`,
    );
  }
}

/** Packs the package as it would be published, and installs the tarball as a user would: offline, for it has no dependencies. */
export async function install(files = {}) {
  const project = mkdtempSync(join(tmpdir(), "quorate-package-"));
  const [tarball] = JSON.parse(
    await run("npm", ["pack", "--json", "--pack-destination", project], root),
  );
  write(project, {
    "package.json": JSON.stringify({ name: "consumer", private: true, type: "module" }),
    ...files,
  });
  const path = join(project, tarball.filename);
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund", path], project);
  const remove = () => rmSync(project, { recursive: true, force: true });
  return { project, tarball, path, installed: join(project, "node_modules", "quorate"), remove };
}

export function write(folder, files) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
}

/** A page whose only content is a program. */
export const html = (script, extra = "") =>
  `<!doctype html><meta charset="utf-8"><title>package</title><link rel="icon" href="data:,">${extra}<script type="module" src="${script}"></script>`;

/** A state machine of the page's own, in a file beside the program. */
export const counter = `
export default class Counter {
  count = 0;
  apply(by) { this.count += by; return this.count; }
  query() { return this.count; }
  snapshot() { return this.count; }
  restore(count) { this.count = count; }
}
`;

/**
 * A program for a page: elects, writes, loses a node, reads, counts, is a tab, has a node in a shared worker if there are any,
 * and leaves what came of it in `outcome`.
 */
export const pageProgram = (specifier, machine = 'new URL("./counter.js", import.meta.url)') => `
import { broadcastChannel, Cluster, Node, sharedWorker } from ${JSON.stringify(specifier)};

async function count(cluster, transport) {
  const node = await Node.open({ cluster, transport });
  const { value } = await node.kv.increment("n", 1);
  await node.close();
  return value;
}

async function use() {
  const cluster = await Cluster.open({ name: "package", nodes: 3 });
  await cluster.kv.put("greeting", { text: "hello" });
  await cluster.node(await cluster.leader()).kill();
  const hit = await cluster.kv.get("greeting");
  await cluster.close();
  const machine = ${machine};
  const counter = await Cluster.open({ name: "counter", nodes: 1, machine });
  await counter.execute(2);
  const five = await counter.execute(3);
  await counter.close();
  const tab = await count("tab", broadcastChannel());
  const shared = await count("shared", sharedWorker()).catch(({ code }) => code);
  return \`\${hit.value.text}, \${five}, \${tab}, \${shared}\`;
}
use().then(
  (value) => { globalThis.outcome = { value }; },
  (error) => { globalThis.outcome = { error: String(error.stack) }; },
);
`;

const types = {
  ".css": "text/css",
  ".html": "text/html",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** Serves a folder as static files on a free port of this machine. */
export async function serve(folder, headers = {}) {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, "http://localhost");
    const path = join(folder, normalize(pathname === "/" ? "/index.html" : pathname));
    if (!existsSync(path) || !statSync(path).isFile()) return response.writeHead(404).end();
    const type = types[extname(path)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type, ...headers });
    createReadStream(path).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}

/** Opens a page in Chromium; what its program left, which must come within half a minute, and what it fetched. */
export async function outcomeOf(url) {
  const browser = await launchChromium();
  try {
    const page = await browser.newPage();
    const said = [];
    const fetched = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    page.on("requestfailed", (request) => said.push(`${request.url()} failed`));
    page.on("response", (response) => {
      fetched.push(new URL(response.url()).pathname);
      if (response.status() >= 400) said.push(`${response.url()} answered ${response.status()}`);
    });
    await page.goto(url);
    try {
      const handle = await page.waitForFunction(() => globalThis.outcome, null, {
        timeout: 30_000,
      });
      return { ...(await handle.jsonValue()), fetched, said };
    } catch (error) {
      throw new Error(`${error.message}\nThe page said:\n${said.join("\n")}`);
    }
  } finally {
    await browser.close();
  }
}
