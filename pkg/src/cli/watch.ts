/** Changes, as they come. */

import type { WatchEvent } from "../kv/types.js";
import type { Call, Command } from "./command.js";
import type { Output } from "./output.js";
import {
  entryObject,
  field,
  numberOf,
  previousObject,
  showKey,
  showValue,
  type Value,
  valuesOf,
} from "./values.js";

export const WATCH: readonly Command[] = [
  {
    name: "watch",
    takes: "[KEY]",
    about: "tell of changes as they come",
    more: `On the command line nobody else can write meanwhile, so it is for the past, and for leases that end;
Ctrl-C ends it. At the prompt it goes on beside what you type, until "unwatch".

  quorate watch --prefix config/ --from 1 --events 10`,
    options: {
      prefix: { value: "PREFIX", about: "all keys that begin like this" },
      from: { value: "N", about: "begin with this revision: what was comes first" },
      events: { value: "N", about: "end after so many" },
      prev: { about: "also tell what was there (with --json)" },
    },
    on: "store",
    async run(call) {
      const { session } = call;
      if (session === undefined) return follow(call, call.signal);
      const stop = new AbortController();
      session.watches.add(stop);
      // It tells of its end itself, and nobody waits for it.
      follow(call, stop.signal)
        .catch((error: unknown) => stop.signal.aborted || call.out.fail(error))
        .finally(() => session.watches.delete(stop));
      call.out.say({ watching: true }, "ok");
    },
  },
  {
    name: "unwatch",
    takes: "",
    about: "end all watches",
    on: "prompt",
    async run({ session, out }) {
      const count = session?.watches.size ?? 0;
      for (const watch of session?.watches ?? []) watch.abort();
      out.say({ ended: count }, "ok");
    },
  },
];

async function follow({ args, options, cluster, out }: Call, signal: AbortSignal): Promise<void> {
  const [from, most] = [options.read("from", numberOf), options.read("events", numberOf)];
  const key = args[0];
  const prefix = options.text("prefix");
  const watch = valuesOf(cluster).watch(key ?? (prefix === undefined ? {} : { prefix }), {
    ...(from !== undefined && { from }),
    previous: options.has("prev"),
    signal,
  });
  let told = 0;
  try {
    for await (const event of watch) {
      tell(out, event);
      told += 1;
      if (most !== undefined && told >= most) return;
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

function tell(out: Output, event: WatchEvent<Value>): void {
  if (event.type === "progress") return;
  const { type, keyBytes, modRevision } = event;
  const was = previousObject(event.previous);
  if (event.type === "put")
    out.say(
      { type, ...entryObject(event, keyBytes), ...was },
      `put ${showKey(keyBytes)} ${showValue(event.value)}`,
    );
  else
    out.say({ type, ...field("key", keyBytes), modRevision, ...was }, `del ${showKey(keyBytes)}`);
}
