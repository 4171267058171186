// What the package exports, read from its declarations: names, signatures, and the comments above them. oxc parses them, which
// the bundler brings along; types are not looked into, for all that is public is spelled out.

import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { parseSync } from "rolldown/utils";

import { at } from "./paths.mjs";

/**
 * The public symbols of the package as it is built, by their names:
 * `{ name, kind, file, entry, comment, signature, members: [{ name, comment, signatures }] }`.
 */
export function publicSymbols(folder = at()) {
  const { name, exports } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const symbols = new Map();
  for (const [path, conditions] of Object.entries(exports)) {
    if (conditions.types === undefined) continue;
    const entry = name + path.slice(1);
    for (const [exported, symbol] of exportsOf(join(folder, conditions.types)))
      if (!symbols.has(exported)) symbols.set(exported, { ...symbol, name: exported, entry });
  }
  return symbols;
}

/** What lacks a comment: names of symbols, and of members that no public ancestor explains. */
export function undocumented(symbols) {
  const lacking = [];
  for (const { name, comment, members } of symbols.values()) {
    if (comment === "") lacking.push(name);
    for (const member of members)
      if (explanationOf(name, member.name, symbols) === "") lacking.push(`${name}.${member.name}`);
  }
  return lacking;
}

/** The comment of a member, or of the one that it overrides. */
export function explanationOf(name, memberName, symbols) {
  const symbol = symbols.get(name);
  const comment = symbol?.members.find((member) => member.name === memberName)?.comment ?? "";
  const inherited = () =>
    symbol?.ancestors
      .map((ancestor) => explanationOf(ancestor, memberName, symbols))
      .find((text) => text !== "") ?? "";
  return comment === "" ? inherited() : comment;
}

/** What a file says of itself, in its first comment. */
export const fileComment = (file) => moduleAt(file).comment;

const modules = new Map();

/** A file's declarations by name, whether exported or not, and where its other names come from. */
function moduleAt(path) {
  if (!modules.has(path)) modules.set(path, readModule(path));
  return modules.get(path);
}

function readModule(path) {
  const text = readFileSync(path, "utf8");
  const { program, comments, errors } = parseSync(path, text, { lang: "dts" });
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const source = { path, text, comments };
  const found = { declarations: new Map(), imports: new Map(), exported: new Map(), all: [] };
  const target = (node) => join(dirname(path), node.source.value.replace(/\.js$/, ".d.ts"));
  for (const node of program.body) {
    const declared = node.declaration ?? node;
    if (node.type === "ImportDeclaration") {
      for (const { local, imported } of node.specifiers)
        found.imports.set(local.name, { path: target(node), name: imported?.name });
    } else if (node.type === "ExportAllDeclaration") {
      found.all.push(target(node));
    } else if (node.type === "ExportNamedDeclaration" && node.declaration === null) {
      for (const { local, exported } of node.specifiers) {
        const origin = { path: node.source ? target(node) : path, name: local.name };
        found.exported.set(exported.name, origin);
      }
    }
    for (const name of namesOf(declared)) {
      const list = found.declarations.get(name) ?? [];
      found.declarations.set(name, [...list, describe(declared, node, source)]);
      if (declared !== node) found.exported.set(name, { path, name });
    }
  }
  const first = comments.find(({ value }) => value.startsWith("*"));
  const alone = first && !/^\s*(export|declare)/.test(text.slice(first.end));
  return { ...found, comment: alone ? clean(first.value) : "" };
}

/** Everything a file exports. What it names itself goes before what it passes on. */
function exportsOf(path) {
  const { exported, all } = moduleAt(path);
  const symbols = new Map([...exported].map(([name, origin]) => [name, symbolAt(origin)]));
  for (const other of all)
    for (const [name, symbol] of exportsOf(other))
      if (!symbols.has(name)) symbols.set(name, symbol);
  return symbols;
}

