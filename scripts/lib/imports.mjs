// Short names for what the wasm imports from its glue. wasm-bindgen names each import after the function and a hash of
// sixteen digits, twice: here and there. Nobody reads them, and a hash does not compress.

import { imports, leb, sectionId, sections, writeSection } from "./module.mjs";

const header = 8;

/** The module and its glue, with the same short names in both. */
export function shortenImports(module, glue) {
  const names = new Map();
  const bytes = rename(module, (name) => {
    const short = names.get(name) ?? `i${names.size.toString(36)}`;
    names.set(name, short);
    return short;
  });
  let text = glue;
  for (const [name, short] of names) {
    // The key in the object of imports. Exactly one, or the glue is not what we think it is.
    const parts = text.split(new RegExp(`^( +)${name}: `, "m"));
    if (parts.length !== 3) throw new Error(`the glue has no import ${name}`);
    text = `${parts[0]}${parts[1]}${short}: ${parts[2]}`;
  }
  return { module: bytes, glue: withoutDisposal(text) };
}

/** Nobody disposes of what the glue makes, and statements outside of functions keep bundlers from leaving classes out. */
function withoutDisposal(glue) {
  return glue.replace(/^if \(Symbol\.dispose\) .*\n/gm, "");
}

function rename(module, shorten) {
  const renamed = sections(module).map(({ id, content, whole }) =>
    id === sectionId.import ? writeSection(id, write(imports(content), shorten)) : whole,
  );
  return Buffer.concat([module.subarray(0, header), ...renamed]);
}

function write(list, shorten) {
  const parts = list.flatMap(({ module, name, type }) => {
    const short = Buffer.from(shorten(name));
    return [module, leb(short.length), short, type];
  });
  return Buffer.concat([leb(list.length), ...parts]);
}
