// The page in a browser, without a network. node page.test.mjs JOULERY MAKE_STORE
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync, existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { openReport, withBrowser } from "../../web/browser.mjs";

const [joulery, makeStore] = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "joulery-page-"));
const charts = readdirSync(new URL("../../web/charts/", import.meta.url)).map((name) => name.replace(/\.json$/, ""));

function report(kind, ...options) {
  const store = join(folder, `${kind}.db`), page = join(folder, `${kind}.html`);
  if (!existsSync(store)) execFileSync(makeStore, [store, kind]);
  execFileSync(joulery, ["report", store, "-o", page, ...options]);
  return pathToFileURL(page).href;
}

// The marks that a chart has drawn, axes and legends left out.
const marks = (page) => page.evaluate(() => Object.fromEntries([...document.querySelectorAll("[data-chart]")]
  .filter((host) => !host.closest("figure").hidden && host.closest("section").hidden === false)
  .map((host) => [host.dataset.chart, [...host.querySelectorAll("svg .role-mark path, svg .role-mark line, svg .role-mark text")]
    .filter((mark) => mark.getBBox().width + mark.getBBox().height > 0).length])));

async function check(browser, kind, { options = [], without = ["compare", "agreement", "interaction"] } = {}) {
  const { page, said, asked } = await openReport(browser, report(kind, ...options));
  assert.deepEqual(said, [], `${kind}: the page said something`);
  assert.deepEqual(asked, [], `${kind}: the page asked for something`);
  const drawn = await marks(page);
  assert.deepEqual(Object.keys(drawn).sort(), charts.filter((name) => !without.includes(name)).sort(), `${kind}: charts shown`);
  for (const [name, count] of Object.entries(drawn)) assert.ok(count > 0, `${kind}: ${name} has no marks`);
  return { page, drawn };
}

