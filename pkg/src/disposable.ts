/** `await using`, where the engine has the symbol: not every one has it yet. */

interface Closable {
  close(): Promise<void>;
  [Symbol.asyncDispose]: () => Promise<void>;
}

/** What is closed is disposed of. Called by who makes the first: a bundler can leave out what nobody makes. */
export function disposable(prototype: Closable): void {
  if (Symbol.asyncDispose === undefined) return;
  prototype[Symbol.asyncDispose] = function () {
    return this.close();
  };
}
