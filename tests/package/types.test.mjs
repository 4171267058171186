// A strict TypeScript project that uses the installed package, with nothing but the standard libraries.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";

import { install, root, run } from "./help.mjs";

const good = `
import { ArgumentError, Cluster, QuorateError, type ErrorCode } from "quorate";
import { Cluster as Inline } from "quorate/inline";
import { type Machine, type MachineCluster, type MachineContext, MachineError } from "quorate";
import type { ClusterMetrics, DebugEntry, DebugTopic, Histogram, NodeMetrics } from "quorate";
import { CONTENT_TYPE, toPrometheus, type PrometheusOptions } from "quorate/prometheus";
import { define, provide, type InspectorElement } from "quorate/inspector";
import { type FailureKind, replay, type Simulation, type SimulationTrace, simulate } from "quorate/testing";

export async function use(signal: AbortSignal): Promise<string | undefined> {
  await using cluster = await Cluster.open({ name: "shop", nodes: 3, signal });
  const revision: { modRevision: number } | null = await cluster.kv.get("cart");
  cluster.addEventListener("leaderchange", (event) => { const leader: number | null = event.detail.leader; void leader; });
  await cluster.node(1).kill();
  cluster.network.partition([1], [2, 3]);
  try {
    await cluster.kv.as("bytes").put("key", new Uint8Array(1), { timeout: 10 });
  } catch (error) {
    if (error instanceof ArgumentError) return error.message;
    if (error instanceof QuorateError) { const code: ErrorCode = error.code; return code; }
  }
  const metrics: ClusterMetrics = await cluster.metrics({ signal });
  const one: NodeMetrics = await cluster.node(1).metrics();
  const slow: Histogram = metrics.totals.persist;
  const options: PrometheusOptions = { prefix: "shop", labels: { env: CONTENT_TYPE } };
  const lines: string = toPrometheus(metrics, options) + toPrometheus(one) + String(slow.bounds[0]);
  cluster.trace(lines.length > 0);
  const topics: DebugTopic[] = ["election"];
  await Cluster.open({ name: "a", trace: true, debug: topics });
  await Cluster.open({ name: "a", debug: (line: string, entry: DebugEntry) => console.log(line, entry.topic) });
  define();
  const forget: () => void = provide(cluster);
  const inspector: InspectorElement | null = document.querySelector("quorate-inspector");
  if (inspector !== null) inspector.cluster = cluster;
  forget();
  const other: typeof Cluster = Inline;
  void other;
  return revision === null ? undefined : "hit";
}
`;

const oneLine = (text) => text.replaceAll("\n", " ");

/** A machine whose types are its own: interfaces, no index signatures. */
const machine = `
interface Deposit { to: string; amount: number }
class Bank implements Machine<Deposit, number | undefined, string, number, Map<string, number>> {
  accounts = new Map<string, number>();
  apply({ to, amount }: Deposit, context: MachineContext): number | undefined {
    if (context.random() < 0) return undefined;
    this.accounts.set(to, amount);
    return amount;
  }
  query(name: string): number { return this.accounts.get(name) ?? 0; }
  snapshot(): Map<string, number> { return this.accounts; }
  restore(accounts: Iterable<[string, number]>): void { this.accounts = new Map(accounts); }
}
export default Bank;
const bank: MachineCluster<Bank> = await Cluster.open<Bank>({ name: "bank", machine: new URL("./bank.js", import.meta.url) });
`;

const useMachine = `
const sum: number | undefined = await bank.execute({ to: "a", amount: 5 }, { timeout: 10 });
const balance: number = await bank.query("a", { serializable: true });
const own: number = await bank.node(1).query("a");
const error: unknown = sum;
if (error instanceof MachineError) { const code: string | number | undefined = error.thrown?.code; void code; }
const untyped = await Cluster.open({ name: "bank", machine: "https://example.org/bank.js" });
await untyped.execute({ any: ["json"] });
void balance; void own;
`;

/** Nodes of different owners, with the store and with a machine, over transports of the package and of one's own. */
const useNodes = `
import { broadcastChannel, type MachineOwnNode, messagePort, Node, sharedWorker, type Transport } from "quorate";
import { transportCases } from "quorate/testing";
const mine: Transport = { open: (self, receive) => ({ send: (frame) => receive(frame, self.node), close() {} }) };
for (const transport of [broadcastChannel(), sharedWorker(), mine, messagePort({ 2: new MessageChannel().port1 })]) {
  const node: Node = await Node.open({ cluster: "shop", transport, deadline: 5 });
  const items: number | undefined = (await node.here.get<number>("a"))?.value;
  await node.kv.put("a", items ?? 0);
  await node.kill();
  await node.start();
  node.addEventListener("nodeup", ({ detail }) => { const id: number = detail.node; void id; });
}
const banker: MachineOwnNode<Bank> = await Node.open<Bank>({ cluster: "bank", id: 1, transport: mine, machine: "https://example.org/bank.js" });
const left: number | undefined = await banker.execute({ to: "a", amount: 5 });
const here: number = await banker.here.query("a");
const runs: Promise<void>[] = transportCases(() => ({ transports: [mine, mine, mine] })).map(({ run }) => run());
void left; void here; void runs;
`;