const tests = {
  async "every chart draws, in light and in dark"(browser) {
    const { page, drawn } = await check(browser, "plain");
    assert.ok(drawn.energy >= 12 + 3 * 4, "every run is a point, every kind a box");
    await page.emulateMedia({ colorScheme: "dark" });
    await page.waitForFunction(() => document.querySelector("[data-chart=energy] svg").outerHTML.includes("#181e26"));
    const dark = await marks(page);
    assert.deepEqual(dark, drawn);
  },
  async "names that try to break out are shown as they are"(browser) {
    const { page } = await check(browser, "hostile");
    assert.equal(await page.evaluate(() => window.hacked), undefined);
    assert.equal(await page.locator("img").count(), 0);
    const bad = '</script><img src=x onerror="window.hacked=1"><b>&amp;';
    for (const where of ["#study", "#summary-table", "#differs", "#hosts", "#notes", "#troubles"])
      assert.ok((await page.locator(where).textContent()).includes(bad), `${where} does not show the name`);
    await page.locator("[data-chart=energy] svg .role-mark path").last().hover();
    assert.equal(await page.locator("img").count(), 0);
    assert.equal(await page.evaluate(() => window.hacked), undefined);
  },
  async "choosing a place works the emissions out anew"(browser) {
    const { page } = await check(browser, "hostile");
    assert.match(await page.locator("#place-note").textContent(), /No place was set, and none is assumed/);
    const locations = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent).locations);
    assert.ok(locations.length > 300);
    assert.equal(await page.locator("#location option").count(), locations.length + 1);
    assert.equal(await page.locator("td.mass").first().textContent(), "–");
    // 812 J at 100, 200 g/kWh …: by the table's own intensity
    const intensity = locations.find(({ code }) => code === "POL").intensity_g_per_kwh;
    await page.locator("#location").selectOption("POL");
    const expected = (pue) => (812 / 3.6e6) * pue * intensity; // g
    const shown = async () => {
      const [value, unit] = (await page.locator("td.mass").first().textContent()).split(" ");
      return Number(value) * { mg: 1e-3, g: 1 }[unit];
    };
    assert.ok(Math.abs((await shown()) / expected(1) - 1) < 0.005);
    await page.locator("#pue").fill("2");
    assert.ok(Math.abs((await shown()) / expected(2) - 1) < 0.005);
    assert.match(await page.locator("#emitted").textContent(), /^In Poland a run of lenet5 emits/);
    assert.match(await page.locator("#emitted").textContent(), /by the range of the intensity/);
    assert.match(await page.locator("#place-note").textContent(), /range \d+(\.\d+)? to \d+/);
    await page.waitForFunction(() => document.querySelector("[data-chart=emissions]").textContent.includes("▸ Poland"));
  },
  async "what is charged by the hour has the range of its hours, until another place is chosen"(browser) {
    const file = join(folder, "hours.csv");
    writeFileSync(file, "from,to,g_per_kwh,low_g_per_kwh,high_g_per_kwh\n2020-01-01T00:00Z,2120-01-01T00:00Z,100,50,400\n");
    const { page } = await check(browser, "plain", { options: ["--location", "DEU", "--hourly", file] });
    const grams = (text) => {
      const [, value, unit] = /^([0-9.]+) (mg|g|kg)/.exec(text);
      return Number(value) * { mg: 1e-3, g: 1, kg: 1e3 }[unit];
    };
    const found = async () => {
      const [, whole, low, high] = /the whole study (.*?) \((.*?) to (.*?) by the range of the intensity\)/.exec(await page.locator("#emitted").textContent());
      return { low: grams(low) / grams(whole), high: grams(high) / grams(whole) };
    };
    assert.match(await page.locator("#place-note").textContent(), /100 % of the energy is charged by the hour/);
    let ratio = await found();
    assert.ok(Math.abs(ratio.low - 0.5) < 0.01 && Math.abs(ratio.high - 4) < 0.05);
    await page.locator("#location").selectOption("SWE");
    const sweden = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent).locations.find(({ code }) => code === "SWE"));
    ratio = await found();
    assert.ok(Math.abs(ratio.high / (sweden.high_g_per_kwh / sweden.intensity_g_per_kwh) - 1) < 0.01);
    assert.match(await page.locator("#place-note").textContent(), /by the yearly figure of this place/);
  },
  async "a place's own PUE is taken until the reader gives one"(browser) {
    const { page } = await check(browser, "hostile");
    await page.locator("#location").selectOption("gcp:us-west1");
    assert.equal(await page.locator("#pue").inputValue(), "1.1");
    assert.match(await page.locator("#place-note").textContent(), /PUE 1.1 of Google's data centres, 2024$/);
    await page.locator("#location").selectOption("POL");
    assert.equal(await page.locator("#pue").inputValue(), "1");
    await page.locator("#pue").fill("1.3");
    await page.locator("#location").selectOption("gcp:us-west1");
    assert.equal(await page.locator("#pue").inputValue(), "1.3");
  },
  async "elsewhere is ranked, drawn and put on a map anew for the chosen places, here and the PUE, as joulery where says it"(browser) {
    const { page, drawn } = await check(browser, "plain", { options: ["--location", "DEU"] });
    const file = join(folder, "where.json"), spots = () => page.locator("[data-chart=map] svg .mark-symbol.role-mark path").count();
    const told = (...options) => {
      execFileSync(joulery, ["where", join(folder, "plain.db"), "--json", file, ...options]);
      return JSON.parse(readFileSync(file, "utf8"));
    };
    assert.ok(drawn.map > 200, "every country is a point");
    for (const [among, here, pue] of [["EU", "DEU", "1"], ["Nordic", "POL", "1.5"], ["gcp", "FRA", "2"], ["US states", "US-OR", "1"]]) {
      await page.locator("#where-group").selectOption(among);
      await page.locator("#location").selectOption(here);
      await page.locator("#pue").fill(pue);
      const { places, factors, best, worst } = told("--among", among, "--location", here, "--pue", pue);
      const name = (code) => (code.includes(":") ? code : places.find(({ place }) => place.code === code).place.name);
      await page.waitForFunction((words) => document.getElementById("where-lead").textContent.includes(words), `All at a PUE of ${pue}.`);
      await page.waitForFunction((words) => document.querySelector("[data-chart=where]").textContent.includes(words),
        `▸ ${here === "US-OR" ? "Oregon" : places.find(({ here: is }) => is).place.name}`);
      const lead = await page.locator("#where-lead").textContent();
      const factor = Number(/by a factor of ([\d.,]+)/.exec(lead)[1].replaceAll(",", ""));
      assert.ok(Math.abs(factor / factors.worst_over_best.value - 1) < 0.05, `${among}: ${lead}`);
      assert.ok(lead.includes(` in ${name(best)} to `) && lead.includes(` in ${name(worst)}`), lead);
      const apart = places.filter(({ comparable }) => !comparable).length;
      assert.equal(await page.locator("#where-warning").isVisible(), apart > 0, among);
      await page.locator("#where-details").evaluate((details) => { details.open = true; });
      await page.waitForFunction((n) => document.querySelectorAll("#where-table tbody tr").length === n, places.length);
      const rows = await page.locator("#where-table tbody th").allTextContents();
      places.forEach(({ place, comparable, here: is }, i) => {
        assert.ok(rows[i].includes(place.code) && rows[i].includes("▸") === is && rows[i].endsWith(" *") === !comparable, rows[i]);
      });
      assert.ok(await spots() > 0);
    }
  },
  async "where a place is not known lies nothing on the map, and that is said"(browser) {
    const { page } = await check(browser, "plain", { options: ["--among", "25 g/kWh,SWE", "--location", "25 g/kWh"] });
    await page.locator("#where-group").selectOption("");
    await page.waitForFunction(() => /1 of these places are not on it/.test(document.getElementById("map-note").textContent));
  },
  async "a study without marks has no accuracy charts, and says that it estimates"(browser) {
    const { page } = await check(browser, "silent", { without: ["compare", "agreement", "interaction", "tradeoff", "score", "learning", "epoch_accuracy", "epoch_energy"] });
    assert.match(await page.locator("#headline").textContent(), /used the least energy/);
    assert.match(await page.locator("#summary-table").textContent(), /est\./);
    assert.match(await page.locator("[data-chart=energy]").textContent(), /estimated/);
    assert.equal(await page.locator("nav a[href='#tradeoff']").count(), 0);
  },
  async "what differs stands with its test, the reason for it, its pairs and what it would take"(browser) {
    const { page } = await check(browser, "factors", { without: ["compare", "agreement"] });
    const file = join(folder, "analysis.json");
    execFileSync(joulery, ["analyse", join(folder, "factors.db"), "--json", file]);
    const { responses } = JSON.parse(readFileSync(file, "utf8"));
    const shown = await page.locator("#differs").textContent();
    for (const { response, factors, repetitions } of responses.filter(({ response: name }) => ["energy", "accuracy"].includes(name))) {
      const title = response === "energy" ? "Energy" : "Accuracy";
      for (const { factor, chosen, reason, pairs } of factors) {
        assert.ok(shown.includes(`${chosen}: `) && shown.includes(`because ${reason}.`), `${title} by ${factor}: the test and its reason`);
        const rows = page.locator(`#differs [aria-label="${title} by ${factor}: pairs"] tbody tr`);
        assert.equal(await rows.count(), pairs.length);
        for (const [i, pair] of pairs.entries()) {
          const [name, ...cells] = await rows.nth(i).locator("th, td").allTextContents();
          assert.equal(name, `${pair.a} less ${pair.b}`);
          const sign = pair.difference < 0 ? "−" : "+", size = Math.abs(parseFloat(cells[0].slice(1).replaceAll(",", "")));
          const scale = response === "accuracy" ? 0.01 : /^\S+ kJ/.test(cells[0]) ? 1000 : 1;
          assert.equal(cells[0][0], sign);
          assert.ok(Math.abs((size * scale) / Math.abs(pair.difference) - 1) < 0.01, cells[0]);
          const p = cells.at(-3);
          assert.ok(p === "< 0.0001" ? pair.adjusted_p < 0.0001 : Math.abs(p / pair.adjusted_p - 1) < 0.06, `${p} is ${pair.adjusted_p}`);
          assert.ok(cells.at(-2).endsWith(pair.cliffs_delta.word) && cells.at(-1).endsWith(pair.hedges_g.word), cells.join());
        }
      }
      assert.ok(shown.includes(`takes ${repetitions.needed} repetitions`), shown);
    }
    assert.match(shown, /arch and batch together: interaction F\(3, 8\) = 20\.7, p\s=\s0\.00039/);
    assert.match(shown, /Energy by arch\s*est\./);
  },
  async "of what can't be tested the page says why"(browser) {
    const { page } = await check(browser, "single");
    const shown = await page.locator("#differs").textContent();
    assert.match(shown, /No test: no level has two runs/);
    assert.match(shown, /Repetitions needed: can't be said/);
    assert.equal(await page.locator("#differs table").count(), 0);
  },
  async "more factors, and one run only"(browser) {
    const { page } = await check(browser, "factors", { options: ["--among", "SWE,India"], without: ["compare", "agreement"] });
    assert.equal(await page.locator("#summary-table tbody tr").count(), 8);
    assert.match(await page.locator("[data-chart=emissions]").textContent(), /India/);
    await check(browser, "single");
  },
  async "a filter leaves the chosen levels in charts and summary, and says that the answer is of the whole study"(browser) {
    const { page, drawn } = await check(browser, "factors", { without: ["compare", "agreement"] });
    const whole = await page.evaluate(() => ["answer", "differs", "emissions"].map((id) => document.getElementById(id).textContent));
    const colours = () => page.evaluate(() => Object.fromEntries([...document.querySelectorAll("[data-chart=score] svg .mark-rect path")]
      .map((bar) => [/(lenet5|resnet18|vgg16|resnet50) · batch 32/.exec(bar.getAttribute("aria-label"))?.[0], bar.getAttribute("fill")])));
    const before = await colours();
    const box = (factor, level) => page.getByRole("group", { name: factor, exact: true }).getByRole("checkbox", { name: level, exact: true });
    for (const [factor, level] of [["arch", "lenet5"], ["arch", "vgg16"], ["batch", "64"]]) {
      await box(factor, level).focus();
      await page.keyboard.press("Space");
    }
    const kinds = ["resnet18 · batch 32", "resnet50 · batch 32"];
    await page.waitForFunction(() => document.querySelectorAll("figure .filtered").length === 8
      && !/lenet5|vgg16/.test(document.querySelector("[data-chart=learning]").textContent));
    const rows = await page.locator("#summary-table tbody th").allTextContents();
    assert.deepEqual(rows.map((row) => row.replace("front", "")), kinds);
    for (const name of ["energy", "interaction", "tradeoff", "score", "learning", "epoch_accuracy", "epoch_energy", "order"]) {
      const text = await page.locator(`[data-chart=${name}]`).textContent();
      assert.ok(!/lenet5|vgg16|batch 64/.test(text), `${name} shows ${text}`);
      assert.match(await page.locator(`figure:has([data-chart=${name}]) .filtered`).textContent(), /^Only arch resnet18, resnet50; batch 32$/);
    }
    const filtered = await marks(page);
    assert.deepEqual(Object.keys(filtered), Object.keys(drawn));
    assert.ok(filtered.energy < drawn.energy && filtered.order < drawn.order && filtered.emissions === drawn.emissions);
    const after = await colours();
    for (const kind of kinds) assert.ok(after[kind] && after[kind] === before[kind], `${kind} keeps its colour`);
    assert.match(await page.getByRole("status").textContent(), /2 of 8 kinds, 4 of 16 finished runs\. The answer.*are of the whole study/);
    assert.deepEqual(await page.evaluate(() => ["answer", "differs", "emissions"].map((id) => document.getElementById(id).textContent)), whole);
    await page.emulateMedia({ media: "print" });
    assert.deepEqual(await marks(page), filtered);
    assert.ok(await page.getByRole("status").isVisible());
    await page.emulateMedia({ media: "screen" });
    await page.getByRole("button", { name: "Show all" }).click();
    await page.waitForFunction(() => !document.querySelector(".filtered") && /vgg16/.test(document.querySelector("[data-chart=learning]").textContent));
    assert.deepEqual(await marks(page), drawn);
    assert.equal(await page.getByRole("status").textContent(), "");
    assert.ok(await box("batch", "64").isChecked());
  },
  async "a filter that leaves nothing says so, and can be taken back"(browser) {
    const { page, said } = await openReport(browser, report("factors"));
    const drawn = await marks(page);
    for (const level of ["32", "64"]) await page.getByLabel(level, { exact: true }).uncheck();
    await page.waitForFunction(() => document.querySelector("figure:has([data-chart=learning])").hidden);
    assert.deepEqual(Object.keys(await marks(page)), ["emissions", "where", "map", "trace"]);
    assert.match(await page.getByRole("status").textContent(), /batch \(no level\).*nothing is left to show/);
    await page.emulateMedia({ colorScheme: "dark" });
    await page.getByLabel("32", { exact: true }).check();
    await page.getByLabel("64", { exact: true }).check();
    await page.waitForFunction(() => document.querySelector("[data-chart=learning] svg") && !document.querySelector(".filtered"));
    assert.deepEqual(await marks(page), drawn);
    assert.deepEqual(said, []);
  },
  async "a study of one factor has no filter"(browser) {
    const { page } = await check(browser, "plain");
    assert.ok(await page.locator("#filter").isHidden());
    assert.equal(await page.locator("nav a[href='#filter']").count(), 0);
  },
  async "another run's power can be chosen"(browser) {
    const { page } = await check(browser, "plain");
    const before = await page.locator("[data-chart=trace] svg .role-mark path").last().getAttribute("d");
    await page.locator("#trace-run").selectOption({ index: 1 });
    await page.waitForFunction((old) => [...document.querySelectorAll("[data-chart=trace] svg .role-mark path")].at(-1)?.getAttribute("d") !== old, before);
  },
  async "a study with a wattmeter says what software left out"(browser) {
    const { page, drawn } = await check(browser, "walled", { without: ["trace", "interaction"] });
    const lead = await page.locator("#compare-lead").textContent();
    assert.match(lead, /hardware's power is 1\.15 times software's \(95 % interval 1\.15 to 1\.15\) and 60\.0 W more/);
    assert.match(lead, /Both put arch into the same order/);
    assert.match(await page.locator("#threats").textContent(), /Drift: energies rose by/);
    assert.ok(drawn.compare >= 12 + 2, "every run is a point, and two lines");
    assert.ok(drawn.agreement >= 12 + 3 + 3, "every run is a point, and three limits with their words");
    assert.match(await page.locator("#agreement-caption").textContent(), /test: p .*Pearson's r 0\.99/);
  },
  async "charts can be saved, and the print has all of them"(browser) {
    const { page, drawn } = await check(browser, "plain");
    await page.locator("[data-chart=energy] summary").click();
    const saved = page.waitForEvent("download");
    await page.locator("[data-chart=energy] .vega-actions a", { hasText: "SVG" }).click();
    assert.match((await saved).suggestedFilename(), /^joulery-energy\.svg$/);
    await page.emulateMedia({ media: "print" });
    assert.deepEqual(await marks(page), drawn);
    assert.ok((await page.pdf()).length > 10000);
  },
  async "every run can be seen in the table, which is made when opened"(browser) {
    const { page } = await check(browser, "plain");
    assert.equal(await page.locator("#runs-table tbody tr").count(), 0);
    await page.locator("#all-runs > summary").click();
    await page.waitForFunction(() => document.querySelectorAll("#runs-table tbody tr").length === 14);
  },
  async "a thousand runs stay a page"(browser) {
    const store = join(folder, "many.db"), file = join(folder, "many.html");
    execFileSync(makeStore, [store, "plain", "250"]);
    execFileSync(joulery, ["report", store, "-o", file]);
    assert.ok(statSync(file).size < 4e6);
    const { said } = await openReport(browser, pathToFileURL(file).href);
    assert.deepEqual(said, []);
  },
  async "charts, tables and controls have names for those who do not see them, and Tab reaches every control"(browser) {
    const { page } = await check(browser, "factors", { without: ["compare", "agreement"] });
    const { nodes } = await (await page.context().newCDPSession(page)).send("Accessibility.getFullAXTree");
    const roles = ["graphics-document", "button", "checkbox", "combobox", "spinbutton", "link", "DisclosureTriangle", "columnheader", "rowheader"];
    const nameless = nodes.filter(({ ignored, role, name }) => !ignored && roles.includes(role?.value) && !name?.value);
    assert.deepEqual(nameless.map(({ role }) => role.value), []);
    const drawings = nodes.filter(({ ignored, role }) => !ignored && role?.value === "graphics-document");
    assert.equal(drawings.length, await page.locator("[data-chart]:visible").count());
    for (const { name, description } of drawings) assert.ok(description?.value.length > 20, `${name.value} has no description`);
    assert.equal(await page.evaluate(() => [...document.querySelectorAll("table")].filter((t) => t.rows.length && !t.querySelector("thead th[scope=col]")).length), 0);
    const controls = await page.evaluate(() => {
      window.left = new Set([...document.querySelectorAll("a[href], button, input, select, summary, [tabindex='0']")]
        .filter((e) => !e.disabled && e.checkVisibility({ visibilityProperty: true }) && !e.closest(".vega-actions")));
      addEventListener("focusin", ({ target }) => window.left.delete(target));
      return window.left.size;
    });
    for (let i = 0; i < controls * 2; i++) await page.keyboard.press("Tab");
    assert.deepEqual(await page.evaluate(() => [...window.left].map((e) => e.outerHTML.slice(0, 120))), []);
  },
  async "what can't be reported leaves nothing behind"() {
    report("plain");
    const store = join(folder, "plain.db"), broken = join(folder, "not.db");
    writeFileSync(broken, "no database\n".repeat(100));
    execFileSync(makeStore, [join(folder, "unfinished.db"), "unfinished"]);
    const cases = [
      [[join(folder, "none.db")], 1, /none\.db/],
      [[broken], 1, /not\.db/],
      [[join(folder, "unfinished.db")], 1, /no finished run yet/],
      [[store, "--location", "Germny"], 1, /did you mean Germany\?/],
      [[store, "--among", "SWE,Germny"], 1, /did you mean Germany\?/],
      [[store, "--among", ","], 1, /--among/],
      [[store, "--pue", "0.9"], 2, /--pue/],
      [[store, "--pue", "nan"], 2, /--pue/],
      [[store, "--embodied", "1200kg"], 2, /--lifetime/],
      [[store, "--locaton", "SWE"], 2, /did you mean --location\?/],
      [[], 2, /usage/],
    ];
    for (const [options, status, message] of cases) {
      const page = join(folder, "left.html");
      const { status: got, stderr } = spawnSync(joulery, ["report", "-o", page, ...options], { encoding: "utf8" });
      assert.equal(got, status, `${options}: ${stderr}`);
      assert.match(stderr, message);
      assert.ok(!existsSync(page), `${options}: left a page`);
    }
    const nowhere = spawnSync(joulery, ["report", store, "-o", join(folder, "no", "where.html")], { encoding: "utf8" });
    assert.equal(nowhere.status, 1);
    assert.match(nowhere.stderr, /where\.html/);
  },
};

let failures = 0;
try {
  for (const [name, test] of Object.entries(tests))
    await withBrowser({ viewport: { width: 1180, height: 900 }, acceptDownloads: true }, test).then(
      () => console.log(`ok - ${name}`),
      (error) => {
        failures++;
        console.log(`not ok - ${name}\n${error.stack}`);
      },
    );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(failures ? 1 : 0);
