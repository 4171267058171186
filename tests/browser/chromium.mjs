// Chromium, as everything that needs one starts it.

import { chromium } from "playwright-core";

export const chromiumPath = process.env.CHROMIUM ?? "/usr/bin/chromium";

export const launchChromium = () =>
  chromium.launch({ executablePath: chromiumPath, args: ["--no-sandbox"] });
