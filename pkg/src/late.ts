import { type Outcome, type QuorateError, quorateError } from "./errors.js";

/** Whether a majority can decide: it is there, it is away, or it has lost what it knew. */
export type Quorum = "there" | "away" | "lost";

/** Why a deadline passed, given how the quorum was then. `what` is the sentence of `TIMEOUT`. */
export function lateError(quorum: Quorum, what: string, outcome: Outcome): QuorateError {
  switch (quorum) {
    case "there":
      return quorateError("TIMEOUT", what, { outcome });
    case "away":
      return quorateError(
        "NO_QUORUM",
        `${what}: no majority could agree; start nodes or heal the network`,
        { outcome },
      );
    case "lost":
      return quorateError(
        "QUORUM_LOST",
        "a majority of nodes has lost its storage: what they had cannot be told from what others have",
        { outcome },
      );
  }
}
