// Firefox, driven by WebDriver through geckodriver.

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

const own = fileURLToPath(new URL("../../.tools/bin/geckodriver", import.meta.url));

/** A headless Firefox with an empty profile. */
export async function firefox() {
  // Port 0: the driver chooses a free one, and names it.
  const driver = spawn(existsSync(own) ? own : "geckodriver", ["--port", "0"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  const port = await new Promise((resolve, reject) => {
    driver.once("error", reject);
    driver.once("exit", () => reject(new Error("geckodriver ended")));
    let said = "";
    driver.stdout.setEncoding("utf8").on("data", (text) => {
      said += text;
      const [, port] = /Listening on \S+:(\d+)/.exec(said) ?? [];
      if (port !== undefined) resolve(port);
    });
  });
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
  const alwaysMatch = { "moz:firefoxOptions": { args: ["-headless"] } };
  const { sessionId } = await send("POST", "/session", { capabilities: { alwaysMatch } }).catch(
    (error) => {
      driver.kill();
      throw error;
    },
  );
  const command = (method, path, body) => send(method, `/session/${sessionId}${path}`, body);
  const run = (script, ...args) => command("POST", "/execute/sync", { script, args });
  return {
    open: (url) => command("POST", "/url", { url }),
    run,
    /** Waits until the script gives something true. */
    until: async (script, ...args) => {
      for (let end = Date.now() + 30_000; ; ) {
        const value = await run(script, ...args);
        if (value) return value;
        if (Date.now() > end) throw new Error(`never true: ${script}`);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    },
    close: () => command("DELETE", "").finally(() => driver.kill()),
  };
}
