import { quorateError } from "./errors.js";

/** What every use of a closed cluster gets. */
export function closedError() {
  return quorateError("CLOSED", "the cluster is closed; open it again with Cluster.open", {
    outcome: "not-applied",
  });
}
