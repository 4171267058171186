// The colors: told apart by all who see, legible, and the same however the dark theme was chosen.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

const css = readFileSync(new URL("../../www/design/tokens.css", import.meta.url), "utf8");

/** The custom properties with a color in the block that follows this selector. */
function colors(selector) {
  const start = css.indexOf(`${selector} {`);
  assert.notEqual(start, -1, selector);
  const block = css.slice(start, css.indexOf("}", start));
  return Object.fromEntries(
    [...block.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]),
  );
}

const themes = {
  light: colors(":root"),
  dark: colors(':root[data-theme="dark"]'),
};

/** How those see who lack a kind of cones: Machado, Oliveira and Fernandes 2009, in full severity, on linear light. */
const SIGHTS = {
  common: [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ],
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const times = (matrix, vector) =>
  matrix.map((row) => row.reduce((sum, factor, at) => sum + factor * vector[at], 0));

function light(color) {
  return [1, 3, 5]
    .map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
}

/** WCAG 2.2's contrast ratio. */
function contrast(one, other) {
  const [dark, bright] = [one, other]
    .map((color) => times([[0.2126, 0.7152, 0.0722]], light(color))[0] + 0.05)
    .sort((a, b) => a - b);
  return bright / dark;
}

/** In Oklab, where distances are about as great as they look. */
function seen(color, sight) {
  const clipped = times(SIGHTS[sight], light(color)).map((part) => Math.min(Math.max(part, 0), 1));
  const cones = times(
    [
      [0.4122214708, 0.5363325363, 0.0514459929],
      [0.2119034982, 0.6806995451, 0.1073969566],
      [0.0883024619, 0.2817188376, 0.6299787005],
    ],
    clipped,
  ).map(Math.cbrt);
  return times(
    [
      [0.2104542553, 0.793617785, -0.0040720468],
      [1.9779984951, -2.428592205, 0.4505937099],
      [0.0259040371, 0.7827717662, -0.808675766],
    ],
    cones,
  );
}

const distance = (one, other, sight) =>
  Math.hypot(...seen(one, sight).map((part, at) => part - seen(other, sight)[at]));

/** Colors of one meaning among each other. White and black are 1 apart. */
const FAMILIES = { "kind-": 0.08, "role-": 0.1, "term-": 0.1 };

for (const [theme, tokens] of Object.entries(themes)) {
  for (const [prefix, least] of Object.entries(FAMILIES)) {
    const names = Object.keys(tokens).filter((name) => name.startsWith(prefix));
    test(`${theme}: each two of ${prefix} differ for all who see`, () => {
      assert.ok(names.length >= 4, `${names}`);
      const alike = [];
      for (const [at, one] of names.entries())
        for (const other of names.slice(at + 1))
          for (const sight of Object.keys(SIGHTS)) {
            const apart = distance(tokens[one], tokens[other], sight);
            if (apart < least) alike.push(`${one} ${other} ${sight} ${apart.toFixed(3)}`);
          }
      assert.deepEqual(alike, []);
    });
  }

  test(`${theme}: text has a contrast of 4.5 to 1`, () => {
    const pairs = ["text", "soft", "accent", "good", "warn", "bad"].flatMap((name) =>
      ["ground", "surface", "sunk"].map((ground) => [name, ground]),
    );
    check(tokens, [...pairs, ["on-accent", "accent"], ["surface", "role-leader"]], 4.5);
  });

  test(`${theme}: what is drawn has a contrast of 3 to 1`, () => {
    const drawn = Object.keys(tokens).filter((name) =>
      /^(role|kind|term)-|^(pending|durable|compacted)$/.test(name),
    );
    check(
      tokens,
      drawn.map((name) => [name, "surface"]),
      3,
    );
  });
}

function check(tokens, pairs, least) {
  const faint = pairs
    .map(([one, other]) => [one, other, contrast(tokens[one], tokens[other])])
    .filter(([, , ratio]) => !(ratio >= least));
  assert.deepEqual(faint, []);
}

test("the dark theme is the same whether chosen or the system's", () => {
  assert.deepEqual(colors(':root:not([data-theme="light"])'), themes.dark);
  assert.deepEqual(Object.keys(themes.light), Object.keys(themes.dark));
});
