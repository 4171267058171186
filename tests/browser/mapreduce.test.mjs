// Jobs in a page, with workers that are there: the same in Chromium, in Firefox and in WebKit.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { labs } from "../mapreduce/labs.mjs";
import { launchChromium } from "./chromium.mjs";
import { serveSite } from "./mapreduce/server.mjs";
import { firefox, webkit } from "./webdriver.mjs";

let site;
before(async () => {
  site = await serveSite();
});
after(() => site?.close());

/** Browsers, each as what goes to an address and makes a move there. */
const engines = {
  Chromium: async () => {
    const browser = await launchChromium();
    const page = await browser.newPage();
    return {
      open: (url) => page.goto(url),
      begin: (move, given) =>
        page.evaluate(`(${beginMove})(${JSON.stringify(move)}, ${JSON.stringify(given ?? null)})`),
      answer: async () => (await page.waitForFunction(() => globalThis.answer)).jsonValue(),
      loaded: () => page.waitForFunction(() => globalThis.moves !== undefined),
      close: () => browser.close(),
    };
  },
  Firefox: () => driven(firefox),
  WebKit: () => driven(webkit),
};

async function driven(launch) {
  const { open, run, until, close } = await launch();
  return {
    open,
    begin: (move, given) => run(`(${beginMove})(...arguments);`, move, given ?? null),
    answer: () => until("return window.answer;"),
    loaded: () => until("return window.moves !== undefined;"),
    close,
  };
}

/** In the page. Scripts of a driver have a `globalThis` of their own, but its window. */
const beginMove = `(move, given) => {
  window.answer = undefined;
  window.moves[move](given).then(
    (value) => { window.answer = { value }; },
    (error) => { window.answer = { threw: error + " " + error.stack }; },
  );
}`;

/** Lines of some words, the same each time. */
function text(lines) {
  const words = ["the", "cat", "sat", "on", "mat", "Größe", "dog", "naïve", "水", "𝄞"];
  let seed = 1;
  const next = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed;
  };
  return Array.from({ length: lines }, () =>
    Array.from({ length: 1 + (next() % 9) }, () => words[next() % words.length]).join(" "),
  ).join("\n");
}

/** What a plain program counts, as a job of one partition writes it: words in the order of their bytes. */
function counted(input, word = /\p{L}+/gu) {
  const counts = new Map();
  for (const [found] of input.matchAll(word)) counts.set(found, (counts.get(found) ?? 0) + 1);
  const lines = [...counts].sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  return lines.map(([found, count]) => `${found}\t${count}\n`).join("");
}

/** What a plain program makes of lines as jobs/bytes.mjs does: for each first letter where its lines begin, and they. */
function listed(inputs, partitions) {
  const keys = new Map();
  for (const input of inputs) {
    let at = 0;
    for (const line of input.split("\n")) {
      keys.set(line[0], [...(keys.get(line[0]) ?? []), `${at}:${line}`]);
      at += Buffer.byteLength(line) + 1;
    }
  }
  const rows = [...keys].sort(([a], [b]) => (a < b ? -1 : 1));
  return Array.from({ length: partitions }, (_, partition) =>
    rows
      .filter(([key]) => key.charCodeAt(0) % partitions === partition)
      .map(([key, values]) => `${key}=${values.join(",")}\n`)
      .join(""),
  );
}

/** Words as the built-in job has them. */
const plainWord = /(?:[a-z]|[^\0-\x7f])+/giu;
const words = "jobs/words.mjs";
const slow = "jobs/slow.mjs";

