// What adapters share: revisions told from the beginning of a scene, and names in place of ids.

/** The scene's beginning, and who is called what in it. */
export class Frame {
  /** The server's revision at the beginning. */
  base;
  /** Ids of leases, by name. */
  ids = new Map();
  /** Open watches, by name. */
  watches = new Map();

  constructor(base) {
    this.base = base;
  }

  /** A revision of the script as the server's. */
  absolute(revision) {
    return revision > 0 ? revision + this.base : revision;
  }

  /** A revision of the server as the script's. 0 is none on both sides. */
  relative(revision) {
    return revision === 0 ? 0 : revision - this.base;
  }

  /** The name of a lease, or null for none. */
  nameOf(id) {
    if (id === 0) return null;
    for (const [name, other] of this.ids) if (other === id) return name;
    return `a lease that the scene did not make: ${id}`;
  }

  /** A key with its value and numbers, as all adapters tell it. */
  entry({ key, value, create, mod, version, lease }) {
    return {
      key: short(key),
      value: short(value),
      create: this.relative(create),
      mod: this.relative(mod),
      version,
      lease: this.nameOf(lease),
    };
  }
}

/** Long bytes as their number and a hash. */
export function short(text) {
  if (text.length <= 64) return text;
  return `${text.length} bytes, ${hash(text)}`;
}

/** A hash of a text (FNV-1a): to notice changes. */
export function hash(text) {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  return (hash >>> 0).toString(16);
}

/** A promise that fails when it takes too long. */
export async function within(promise, ms, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not within ${ms} ms: ${what}`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
