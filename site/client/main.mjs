// What a page does where there is JavaScript: search, colors, copying of code. Without it all else is there.

import { searchIn } from "./search.mjs";
import { switchTheme } from "./theme.mjs";

searchIn(document.querySelector(".search"));
switchTheme(document.querySelector(".theme"));

// Far down in a long navigation nobody would see where they are.
const side = document.querySelector(".side");
const current = side.querySelector(".wide [aria-current]");
if (current !== null) side.scrollTop = current.offsetTop - side.clientHeight / 2;

for (const block of document.querySelectorAll(".code")) {
  if (navigator.clipboard === undefined) break;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(block.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = "Copy";
    }, 1_500);
  });
  block.append(button);
}
