// The search: an index that was made with the pages, fetched when it is first wanted, and asked here. Results are links; the
// arrow keys go through them.

import MiniSearch from "minisearch";

import { searchOptions } from "./options.mjs";

const SHOWN_MAX = 12;

export function searchIn(box) {
  const input = box.querySelector("input");
  const list = box.querySelector("ul");
  const told = box.querySelector("p");
  let index;

  const ready = () => {
    index ??= load();
    return index;
  };
  const forget = () => {
    index = undefined;
  };
  const close = () => {
    list.hidden = true;
    told.textContent = "";
  };
  const show = async () => {
    const query = input.value.trim();
    if (query === "") return close();
    try {
      const hits = (await ready()).search(query).slice(0, SHOWN_MAX);
      if (query !== input.value.trim()) return;
      list.replaceChildren(...hits.map(result));
      list.hidden = hits.length === 0;
      told.textContent = hits.length === 0 ? "Nothing was found." : `${hits.length} results.`;
    } catch {
      forget();
      told.textContent = "The search could not be loaded.";
    }
  };

  input.addEventListener("focus", () => {
    ready().catch(forget);
    if (list.hidden) show();
  });
  input.addEventListener("input", show);
  box.addEventListener("keydown", (event) => {
    const links = list.hidden ? [] : [...list.querySelectorAll("a")];
    const stops = [input, ...links];
    const place = stops.indexOf(document.activeElement);
    if (event.key === "ArrowDown") stops[(place + 1) % stops.length].focus();
    else if (event.key === "ArrowUp") stops.at(place - 1).focus();
    else if (event.key === "Enter" && place === 0) links[0]?.click();
    else if (event.key === "Escape") {
      input.focus();
      close();
    } else return;
    event.preventDefault();
  });
  box.addEventListener("focusout", (event) => {
    if (!box.contains(event.relatedTarget)) close();
  });
  list.addEventListener("click", close);
  document.addEventListener("keydown", (event) => {
    const isTyping = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName);
    if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    input.focus();
  });
  box.hidden = false;
}

function result({ id, heading, title, start }) {
  const item = document.createElement("li");
  const link = document.createElement("a");
  link.href = id;
  const name = document.createElement("strong");
  name.textContent = heading === "" ? title : heading;
  const page = document.createElement("small");
  page.textContent = heading === title ? "" : title;
  const text = document.createElement("span");
  text.textContent = start;
  link.append(name, " ", page, text);
  item.append(link);
  return item;
}

/** A script, since a page that was opened from a disk may not fetch. */
function load() {
  return new Promise((resolve, reject) => {
    globalThis.quorateSearch = (json) => resolve(MiniSearch.loadJSON(json, searchOptions));
    const script = document.createElement("script");
    script.src = "search.js";
    script.addEventListener("error", () => reject(new Error("search.js")));
    document.head.append(script);
  });
}
