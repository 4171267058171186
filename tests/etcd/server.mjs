// An etcd server of our own: on this machine alone, on free ports, with a directory that vanishes with it.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { answer, which } from "../../scripts/lib/run.mjs";

/** Where etcd is, or undefined: on PATH, or where the set-up unpacks it. */
export const etcdProgram = () => which("etcd");

/** Its version. */
export const versionOf = (program) =>
  /etcd Version: (\S+)/.exec(answer(program, ["--version"]) ?? "")?.[1];

/** Starts a server; resolves when it answers. */
export async function startEtcd(program) {
  const folder = mkdtempSync(join(tmpdir(), "quorate-etcd-"));
  const [client, peer] = (await freePorts(2)).map((port) => `http://127.0.0.1:${port}`);
  const args = {
    "data-dir": folder,
    "listen-client-urls": client,
    "advertise-client-urls": client,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": `default=${peer}`,
  };
  const flags = Object.entries(args).flatMap(([name, value]) => [`--${name}`, value]);
  const child = spawn(program, flags, { stdio: ["ignore", "ignore", "pipe"] });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    said = (said + text).slice(-4000);
  });
  const ended = once(child, "exit");
  const end = () => child.kill();
  process.once("exit", end);
  const close = async () => {
    process.off("exit", end);
    end();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  const body = JSON.stringify({ key: btoa("a") });
  for (let attempt = 0; ; attempt += 1) {
    try {
      const signal = AbortSignal.timeout(5_000);
      const response = await fetch(`${client}/v3/kv/range`, { method: "POST", body, signal });
      if (response.ok) return { url: client, close };
    } catch {
      // It does not listen yet.
    }
    if (child.exitCode !== null || attempt === 300) {
      await close();
      throw new Error(`etcd did not start: ${said}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** Ports that were free a moment ago, all at once, so that they differ. */
async function freePorts(count) {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => server.address().port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
