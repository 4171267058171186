/** What each page does beside its own: the theme is changed (`public/theme.js` set it), the menu closes, and the site is kept for when there is no network. */

import { keepForOffline } from "./offline.js";
import { remember, remembered, type Theme, themeOf } from "./theme.js";

const root = document.documentElement;
const storage = () => localStorage;

function apply(theme: Theme): void {
  if (theme === "system") root.removeAttribute("data-theme");
  else root.setAttribute("data-theme", theme);
}

const select = document.querySelector<HTMLSelectElement>("#theme");
if (select !== null) {
  select.value = remembered(storage);
  select.addEventListener("change", () => {
    const theme = themeOf(select.value);
    apply(theme);
    remember(theme, storage);
  });
}
// Other tabs of the site follow.
addEventListener("storage", () => {
  const theme = remembered(storage);
  apply(theme);
  if (select !== null) select.value = theme;
});

const menu = document.querySelector<HTMLDetailsElement>(".site details");
menu?.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  menu.open = false;
  menu.querySelector("summary")?.focus();
});
addEventListener("pointerdown", ({ target }) => {
  if (menu !== null && !menu.contains(target as Node)) menu.open = false;
});
menu?.addEventListener("focusout", ({ relatedTarget }) => {
  if (relatedTarget !== null && !menu.contains(relatedTarget as Node)) menu.open = false;
});

addEventListener("load", () => void keepForOffline());