for (const [engine, launch] of Object.entries(engines)) {
  describe(engine, () => {
    /** WebKit as GTK has it has no private file system. */
    const places = engine === "WebKit" ? ["plain"] : ["plain", "blobs"];
    let browser;
    /** The page that is open: what its workers begin with. */
    let here;
    before(async () => {
      browser = await launch();
    });
    after(() => browser?.close());

    const move = async (name, given) => {
      await browser.begin(name, given);
      const { value, threw } = await browser.answer();
      assert.equal(threw, undefined);
      return value;
    };
    const arrive = async (workers) => {
      await browser.open(`${site.url}?workers=${workers}`);
      await browser.loaded();
      await move("open", { name: workers, workers: 2 });
    };
    const inPage = (workers, claim, use) =>
      test(claim, async () => {
        const before = here;
        here = undefined;
        if (before !== workers) {
          // A page that is left may be kept for whoever goes back, with all that it holds.
          if (before !== undefined) await move("close");
          await arrive(workers);
        }
        await use();
        here = workers;
      });
    const failed = async (options) => {
      const { error } = await move("run", { partitions: 1, attempts: 1, job: words, ...options });
      assert.ok(error, "it succeeds");
      return error;
    };
    const forgotten = async (name, id) => {
      await move("forget", id);
      const left = (await move("stored", name)).filter((path) => path.startsWith(`/${id}/`));
      assert.deepEqual(left, []);
    };

    inPage("plain", "words of blobs and files are counted as by a plain program", async () => {
      const own = text(600);
      const input = [{ blob: own }, { file: { name: "other.txt", text: "the ox\n" } }];
      const options = { input, partitions: 1, split: 4_096 };
      for (const [job, word] of Object.entries({ [words]: undefined, wordcount: plainWord })) {
        const { texts, counters } = await move("run", { ...options, job });
        assert.deepEqual(texts, [counted(`${own}\nthe ox\n`, word)]);
        assert.equal(counters.records, 601);
      }
    });

    inPage("plain", "the same, while workers and the leader are killed", async () => {
      const own = text(500);
      const options = { input: [{ blob: own }], job: slow, partitions: 1, split: 1_024 };
      const { texts, history, left } = await move("harass", [
        { ...options, attempts: 50 },
        [1, 4, 7],
      ]);
      assert.deepEqual(left, []);
      assert.deepEqual(texts, [counted(own)]);
      assert.ok(
        history.some(({ what }) => what === "died"),
        "a worker died on a task",
      );
    });

    inPage("plain", "a page that is loaded again goes on with what was not done", async () => {
      const own = text(500);
      const input = [{ blob: own }];
      const options = { input, job: slow, partitions: 1, split: 1_024, lease: 1_000 };
      const id = await move("beginUntil", [options, 4]);
      await arrive("plain");
      assert.equal((await move("resumeWithout", id)).code, "INVALID_ARGUMENT");
      const { texts, history } = await move("resume", [id, input]);
      assert.deepEqual(texts, [counted(own)]);
      const done = new Set();
      for (const { what, kind, task } of history) {
        if (kind !== "map") continue;
        if (what === "given" || what === "backup") assert.ok(!done.has(task), `map ${task}`);
        if (what === "won") done.add(task);
      }
      const workers = new Set(
        history.filter(({ what }) => what === "won").map(({ worker }) => worker),
      );
      assert.ok(workers.size > 2, "workers of both pages won");
      await forgotten("plain", id);
    });

    inPage(
      "plain",
      "all kinds of inputs are read, in pieces that end within characters",
      async () => {
        const texts = Array.from({ length: 7 }, (_, at) => `${text(200)} ${"abcdefg"[at]}`);
        const [ranged, whole, bare, response, zipped, stream, bytes] = texts;
        const data = (name, input) => {
          site.inputs.set(`${engine}/${name}`, input);
          return `data/${engine}/${name}`;
        };
        const parts = { body: ranged, tag: "1", parts: true };
        const input = [
          { url: data("ranged", parts) },
          { url: data("whole", { body: whole, tag: "1" }) },
          { url: data("bare", { body: bare }) },
          { response: data("response", { body: response }) },
          { url: `${site.other}${data("zipped", { body: zipped, tag: "1", zipped: true })}` },
          { stream },
          { bytes },
        ];
        const options = { input, job: words, partitions: 1, split: 1_024 };
        const { texts: found, counters, error } = await move("run", options);
        assert.equal(error, undefined);
        assert.deepEqual(found, [counted(texts.join("\n"))]);
        assert.equal(counters.records, 1_400);
        assert.ok(
          parts.asked.length > 2 && !parts.asked.includes(undefined),
          "parts are asked for",
        );
      },
    );

    inPage("plain", "characters at the end of a chunk, and of a split", async () => {
      const line = (at) => "水".repeat(99 - (at % 3));
      const body = Array.from({ length: 3_600 }, (_, at) => line(at)).join("\n");
      assert.equal(Buffer.from(body)[1 << 20] >> 6, 0b10, "no character begins there");
      site.inputs.set(`${engine}/chars`, { body });
      for (const [job, split] of [
        [words, 1 << 20],
        ["wordcount", 1 << 21],
      ]) {
        const input = [{ fetched: `data/${engine}/chars` }];
        const { texts } = await move("run", { input, job, partitions: 1, split });
        assert.deepEqual(texts, [counted(body)]);
      }
    });

    inPage("plain", "a file of a server that changes while the job runs fails it", async () => {
      const body = text(400);
      for (const next of [{ tag: "2" }, { tag: "2", body: "short" }]) {
        // Each has a name of its own: what a browser has kept of another one does not change.
        const name = `${engine}/changes-${Object.keys(next).length}`;
        site.inputs.set(name, { body, tag: "1", parts: true, next });
        const error = await failed({ input: [{ url: `data/${name}` }], split: 1_024 });
        assert.equal(error.cause, "INPUT_CHANGED");
      }
      const { code } = await failed({ input: [{ url: "data/nowhere" }] });
      assert.equal(code, "INPUT_NOT_FOUND");
      assert.equal((await failed({ input: [{ broken: null }] })).code, "INPUT_NOT_FOUND");
    });

    inPage("plain", "bad jobs are refused with what is wrong", async () => {
      const input = [{ blob: "a b\nTHROW here\nc\n" }];
      const causes = [];
      for (const job of ["jobs/nowhere.mjs", BLOCKED, "jobs/half.mjs"])
        causes.push((await failed({ input, job })).cause);
      assert.deepEqual(causes, ["JOB_LOAD", "JOB_LOAD", "JOB_INVALID"]);
      const { message, ...error } = await failed({ input });
      assert.match(message, /map\(\) of a record of input 1 threw: no use for THROW here/);
      assert.deepEqual(error, { code: "JOB_FAILED", task: "map 0", record: 4, cause: "JOB_THREW" });
    });

    for (const name of Object.keys(labs)) inPage("plain", `lab: ${name}`, () => move("lab", name));

    inPage("plain", "what jobs leave is gone when they are forgotten", async () => {
      await move("forgetAll");
      assert.deepEqual(await move("stored", "plain"), []);
    });

    inPage("plain", "there are as many workers as processors, at most eight", async () => {
      assert.equal(await move("workersOf", 3), 3);
      assert.equal(await move("workersOf", 64), 8);
    });

    for (const workers of places) {
      const where = workers === "plain" ? "as it has it" : "without a file system";
      inPage(
        workers,
        `runs are written, made fewer, and merged in scratch storage ${where}`,
        async () => {
          const lines = text(4_000).split("\n");
          const letters = lines.map((line, at) => `${"abcdefg"[at % 7]}${line}`);
          // One that does not fit into memory, and more than can be merged at once.
          const few = Array.from({ length: 80 }, (_, at) => letters.slice(at, at + 3).join("\n"));
          const inputs = [...few.slice(40), letters.join("\n"), ...few.slice(0, 40)];
          const input = inputs.map((text) => ({ blob: text }));
          const options = { input, job: "jobs/bytes.mjs", partitions: 2, memory: 64 << 10 };
          const { id, texts } = await move("run", options);
          assert.deepEqual(texts, listed(inputs, 2));
          const stored = await move("stored", workers);
          const results = stored.filter((path) => path.includes(`${id}/r`));
          const inDatabase = workers === "blobs" || engine === "WebKit";
          assert.deepEqual(
            results.map((path) => path.endsWith("of the database")),
            [inDatabase, inDatabase],
          );
          await forgotten(workers, id);
        },
      );
    }

    inPage("full", "without room the job fails, and nothing is left or published", async () => {
      const options = { input: [{ blob: text(200) }], partitions: 1, attempts: 2 };
      for (const job of [words, "wordcount"]) {
        const { id, error, entries } = await move("publish", { ...options, job });
        assert.equal(error.code, "JOB_FAILED");
        assert.equal(error.task, "map 0");
        assert.equal(error.cause, "SCRATCH_FULL");
        assert.deepEqual(entries, []);
        await forgotten("full", id);
      }
    });
  });
}

/** A good job, but for the page's policy. */
const BLOCKED = "data:text/javascript,export const map = () => {}, reduce = () => {};";
