// node bench/page.mjs REPORT.html…: milliseconds from navigation to what is seen first, and to the last chart, in Chromium; a
// line a page, the middle of five openings. Ratios of two pages are worth something, of one machine in one call only.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { withBrowser } from "../web/browser.mjs";

const OPENINGS = 5;
const pages = process.argv.slice(2);
if (!pages.length) {
  console.error("usage: node bench/page.mjs REPORT.html…");
  process.exit(2);
}

// Stamps are taken in the page, so that the driver's own delays do not count.
const watch = () => {
  window.stamps = {};
  new MutationObserver(() => {
    const { ready, complete } = document.documentElement.dataset;
    if (ready) window.stamps.ready ??= performance.now();
    if (complete) window.stamps.complete ??= performance.now();
  }).observe(document, { attributes: true, subtree: true, attributeFilter: ["data-ready", "data-complete"] });
};

async function open(browser, path) {
  const page = await browser.newPage();
  await page.addInitScript(watch);
  await page.goto(pathToFileURL(resolve(path)).href, { timeout: 120000 });
  await page.waitForSelector("html[data-ready]", { timeout: 120000 });
  // of pages that draw all at once nothing is complete later: two seconds without a word of it say so
  await page.waitForSelector("html[data-complete]", { timeout: 2000 }).catch(() => null);
  const times = await page.evaluate(() => ({ load: performance.timing.domContentLoadedEventEnd - performance.timing.navigationStart,
    ready: window.stamps.ready, complete: window.stamps.complete ?? window.stamps.ready }));
  await page.close();
  return times;
}

const middle = (all, name) => all.map((times) => times[name]).sort((a, b) => a - b)[Math.floor(all.length / 2)].toFixed(0);

await withBrowser({ viewport: { width: 1180, height: 900 } }, async (browser) => {
  for (const path of pages) {
    const all = [];
    for (let i = 0; i < OPENINGS; i++) all.push(await open(browser, path));
    console.log(`${path}: parsed ${middle(all, "load")} ms, seen first ${middle(all, "ready")} ms, all charts ${middle(all, "complete")} ms`);
  }
});
