// node web/screenshot.mjs report.html out.png [--dark] [--width 1180] [--height N] [--from SELECTOR]: a picture of a report.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { pathToFileURL } from "node:url";
import { openReport, withBrowser } from "./browser.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    dark: { type: "boolean", default: false },
    width: { type: "string", default: "1180" },
    height: { type: "string" }, // without it the whole page
    from: { type: "string" }, // begin at this element
  },
});
const [report, picture] = positionals;
if (!picture) {
  console.error("usage: node web/screenshot.mjs report.html out.png [--dark] [--width N] [--height N] [--from SELECTOR]");
  process.exit(2);
}
const viewport = { width: Number(values.width), height: Number(values.height ?? 900) };
await withBrowser({ viewport, colorScheme: values.dark ? "dark" : "light", deviceScaleFactor: 1.5 }, async (browser) => {
  const { page, said } = await openReport(browser, pathToFileURL(resolve(report)).href);
  if (values.from) await page.evaluate((selector) => document.querySelector(selector).scrollIntoView({ behavior: "instant" }), values.from);
  await page.screenshot({ path: picture, fullPage: !values.height });
  said.forEach((line) => console.error(line));
});
