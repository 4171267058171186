/** How a command ends, as a number. `docs/cli.md` has the table. */

import { QuorateError } from "../errors.js";

export const EXIT = {
  done: 0,
  /** It failed, and changed nothing. */
  failed: 1,
  /** The command line makes no sense. */
  usage: 2,
  /** The answer is no: there is no such key, nothing was swapped, the conditions did not hold, the lock is taken. */
  no: 3,
  /** It failed, and may have taken effect, or may still do so. */
  unknown: 4,
  /** Storage or a backup is damaged. */
  damaged: 5,
} as const;

/** The command line makes no sense. */
export class UsageError extends Error {
  readonly code = "USAGE";
}

/** The exit code of an error. */
export function exitOf(error: unknown): number {
  if (error instanceof UsageError) return EXIT.usage;
  if (!(error instanceof QuorateError)) return EXIT.failed;
  switch (error.code) {
    case "INVALID_ARGUMENT":
    case "INVALID_OPTION":
      return EXIT.usage;
    case "BACKUP_CORRUPT":
    case "STORAGE_CORRUPT":
      return EXIT.damaged;
    default:
      return error.outcome === "unknown" ? EXIT.unknown : EXIT.failed;
  }
}
