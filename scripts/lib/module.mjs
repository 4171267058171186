// A WebAssembly module as a list of sections, and what of them our scripts look at.

const header = 8;
const functionKind = 0;

/** The ids of sections. */
export const sectionId = { custom: 0, import: 2, code: 10, data: 11 };

/** The sections of a module, in their order: what they are, their content, and all their bytes. */
export function sections(module) {
  const found = [];
  for (let at = header; at < module.length; ) {
    const [size, begin] = number(module, at + 1);
    const end = begin + size;
    found.push({
      id: module[at],
      content: module.subarray(begin, end),
      whole: module.subarray(at, end),
    });
    at = end;
  }
  return found;
}

/** The content of the one section of this kind. */
export function section(module, id) {
  const found = sections(module).find((section) => section.id === id);
  if (found === undefined) throw new Error(`the module has no section ${id}`);
  return found.content;
}

/** A section. */
export const writeSection = (id, content) =>
  Buffer.concat([Uint8Array.of(id), leb(content.length), content]);

/** The imported functions: their names, and where in the section's content each thing ends. Ours imports nothing else. */
export function imports(content) {
  const [count, begin] = number(content, 0);
  const found = [];
  let at = begin;
  for (let i = 0; i < count; i++) {
    const [moduleSize, moduleName] = number(content, at);
    const [nameSize, name] = number(content, moduleName + moduleSize);
    const kind = name + nameSize;
    if (content[kind] !== functionKind) throw new Error("an import is no function");
    const [, end] = number(content, kind + 1);
    const module = content.subarray(at, moduleName + moduleSize);
    const text = content.subarray(name, kind).toString("latin1");
    found.push({ module, name: text, type: content.subarray(kind, end) });
    at = end;
  }
  return found;
}

/** The functions of the module's own, each with the length before it. */
export function functions(module) {
  const content = section(module, sectionId.code);
  const [count, begin] = number(content, 0);
  const found = [];
  let at = begin;
  for (let i = 0; i < count; i++) {
    const [size, body] = number(content, at);
    found.push(content.subarray(at, body + size));
    at = body + size;
  }
  return found;
}

const functionNames = 1;

/** The names of functions, by index, imports first; none if the module was stripped of them. */
export function names(module) {
  const found = new Map();
  for (const { id, content } of sections(module)) {
    const [size, begin] = number(content, 0);
    if (id !== sectionId.custom || content.toString("latin1", begin, begin + size) !== "name") {
      continue;
    }
    for (let at = begin + size; at < content.length; ) {
      const [length, start] = number(content, at + 1);
      if (content[at] === functionNames) readNames(content.subarray(start, start + length), found);
      at = start + length;
    }
  }
  return found;
}

function readNames(content, found) {
  let [count, at] = number(content, 0);
  for (; count > 0; count--) {
    const [index, afterIndex] = number(content, at);
    const [size, begin] = number(content, afterIndex);
    found.set(index, content.toString("utf8", begin, begin + size));
    at = begin + size;
  }
}

/** The module with names for all functions, imports first. */
export function withNames(module, list) {
  const entries = list.flatMap((name, index) => [leb(index), text(name)]);
  const content = Buffer.concat([leb(list.length), ...entries]);
  const subsection = Buffer.concat([Uint8Array.of(functionNames), leb(content.length), content]);
  const custom = writeSection(sectionId.custom, Buffer.concat([text("name"), subsection]));
  return Buffer.concat([module, custom]);
}

const text = (value) => {
  const bytes = Buffer.from(value);
  return Buffer.concat([leb(bytes.length), bytes]);
};

/** Reads a LEB128 number: its value, and where it ends. */
export function number(bytes, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7, at++) {
    value |= (bytes[at] & 0x7f) << shift;
    if (bytes[at] < 0x80) return [value, at + 1];
  }
}

/** Writes one. */
export function leb(value) {
  const bytes = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, value);
}
