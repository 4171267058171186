// The core beside its peers on the same work: nodes in one thread, every message encoded and decoded, all nodes apply.
//
// What cannot be built or counted here is named with the reason, and has no figure.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";

import { releaseProfile } from "../../scripts/build.mjs";
import { at, Failure, must, which } from "../../scripts/lib/run.mjs";
import { compressed, kilobytes } from "../../scripts/lib/size.mjs";
import { buildWork, elections, figures, instructions, words } from "../work/count.mjs";
import { print } from "./table.mjs";

const io = { log: "bench.log" };
const target = "wasm32-unknown-unknown";

/** The works: the first two are counted, too. */
const works = [
  { nodes: 3, window: 1, size: 16, entries: 50_000, counted: true },
  { nodes: 3, window: 256, size: 16, entries: 200_000, counted: true },
  { nodes: 3, window: 256, size: 256, entries: 200_000 },
  { nodes: 3, window: 256, size: 4096, entries: 50_000 },
  { nodes: 7, window: 256, size: 16, entries: 100_000, counted: true },
];
const title = ({ nodes, window, size }) => `${nodes} nodes, ${window} × ${size} B`;

const peers = [
  { name: "Quorate", build: () => buildWork(io.log), wasm: "quorate_work" },
  {
    name: "raft-rs",
    crate: "peer-raft-rs",
    wasm: "peer_raft_rs",
    needs: ["protoc"],
    batches: true,
  },
  { name: "raft-io", crate: "peer-raft-io", wasm: "peer_raft_io" },
  { name: "openraft", crate: "peer-openraft" },
];

/** Appends of one round in one message: a switch that one peer has, and that helps it where there are several. */
const batch = ({ batches = false }, { window }) => (batches ? [String(Number(window > 1))] : []);

/** Measures all that can be built, in turns. */
export async function measurePeers(repeat) {
  const missing = [];
  const rows = [];
  for (const peer of peers) {
    try {
      rows.push({
        ...peer,
        ...(await build(peer)),
        cells: works.map(() => ({ native: [], wasm: [] })),
      });
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
      missing.push(`${peer.name}: ${error.message}`);
    }
  }
  for (let turn = 0; turn < repeat; turn++) {
    for (const [place, work] of works.entries()) {
      for (const row of rows) {
        const cell = row.cells[place];
        // One whose tasks wait for timers takes a tenth of the work alone.
        const entries =
          row.name === "openraft" && work.window === 1 ? work.entries / 10 : work.entries;
        cell.native.push(figures(row.driver, work, entries, batch(row, work)));
        if (row.module !== undefined) cell.wasm.push(inWasm(row.module, work));
      }
    }
  }
  if (which("valgrind") === undefined) missing.push("instructions: valgrind is not installed");
  const engine = operatorCounter();
  if (engine === undefined) missing.push("wasm operators: python3 has no module wasmtime");
  for (const row of rows) {
    for (const [place, work] of works.entries()) {
      const cell = row.cells[place];
      if (!work.counted) continue;
      if (which("valgrind") !== undefined)
        cell.instructions = await instructions(row.driver, work, [500, 2_500], batch(row, work));
      if (engine !== undefined && row.module !== undefined)
        cell.operators = engine(row.module, work);
    }
  }
  const own = rows.find(({ name }) => name === "Quorate");
  return {
    works,
    missing,
    elections: own && [3, 5, 7].map((nodes) => ({ nodes, ...elections(own.driver, nodes) })),
    peers: rows.map(({ name, cells, size }) => ({ name, size, cells: cells.map(summary) })),
  };
}

/** The driver, and the module if it runs as one. */
async function build({ build: own, crate, wasm, needs = [] }) {
  const absent = needs.find((program) => which(program) === undefined);
  if (absent !== undefined) throw new Failure(`${absent} is not installed`);
  const workspace = at("tests", "bench", "peers");
  const there =
    own === undefined
      ? ["--manifest-path", `${workspace}/Cargo.toml`, "-p", crate]
      : ["-p", "quorate-work"];
  const env = own === undefined ? { CARGO_TARGET_DIR: at("target", "peers") } : {};
  const folder = own === undefined ? at("target", "peers") : at("target");
  const cargo = ["build", "--release", ...there];
  if (own === undefined) await must("cargo", cargo, { ...io, env });
  const driver = own === undefined ? `${folder}/release/${crate}` : await own();
  if (wasm === undefined) return { driver };
  // Ours as it is shipped: smaller, and slower.
  const profile = own === undefined ? {} : releaseProfile;
  await must("cargo", [...cargo, "--lib", "--target", target], {
    ...io,
    env: { ...env, ...profile },
  });
  const module = `${folder}/${target}/release/${wasm}.wasm`;
  const small = `${folder}/small.wasm`;
  await must("wasm-opt", ["-Oz", "--strip-debug", "--strip-producers", module, "-o", small], io);
  return { driver, module, size: compressed(small) };
}

