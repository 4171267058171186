// The search: an index that was made with the pages, fetched when it is first wanted, and asked here.

import MiniSearch from "minisearch";

import { searchOptions } from "./options.mjs";

const SHOWN_MAX = 12;

export function searchIn(box) {
  const input = box.querySelector("input");
  const list = box.querySelector("ul");
  const told = box.querySelector("p");
  let index;
  let active = -1;

  const ready = () => {
    index ??= load();
    return index;
  };
  const close = () => {
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const select = (place) => {
    const options = [...list.children];
    options[active]?.setAttribute("aria-selected", "false");
    active = options.length === 0 ? -1 : (place + options.length) % options.length;
    const option = options[active];
    if (option === undefined) return;
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", option.id);
  };
  const show = async () => {
    const query = input.value.trim();
    told.textContent = "";
    if (query === "") return close();
    let hits;
    try {
      hits = (await ready()).search(query).slice(0, SHOWN_MAX);
    } catch {
      index = undefined;
      told.textContent = "The search could not be loaded.";
      return;
    }
    if (query !== input.value.trim()) return;
    list.replaceChildren(...hits.map(option));
    list.hidden = hits.length === 0;
    input.setAttribute("aria-expanded", String(hits.length > 0));
    told.textContent = hits.length === 0 ? "Nothing was found." : "";
    active = -1;
    select(0);
  };

  input.addEventListener("focus", () => ready().catch(() => (index = undefined)));
  input.addEventListener("input", show);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") select(active + 1);
    else if (event.key === "ArrowUp") select(active - 1);
    else if (event.key === "Enter") list.children[active]?.querySelector("a").click();
    else if (event.key === "Escape") close();
    else return;
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

/** One result: a link, which the list's keys choose and a pointer can click. */
function option({ id, heading, title, start }, place) {
  const item = document.createElement("li");
  item.id = `hit-${place}`;
  item.setAttribute("role", "option");
  item.setAttribute("aria-selected", "false");
  const link = document.createElement("a");
  link.href = id;
  link.tabIndex = -1;
  const name = document.createElement("strong");
  name.textContent = heading === "" ? title : heading;
  const page = document.createElement("small");
  page.textContent = title;
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
