/** How large things may get. Of keys and values as `crate/kv` has it; it refuses what passes here by mistake. */

export const MAX_KEY_BYTES = 4 << 10;
export const MAX_VALUE_BYTES = 1 << 20;

/** Ids of nodes that one page or process runs. */
export const MAX_ID = 999;