/** The same work in this engine: the second run, when the code is hot. */
function inWasm(module, work) {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(readFileSync(module)), {});
  let cpu = 0;
  for (let run = 0; run < 2; run++) {
    const begun = process.cpuUsage();
    exports.bench(...words(work, work.entries).map(Number), Number(work.window > 1));
    const { user, system } = process.cpuUsage(begun);
    cpu = (user + system) / 1e6;
  }
  return { entries_per_cpu_s: work.entries / cpu, memory: exports.memory.buffer.byteLength };
}

/** Counts the operators that an engine executes, if there is one that counts. */
function operatorCounter() {
  const python = (program, args) =>
    execFileSync("python3", ["-c", program, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
  try {
    python("import wasmtime", []);
  } catch {
    return undefined;
  }
  return (module, work) =>
    Number(
      python(
        COUNT,
        [module, work.nodes, work.window, work.size, 1, Number(work.window > 1)].map(String),
      ),
    );
}

const COUNT = `
import sys
from wasmtime import Config, Engine, Instance, Module, Store
config = Config()
config.consume_fuel = True
engine = Engine(config)
module = Module.from_file(engine, sys.argv[1])
nodes, window, size, wire, batch = map(int, sys.argv[2:])
def fuel(entries):
    store = Store(engine)
    store.set_fuel(1 << 62)
    Instance(store, module, []).exports(store)["bench"](store, nodes, entries, window, size, wire, batch)
    return (1 << 62) - store.get_fuel()
print((fuel(12000) - fuel(2000)) / 10000)
`;

function summary({ native, wasm, ...counts }) {
  const median = (list, name) => {
    const sorted = list.map((one) => one[name]).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)];
  };
  const [{ msgs_per_entry: messages, bytes_per_entry: bytes }] = native;
  return {
    native: median(native, "entries_per_cpu_s"),
    ...(wasm.length > 0 && {
      wasm: median(wasm, "entries_per_cpu_s"),
      memory: median(wasm, "memory"),
    }),
    ...{ messages, bytes },
    ...counts,
  };
}

export function printPeers({ works: all, peers: rows, elections: won = [], missing }) {
  const table = (what, name, show, only = () => true) => {
    const shown = all.map((work, at) => ({ work, at })).filter(({ work }) => only(work));
    const heads = ["", ...shown.map(({ work }) => title(work))];
    const lines = rows
      .filter(({ cells }) => shown.some(({ at }) => cells[at][name] !== undefined))
      .map((row) => [
        row.name,
        ...shown.map(({ at }) =>
          row.cells[at][name] === undefined ? "" : show(row.cells[at][name]),
        ),
      ]);
    if (lines.length > 0) print(what, heads, lines);
  };
  const thousands = (number) => `${Math.round(number / 1000).toLocaleString("en")} k`;
  const whole = (number) => Math.round(number).toLocaleString("en");
  const counted = ({ counted: is }) => is;
  table("Entries per second of processor time, native", "native", thousands);
  table("Entries per second of processor time, WebAssembly in Node", "wasm", thousands);
  table("Native instructions per entry", "instructions", whole, counted);
  table("WebAssembly operators per entry", "operators", whole, counted);
  table("Messages per entry", "messages", (number) => number.toFixed(3), counted);
  table("Bytes per entry", "bytes", (number) => number.toFixed(1), counted);
  const sized = rows.filter(({ size }) => size !== undefined);
  const lines = sized.map(({ name, size }) => [name, ...size.map(kilobytes)]);
  if (lines.length > 0)
    print(
      "The core, its codec and the driver as WebAssembly, after wasm-opt -Oz",
      ["", "raw", "gzip", "brotli"],
      lines,
    );
  const ballots = won.map(({ nodes, ticks, messages, most }) => [
    nodes,
    (ticks / 10).toFixed(2),
    messages,
    most,
  ]);
  const heads = ["nodes", "average / least timeout", "messages, median", "at most"];
  if (ballots.length > 0) print("A thousand elections of ours, by timeouts alone", heads, ballots);
  for (const one of missing) console.log(`\nNot measured: ${one}`);
}
