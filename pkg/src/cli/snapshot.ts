/** Backups: a cluster to a file, a file to a cluster, and a look at a file. And a look at a cluster's own files. */

import { createReadStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Writable } from "node:stream";
import { summarize } from "../backup/import.js";
import type { BackupProgress, BackupSummary } from "../backup/types.js";
import { quorateError } from "../errors.js";
import { checkDirectory, type NodeReport } from "../storage/check.js";
import { syncDirectory } from "../storage/durable.js";
import { type Call, type Command, FOUNDING } from "./command.js";
import { EXIT } from "./exit.js";
import { directoryOf, loadCore, openOrFound } from "./open.js";
import type { Output } from "./output.js";
import { showCount, showValue } from "./values.js";

export const SNAPSHOT: readonly Command[] = [
  {
    name: "snapshot save",
    takes: "FILE",
    about: "write all keys, values and leases to a file, as of one revision",
    more: `FILE takes the place of an older one only when it is complete and durable. "-" is standard output.

  quorate snapshot save shop.backup
  quorate snapshot save - | gzip > shop.backup.gz`,
    on: "store",
    async run({ args: [file = ""], cluster, out, bounds }) {
      const stream = cluster.export({ ...bounds, progress: told(out) });
      if (file === "-") {
        // Until all of it has gone out: a reader that goes before has no backup.
        process.exitCode = EXIT.failed;
        await stream.pipeTo(Writable.toWeb(process.stdout), { preventClose: true });
        return;
      }
      await save(file, stream);
      const summary = await summarize(createReadStream(file));
      out.say({ file, ...summary }, `${file}: ${show(summary)}`);
    },
  },
  {
    name: "snapshot restore",
    takes: "FILE",
    about: "found a cluster with what a file has",
    more: `The file is verified before anything is written. Keys, values and leases become what they were;
revisions begin anew, and so do fencing tokens. Where there is a cluster, --overwrite reads the file
into it: its other keys stay.

  quorate snapshot restore shop.backup --dir restored`,
    options: {
      ...FOUNDING,
      overwrite: { about: "into a cluster that is there: keys of the file replace its own" },
    },
    on: "alone",
    run: restore,
  },
  {
    name: "snapshot inspect",
    takes: "FILE",
    about: "say what is in a file, and verify all of it",
    on: "alone",
    async run({ args: [file = ""], out, bounds }) {
      const summary = await summarize(createReadStream(file), bounds);
      out.say({ file, ...summary, intact: true }, `${file}: ${show(summary)}; intact`);
    },
  },
  {
    name: "storage check",
    takes: "[DIR]",
    about: "read every record of every node of a directory, and change nothing",
    more: `For a directory that nobody uses. Where a node would not start the exit code is 5, and the place is told.

  quorate storage check .quorate/shop`,
    on: "alone",
    async run({ args: [dir], options, out }) {
      await loadCore();
      const report = await checkDirectory(dir ?? directoryOf(options));
      for (const node of report.nodes) out.say(node, lines(node).join("\n"));
      return report.sound ? EXIT.done : EXIT.damaged;
    },
  },
];

async function restore(call: Call): Promise<void> {
  const { args, options, out, signal, bounds } = call;
  const [file = ""] = args;
  const { cluster: name } = await summarize(createReadStream(file), bounds);
  const overwrite = options.has("overwrite");
  const refuse = (there: string) =>
    quorateError(
      "STORE_NOT_EMPTY",
      `the directory ${directoryOf(options)} has the cluster ${there}; another --dir has none`,
    );
  const founding = overwrite ? { name } : { name, refuse };
  const cluster = await openOrFound(options, signal, founding);
  try {
    const summary = await cluster.import(createReadStream(file), {
      ...bounds,
      overwrite,
      progress: told(out),
    });
    const where = resolve(directoryOf(options));
    out.say(
      { file, ...summary, restored: cluster.name, directory: where },
      `${cluster.name} in ${where}: ${show(summary)}`,
    );
  } finally {
    await cluster.close();
  }
}

/** Writes a file that is there as a whole, durably, or not at all. */
async function save(file: string, stream: ReadableStream<Uint8Array>): Promise<void> {
  const draft = `${file}.${process.pid}.part`;
  try {
    const handle = await open(draft, "wx");
    try {
      for await (const chunk of stream) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(draft, file);
    await syncDirectory(dirname(file));
  } catch (error) {
    await rm(draft, { force: true });
    throw (error as NodeJS.ErrnoException).syscall === undefined
      ? error
      : quorateError("STORAGE_WRITE_FAILED", `${file} cannot be written: ${String(error)}`, {
          cause: error,
          place: file,
        });
  }
}

/** On a terminal, one line that is written over. */
function told(out: Output): (progress: BackupProgress) => void {
  if (out.json || !process.stderr.isTTY) return () => {};
  return ({ keys, total, bytes }) => {
    process.stderr.write(`\r\x1b[K${keys} of ${total} keys, ${size(bytes)}`);
    if (keys === total) process.stderr.write("\r\x1b[K");
  };
}

function show({ cluster, clusterId, revision, time, keys, leases, bytes }: BackupSummary): string {
  // Whoever wrote the file may have written anything.
  const at = time <= MAX_TIME ? new Date(time).toISOString() : `${time} ms`;
  return `cluster ${showValue(cluster)} (${showValue(clusterId)}) as of revision ${revision}, ${at}: ${showCount(keys, "key")}, ${showCount(leases, "lease")}, ${size(bytes)}`;
}

function lines(report: NodeReport): string[] {
  const { node, segments, rounds, bytes, records, torn, damage, state } = report;
  const files = `${showCount(segments, "segment")}, ${showCount(rounds, "round")}, ${size(bytes)}`;
  const what =
    state === null
      ? []
      : [
          `${records} records, term ${state.term}, last ${state.last}, commit ${state.commit}, snapshot ${state.snapshot}`,
        ];
  const verdict = damage.length > 0 ? "DAMAGED" : state === null ? "knows of no cluster" : "sound";
  return [
    `node ${node}: ${[verdict, files, ...what].join("; ")}`,
    ...torn.map((place) => `  an append that was never acknowledged is cut off at ${place}`),
    ...damage.map(({ code, place, message }) =>
      message.includes(place) ? `  ${code}: ${message}` : `  ${code}: ${place}: ${message}`,
    ),
  ];
}

/** The last one that a `Date` can have. */
const MAX_TIME = 8.64e15;

function size(bytes: number): string {
  return bytes < 1024 ? `${bytes} bytes` : `${Math.round(bytes / 102.4) / 10} KiB`;
}
