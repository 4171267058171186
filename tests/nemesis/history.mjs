// What clients asked and were told, in the form that `sim check` judges: one line for each call.
//
//   {"client":1,"call":12.5,"return":14.25,"op":"put","key":"k","value":"v","ok":true}
//
// `value` is what was written, or what a get read (null: nothing); `expect` what a swap wanted (null: nothing). `ok` is
// false for a swap that met another value, and null for a call whose outcome is not known, which has no `return`.
//
// A call that failed as not applied has no `return` either, and an `ok` that is false: it must never take effect. If its value
// is read all the same, then nothing explains that, and the judge names the call. A get that failed told nothing, and is left out.

export class History {
  #calls = [];
  #last = 0;
  /** How calls ended. */
  counts = { known: 0, unknown: 0, notApplied: 0, failedGets: 0 };

  /** A time after every one before, so that what happened one after the other also says so. */
  now() {
    this.#last = Math.max(performance.now(), this.#last + 0.001);
    return this.#last;
  }

  /**
   * Makes one call and writes down how it ended. `make` resolves to what the line needs of the answer (`ok`, or the `value`
   * of a get). Returns "known", "unknown" or "notApplied".
   */
  async record(call, make) {
    const line = { ...call, call: this.now() };
    await this.begun(line);
    try {
      const answer = await make();
      this.ended(line, { ...line, return: this.now(), ok: true, ...answer });
      this.counts.known++;
      return "known";
    } catch (error) {
      return this.#failed(line, error);
    }
  }

  /** A call begins, once what this resolves to has come. */
  async begun() {}

  /** What is known of a call that began as `line`; nothing if it told nothing. */
  ended(_line, known) {
    if (known !== undefined) this.#calls.push(known);
  }

  #failed(line, error) {
    if (line.op === "get") {
      if (typeof error?.code !== "string") throw error;
      this.counts.failedGets++;
      this.ended(line);
      return "notApplied";
    }
    switch (error?.outcome) {
      case "not-applied":
        this.counts.notApplied++;
        this.ended(line, { ...line, return: null, ok: false });
        return "notApplied";
      case "applied":
      case "unknown":
        this.ended(line, { ...line, return: null, ok: null });
        this.counts.unknown++;
        return "unknown";
      default:
        // A write that fails without an outcome breaks a promise of the package.
        throw error;
    }
  }

  get calls() {
    return this.#calls;
  }
}

/** As lines of JSON. Times are rounded to what the clock can tell. */
export function toLines(calls) {
  const time = (ms) => (ms === null ? null : Math.round(ms * 1000) / 1000);
  const line = (call) =>
    JSON.stringify({
      client: call.client,
      call: time(call.call),
      return: time(call.return),
      op: call.op,
      key: call.key,
      value: call.value ?? null,
      ...(call.op === "cas" ? { expect: call.expect ?? null } : {}),
      ok: call.ok,
    });
  return calls.map((call) => `${line(call)}\n`).join("");
}
