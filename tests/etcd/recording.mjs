// The recorded answers of etcd: one line for each step, so that changes of them can be read.

import { hash } from "./frame.mjs";

/** What identifies a scene: another question makes its recorded answers void. What ours answers instead is none of etcd's business. */
export const questionsOf = ({ steps }) =>
  hash(JSON.stringify(steps.map(({ differs, ours, ...step }) => step)));

/** The text of a recording. */
export function written(etcd, scenes, answers) {
  const parts = scenes.map((scene) => {
    const lines = answers[scene.name].map((answer) => `      ${ascii(JSON.stringify(answer))}`);
    return [
      `    ${JSON.stringify(scene.name)}: {`,
      `      "asked": "${questionsOf(scene)}",`,
      `      "answers": [`,
      lines.join(",\n"),
      "      ]",
      "    }",
    ].join("\n");
  });
  return `{\n  "etcd": "${etcd}",\n  "scenes": {\n${parts.join(",\n")}\n  }\n}\n`;
}

/** Bytes that are no ASCII are hard to see. */
const ascii = (text) =>
  text.replace(/[\x7f-\xff]/g, (one) => `\\u00${one.charCodeAt(0).toString(16)}`);

/** The answers of a recording, by the names of scenes. Fails if it was made with other questions. */
export function read({ etcd, scenes: recorded }, scenes) {
  const stale = scenes.filter((scene) => recorded[scene.name]?.asked !== questionsOf(scene));
  const names = scenes.map(({ name }) => name);
  const gone = Object.keys(recorded).filter((name) => !names.includes(name));
  const wrong = [...stale.map(({ name }) => name), ...gone];
  if (wrong.length > 0) {
    const list = wrong.map((name) => `\n  ${name}`).join("");
    throw new Error(
      `record again (node tests/etcd/record.mjs): other questions were recorded in${list}`,
    );
  }
  const answers = names.map((name) => [name, recorded[name].answers]);
  return { etcd, answers: Object.fromEntries(answers) };
}
