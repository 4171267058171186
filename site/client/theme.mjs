// Light or dark: as the system has it, until somebody says otherwise here.

const KEY = "quorate-docs-theme";

export function switchTheme(button) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const chosen = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // Storage may be forbidden.
    }
  };
  const show = () => {
    const theme = chosen();
    if (theme === null) delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    const isDark = theme === null ? system.matches : theme === "dark";
    button.setAttribute("aria-pressed", String(isDark));
  };
  button.addEventListener("click", () => {
    const theme = button.getAttribute("aria-pressed") === "true" ? "light" : "dark";
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      document.documentElement.dataset.theme = theme;
      return button.setAttribute("aria-pressed", String(theme === "dark"));
    }
    show();
  });
  system.addEventListener("change", show);
  show();
  button.hidden = false;
}
