// A visitor with nothing but a keyboard, the same in Chromium and Firefox: one who opens pages, presses keys and looks.

import assert from "node:assert/strict";
import { test } from "node:test";

import { firefox } from "../browser/webdriver.mjs";

/** How far away by Tab anything may be. */
const STOPS = 300;

/** Tests the same in both browsers. `does` gets a hand, whose `open` takes a page's name and fragment. */
export function inBoth(name, { visit, url }, does) {
  test(`${name}, in Chromium`, async (t) => {
    let tab;
    await does(
      new Hand({
        async open(page) {
          tab = await visit(t, page);
        },
        run: (script, ...args) =>
          tab.evaluate(`(function () {${script}}).apply(null, ${JSON.stringify(args)})`),
        press: (key) => tab.keyboard.press(key),
      }),
    );
  });
  test(`${name}, in Firefox`, async (t) => {
    const driver = await firefox();
    t.after(() => driver.close());
    const { run, press } = driver;
    await does(new Hand({ open: (page) => driver.open(url(page)), run, press }));
  });
}

class Hand {
  constructor({ open, run, press }) {
    Object.assign(this, { open, run, press });
  }

  /** Waits until the script gives something true. */
  async until(script, ...args) {
    for (const end = Date.now() + 30_000; ; ) {
      const value = await this.run(script, ...args);
      if (value) return value;
      if (Date.now() > end) throw new Error(`never true: ${script} ${JSON.stringify(args)}`);
      await new Promise((resolve) => setTimeout(resolve, 30));
    }
  }

  /** Waits until what matches a selector says this. */
  says(selector, text) {
    return this.until(
      `const [selector, text] = arguments;
       return [...document.querySelectorAll(selector)].some((one) => one.textContent.includes(text))`,
      selector,
      text,
    );
  }

  /** Goes by Tab, on or back, to what matches the selector and bears this name. The focus is to be seen there. */
  async reach(selector, name = "") {
    const way = `
      const [selector, name] = arguments;
      const { activeElement: at } = document;
      const called = (one) => one.getAttribute("aria-label") ?? one.textContent;
      const isIt = (one) => called(one).startsWith(name);
      if (at.matches(selector) && isIt(at)) return at.matches(":focus-visible") ? "there" : "unseen";
      const there = [...document.querySelectorAll(selector)].find(isIt);
      if (there === undefined) return "nowhere";
      const isBefore = at.compareDocumentPosition(there) & Node.DOCUMENT_POSITION_PRECEDING;
      return isBefore ? "Shift+Tab" : "Tab"`;
    for (let stops = 0; stops < STOPS; stops++) {
      const next = await this.run(way, selector, name);
      if (next === "there") return;
      assert.match(next, /Tab$/, `${selector} ${name}`);
      await this.press(next);
    }
    assert.fail(`Tab does not reach ${selector} ${name}`);
  }
}
