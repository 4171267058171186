/**
 * What can come next on a command line. The scripts for shells are a few lines each that ask the program itself, so that they
 * know what it knows.
 */

import { type Command, GLOBAL, type OptionTable } from "./command.js";
import { UsageError } from "./exit.js";
import { arity, commandOf } from "./parse.js";

/** A word that can come next; or, in place of words, that a file or directory can. */
export type Candidate = { readonly word: string; readonly about: string } | ":files" | ":dirs";

/** What can stand in the place of the last word, which may have begun. */
export function complete(commands: readonly Command[], words: readonly string[]): Candidate[] {
  const begun = words.at(-1) ?? "";
  const every: OptionTable = Object.assign({}, GLOBAL, ...commands.map(({ options }) => options));
  const before: string[] = [];
  let awaits: string | undefined;
  for (const word of words.slice(0, -1)) {
    if (awaits !== undefined) awaits = undefined;
    else if (word.startsWith("--"))
      awaits = { ...every, ...commandOf(commands, before)?.options }[word.slice(2)]?.value;
    else before.push(word);
  }
  const command = commandOf(commands, before);
  const all = (): Candidate[] => {
    if (awaits !== undefined) return placeholder(awaits, commands);
    if (begun.startsWith("-")) {
      return Object.entries({ ...command?.options, ...GLOBAL }).map(([name, { about }]) => ({
        word: `--${name}`,
        about,
      }));
    }
    if (command === undefined) return nextWords(commands, before);
    const names = command.takes.split(" ");
    const at = before.length - command.name.split(" ").length;
    if (at >= arity(command).most) return [];
    return placeholder(names[Math.min(at, names.length - 1)] ?? "", commands);
  };
  return all().filter((each) => typeof each === "string" || each.word.startsWith(begun));
}

/** The words with which the names go on, each once. */
function nextWords(commands: readonly Command[], before: readonly string[]): Candidate[] {
  const next = new Map<string, string>();
  for (const { name, about } of commands) {
    const words = name.split(" ");
    const word = words[before.length];
    if (word === undefined || !before.every((each, at) => each === words[at])) continue;
    const isLast = words.length === before.length + 1;
    next.set(
      word,
      isLast ? about : [next.get(word), words[before.length + 1]].filter(Boolean).join(", "),
    );
  }
  return [...next].map(([word, about]) => ({ word, about }));
}

function placeholder(name: string, commands: readonly Command[]): Candidate[] {
  switch (name.replace(/[[\].]/g, "")) {
    case "FILE":
      return [":files"];
    case "DIR":
      return [":dirs"];
    case "JOB":
      return [":files", ...rows(JOBS)];
    case "FORMAT":
      return rows(FORMATS);
    case "SHELL":
      return Object.keys(SCRIPTS).map((word) => ({ word, about: `a script for ${word}` }));
    case "ABOUT":
      return nextWords(commands, []);
    default:
      return [];
  }
}

const rows = (words: Readonly<Record<string, string>>) =>
  Object.entries(words).map(([word, about]) => ({ word, about }));
const JOBS = {
  wordcount: "how often each word is there",
  index: "in which inputs each word is",
  grep: "records with a text in them",
  sort: "records in the order of their bytes",
};
const FORMATS = {
  lines: "each ends with a line feed",
  whole: "an input is one record",
  custom: "by the module's boundary()",
  "delimiter:": "each ends with this text",
  "length:": "each has so many bytes",
};

/** A line for each candidate, as the scripts read them. */
export function candidateLines(candidates: readonly Candidate[]): string {
  return candidates
    .map((each) => (typeof each === "string" ? each : `${each.word}\t${each.about}`))
    .join("\n");
}

export function scriptFor(shell: string): string {
  if (!Object.hasOwn(SCRIPTS, shell))
    throw new UsageError(`the shell is one of ${Object.keys(SCRIPTS).join(", ")}`);
  return SCRIPTS[shell as keyof typeof SCRIPTS];
}

const SCRIPTS = {
  bash: `_quorate() {
  local line word="\${COMP_WORDS[COMP_CWORD]}"
  COMPREPLY=()
  while IFS= read -r line; do
    case "$line" in
      :files) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
      :dirs) compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$word") ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}") ;;
    esac
  done < <("\${COMP_WORDS[0]}" __complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -F _quorate quorate`,
  zsh: `#compdef quorate
_quorate() {
  local line
  local -a found
  while IFS= read -r line; do
    case "$line" in
      :files) _files ;;
      :dirs) _files -/ ;;
      *) found+=("\${\${line%%$'\\t'*}//:/\\\\:}:\${line#*$'\\t'}") ;;
    esac
  done < <("\${words[1]}" __complete "\${(@)words[2,CURRENT]}" 2>/dev/null)
  (( ! $#found )) || _describe quorate found
}
compdef _quorate quorate`,
  fish: `function __quorate_complete
  set -l words (commandline -opc)
  for line in (quorate __complete $words[2..-1] (commandline -ct) 2>/dev/null)
    switch $line
      case ':files'
        __fish_complete_path (commandline -ct)
      case ':dirs'
        __fish_complete_directories (commandline -ct)
      case '*'
        echo $line
    end
  end
end
complete -c quorate -f -a '(__quorate_complete)'`,
};
