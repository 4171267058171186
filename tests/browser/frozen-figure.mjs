// node tests/browser/frozen-figure.mjs [ROUNDS]: how long it takes until another tab works when the leader's is frozen, and the
// figure of it in the README, docs/frozen.svg. Chromium, default settings, a built page.

import { writeFileSync } from "node:fs";
import { round, ways } from "./frozen.mjs";
import { servePage } from "./help.mjs";

const rounds = Number(process.argv[2] ?? 9);
/** For how long nobody has worked by lock or library when a round ends, in milliseconds. */
const longer = 8_000;

const undo = [];
const site = await servePage();
const found = [];
try {
  for (let number = 1; number <= rounds; number++) {
    const { after } = await round(
      { after: (end) => undo.unshift(end) },
      new URL("frozen.html", site.url).href,
      longer,
    );
    while (undo.length > 0) await undo.shift()();
    console.log(JSON.stringify(after));
    found.push(after);
  }
} finally {
  for (const end of undo) await end();
  await site.close();
}

const times = found.map(({ quorate }) => quorate).sort((a, b) => a - b);
const median = times[Math.floor(times.length / 2)];
const stuck = ways.map((way) => found.filter((after) => after[way] === null).length);
console.log(
  `Quorate: median ${median} ms, ${times[0]} to ${times.at(-1)}; nobody else worked (${ways}): ${stuck}`,
);

const names = { lock: "Web Lock", library: "broadcast-channel", quorate: "Quorate" };
const [left, scale] = [170, 55 / 1_000];
const end = 10_000;
const x = (ms) => left + Math.min(ms, end) * scale;
const lanes = ways.map((way, at) => {
  const y = 52 + at * 40;
  const next = way === "quorate" ? median : end;
  const works =
    next < end
      ? `<rect x="${x(next)}" y="${y}" width="${x(end) - x(next)}" height="22" rx="4" fill="#17703f"/>`
      : "";
  const text =
    way === "quorate"
      ? `another tab works after ${(next / 1_000).toFixed(2)} s`
      : "nobody works until the tab thaws";
  const [at_, color] = way === "quorate" ? [x(next) + 12, "#ffffff"] : [left + 12, "#b3261e"];
  return `<text x="${left - 12}" y="${y + 16}" text-anchor="end" fill="#1a1f29">${names[way]}</text>
<rect x="${left}" y="${y}" width="${x(next) - left}" height="22" rx="4" fill="none" stroke="#b3261e" stroke-dasharray="4 3"/>
${works}<text x="${at_}" y="${y + 16}" fill="${color}">${text}</text>`;
});
const ticks = [0, 2, 4, 6, 8, 10].map(
  (s) => `<text x="${x(s * 1_000)}" y="186" text-anchor="middle" fill="#525c6b">${s} s</text>`,
);
writeFileSync(
  new URL("../../docs/frozen.svg", import.meta.url),
  `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 200" font-family="system-ui, sans-serif" font-size="14" role="img" aria-label="What becomes of shared work when the leader's tab is frozen">
<rect width="760" height="200" fill="#f4f6f9"/>
<text x="16" y="28" fill="#1a1f29" font-weight="600">The leader's tab is frozen at 0 s. Who does its work?</text>
${lanes.join("\n")}
${ticks.join("\n")}
</svg>
`,
);
