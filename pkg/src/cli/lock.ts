/** A lock, held while a command runs, or until somebody lets it go. */

import { spawn } from "node:child_process";
import { constants } from "node:os";
import { onAbort } from "../abort.js";
import type { Lock } from "../recipes/types.js";
import { type Call, type Command, signalOf } from "./command.js";
import { EXIT, UsageError } from "./exit.js";
import { timeOf } from "./values.js";

export const LOCK: readonly Command[] = [
  {
    name: "lock",
    takes: "NAME [COMMAND...]",
    about: "take a lock, and hold it while a command runs",
    more: `Without a command it is held until Ctrl-C; at the prompt, until "unlock". The command finds the
fencing token in $QUORATE_TOKEN, and its exit code is that of quorate. If the lock is lost, the
command is ended (SIGTERM); a signal that ends quorate is passed on. With --wait it also waits for another process that has the directory.

  quorate lock deploy --wait 1m -- ./deploy.sh --production`,
    options: {
      ttl: { value: "TIME", about: "how long it outlives its holder (10s)" },
      try: { about: "do not wait for it: if it is taken, the exit code is 3" },
    },
    on: "store",
    run: lock,
  },
  {
    name: "unlock",
    takes: "NAME",
    about: "let a lock go that was taken here",
    on: "prompt",
    async run({ args: [name = ""], session, out, bounds }) {
      const held = session?.locks.get(name);
      if (held === undefined) throw new UsageError(`no lock ${name} was taken here`);
      session?.locks.delete(name);
      await held.release(bounds);
      out.say({ lock: name, held: false }, "ok");
    },
  },
];

async function lock(call: Call): Promise<number | undefined> {
  const { args, options, cluster, out, bounds, session, signal } = call;
  const [name = "", command, ...rest] = args;
  if (session?.locks.has(name)) throw new UsageError(`the lock ${name} was taken here`);
  if (session !== undefined && command !== undefined)
    throw new UsageError("at the prompt a lock is held until unlock, and runs no command");
  const ttl = options.read("ttl", timeOf) ?? TTL_MS;
  const how = { ttl, ...bounds };
  const held = options.has("try")
    ? await cluster.kv.tryLock(name, how)
    : await cluster.kv.lock(name, how);
  if (held === null) return out.no({ lock: name, held: false }, "(taken)");
  const token = { lock: name, held: true, token: held.token };
  if (session !== undefined) {
    session.locks.set(name, held);
    out.say(token, `token ${held.token}`);
    return;
  }
  try {
    if (command !== undefined) return await runWith(held, command, rest, signal);
    out.say(token, `token ${held.token}`);
    await ended(held, signal);
    return held.lost.aborted ? EXIT.failed : EXIT.done;
  } finally {
    await held.release().catch(() => {});
  }
}

/** Runs a command under the lock; its exit code. */
async function runWith(
  held: Lock,
  command: string,
  args: readonly string[],
  signal: AbortSignal,
): Promise<number> {
  const env = { ...process.env, QUORATE_TOKEN: String(held.token) };
  const child = spawn(command, args, { stdio: "inherit", env });
  const deaf = [
    onAbort(signal, () => child.kill(signalOf(signal))),
    onAbort(held.lost, () => child.kill()),
  ];
  try {
    return await new Promise((resolve, reject) => {
      child.once("error", (error) => reject(new UsageError(`cannot run: ${error.message}`)));
      // As a shell tells of a command that a signal ended.
      child.once("close", (code, by) =>
        resolve(code ?? SIGNALLED + (by ? constants.signals[by] : 0)),
      );
    });
  } finally {
    for (const stop of deaf) stop();
  }
}

/** Resolves when it is lost, or not wanted any more. */
async function ended(held: Lock, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    if (signal.aborted || held.lost.aborted) return resolve();
    onAbort(signal, resolve);
    onAbort(held.lost, resolve);
  });
}

const TTL_MS = 10_000;
const SIGNALLED = 128;
