/** How large things may get, as `crate/kv` has it; it refuses what passes here by mistake. */

export const MAX_KEY_BYTES = 4 << 10;
export const MAX_VALUE_BYTES = 1 << 20;
