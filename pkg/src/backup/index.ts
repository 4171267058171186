/** A store as a stream of bytes, and back. */

export { exportStore } from "./export.js";
export { importStore } from "./import.js";
