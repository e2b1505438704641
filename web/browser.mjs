// Chromium without a network, for the tests of the page and for pictures of it.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium } from "playwright-core";

const program = process.env.JOULERY_CHROMIUM ?? "/usr/bin/chromium";

export async function withBrowser(context, use) {
  const directory = mkdtempSync(join(tmpdir(), "joulery-browser-"));
  try {
    const browser = await chromium.launchPersistentContext(directory, {
      executablePath: program,
      headless: true,
      offline: true,
      args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
      ...context,
    });
    try {
      return await use(browser);
    } finally {
      await browser.close();
    }
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

// The page is complete when its script says so; a script that fails says it on the page.
export async function openReport(browser, url) {
  const page = await browser.newPage();
  const said = [], asked = [];
  page.on("console", (message) => ["error", "warning"].includes(message.type()) && said.push(message.text()));
  page.on("pageerror", (error) => said.push(String(error)));
  page.on("request", (request) => asked.push(request.url()));
  await page.goto(url);
  await page.waitForSelector("html[data-complete=yes]", { timeout: 60000 }).catch(() => said.push("the page never was complete"));
  return { page, said, asked: asked.filter((address) => address !== url && !/^(data|blob):/.test(address)) };
}
