// Holds Quorate's answers against those of etcd, field by field.

import { DIFFERENCES, ERRORS } from "./differences.mjs";

/**
 * Compares answers with those that etcd gave to the same scenes. `complaints` are sentences, one for each step that is not as it
 * must be, and for each way of differing that never came up; the rest says what was compared.
 */
export function compare(scenes, theirs, ours) {
  const complaints = [];
  const came = new Set();
  const errors = new Set();
  let alike = 0;
  let otherwise = 0;
  for (const { name, steps } of scenes) {
    for (const [at, step] of steps.entries()) {
      const asked = `${name}, step ${at + 1}: ${shown(step)}`;
      const their = theirs[name]?.[at];
      const our = ours[name]?.[at];
      if (their === undefined || our === undefined) {
        complaints.push(`${asked}\n  has no answer of ${their === undefined ? "etcd" : "ours"}`);
        continue;
      }
      const translated = inOurWords(their);
      errors.add(their.error);
      const wanted = expected(step, translated);
      if (step.differs !== undefined) {
        came.add(step.differs);
        otherwise += 1;
        if (canonical(wanted) === canonical(translated)) {
          complaints.push(`${asked}\n  does not differ by ${step.differs}: ${shown(their)}`);
        }
      } else {
        alike += 1;
      }
      if (canonical(our) !== canonical(wanted)) {
        const instead =
          step.differs === undefined ? "" : ` (so by ${step.differs}: ${shown(wanted)})`;
        complaints.push(`${asked}\n  etcd    ${shown(their)}${instead}\n  Quorate ${shown(our)}`);
      }
    }
  }
  for (const difference of Object.keys(DIFFERENCES)) {
    if (!came.has(difference)) complaints.push(`${difference}: no step differs in this way`);
  }
  for (const error of Object.keys(ERRORS)) {
    if (!errors.has(error)) complaints.push(`${error}: no step is refused with it`);
  }
  return { complaints, alike, otherwise, ways: came.size };
}

/** What ours must answer. */
function expected({ differs, ours }, translated) {
  if (differs === undefined) return translated;
  if (ours !== undefined) return ours;
  const way = DIFFERENCES[differs];
  return way === undefined ? { unknown: differs } : way(translated);
}

function inOurWords(answer) {
  if (answer.error === undefined) return answer;
  return { ...answer, error: ERRORS[answer.error] ?? answer.error };
}

/** Equal things as equal text, whatever the order of their fields. */
export function canonical(value) {
  return JSON.stringify(value, (_, it) =>
    typeof it === "object" && it !== null && !Array.isArray(it)
      ? Object.fromEntries(Object.entries(it).sort(([a], [b]) => (a < b ? -1 : 1)))
      : it,
  );
}

const shown = (value) => {
  const text = JSON.stringify(value);
  return text.length <= 1000 ? text : `${text.slice(0, 1000)}…`;
};
