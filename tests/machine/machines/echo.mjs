// Gives back what it gets, and what cannot be given back.

const oddities = {
  map: () => new Map([["a", 1]]),
  date: () => ({ at: [0, new Date(0)] }),
  nan: () => ({ list: [1, Number.NaN] }),
  bigint: () => 1n,
  promise: () => Promise.reject(new Error("late")),
  large: () => "x".repeat(1 << 20),
  getter: () => ({
    get at() {
      throw new Error("do not look");
    },
  }),
  nothing: () => undefined,
  text: () => {
    throw "this is just text";
  },
  odd: () => {
    throw {
      get message() {
        throw new Error("no message");
      },
    };
  },
  long: () => {
    throw Object.assign(new TypeError("x".repeat(5000)), { code: 7 });
  },
};

export default class Echo {
  last = null;

  apply(command) {
    if (typeof command === "string" && command in oddities) {
      this.last = command;
      return oddities[command]();
    }
    this.last = command;
    return command;
  }

  query(query) {
    if (query === "last") return this.last;
    if (query === "big") return "y".repeat((1 << 20) + 10);
    return query in oddities ? oddities[query]() : query;
  }

  snapshot() {
    return { last: typeof this.last === "string" ? this.last : null };
  }

  restore({ last }) {
    this.last = last;
  }
}
