/**
 * `<quorate-inspector>`: a cluster on a page, as it is now. Importing this does nothing, also where there is no page;
 * `define` makes the element known.
 */

import type { AnyCluster } from "../types.js";
import { type InspectorElement, inspectorClass, provided } from "./element.js";

export type { InspectorElement } from "./element.js";

/** Makes the element known to the page. A second time, under the same name, it does nothing. */
export function define(tag = "quorate-inspector"): void {
  if (typeof customElements === "undefined") return;
  if (customElements.get(tag) === undefined) customElements.define(tag, inspectorClass());
}

/**
 * Lets elements find a cluster by their attribute `name`, where nothing can set their property `cluster`. What it returns
 * takes that back; do so when the cluster is closed.
 */
export function provide(cluster: AnyCluster): () => void {
  return provided.add(cluster);
}

declare global {
  interface HTMLElementTagNameMap {
    "quorate-inspector": InspectorElement;
  }
}
