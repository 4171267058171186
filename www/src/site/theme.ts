/** The theme: that of the system, or the one the visitor chose. Kept in localStorage; where that throws, for this visit. */

export type Theme = "system" | "light" | "dark";

const KEY = "quorate-theme";

/** The theme of these words; that of the system for all others. */
export function themeOf(words: string | null): Theme {
  return words === "light" || words === "dark" ? words : "system";
}

/** What a browser has that may be forbidden. */
export function remembered(storage: () => Storage): Theme {
  try {
    return themeOf(storage().getItem(KEY));
  } catch {
    return "system";
  }
}

export function remember(theme: Theme, storage: () => Storage): void {
  try {
    if (theme === "system") storage().removeItem(KEY);
    else storage().setItem(KEY, theme);
  } catch {
    // It is as chosen until the page is left.
  }
}
