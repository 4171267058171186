/** How fast this machine is: many clients beside one another on a cluster that is removed afterwards. */

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { platform } from "../entry/platform.js";
import type { Kv } from "../kv/types.js";
import { clusterFactory } from "../open.js";
import { makeDirectory } from "../storage/durable.js";
import type { Call, Command } from "./command.js";
import { UsageError } from "./exit.js";
import { loadCore } from "./open.js";
import { numberOf, timeOf } from "./values.js";

export const BENCH: Command = {
  name: "bench",
  takes: "",
  about: "measure puts, gets and transactions on a cluster of its own",
  more: `Its files are in a directory of its own below --dir (else the system's for temporary files), and are
removed afterwards. Each client waits for one answer before it asks again. Times are in milliseconds.

  quorate bench --seconds 5 --clients 64 --dir /mnt/disk`,
  options: {
    seconds: { value: "N", about: "for each kind of call (2)" },
    clients: { value: "N", about: "beside one another (16)" },
    nodes: { value: "N", about: "1 to 7 (3)" },
    bytes: { value: "N", about: "of a value (100)" },
    memory: { about: "without files" },
  },
  on: "alone",
  run: bench,
};

async function bench({ options, out, signal }: Call): Promise<void> {
  const whole = (name: string, otherwise: number, most: number) => {
    const value = options.read(name, numberOf) ?? otherwise;
    if (!Number.isInteger(value) || value < 1 || value > most)
      throw new UsageError(`--${name} is a whole number from 1 to ${most}`);
    return value;
  };
  const [seconds, clients] = [whole("seconds", 2, 3_600), whole("clients", 16, 1_000)];
  const [nodes, bytes] = [whole("nodes", 3, 7), whole("bytes", 100, 1 << 20)];
  const memory = options.has("memory");
  const parent = resolve(options.text("dir") ?? tmpdir());
  if (!memory) await makeDirectory(parent);
  const directory = memory ? undefined : await mkdtemp(join(parent, "quorate-bench-"));
  const wasm = await loadCore();
  const timeout = options.read("timeout", timeOf);
  try {
    const cluster = await clusterFactory(platform).open({
      ...{ name: "bench", nodes, wasm, signal },
      ...(directory === undefined ? { storage: "memory" } : { directory }),
      ...(timeout !== undefined && { deadline: timeout }),
    });
    try {
      await cluster.leader({ signal });
      out.note(
        `${nodes} nodes, ${memory ? "memory" : directory}; ${clients} clients, values of ${bytes} bytes`,
      );
      if (!out.json) out.say({}, HEAD);
      const kv = cluster.kv.as("bytes");
      for (const [name, work] of Object.entries(kinds(kv, randomBytes(bytes)))) {
        const row = await measure(seconds * 1_000, clients, signal, work);
        const cells = [row.perSecond, row.p50, row.p95, row.p99, row.max];
        out.say(
          { name, clients, nodes, bytes, memory, ...row },
          name.padEnd(8) + cells.map((cell) => String(cell).padStart(10)).join(""),
        );
      }
    } finally {
      await cluster.close();
    }
  } finally {
    if (directory !== undefined) await rm(directory, { recursive: true, force: true });
  }
}

type Work = (client: number, turn: number) => Promise<unknown>;

function kinds(kv: Kv<Uint8Array>, value: Uint8Array): Record<string, Work> {
  const key = (client: number, turn: number) => `key-${(client * 7_919 + turn) % KEYS}`;
  return {
    put: (client, turn) => kv.put(key(client, turn), value),
    get: (client, turn) => kv.get(key(client, turn)),
    txn: (client, turn) =>
      kv.txn({
        if: [{ key: key(client, turn), version: 0 }],
        do: [{ put: key(client, turn), value }],
        else: [{ put: key(client, turn), value }, { get: "key-0" }],
      }),
  };
}

/** Lets all clients work for so long. */
async function measure(ms: number, clients: number, signal: AbortSignal, work: Work) {
  const began = performance.now();
  const times: number[] = [];
  const client = async (number: number) => {
    for (let turn = 0; performance.now() - began < ms; turn++) {
      signal.throwIfAborted();
      const asked = performance.now();
      await work(number, turn);
      times.push(performance.now() - asked);
    }
  };
  await Promise.all(Array.from({ length: clients }, (_, number) => client(number)));
  const took = performance.now() - began;
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    Number((times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0).toFixed(2));
  return {
    calls: times.length,
    perSecond: Math.round((times.length * 1_000) / took),
    ...{ p50: at(0.5), p95: at(0.95), p99: at(0.99), max: at(1) },
  };
}

const HEAD =
  " ".repeat(8) +
  ["a second", "p50", "p95", "p99", "max"].map((cell) => cell.padStart(10)).join("");
const KEYS = 1_000;
