/**
 * The clock and the chance that a machine must not look at. While a machine is at work they are the simulated world's:
 * another on every node, the same in every run of a seed, and each look is counted.
 */

type Counts = Map<string, number>;

const real = {
  Date: globalThis.Date,
  random: Math.random,
};

/** What nodes see around their machines. */
export class Surroundings {
  /** How often a machine looked at what, by method: `apply: Date.now()`. */
  readonly looks: Counts = new Map();

  /** Does `work` where it is `now`, in milliseconds, and chance is `random`. All of it happens within the call. */
  during<T>(method: string, now: () => number, random: () => number, work: () => T): T {
    const seen = (what: string) => {
      const name = `${method}: ${what}`;
      this.looks.set(name, (this.looks.get(name) ?? 0) + 1);
    };
    const time = () => {
      seen("Date.now()");
      return now();
    };
    const undo = [
      replace(globalThis, "Date", simulatedDate(time, seen, now)),
      replace(Math, "random", () => {
        seen("Math.random()");
        return random();
      }),
      replace(globalThis.performance, "now", () => {
        seen("performance.now()");
        return now() % 1e9;
      }),
      replace(globalThis.crypto, "getRandomValues", <A extends ArrayBufferView>(array: A): A => {
        seen("crypto.getRandomValues()");
        const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
        for (let at = 0; at < bytes.length; at++) bytes[at] = Math.floor(random() * 256);
        return array;
      }),
      replace(globalThis.crypto, "randomUUID", () => {
        seen("crypto.randomUUID()");
        const digits = Array.from({ length: 32 }, () => Math.floor(random() * 16).toString(16));
        const [a, b, c, d, e] = [0, 8, 12, 16, 20].map((from, part, all) =>
          digits.slice(from, all[part + 1] ?? 32).join(""),
        );
        return `${a}-${b}-4${c?.slice(1)}-a${d?.slice(1)}-${e}`;
      }),
    ];
    try {
      return work();
    } finally {
      for (const back of undo.reverse()) back();
    }
  }
}

/** `Date` with another now; its instances are true ones. */
function simulatedDate(
  time: () => number,
  seen: (what: string) => void,
  now: () => number,
): typeof Date {
  return new Proxy(real.Date, {
    construct(target, given, made) {
      if (given.length > 0) return Reflect.construct(target, given, made);
      seen("new Date()");
      return Reflect.construct(target, [now()], made);
    },
    apply(target) {
      seen("Date()");
      return new target(now()).toString();
    },
    get(target, name, receiver) {
      return name === "now" ? time : Reflect.get(target, name, receiver);
    },
  });
}

/** Puts `value` in the place of a property; what it returns puts that back. */
function replace(object: object, name: string, value: unknown): () => void {
  const before = Object.getOwnPropertyDescriptor(object, name);
  Object.defineProperty(object, name, { value, configurable: true, writable: true });
  return () => {
    if (before === undefined) Reflect.deleteProperty(object, name);
    else Object.defineProperty(object, name, before);
  };
}