const simulated = `
const result: Simulation<Bank> = await simulate(Bank, {
  command: (random, client) => ({ to: random.pick(["a", "b"]), amount: random.integer(9) + client }),
  query: () => "a",
  seeds: 2,
  faults: { crashes: true },
  mayThrow: (thrown, { amount }) => thrown.code === "POOR" && amount > 0,
});
result.assert();
const kind: FailureKind | undefined = result.failure?.kind;
const asked: string | undefined = result.history[0]?.query;
const json: SimulationTrace = JSON.parse(JSON.stringify(result.trace));
(await replay(Bank, json)).assert();
await simulate<Bank>(new URL("./bank.js", import.meta.url), { command: () => ({ to: "a", amount: 1 }) });
await simulate("https://example.org/bank.js", { command: () => ({ any: ["json"] }), query: () => 1 });
await simulate(() => new Bank(), { command: () => ({ to: "a", amount: 1 }), faults: "none" });
void kind; void asked;
`;

/** Each line is wrong in one way. */
const wrong = [
  `import { Cluster } from "quorate"; Cluster.open({});`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", storage: "floppy" });`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", colour: "red" });`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then((c) => c.kv.put("k", () => 1));`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then((c) => c.addEventListener("leaderchanged", () => {}));`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then((c) => c.kv.as("bytes").put("k", "text"));`,
  `import { secret } from "quorate";`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", debug: ["votes"] });`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then((c) => c.trace("on"));`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then(async (c) => (await c.metrics()).nodes[0].metrics.term);`,
  `import { toPrometheus } from "quorate/prometheus"; toPrometheus({});`,
  `import { toPrometheus } from "quorate";`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", machine: 7 });`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a" }).then((c) => c.execute(1));`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", machine: "data:," }).then((c) => c.kv);`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", machine: "data:," }).then((c) => c.node(1).kv);`,
  `import { Cluster } from "quorate"; Cluster.open({ name: "a", machine: "data:," }).then((c) => c.execute(() => 1));`,
  `import { broadcastChannel, Node } from "quorate"; Node.open({ cluster: "a" }); void broadcastChannel;`,
  `import { broadcastChannel, Node } from "quorate"; Node.open({ cluster: "a", transport: broadcastChannel(), machine: "data:," }).then((n) => n.kv);`,
  `import { broadcastChannel, Node } from "quorate"; Node.open({ cluster: "a", transport: broadcastChannel() }).then((n) => n.members.add(2));`,
  ...[
    "simulate(Bank, { command: () => ({ to: 'a' }) })",
    "simulate(Bank, { command: () => ({ to: 'a', amount: 1 }), query: () => 7 })",
    "simulate(Bank, { command: () => ({ to: 'a', amount: 1 }), faults: { fire: true } })",
    "simulate(new Bank(), { command: () => ({ to: 'a', amount: 1 }) })",
    "simulate(Bank, {})",
  ].map((call) =>
    oneLine(
      `import type { Machine, MachineContext, MachineCluster } from "quorate"; import { Cluster } from "quorate"; import { simulate } from "quorate/testing"; ${machine} ${call};`,
    ),
  ),
  ...["bank.execute({ to: 'a' })", "bank.query(7)", "const a: string = await bank.query('a')"].map(
    (call) =>
      oneLine(
        `import { Cluster, type Machine, type MachineCluster, type MachineContext } from "quorate"; ${machine} ${call};`,
      ),
  ),
];

const config = (module, moduleResolution, files) =>
  JSON.stringify({
    compilerOptions: {
      target: "es2022",
      lib: ["es2022", "esnext.disposable", "dom"],
      module,
      moduleResolution,
      types: [],
      strict: true,
      exactOptionalPropertyTypes: true,
      skipLibCheck: false,
      noEmit: true,
    },
    files,
  });

let consumer;
before(async () => {
  consumer = await install({
    "good.ts": good + machine + useMachine + useNodes + simulated,
    "nodenext.json": config("nodenext", "nodenext", ["good.ts"]),
    "bundler.json": config("esnext", "bundler", ["good.ts"]),
    "strict.ts": readFileSync(join(root, "tests", "package", "strict.ts"), "utf8"),
    "strict.json": config("nodenext", "nodenext", ["strict.ts"]),
    ...Object.fromEntries(wrong.map((text, place) => [`wrong-${place}.ts`, text])),
    ...Object.fromEntries(
      wrong.map((_, place) => [
        `wrong-${place}.json`,
        config("nodenext", "nodenext", [`wrong-${place}.ts`]),
      ]),
    ),
  });
});
after(() => consumer.remove());

const tsc = (project) =>
  run(join(root, "node_modules", ".bin", "tsc"), ["-p", project], consumer.project);

for (const resolution of ["nodenext", "bundler"]) {
  test(`a strict project compiles with module resolution ${resolution}`, () =>
    tsc(`${resolution}.json`));
}

test("what the store takes compiles, and each mistake that is marked is one", () =>
  tsc("strict.json"));

for (const [place, text] of wrong.entries()) {
  test(`refused: ${text}`, async () => {
    await assert.rejects(
      tsc(`wrong-${place}.json`),
      new RegExp(`wrong-${place}\\.ts\\(1,\\d+\\): error TS`),
    );
  });
}
