/** How the inspector looks. Colors can be set from outside by the custom properties that begin with `--quorate-`. */

export const STYLE = `
:host {
  --ink: var(--quorate-ink, #1c2330);
  --soft: var(--quorate-soft, #525c6e);
  --paper: var(--quorate-paper, #ffffff);
  --line: var(--quorate-line, #d5dae3);
  --accent: var(--quorate-accent, #1a5fb4);
  --good: var(--quorate-good, #1b6e3c);
  --bad: var(--quorate-bad, #b3261e);
  color-scheme: light dark;
  display: block;
  container-type: inline-size;
  font: 14px/1.45 system-ui, sans-serif;
  color: var(--ink);
  background: var(--paper);
  border: 1px solid var(--line);
  border-radius: 8px;
  padding: 12px 16px;
}
@media (prefers-color-scheme: dark) {
  :host {
    --ink: var(--quorate-ink, #e8ebf1);
    --soft: var(--quorate-soft, #aab3c3);
    --paper: var(--quorate-paper, #161b24);
    --line: var(--quorate-line, #333c4b);
    --accent: var(--quorate-accent, #8ab8f5);
    --good: var(--quorate-good, #7fd6a0);
    --bad: var(--quorate-bad, #ff9d95);
  }
}
:host([hidden]) { display: none; }
* { box-sizing: border-box; }
h2 { font-size: 16px; margin: 0; }
h3 { font-size: 13px; margin: 16px 0 4px; color: var(--soft); font-weight: 600; }
p { margin: 2px 0 8px; color: var(--soft); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px 4px 0; text-align: right; white-space: nowrap; border-bottom: 1px solid var(--line); }
th { color: var(--soft); font-weight: 600; font-size: 12px; }
th:first-child, td:first-child, td.role, .left, td.acts, td.bars { text-align: left; }
tbody th { color: var(--ink); font-size: 14px; }
@media (prefers-reduced-motion: no-preference) { .role { transition: color 0.3s; } }
tr[data-role="leader"] .role { color: var(--accent); font-weight: 600; }
tr[data-role="candidate"] .role, tr[data-role="preCandidate"] .role { color: var(--good); }
tr[data-state="halted"] .role, tr[data-state="killed"] .role { color: var(--bad); }
svg { display: block; width: 119px; height: 22px; overflow: visible; }
rect { fill: var(--accent); }
rect.base { fill: var(--line); }
button {
  font: inherit;
  color: var(--ink);
  background: transparent;
  border: 1px solid var(--soft);
  border-radius: 6px;
  padding: 2px 10px;
  min-height: 28px;
  margin-right: 6px;
  cursor: pointer;
}
div > button { margin-top: 8px; }
button:hover { border-color: var(--accent); }
button:disabled { color: var(--soft); cursor: default; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
summary { cursor: pointer; color: var(--soft); font-weight: 600; font-size: 13px; margin-top: 16px; }
ol { list-style: none; margin: 0; padding: 0; }
.events { max-height: 160px; overflow-y: auto; }
li { border-bottom: 1px solid var(--line); padding: 2px 0; overflow-wrap: anywhere; }
time { color: var(--soft); font-variant-numeric: tabular-nums; margin-right: 10px; }
[hidden] { display: none; }
@media (forced-colors: active) { rect { fill: CanvasText; } rect.base { fill: GrayText; } }
`;
