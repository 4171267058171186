// The theme that the visitor chose, before anything is painted: modules come later. src/site/theme.ts keeps it.
try {
  const theme = localStorage.getItem("quorate-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // A browser that forbids storage has the system's theme.
}
