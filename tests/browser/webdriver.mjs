// Browsers that are driven by WebDriver: Firefox through geckodriver, and WebKit, on a screen that nobody sees.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

const ownGeckodriver = fileURLToPath(new URL("../../.tools/bin/geckodriver", import.meta.url));

/** A headless Firefox with an empty profile, in the folder `profiles` or where temporary files are; `prefs` are set in it. */
export async function firefox(profiles, prefs = {}) {
  const port = await freePort();
  const program = existsSync(ownGeckodriver) ? ownGeckodriver : "geckodriver";
  const root = profiles === undefined ? [] : ["--profile-root", profiles];
  const driver = start(program, ["--port", `${port}`, ...root]);
  return drive(driver, port, { "moz:firefoxOptions": { args: ["-headless"], prefs } });
}

/** WebKit as GTK has it, with an empty profile that is gone with it. */
export async function webkit() {
  const port = await freePort();
  // It has no mode without a screen.
  const screen = ["-a", "-s", "-screen 0 1280x900x24 -nolisten tcp"];
  const program = ["WebKitWebDriver", `--port=${port}`, "--host=127.0.0.1"];
  const driver = start("xvfb-run", [...screen, ...program], {
    LIBGL_ALWAYS_SOFTWARE: "1",
    GDK_BACKEND: "x11",
  });
  return drive(driver, port, {});
}

/** A port that is free now. */
async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

/** A driver, and what it starts, in a group of processes that ends as one. */
function start(program, args, env = {}) {
  const driver = spawn(program, args, {
    stdio: "ignore",
    detached: true,
    env: { ...process.env, ...env },
  });
  const failed = new Promise((_, reject) => {
    driver.once("error", reject);
    driver.once("exit", () => reject(new Error(`${program} ended`)));
  });
  failed.catch(() => {});
  const end = () => {
    try {
      process.kill(-driver.pid);
    } catch (error) {
      if (error.code !== "ESRCH") throw error;
    }
  };
  process.once("exit", end);
  return {
    failed,
    end: () => {
      process.removeListener("exit", end);
      end();
    },
  };
}

/** A session with the browser behind a driver. */
async function drive(driver, port, browser) {
  const send = async (method, path, body) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { "content-type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(60_000),
    });
    const { value } = await response.json();
    if (!response.ok) throw new Error(`${value.error}: ${value.message}`);
    return value;
  };
  const alwaysMatch = { ...browser, timeouts: { script: 55_000 } };
  try {
    await Promise.race([listening(port), driver.failed]);
    const { sessionId } = await send("POST", "/session", { capabilities: { alwaysMatch } });
    return session(
      (method, path, body) => send(method, `/session/${sessionId}${path}`, body),
      driver,
    );
  } catch (error) {
    driver.end();
    throw error;
  }
}

/** Until the driver answers. */
async function listening(port) {
  for (const end = Date.now() + 30_000; ; ) {
    try {
      return await fetch(`http://127.0.0.1:${port}/status`);
    } catch (error) {
      if (Date.now() > end) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Keys that have no character, by their names. */
const KEYS = {
  Shift: "\uE008",
  Tab: "\uE004",
  Enter: "\uE006",
  Space: " ",
  Home: "\uE011",
  ArrowLeft: "\uE012",
  ArrowRight: "\uE014",
};

function session(command, driver) {
  const run = (script, ...args) => command("POST", "/execute/sync", { script, args });
  return {
    open: (url) => command("POST", "/url", { url }),
    run,
    /** Presses a key, and lets it go, where the focus is; "Shift+Tab" is two keys. */
    press: (keys) => {
      const values = keys.split(/(?<=.)\+/).map((key) => KEYS[key] ?? key);
      const actions = [
        ...values.map((value) => ({ type: "keyDown", value })),
        ...values.toReversed().map((value) => ({ type: "keyUp", value })),
      ];
      return command("POST", "/actions", { actions: [{ type: "key", id: "keyboard", actions }] });
    },
    /** The handle of the tab that is spoken to. */
    here: () => command("GET", "/window"),
    /** A window handle's tab is the one that is spoken to from then on. */
    openTab: async () => (await command("POST", "/window/new", { type: "tab" })).handle,
    switchTo: (handle) => command("POST", "/window", { handle }),
    closeTab: () => command("DELETE", "/window"),
    /** Waits until the script gives something true. */
    until: async (script, ...args) => {
      for (const end = Date.now() + 30_000; ; ) {
        const value = await run(script, ...args);
        if (value) return value;
        if (Date.now() > end) throw new Error(`never true: ${script}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    close: () => command("DELETE", "").finally(() => driver.end()),
  };
}