/** A declared name, wherever it comes from; one that stands for a type and for a value is one symbol. */
function symbolAt({ path, name }) {
  const { declarations, imports, exported, all } = moduleAt(path);
  if (!declarations.has(name)) {
    const origin = imports.get(name) ?? exported.get(name);
    if (origin !== undefined && (origin.path !== path || origin.name !== name))
      return symbolAt(origin);
    for (const other of all) if (exportsOf(other).has(name)) return exportsOf(other).get(name);
    throw new Error(`${path}: where does ${name} come from?`);
  }
  const parts = declarations.get(name).map((part) => {
    const origin = part.alias && imports.get(part.alias);
    return origin ? symbolAt(origin) : { ...part, file: path };
  });
  const [first] = parts;
  const comment = parts
    .map((part) => part.comment)
    .filter((text) => text !== "")
    .join("\n\n");
  const signature = [...new Set(parts.map((part) => part.signature))].join("\n");
  const members = parts.flatMap((part) => part.members);
  return { ...first, comment, signature, members };
}

function namesOf(node) {
  if (node.type === "VariableDeclaration") return node.declarations.map(({ id }) => id.name);
  return /^TS(Interface|TypeAlias|Enum)Declaration$|^(TSDeclareFunction|ClassDeclaration|FunctionDeclaration)$/.test(
    node.type,
  )
    ? [node.id.name]
    : [];
}

const KINDS = {
  TSInterfaceDeclaration: "interface",
  TSTypeAliasDeclaration: "type",
  TSEnumDeclaration: "enum",
  TSDeclareFunction: "function",
  FunctionDeclaration: "function",
  ClassDeclaration: "class",
  VariableDeclaration: "const",
};

function describe(node, statement, source) {
  const body = node.body?.body;
  const end = Array.isArray(body) ? node.body.start : node.end;
  const alias = node.typeAnnotation?.typeName?.name;
  const heirs = node.extends ?? (node.superClass ? [{ expression: node.superClass }] : []);
  return {
    kind: KINDS[node.type],
    alias: node.typeAnnotation?.typeArguments ? undefined : alias,
    comment: commentAbove(statement.start, source),
    signature: code(node.start, end, source),
    ancestors: heirs.map(({ expression }) => expression.name),
    members: Array.isArray(body) ? membersOf(body, source) : [],
  };
}

/** Members by name: overloads are one. */
function membersOf(body, source) {
  const members = new Map();
  for (const node of body) {
    if (node.accessibility === "private") continue;
    const name = nameOf(node, source);
    const member = members.get(name) ?? { name, comment: "", signatures: [] };
    const comment = commentAbove(node.start, source);
    if (!member.comment.includes(comment))
      member.comment = [member.comment, comment].filter((text) => text !== "").join("\n\n");
    member.signatures.push(code(node.start, node.end, source));
    members.set(name, member);
  }
  return [...members.values()];
}

function nameOf({ key, computed, type }, { text }) {
  if (key === undefined) return type === "TSIndexSignature" ? "[key]" : "()";
  const name = text.slice(key.start, key.end);
  return computed ? `[${name}]` : name;
}

/** The comment that ends where something begins. */
function commentAbove(start, { text, comments }) {
  const comment = comments.find(
    ({ value, end }) =>
      value.startsWith("*") && end <= start && /^\s*$/.test(text.slice(end, start)),
  );
  return comment === undefined ? "" : clean(comment.value);
}

const clean = (comment) =>
  comment
    .replace(/^\*/, "")
    .split("\n")
    .map((line) => line.replace(/^\s*\*? ?/, "").trimEnd())
    .join("\n")
    .trim();

/** A piece of a declaration, at the margin. Comments within stay: they explain its parts. */
function code(start, end, { text }) {
  const lineStart = text.lastIndexOf("\n", start) + 1;
  const margin = /^\s*/.exec(text.slice(lineStart, start))[0].length;
  return text
    .slice(start, end)
    .split("\n")
    .map((line, index) => (index === 0 ? line : line.slice(Math.min(margin, indent(line)))))
    .map((line) => line.replace(/^( {4})+/, (space) => space.slice(space.length / 2)))
    .join("\n")
    .replace(/^(export )?(declare )?/, "")
    .trim();
}

const indent = (line) => /^\s*/.exec(line)[0].length;
