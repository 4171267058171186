// An object, not a class. Keeps what its context told, and its snapshot is bytes.

let notes = [];

export default {
  apply(command, { index, term, now, random }) {
    notes.push({ command, index, term, now, drawn: [random(), random()] });
    return notes.length;
  },
  query: () => notes,
  snapshot: () => new TextEncoder().encode(JSON.stringify(notes)),
  restore(snapshot) {
    notes = JSON.parse(new TextDecoder().decode(snapshot));
  },
};
