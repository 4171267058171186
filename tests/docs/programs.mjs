// Programs from the blocks that run in Node. Each is a program of its own, with what its page takes for granted: the exports
// of `given/<page>.mjs` stand for names that the block uses and does not make.
//
// `given` may also have `enough`, which its functions throw to leave a loop that would go on for ever, and `done(place, names)`,
// which looks at what came of the block: the place among those of its page, from 1, and what it declared; and `stay`, if the
// program is to end by itself.

import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { parseSync } from "rolldown/utils";

import { blocks } from "./blocks.mjs";

const given = fileURLToPath(new URL("given/", import.meta.url));
const nameOf = (page) => basename(page, ".md");
const givenOf = (page) => join(given, `${nameOf(page)}.mjs`);
const hasGiven = (page) => existsSync(givenOf(page));
const isProgram = ({ language, role }) =>
  (language === "js" || language === "ts") && (role === "run" || role === "types");

/** `{ name, block, place, source, runs }` for each block that is a program; `name` is that of its file. */
export const programs = blocks.filter(isProgram).map((block) => {
  const same = blocks.filter((other) => isProgram(other) && other.page === block.page);
  const place = same.indexOf(block) + 1;
  // What does not run is checked by the compiler, also where it is JavaScript.
  const language = block.role === "types" ? "ts" : block.language;
  const name = `${nameOf(block.page)}-${place}.${language}`;
  return {
    name,
    block,
    place,
    source: program({ ...block, language }, place),
    runs: block.role === "run",
  };
});

/** The files beside the programs: those that pages show, and what is given. */
export function companions() {
  const shown = blocks.filter(({ role }) => role === "file");
  const names = shown.map(({ detail }) => detail);
  if (new Set(names).size < names.length) throw new Error(`one file is shown twice: ${names}`);
  const pages = [...new Set(programs.map(({ block }) => block.page))].filter(hasGiven);
  return Object.fromEntries([
    ...shown.map(({ detail, code }) => [detail, code]),
    ...pages.map((page) => [`given-${nameOf(page)}.mjs`, readFileSync(givenOf(page), "utf8")]),
  ]);
}

function program({ page, code, language }, place) {
  const { program: tree, errors } = parseSync(`block.${language}`, code, { sourceType: "module" });
  if (errors.length > 0) throw new Error(`${page}: ${errors[0].message}\n${code}`);
  const imports = tree.body.filter(({ type }) => type === "ImportDeclaration");
  const rest = imports.reduceRight(
    (text, { start, end }) => text.slice(0, start) + text.slice(end),
    code,
  );
  const made = tree.body.flatMap(namesOf);
  const imported = imports.flatMap(({ specifiers }) => specifiers.map(({ local }) => local.name));
  const own = new Set([...made, ...imported]);
  const taken = hasGiven(page)
    ? exportsOf(page).filter((name) => uses(code, name) && !own.has(name))
    : [];
  return `${hasGiven(page) ? `import * as given from "./given-${nameOf(page)}.mjs";` : "const given = {};"}
${imports.map(({ start, end }) => code.slice(start, end)).join("\n")}
const { ${taken.join(", ")} } = given;
const page${language === "ts" ? ": Given" : ""} = given;
let names${language === "ts" ? ": object" : ""} = {};
try {
  ${rest}
  names = { ${made.join(", ")} };
} catch (error) {
  if (error !== page.enough) throw error;
}
await page.done?.(${place}, names);
if (!page.stay) process.exit();
${language === "ts" ? "type Given = { enough?: unknown; stay?: boolean; done?: (place: number, names: any) => unknown };" : ""}
`;
}

/** Whether a name stands by itself in a text. */
function uses(code, name) {
  return new RegExp(`(?<![.\\w$"'/])${name}(?![\\w$"'/]|\\s*:[^:])`).test(code);
}

/** The names that a page takes for granted. */
function exportsOf(page) {
  const { program: tree } = parseSync(givenOf(page), readFileSync(givenOf(page), "utf8"));
  return tree.body
    .flatMap(({ declaration }) => (declaration ? namesOf(declaration) : []))
    .filter((name) => !["enough", "done", "stay"].includes(name));
}

/** What a statement declares, apart from types. */
function namesOf({ type, declarations, id }) {
  if (type === "FunctionDeclaration") return [id.name];
  if (type !== "VariableDeclaration") return [];
  return declarations.flatMap(({ id: pattern }) => {
    if (pattern.type === "Identifier") return [pattern.name];
    if (pattern.type === "ObjectPattern") return pattern.properties.map(({ value }) => value.name);
    return pattern.elements.map(({ name }) => name);
  });
}

/** A program in what Node 20 understands: no types, no `using`. */
export async function compiled(path) {
  const bundle = await rolldown({
    input: path,
    external: /^(quorate|node:|\.\/given-)/,
    transform: { target: "es2022" },
  });
  const { output } = await bundle.generate({ format: "es" });
  await bundle.close();
  return output[0].code;
}
