// Prometheus' text format, version 0.0.4, read strictly: a second opinion on what writes it. Throws at the first character
// that the grammar does not know, and where a family is not in one piece or says twice what it is.

const NAME = /[a-zA-Z_:][a-zA-Z0-9_:]*/y;
const LABEL = /[a-zA-Z_][a-zA-Z0-9_]*/y;
const NUMBER = /[+-]?Inf|NaN|[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?/y;
const TYPES = ["counter", "gauge", "histogram", "summary", "untyped"];

/** The families of a text by name: { help, type, samples: [{ name, labels, value }] }. */
export function parse(text) {
  if (!text.endsWith("\n")) throw new Error("the last line does not end");
  const families = new Map();
  let family;
  for (const line of text.slice(0, -1).split("\n")) {
    const comment = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line);
    if (comment !== null) {
      const [, what, name, said] = comment;
      if (what === "HELP") {
        if (families.has(name)) throw new Error(`${name} comes in two pieces`);
        family = { name, help: said, type: undefined, samples: [] };
        families.set(name, family);
      } else {
        if (family?.name !== name || family.type !== undefined || family.samples.length > 0)
          throw new Error(`a type in the wrong place: ${line}`);
        if (!TYPES.includes(said)) throw new Error(`no type: ${line}`);
        family.type = said;
      }
      continue;
    }
    const sample = parseSample(line);
    const suffixes = family?.type === "histogram" ? ["_bucket", "_sum", "_count"] : [""];
    if (!suffixes.some((suffix) => sample.name === family?.name + suffix))
      throw new Error(`not of the family ${family?.name}: ${line}`);
    family.samples.push(sample);
  }
  for (const { name, type, samples } of families.values()) {
    if (type === undefined) throw new Error(`${name} has no type`);
    const series = samples.map(({ name, labels }) => JSON.stringify([name, labels]));
    if (new Set(series).size !== series.length) throw new Error(`${name} has a series twice`);
    if (type === "histogram") checkHistogram(name, samples);
  }
  return families;
}

function parseSample(line) {
  let at = 0;
  const take = (token, what) => {
    token.lastIndex = at;
    const found = token.exec(line)?.[0];
    if (found === undefined) throw new Error(`no ${what} at ${at}: ${line}`);
    at += found.length;
    return found;
  };
  const expect = (text) => {
    if (!line.startsWith(text, at)) throw new Error(`no ${text} at ${at}: ${line}`);
    at += text.length;
  };
  const name = take(NAME, "name");
  const labels = {};
  if (line[at] === "{") {
    expect("{");
    while (line[at] !== "}") {
      const label = take(LABEL, "label");
      if (label in labels) throw new Error(`${label} comes twice: ${line}`);
      expect('="');
      let value = "";
      for (; line[at] !== '"'; at++) {
        if (at >= line.length) throw new Error(`a label has no end: ${line}`);
        if (line[at] !== "\\") value += line[at];
        else {
          at++;
          const escaped = { "\\": "\\", '"': '"', n: "\n" }[line[at]];
          if (escaped === undefined) throw new Error(`no escape: ${line}`);
          value += escaped;
        }
      }
      expect('"');
      labels[label] = value;
      if (line[at] !== "}") expect(",");
    }
    expect("}");
  }
  expect(" ");
  const value = Number(take(NUMBER, "number").replace("Inf", "Infinity"));
  if (at !== line.length) throw new Error(`more than a sample: ${line}`);
  return { name, labels, value };
}

/** Buckets rise to the count, and their bounds rise to infinity. */
function checkHistogram(name, samples) {
  const groups = new Map();
  for (const { name: full, labels, value } of samples) {
    const { le, ...rest } = labels;
    const key = JSON.stringify(rest);
    const group = groups.get(key) ?? { buckets: [] };
    groups.set(key, group);
    if (full.endsWith("_bucket"))
      group.buckets.push([Number(le.replace("Inf", "Infinity")), value]);
    else group[full.slice(name.length + 1)] = value;
  }
  for (const { buckets, count, sum } of groups.values()) {
    const rises = (list) => list.every((value, at) => at === 0 || value >= list[at - 1]);
    const [bounds, values] = [0, 1].map((part) => buckets.map((bucket) => bucket[part]));
    if (!rises(bounds) || !rises(values)) throw new Error(`${name}: buckets do not rise`);
    if (bounds.at(-1) !== Infinity || values.at(-1) !== count || typeof sum !== "number")
      throw new Error(`${name}: the buckets, the sum and the count do not fit`);
  }
}
