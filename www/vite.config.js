import { fileURLToPath } from "node:url";

import { defineConfig } from "vite";
import { list, readPlanted, shown } from "../scripts/lib/planted.mjs";
import { at } from "../scripts/lib/run.mjs";
import { offline } from "./offline/plugin.js";

const pages = ["index", "simulator", "lessons", "hunt", "seats", "frozen", "mapreduce"].map(
  (name) => fileURLToPath(new URL(`${name}.html`, import.meta.url)),
);

const dist = (name) => fileURLToPath(new URL(`../pkg/dist/${name}.js`, import.meta.url));

/** `virtual:planted`: the list of planted bugs as the page shows it. */
const planted = {
  name: "planted",
  resolveId: (id) => (id === "virtual:planted" ? `\0${id}` : null),
  load(id) {
    if (id !== "\0virtual:planted") return null;
    this.addWatchFile(at(list));
    return `export const planted = ${JSON.stringify(readPlanted().map(shown))};`;
  },
};

export default defineConfig({
  plugins: [planted, offline],
  root: fileURLToPath(new URL(".", import.meta.url)),
  // Works below any path of a static server.
  base: "./",
  // The package as it is shipped, from this checkout.
  resolve: {
    alias: [
      { find: /^quorate$/, replacement: dist("auto") },
      { find: /^quorate\/mapreduce$/, replacement: dist("mapreduce") },
      { find: /^quorate\/worker$/, replacement: dist("worker") },
    ],
  },
  server: { fs: { allow: [fileURLToPath(new URL("..", import.meta.url))] } },
  worker: { format: "es" },
  build: {
    target: "es2022",
    // Data URLs are not what the page's Content-Security-Policy allows.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: { input: pages },
  },
});
