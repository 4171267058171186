/** Who waits for the end of a signal. */

const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls `hear` when the signal is aborted; what it returns takes that back. However many calls share a signal, it has
 * one listener: Node takes more than ten for a leak.
 */
export function onAbort(signal: AbortSignal | undefined, hear: () => void): () => void {
  if (signal === undefined) return () => {};
  const known = waiting.get(signal);
  const all = known ?? new Set<() => void>();
  const tell = () => {
    for (const each of all) each();
  };
  if (known === undefined) {
    waiting.set(signal, all);
    signal.addEventListener("abort", tell, { once: true });
  }
  all.add(hear);
  return () => void all.delete(hear);
}
