// Short names for what the wasm imports from its glue. wasm-bindgen names each import after the function and a hash of
// sixteen digits, twice: here and there. Nobody reads them, and a hash does not compress.

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
  return { module: bytes, glue: text };
}

const header = 8;
const importSection = 2;
const functionKind = 0;

/** Renames imported functions. Imports of other kinds stay. */
function rename(module, shorten) {
  for (let at = header; at < module.length; ) {
    const id = module[at];
    const [size, begin] = number(module, at + 1);
    const end = begin + size;
    if (id === importSection) {
      const content = imports(module.subarray(begin, end), shorten);
      const section = [Uint8Array.of(id), leb(content.length), content];
      return Buffer.concat([module.subarray(0, at), ...section, module.subarray(end)]);
    }
    at = end;
  }
  throw new Error("the module imports nothing");
}

function imports(section, shorten) {
  const [count, begin] = number(section, 0);
  const parts = [section.subarray(0, begin)];
  let at = begin;
  for (let i = 0; i < count; i++) {
    const [moduleSize, module] = number(section, at);
    const [nameSize, name] = number(section, module + moduleSize);
    const kind = name + nameSize;
    if (section[kind] !== functionKind) throw new Error("an import is no function");
    const [, end] = number(section, kind + 1);
    const short = Buffer.from(shorten(section.subarray(name, kind).toString("latin1")));
    parts.push(section.subarray(at, module + moduleSize), leb(short.length), short);
    parts.push(section.subarray(kind, end));
    at = end;
  }
  return Buffer.concat(parts);
}

/** Reads a LEB128 number: its value, and where it ends. */
function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    value |= (bytes[at] & 0x7f) << shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

/** Writes one. */
function leb(value) {
  const bytes = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, value);
}
