/** What the measures and the load are called, and what they say. Pure. */

/** The charts, in their order. Lines differ by more than their color. */
export const CHARTS = [
  {
    title: "From a write to its commit",
    lines: [
      { name: "half of them within", of: "p50", color: "--accent" },
      { name: "99 of 100 within", of: "p99", color: "--warn", dash: [6, 4] },
    ],
    value: ms,
  },
  {
    title: "Entries committed per second",
    lines: [{ name: "entries", of: "writes", color: "--accent" }],
    value: count,
  },
  {
    title: "Messages between nodes per second",
    lines: [{ name: "messages", of: "messages", color: "--accent" }],
    value: count,
  },
] as const;

/** The newest figures in words. */
export function figures({
  writes,
  messages,
  p50,
  p99,
}: {
  readonly writes: number;
  readonly messages: number;
  readonly p50: number | null;
  readonly p99: number | null;
}): string {
  const rates = `In the last second: ${count(writes)} entries committed, ${count(messages)} messages between the nodes.`;
  if (p50 === null || p99 === null) return rates;
  return `${rates} Half of the entries were committed within ${ms(p50)}, 99 of 100 within ${ms(p99)}.`;
}

/** What has become of the load so far; `trouble` says why the last call failed that did. */
export function loadState(rate: number, done: number, failed: number, trouble: string): string {
  if (rate === 0 && done + failed === 0) return "";
  const answered = `${count(done)} answered`;
  return failed === 0 ? `${answered}.` : `${answered}, ${count(failed)} not: ${trouble}`;
}

function ms(amount: number): string {
  return `${amount < 10 ? amount.toFixed(1) : count(amount)} ms`;
}

function count(amount: number): string {
  return Math.round(amount).toLocaleString("en");
}
