/** How large things may get. Of keys and values as `crate/kv` has it; it refuses what passes here by mistake. */

export const MAX_KEY_BYTES = 4 << 10;
export const MAX_VALUE_BYTES = 1 << 20;
/** Conditions of a transaction, and operations in each of its branches, those within counted. */
export const MAX_TXN_OPERATIONS = 128;
/** Of transactions in one another, the outermost counted. */
export const MAX_TXN_DEPTH = 8;
export const MAX_TTL_MS = 9_000_000_000_000;

/** Ids of nodes that one page or process runs. */
export const MAX_ID = 999;
