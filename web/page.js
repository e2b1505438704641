// The report page: everything that it shows comes from the JSON beside it. Texts from the study reach the document as
// text only, never as markup.
"use strict";
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const { report, locations, place_groups: placeGroups, equivalents } = read("data");
  const charts = read("charts");
  const J_PER_KWH = 3.6e6;
  const MANY = 1500; // points from which a canvas is lighter than an SVG

  const byId = (id) => document.getElementById(id);
  function el(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null && value !== false) node.setAttribute(name, value);
    node.append(...children.filter((child) => child !== null && child !== undefined).map((c) => (c instanceof Node ? c : String(c))));
    return node;
  }

  // ---- quantities in words ----

  const ENERGY = [[1e9, "GJ"], [1e6, "MJ"], [1e3, "kJ"], [1, "J"], [1e-3, "mJ"]];
  const MASS_KG = [[1e3, "t"], [1, "kg"], [1e-3, "g"], [1e-6, "mg"], [1e-9, "µg"]];
  const known = (x) => typeof x === "number" && Number.isFinite(x);
  const unitFor = (scale, x) => scale.find(([size]) => Math.abs(x) >= size) || scale[scale.length - 1];
  const digits = (x, n = 3) => {
    if (x === 0) return "0";
    const decimals = Math.min(9, Math.max(0, n - 1 - Math.floor(Math.log10(Math.abs(x)))));
    return x.toLocaleString("en", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  };
  const inUnit = (scale, x) => { const [size, unit] = unitFor(scale, x); return `${digits(x / size)} ${unit}`; };
  const energyText = (j) => (known(j) ? inUnit(ENERGY, j) : "–");
  const kwhText = (j) => (j >= J_PER_KWH / 1000 ? `${digits(j / J_PER_KWH)} kWh` : `${digits(j / J_PER_KWH * 1000)} Wh`);
  const massText = (kg) => (known(kg) ? inUnit(MASS_KG, kg) : "–");
  const countText = (n) => Math.round(n).toLocaleString("en");
  const percent = (x, n = 1) => `${(x * 100).toFixed(n)} %`;
  const accuracyText = (x) => (!known(x) ? "–" : report.accuracy.fraction ? percent(x) : digits(x, 4));
  const scoreText = (x) => (known(x) ? digits(x) : "–");
  function durationText(s) {
    if (!known(s)) return "–";
    if (s < 1) return `${digits(s * 1000)} ms`;
    if (s < 100) return `${digits(s)} s`;
    const whole = Math.round(s);
    return s < 3600 ? `${Math.floor(whole / 60)} min ${whole % 60} s` : `${Math.floor(whole / 3600)} h ${Math.round((whole % 3600) / 60)} min`;
  }
  // a number and its unit stay on one line
  const together = (text) => text.replace(/(\d) (?=%|[mkMG]?J\b)/g, "$1\u00a0");
  const signed = (x, text) => (known(x) ? `${x < 0 ? "−" : "+"}${text(Math.abs(x))}` : "–");
  const pText = (p) => (!known(p) ? "p not known" : p < 0.0001 ? "p\u00a0<\u00a00.0001" : `p\u00a0=\u00a0${digits(p, 2)}`);
  // "1.20 to 1.31 kJ", both in the unit of the mean
  function intervalText(summary, scale) {
    if (!summary || !known(summary.low)) return null;
    const [size, unit] = scale ? unitFor(scale, summary.mean) : [1, ""];
    return `${digits(summary.low / size)} to ${digits(summary.high / size)} ${unit}`.trim();
  }

  // ---- the study ----

  const groups = report.groups;
  const measured = groups.filter((group) => group.energy_j);
  const scored = measured.filter((group) => group.accuracy_per_kwh);
  const done = report.runs.filter((run) => run.state === "done");
  const varied = report.factors.filter((factor) => factor.varies);
  const mainFactor = report.factors.find((factor) => factor.main);
  const present = new Set(measured.map((group) => group.main));
  const mains = (mainFactor ? mainFactor.levels : [...present]).filter((level) => present.has(level));
  const anyEstimated = measured.some((group) => group.estimated);
  const totalOf = (group) => (group.energy_j ? group.energy_j.mean * group.energy_j.n : 0);
  const total_j = measured.reduce((sum, group) => sum + totalOf(group), 0);
  const rest = (group) => varied.filter((f) => !f.main)
    .map((f) => (Number.isNaN(Number(group.levels[f.name])) ? group.levels[f.name] : `${f.name} ${group.levels[f.name]}`)).join(" · ");
  const rests = [...new Set(measured.map(rest))];
  const mean = (summary) => (summary ? summary.mean : null);

  const place = { code: report.emissions.location ? report.emissions.location.code : "", pue: report.emissions.pue,
    pueSet: report.emissions.pue_given }; // by the reader or the study, not by the place
  const places = new Map(locations.map((where) => [where.code, where]));
  // Runs charged by their hour, or in places of their own, until the reader chooses another place for all.
  const ownPlace = place.code, { hourly, site_factor: siteFactor } = report.emissions;
  const asCharged = () => Boolean(hourly || siteFactor) && place.code === ownPlace;
  const runKg = (group, where) => (asCharged() && known(group.kg_co2e) ? group.kg_co2e * place.pue / report.emissions.pue
    : emitted(group.energy_j.mean, where));
  const studyKg = (where) => (asCharged() ? measured.reduce((sum, group) => sum + runKg(group, where) * group.energy_j.n, 0)
    : emitted(total_j, where));
  const chargeText = () => {
    if (!hourly && !siteFactor) return "";
    if (!asCharged()) return "; by the yearly figure of this place";
    if (siteFactor) return `; each run is charged in the place that its ${siteFactor} names`;
    const how = hourly.part > 0 ? `; ${(100 * hourly.part).toFixed(0)} % of the energy is charged by the hour, by ${hourly.source}` : "; nothing is known by the hour";
    return how + (hourly.mixed ? ": a sum of marginal and of average figures" : "") + (hourly.trouble ? ` (${hourly.trouble})` : "");
  };
  const figureText = (where) => [where.accounting, where.scope, where.year].filter(Boolean).join(", ");
  const rangeText = (where) => (where.low_g_per_kwh === null ? "" : `, range ${where.low_g_per_kwh} to ${where.high_g_per_kwh}`);
  const pueText = (where) => (place.pueSet ? "" : where.pue === null ? "; PUE 1: only the machine is counted"
    : `; PUE ${where.pue} of ${where.pue_source}`);
  const emitted = (energy_j, where) => (energy_j / J_PER_KWH) * place.pue * where.intensity_g_per_kwh / 1000;

  // ---- charts ----

  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  function theme() {
    const ink = style("--ink"), muted = style("--muted"), line = style("--line");
    const font = getComputedStyle(document.body).fontFamily;
    return {
      background: style("--panel"),
      font,
      padding: { left: 4, right: 34, top: 6, bottom: 4 },
      range: { category: style("--palette").split(/\s+/) },
      view: { stroke: null },
      axis: { labelColor: ink, titleColor: muted, gridColor: line, domainColor: line, tickColor: line, labelFontSize: 12.5,
        titleFontSize: 12.5, titleFontWeight: "normal", titlePadding: 10, labelOverlap: true },
      legend: { labelColor: ink, titleColor: muted, labelFontSize: 12.5, titleFontSize: 12.5, titleFontWeight: "normal",
        symbolStrokeWidth: 2.5, symbolOpacity: 1, labelLimit: 240 },
      text: { color: ink },
    };
  }

  // A string "$word" becomes the word's value, "${word}" inside a longer string its text.
  function fill(spec, words) {
    if (typeof spec === "string") {
      if (spec[0] === "$" && Object.hasOwn(words, spec.slice(1))) return words[spec.slice(1)];
      return spec.replace(/\$\{(\w+)\}/g, (whole, word) => (Object.hasOwn(words, word) ? words[word] : whole));
    }
    if (Array.isArray(spec)) return spec.map((part) => fill(part, words));
    if (spec && typeof spec === "object")
      return Object.fromEntries(Object.entries(spec).map(([key, part]) => [key, fill(part, words)]));
    return spec;
  }

  const legend = (levels, title) => (levels.length > 1 ? { title, orient: "top", symbolType: "circle", columns: 6 } : null);
  let opened = false; // the page is on screen: what is drawn from then on was asked for
  const drawn = new Map(); // chart -> what to do to draw it again
  const embedded = new Map(); // chart -> what is to be let go of before it is drawn again

  const waiting = new Map(); // chart that is out of sight -> how to draw it
  const hostOf = (name) => document.querySelector(`[data-chart="${name}"]`);
  const inSight = (host) => host.getBoundingClientRect().top < innerHeight;

  // What is in sight is drawn at once, the rest when it comes near, or when there is nothing else to do.
  const nearby = new IntersectionObserver((entries) => entries.filter((entry) => entry.isIntersecting)
    .forEach(({ target }) => drawWaiting(target.dataset.chart)), { rootMargin: "600px" });

  function drawWaiting(name) {
    const now = waiting.get(name) && drawn.get(name); // as a filter may have changed it
    waiting.delete(name);
    nearby.unobserve(hostOf(name));
    return now ? now().catch(failed) : null;
  }

  async function drawRest() {
    while (waiting.size) {
      await new Promise((then) => { setTimeout(then); });
      if (waiting.size) await drawWaiting(waiting.keys().next().value);
    }
    document.documentElement.dataset.complete = "yes";
  }

  function draw(name, datasets, words = {}) {
    const host = hostOf(name), now = () => {
      waiting.delete(name);
      return drawNow(name, datasets, words);
    };
    drawn.set(name, now);
    if (opened || inSight(host)) return now();
    waiting.set(name, now);
    nearby.observe(host);
    return null;
  }

  async function drawNow(name, datasets, words) {
    const host = hostOf(name);
    const points = Object.values(datasets).reduce((most, rows) => Math.max(most, rows.length), 0);
    const spec = fill(charts[name], {
      mains, main_legend: legend(mains, mainFactor ? mainFactor.name : null),
      rests, rest_legend: rests.length > 1 ? { title: null, orient: "top" } : null,
      labels: measured.map((group) => group.label),
      accuracy_title: report.accuracy && report.accuracy.metric === "val_accuracy" ? "validation accuracy" : "accuracy",
      accuracy_format: report.accuracy && report.accuracy.fraction ? ".0%" : "~g",
      ink: style("--ink"), muted: style("--muted"), line: style("--line"), panel: style("--panel"), scale_reversed: style("--scale-reversed") === "yes",
      ...(done.length > MANY ? { dot_size: 12, dot_opacity: 0.05, dot_stroke: null, small_dot: 8, small_opacity: 0.1 }
        : { dot_size: 48, dot_opacity: 0.85, dot_stroke: style("--panel"), small_dot: 26, small_opacity: 0.4 }),
      score_title: anyEstimated ? "accuracy per kWh (estimated)" : "accuracy per kWh",
      ...words,
    });
    spec.layer = spec.layer.filter(({ data }) => !data || data.values || datasets[data.name].length);
    // a row for each kind or place; Vega-Lite's own steps don't go with a width that follows the page
    if (spec.height.step) spec.height = spec.height.step * (words.places || words.labels || measured).length;
    embedded.get(name)?.finalize();
    const result = await vegaEmbed(host, { ...spec, datasets, config: theme() }, {
      renderer: points > MANY ? "canvas" : "svg",
      actions: { export: true, source: false, compiled: false, editor: false },
      downloadFileName: `joulery-${name}`,
      ast: true, // expressions are interpreted: the page's policy forbids making code from text
      expr: vega.expressionInterpreter,
      tooltip: { theme: matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light" },
    });
    embedded.set(name, result);
    describe(name, host);
  }

  // For those who do not see it: the words below the chart describe it, and its menu has a name.
  function describe(name, host) {
    const caption = figureOf(name).querySelector("figcaption");
    caption.id ||= `${name}-caption`;
    host.querySelector("[role=graphics-document]")?.setAttribute("aria-describedby", caption.id);
    host.querySelector("summary")?.setAttribute("aria-label", `Save this chart: ${charts[name].description}`);
  }

  function failed(error) {
    byId("footer").prepend(el("p", { class: "warning" }, `A chart could not be drawn: ${error.message}`));
    console.error(error);
  }

  const hide = (id) => { byId(id).hidden = true; };
  const figureOf = (name) => document.querySelector(`[data-chart="${name}"]`).closest("figure");
  function hideChart(name) {
    figureOf(name).hidden = true;
    drawn.delete(name);
    waiting.delete(name);
  }

  // ---- the levels that are shown ----

  const leftOut = new Map(varied.map((factor) => [factor.name, new Set()]));
  const isShown = (group) => [...leftOut].every(([name, levels]) => !levels.has(group.levels[name]));
  const shownKinds = () => measured.filter(isShown);
  const isFiltered = () => [...leftOut.values()].some((levels) => levels.size);
  const kept = (factor) => factor.levels.filter((level) => !leftOut.get(factor.name).has(level));
  const filterText = () => varied.filter((factor) => leftOut.get(factor.name).size)
    .map((factor) => `${factor.name} ${kept(factor).join(", ") || "(no level)"}`).join("; ");

  // Of the levels that are shown, in the colours and dashes that they have among all.
  function shownWords() {
    const kinds = shownKinds(), all = legend(mains, mainFactor ? mainFactor.name : null), restsNow = new Set(kinds.map(rest));
    const mainsNow = new Set(kinds.map((group) => group.main));
    return {
      labels: kinds.map((group) => group.label),
      main_legend: all && { ...all, values: mains.filter((level) => mainsNow.has(level)) },
      rest_legend: rests.length > 1 ? { title: null, orient: "top", values: rests.filter((one) => restsNow.has(one)) } : null,
    };
  }

  // A chart of what is shown, which says what that is; without anything to show it is hidden.
  function drawShown(name, some, datasets, words) {
    const figure = figureOf(name);
    figure.querySelector(".filtered")?.remove();
    if (!some) return hideChart(name);
    figure.hidden = false;
    if (isFiltered()) figure.prepend(el("p", { class: "filtered" }, `Only ${filterText()}`));
    return draw(name, datasets, { ...shownWords(), ...words });
  }

  // values -> the unit that suits the greatest, and whether they need a logarithmic axis
  function energyAxis(values) {
    const positive = values.filter((x) => known(x) && x > 0);
    const most = Math.max(...positive, 0), least = Math.min(...positive, Infinity);
    const [size, unit] = unitFor(ENERGY, most);
    const log = positive.length === values.filter(known).length && most / least > 20;
    return { size, unit, log };
  }

  // A spread that is the same every time the page is opened.
  const jitter = (run) => (((run.run * 0.6180339887) % 1) - 0.5) * 0.9;

  function energyAndAccuracy() {
    const shown = done.filter((run) => run.group !== null && isShown(groups[run.group]));
    const axis = energyAxis(shown.map((run) => run.energy_j));
    const scaled = (j) => (known(j) ? j / axis.size : null);
    const rows = shown.filter((run) => known(run.energy_j)).map((run) => {
      const group = groups[run.group];
      return {
        label: group.label, main: group.main, run: run.run, repetition: run.repetition, jitter: jitter(run),
        energy: scaled(run.energy_j), accuracy: run.accuracy, energy_text: energyText(run.energy_j),
        accuracy_text: report.accuracy ? accuracyText(run.accuracy) : "–", wall_text: durationText(run.wall_s),
        place: run.position + 1, deviation: run.energy_j / group.energy_j.mean - 1,
      };
    });
    const kinds = shownKinds().map((group) => {
      const e = group.energy_j, a = group.accuracy, s = group.accuracy_per_kwh;
      return {
        label: group.label, main: group.main, n: e.n, energy: scaled(e.mean),
        low: scaled(axis.log && e.low <= 0 ? e.least : e.low), high: scaled(e.high),
        least: scaled(e.least), q1: scaled(e.q1), median: scaled(e.median), q3: scaled(e.q3), most: scaled(e.most),
        accuracy: mean(a), accuracy_low: a ? a.low : null, accuracy_high: a ? a.high : null,
        score: mean(s), score_low: s ? s.low : null, score_high: s ? s.high : null, front: group.front,
        energy_text: energyText(e.mean), accuracy_text: a ? accuracyText(a.mean) : "–", score_text: scoreText(mean(s)),
      };
    });
    const words = {
      energy_unit: axis.unit + (anyEstimated ? ", estimated" : ""),
      energy_scale: axis.log ? "log" : "linear", energy_zero: axis.log ? undefined : true,
    };
    return { rows, kinds, words, scale: axis.size };
  }

  // Of one level of each of two factors: the mean over all runs that have both, and its interval where they are of one kind.
  function cellsOf(main, other, scale) {
    return main.levels.flatMap((m) => other.levels.flatMap((o) => {
      const kinds = shownKinds().filter((group) => group.levels[main.name] === m && group.levels[other.name] === o);
      const n = kinds.reduce((sum, { energy_j }) => sum + energy_j.n, 0);
      const mean_j = kinds.reduce((sum, { energy_j }) => sum + energy_j.n * energy_j.mean, 0) / n;
      const alone = kinds.length === 1 && known(kinds[0].energy_j.low) ? kinds[0].energy_j : null;
      return n ? [{ main: m, other: o, n, energy: mean_j / scale, energy_text: energyText(mean_j),
        low: alone && alone.low / scale, high: alone && alone.high / scale }] : [];
    }));
  }

  function drawInteraction(words, scale) {
    const other = varied.find((factor) => !factor.main);
    if (!mainFactor || !other) return hideChart("interaction");
    const cells = cellsOf(mainFactor, other, scale);
    const spans = cells.filter(({ low }) => known(low) && (words.energy_scale === "linear" || low > 0));
    return drawShown("interaction", cells.length, { cells, spans },
      { ...words, main_title: mainFactor.name, other_title: other.name, others: kept(other) });
  }

  function drawRuns() {
    if (!measured.length) {
      ["energy", "tradeoff"].forEach(hide);
      return [hideChart("order")];
    }
    const { rows, kinds, words, scale } = energyAndAccuracy();
    const work = [drawShown("energy", kinds.length, { groups: kinds, runs: rows }, words),
      drawShown("order", rows.length, { runs: rows }, words), drawInteraction(words, scale)];
    if (!scored.length) {
      hide("tradeoff");
      return work;
    }
    const withBoth = kinds.filter((kind) => known(kind.accuracy));
    const front = withBoth.filter((kind) => kind.front);
    const named = withBoth.length > 24 ? front : withBoth;
    work.push(drawShown("tradeoff", withBoth.length, {
      front, named, runs: rows.filter((row) => known(row.accuracy)), groups: withBoth,
      energy_intervals: withBoth.filter((kind) => known(kind.low)),
      accuracy_intervals: withBoth.filter((kind) => known(kind.accuracy_low)),
    }, words));
    const withScore = kinds.filter((kind) => known(kind.score));
    work.push(drawShown("score", withScore.length, { groups: withScore, score_intervals: withScore.filter((kind) => known(kind.score_low)) },
      { labels: withScore.map((kind) => kind.label) }));
    return work;
  }

  function showView() {
    if (report.view === "published") return;
    byId("view").textContent = report.view === "repaired"
      ? `Repaired: energies of ${countText(report.replaced)} runs are the audit's reconstructions, not measured. Published figures are in the report without --repaired.`
      : `Without the energies of ${countText(report.replaced)} runs, which the audit does not hold for sound. They are in the report without --sound.`;
    byId("view").hidden = false;
  }

  function showPlaceEffect() {
    if (!report.place_effect) return;
    byId("place-effect").textContent = report.place_effect.text.trim().replace(/\n/g, " ");
    byId("place-effect").hidden = false;
  }

  function drawEmissions() {
    if (!measured.length) return hide("emissions");
    showPlaceEffect();
    const chosen = places.get(place.code);
    const shown = new Map(report.emissions.among.map((where) => [where.code, places.get(where.code)]));
    if (chosen) shown.set(chosen.code, chosen);
    const sorted = [...shown.values()].sort((a, b) => a.intensity_g_per_kwh - b.intensity_g_per_kwh);
    const name = (where) => (where === chosen ? `▸ ${where.name}` : where.name);
    const [size, unit] = unitFor(MASS_KG, emitted(total_j, sorted[sorted.length - 1]));
    const emissions = sorted.flatMap((where) => measured.map((group, rank) => {
      const kg = emitted(totalOf(group), where);
      return { place: name(where), label: group.label, main: group.main, rank, mass: kg / size, mass_text: massText(kg),
        intensity: where.intensity_g_per_kwh, figure: figureText(where) };
    }));
    const totals = sorted.map((where) => {
      const kg = emitted(total_j, where);
      return { place: name(where), mass: kg / size, text: massText(kg) };
    });
    byId("emissions-lead").textContent =
      `All ${countText(done.length)} finished runs used ${energyText(total_j)} (${kwhText(total_j)})` +
      `${anyEstimated ? ", an estimate" : ""}; at a PUE of ${place.pue} they emit, by the grid of ${sorted.length} places:`;
    return draw("emissions", { emissions, totals }, { places: sorted.map(name), mass_unit: `${unit} CO₂e${anyEstimated ? ", estimated" : ""}` });
  }

  // ---- elsewhere ----

  const FEW = 40, ENDS = 15; // bars: all of a few places, of many those at the ends
  const sortOf = (where) => `${where.accounting} ${where.scope}`;
  const factorText = (x) => digits(x, x < 100 ? 2 : 3);

  function chosenCodes() {
    const group = placeGroups.find(({ code }) => code === byId("where-group").value);
    return new Set(group ? group.members : report.emissions.among.map(({ code }) => code));
  }

  // The chosen places and here, least first.
  function chosenPlaces() {
    const codes = chosenCodes();
    if (place.code) codes.add(place.code);
    return [...codes].map((code) => places.get(code))
      .sort((a, b) => a.intensity_g_per_kwh - b.intensity_g_per_kwh || (a.code < b.code ? -1 : 1));
  }

  // What sort most figures are of; here counts only where there is nothing else.
  function usualSort(sorted) {
    const counts = new Map();
    for (const where of sorted) counts.set(sortOf(where), (counts.get(sortOf(where)) || 0) + (where.code !== place.code));
    return [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most))[0];
  }

  function elsewhereRows() {
    const sorted = chosenPlaces(), usual = usualSort(sorted), perGram = (total_j / J_PER_KWH) * place.pue / 1000;
    return sorted.map((where) => {
      const here = where.code === place.code, apart = sortOf(where) !== usual, ranged = known(where.low_g_per_kwh);
      const low_kg = ranged ? where.low_g_per_kwh * perGram : null, high_kg = ranged ? where.high_g_per_kwh * perGram : null;
      return { where, here, apart, kg: emitted(total_j, where), low_kg, high_kg,
        place: `${here ? "▸ " : ""}${where.kind === "cloud" || where.name === where.code ? where.code : `${where.name} (${where.code})`}${apart ? " *" : ""}`,
        intensity: where.intensity_g_per_kwh, figure: figureText(where), source: where.source,
        mass_text: massText(emitted(total_j, where)), range_text: ranged ? `${massText(low_kg)} to ${massText(high_kg)}` : "not known" };
    });
  }

  const named = (row) => (row.where.kind === "cloud" ? row.where.code : row.where.name);

  // As `joulery where` says it.
  function elsewhereText(rows) {
    const alike = rows.filter((row) => !row.apart && row.kg > 0), best = alike[0], worst = alike[alike.length - 1];
    if (alike.length < 2) return "There are not two places here whose figures can be compared.";
    const here = alike.find((row) => row.here), nothing = rows.filter((row) => row.kg <= 0);
    const span = known(worst.low_kg) && best.low_kg > 0
      ? ` (${factorText(worst.low_kg / best.high_kg)} to ${factorText(worst.high_kg / best.low_kg)} by the ranges of both figures)` : "";
    return `Choosing among ${countText(alike.length)} places would change emissions by a factor of ${factorText(worst.kg / best.kg)}${span}: `
      + `from ${best.mass_text} in ${named(best)} to ${worst.mass_text} in ${named(worst)}${anyEstimated ? ", from estimated energies" : ""}.`
      + (here ? ` Here (${named(here)}) it is ${factorText(here.kg / best.kg)} times the least, and the most is ${factorText(worst.kg / here.kg)} times as much.` : "")
      + ` All at a PUE of ${place.pue}.${nothing.length ? ` The figure is 0 in ${nothing.map(named).join(", ")}: no factor can be told of it.` : ""}`;
  }

  function elsewhereWarning(rows) {
    const apart = rows.filter((row) => row.apart).length, sort = usualSort(rows.map(({ where }) => where)).replace("null", "scope not known");
    return apart ? `${countText(apart)} of ${countText(rows.length)} figures are of another sort than the others (${sort}); they are marked * and are not comparable with them.` : "";
  }

  function drawWhere(rows) {
    const shown = rows.length <= FEW ? rows : rows.filter((row, i) => i < ENDS || rows.length - i <= ENDS || row.here);
    const left = (row) => rows.indexOf(row) - (shown.indexOf(row) ? rows.indexOf(shown[shown.indexOf(row) - 1]) + 1 : 0);
    const [size, unit] = unitFor(MASS_KG, Math.max(...shown.map((row) => row.kg)));
    const bars = shown.map(({ where, ...row }) => ({ ...row, mass: row.kg / size, low: row.low_kg / size, high: row.high_kg / size }));
    byId("where-caption").textContent = (shown.length < rows.length
      ? `The ${ENDS} that emit least and the ${ENDS} that emit most of ${countText(rows.length)} places${place.code ? ", and here" : ""}; all are in the table and on the map. ` : "")
      + (rows.some((row) => known(row.low_kg)) ? "Lines show the range of a place's figure, where it is known." : "No range is known of these figures.");
    return draw("where", { bars, ranges: bars.filter((bar) => known(bar.low_kg)) },
      { places: shown.flatMap((row) => [...(left(row) ? [`⋯ ${countText(left(row))} more`] : []), row.place]), mass_unit: `${unit} CO₂e${anyEstimated ? ", estimated" : ""}` });
  }

  // The degrees that a map of these places shows: a region, or the world.
  function mapWindow(spots) {
    const RATIO = 2.1, WORLD = [-180, -60, 180, 84];
    const xs = spots.map(({ where }) => where.longitude), ys = spots.map(({ where }) => where.latitude);
    const [west, east, south, north] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    if (!spots.length || east - west > 120) return { edges: WORLD, squeeze: 0.85 };
    const squeeze = Math.cos((south + north) / 360 * Math.PI); // a degree of longitude is that much shorter here
    const height = Math.max(north - south + 8, (east - west + 12) * squeeze / RATIO, 12), width = height * RATIO / squeeze;
    const [x, y] = [(west + east) / 2, (south + north) / 2];
    return { edges: [x - width / 2, y - height / 2, x + width / 2, y + height / 2], squeeze };
  }

  // Sutherland and Hodgman: what of a ring lies on one side of an edge.
  function cutAt(ring, axis, edge, sign) {
    const inside = (point) => sign * (point[axis] - edge) <= 0;
    return ring.flatMap((point, i) => {
      const last = ring[(i + ring.length - 1) % ring.length];
      if (inside(point) === inside(last)) return inside(point) ? [point] : [];
      const t = (edge - last[axis]) / (point[axis] - last[axis]);
      const crossing = [last[0] + t * (point[0] - last[0]), last[1] + t * (point[1] - last[1])];
      return inside(point) ? [crossing, point] : [crossing];
    });
  }

  // web/land.mjs says how a ring is written.
  function ringOf(steps) {
    const ring = [];
    for (let i = 0, x = 0, y = 0; i < steps.length; i += 2) ring.push([(x += steps[i]) / 10, (y += steps[i + 1]) / 10]);
    return ring;
  }

  function landIn({ edges: [west, south, east, north], squeeze }) {
    const cut = (ring) => [[0, west, -1], [0, east, 1], [1, south, -1], [1, north, 1]]
      .reduce((rest, [axis, edge, sign]) => cutAt(rest, axis, edge, sign), ring);
    const squeezed = (ring) => [...ring, ring[0]].map(([x, y]) => [x * squeeze, y]);
    return read("land").map((rings) => rings.map(ringOf).map(cut).filter((ring) => ring.length > 2).map(squeezed))
      .filter((rings) => rings.length)
      .map((coordinates) => ({ type: "Feature", geometry: { type: "Polygon", coordinates } }));
  }

  function drawMap(rows) {
    const listed = chosenCodes(), placed = rows.filter(({ where }) => known(where.latitude) && known(where.longitude));
    const frame = mapWindow(placed.filter(({ where }) => listed.has(where.code))), [west, south, east, north] = frame.edges;
    const within = placed.filter(({ where: { longitude: x, latitude: y } }) => x >= west && x <= east && y >= south && y <= north);
    const missing = rows.length - placed.length, outside = placed.length - within.length;
    byId("map-note").textContent = (missing ? `${countText(missing)} of these places are not on it: where they lie is not in their table. ` : "")
      + (outside ? `${named(rows.find((row) => row.here))} lies outside of it.` : "");
    figureOf("map").hidden = !within.length;
    if (!within.length) return hideChart("map");
    const spots = within.map(({ where, ...row }) => ({ ...row, x: where.longitude * frame.squeeze, y: where.latitude }));
    return draw("map", { land: landIn(frame), spots, here: spots.filter((spot) => spot.here) },
      { spot_size: spots.length > 60 ? 90 : 150 });
  }

  function showElsewhereTable(rows) {
    const here = rows.find((row) => row.here);
    const against = (row) => (here && here.kg > 0 && row.apart === here.apart ? `${factorText(row.kg / here.kg)} ×` : "–");
    table("where-table", ["place", "g CO₂e per kWh", "figure", "CO₂e of all finished runs", here ? `against ${named(here)}` : "against here"],
      rows.map((row) => [el("th", { scope: "row" }, row.place),
        withSmall(digits(row.intensity), known(row.low_kg) ? `${digits(row.where.low_g_per_kwh)} to ${digits(row.where.high_g_per_kwh)}` : null),
        el("td", { class: "text" }, row.figure, el("small", { style: "white-space:normal" }, row.source)),
        withSmall(row.mass_text, known(row.low_kg) ? row.range_text : null, anyEstimated ? estimate() : null), against(row)]), [2]);
  }

  function equivalentsText(rows) {
    const here = rows.find((row) => row.here);
    const told = here ? equivalents.map((one) => ({ ...one, units: here.kg * 1000 / one.g_co2e })).filter(({ units }) => units >= 0.01) : [];
    return told.length ? `The whole study in ${named(here)} is as much as ${told.map(({ units, unit, what }) => `${digits(units)} ${unit} ${what}`).join("; ")} `
      + `(${[...new Set(told.map(({ source, year }) => `${source}, ${year}`))].join("; ")}).` : "";
  }

  async function drawElsewhereNow() {
    const rows = elsewhereRows(), warning = elsewhereWarning(rows);
    byId("where-lead").textContent = elsewhereText(rows);
    byId("where-warning").textContent = warning;
    byId("where-warning").hidden = !warning;
    byId("where-equivalents").textContent = equivalentsText(rows);
    if (byId("where-details").open) showElsewhereTable(rows);
    await Promise.all([drawWhere(rows), drawMap(rows)]);
  }

  let elsewheres = 0, elsewhere = Promise.resolve();
  // One at a time; of several that wait only the last is drawn.
  function drawElsewhere() {
    if (!measured.length) return null;
    const own = ++elsewheres;
    elsewhere = elsewhere.then(() => (own === elsewheres ? drawElsewhereNow() : null)).catch(failed);
    return elsewhere;
  }

  function showWhereControls() {
    const select = byId("where-group");
    select.append(el("option", { value: "" }, report.emissions.among.length > 1 ? "the places compared above" : "here alone"),
      ...placeGroups.filter(({ members }) => members.length > 1)
        .map(({ code, name, members }) => el("option", { value: code }, `${name} (${countText(members.length)})`)));
    select.value = placeGroups.some(({ code }) => code === "countries") ? "countries" : "";
    select.addEventListener("change", drawElsewhere);
    byId("where-form").addEventListener("submit", (event) => event.preventDefault());
    byId("where-details").addEventListener("toggle", () => byId("where-details").open && showElsewhereTable(elsewhereRows()));
  }

  function drawEpochs() {
    const all = report.epochs.filter((epoch) => groups[epoch.group].energy_j || epoch.accuracy);
    if (!all.length) {
      hide("epochs");
      return [];
    }
    const epochs = all.filter((epoch) => isShown(groups[epoch.group]));
    const axis = energyAxis(epochs.map((epoch) => mean(epoch.energy_j)));
    const sums = energyAxis(epochs.map((epoch) => mean(epoch.energy_so_far_j)));
    const scaled = (summary, part, by) => (summary ? summary[part] / by.size : null);
    const rows = epochs.map((epoch) => {
      const group = groups[epoch.group], a = epoch.accuracy, e = epoch.energy_j, s = epoch.energy_so_far_j;
      return {
        label: group.label, main: group.main, rest: rest(group), epoch: epoch.epoch, n: (e || a).n,
        energy: scaled(e, "mean", axis), energy_least: scaled(e, "least", axis), energy_most: scaled(e, "most", axis),
        energy_text: energyText(mean(e)), so_far: scaled(s, "mean", sums), so_far_text: energyText(mean(s)),
        accuracy: mean(a), accuracy_least: a && a.least, accuracy_most: a && a.most,
        accuracy_text: report.accuracy ? accuracyText(mean(a)) : "–",
      };
    });
    const words = { epoch_unit: axis.unit + (anyEstimated ? ", estimated" : ""), so_far_unit: sums.unit + (anyEstimated ? ", estimated" : ""),
      so_far_scale: sums.log ? "log" : "linear", so_far_zero: sums.log ? undefined : true };
    const withEnergy = rows.filter((row) => known(row.energy)), withAccuracy = rows.filter((row) => known(row.accuracy));
    const chart = (name, data) => drawShown(name, data.length, { epochs: data }, words);
    return [chart("epoch_energy", withEnergy), chart("epoch_accuracy", withAccuracy),
      chart("learning", withAccuracy.filter((row) => known(row.so_far)))];
  }

  // ---- two instruments ----

  function compareLead(c) {
    const { slope, offset_w } = c.powers.least_squares, { sums, least, most } = c.coverage;
    const span = ({ low, high }, text) => (known(low) ? ` (95 % interval ${text(low)} to ${text(high)})` : "");
    const watts = (w) => `${digits(w)} W`;
    const swaps = c.ranking.swapped.map(([a, b]) => `${a} and ${b}`).join(", ");
    const order = c.ranking.levels.length < 2 ? ""
      : swaps ? ` By hardware these change places: ${swaps}.` : ` Both put ${c.ranking.factor} into the same order.`;
    return `Software${c.estimated ? ", by estimates of a model," : ""} saw ${percent(sums)} of the energy that the hardware saw (${percent(least)} to ${percent(most)} by run). Along a `
      + `straight line, hardware's power is ${digits(slope.value)} times software's${span(slope, digits)} and `
      + `${watts(offset_w.value)} more${span(offset_w, watts)}.${order}`;
  }

  function drawComparison() {
    const c = report.comparison;
    if (!c || !known(c.powers.least_squares.slope.value)) return hide("compare");
    const groupOf = new Map(report.runs.map((run) => [run.run, run.group === null ? null : groups[run.group]]));
    const pairs = c.rows.filter((row) => known(row.software_j) && known(row.hardware_j) && groupOf.get(row.run)).map((row) => ({
      run: row.run, repetition: row.repetition, label: groupOf.get(row.run).label, main: groupOf.get(row.run).main,
      software: row.software_j / row.wall_s, hardware: row.hardware_j / row.wall_s, smooth: row.lowess_hardware_w,
      software_text: energyText(row.software_j), hardware_text: energyText(row.hardware_j),
      coverage_text: percent(row.software_j / row.hardware_j), software_j: row.software_j, hardware_j: row.hardware_j,
    })).sort((a, b) => a.software - b.software);
    const { slope, offset_w } = c.powers.least_squares;
    const line = [pairs[0], pairs[pairs.length - 1]].map(({ software }) => ({ software, hardware: offset_w.value + slope.value * software }));
    const smooth = pairs.filter((pair) => known(pair.smooth)).map(({ software, smooth: hardware }) => ({ software, hardware }));
    byId("compare-lead").textContent = compareLead(c);
    return Promise.all([draw("compare", { pairs, line, smooth }, {
      software_title: `mean power by software: ${c.software}${c.estimated ? ", estimated" : ""} (W)`,
      hardware_title: `mean power by hardware: ${c.hardware} (W)`,
    }), drawAgreement(c, pairs)]);
  }

  function agreementCaption(c) {
    const { pearson, spearman, concordance } = c.correlation, { name, p } = c.test;
    const test = name ? ` ${name[0].toUpperCase()}${name.slice(1)} test: p ${p < 0.001 ? "below 0.001" : `= ${digits(p)}`}.` : "";
    const both = known(pearson.value) ? ` Pearson's r ${digits(pearson.value)}, Spearman's ρ ${digits(spearman)}, Lin's concordance ${digits(concordance.value)}.` : "";
    return "Bland and Altman's plot: by how much the two differ, over how much there is. Between the dashed lines lie 95 % of the differences, "
      + "if they are near to normal; bands are 95 % intervals. Points that climb to the right mean that the difference is a share rather than a constant."
      + test + both;
  }

  function drawAgreement(c, pairs) {
    const axis = energyAxis(pairs.map((pair) => pair.hardware_j)), { bias, lower_limit, upper_limit } = c.difference_j;
    const scaled = (j) => (known(j) ? j / axis.size : null);
    const limit = (kind, words, { value, low, high }) => (known(value)
      ? [{ kind, value: scaled(value), low: scaled(low), high: scaled(high), text: `${words} ${signed(value, energyText)}` }] : []);
    const limits = [...limit("mean", "mean", bias), ...limit("limit", "upper limit", upper_limit), ...limit("limit", "lower limit", lower_limit)];
    const points = pairs.map((pair) => ({ ...pair, both: scaled((pair.software_j + pair.hardware_j) / 2),
      difference: scaled(pair.hardware_j - pair.software_j), difference_text: signed(pair.hardware_j - pair.software_j, energyText) }));
    byId("agreement-caption").textContent = agreementCaption(c);
    return draw("agreement", { pairs: points, limits }, {
      both_title: `mean of both${c.estimated ? ", one of them estimated" : ""} (${axis.unit})`,
      difference_title: `hardware less software (${axis.unit})`,
    });
  }

  // ---- what differs ----

  const SHORT = 30; // pairs that are shown without being asked for
  const SURE = 0.05;
  const RESPONSES = {
    energy: { title: "Energy", text: energyText, head: "difference" },
    accuracy: { title: "Accuracy", text: (x) => (report.accuracy.fraction ? (x * 100).toFixed(2) : digits(x)),
      head: report.accuracy && report.accuracy.fraction ? "difference (percentage points)" : "difference" },
  };
  const FIELDS = { ANOVA: ["anova", "F"], "Welch's ANOVA": ["welch", "F"], "Kruskal-Wallis": ["kruskal_wallis", "H"] };

  const degrees = (df) => digits(df, 4).replace(/\.?0+$/, "");
  const testText = (letter, { statistic, df1, df2, p }) =>
    `${letter}(${[df1, df2].filter(known).map((df) => (Number.isInteger(df) ? countText(df) : degrees(df))).join(", ")}) = ${digits(statistic)}, ${pText(p)}`;

  function factorSentence(name, factor) {
    if (!factor.chosen) return `No test: ${factor.reason}.`;
    const [field, letter] = FIELDS[factor.chosen], { p } = factor[field];
    const [sign, { value, word }] = letter === "H" ? ["ε²", factor.epsilon_squared] : ["η²", factor.eta_squared];
    const finding = p < SURE ? `not all levels of ${factor.factor} have the same ${name}`
      : `no difference between levels of ${factor.factor} can be told from scatter${varied.length > 1 ? ", which holds the other factors' parts too" : ""}; that does not mean that there is none`;
    return `${factor.chosen}: ${testText(letter, factor[field])}: ${finding}. ` +
      `Size of the effect: ${sign} = ${digits(value)}${word ? ` (${word})` : ""}. This test, because ${factor.reason}.`;
  }

  function pairRow(response, factor, pair) {
    const { text } = RESPONSES[response], other = factor.levels.find(({ level }) => level === pair.b);
    const share = response === "energy" && other.mean > 0 ? signed(pair.difference / other.mean, percent) : null;
    const effect = ({ value, word }) => withSmall(known(value) ? signed(value, (x) => x.toFixed(2)) : "–", word);
    const { low, high } = pair.interval;
    const span = known(low) ? `${signed(low, text)} to ${signed(high, text)}` : null;
    return [el("th", { scope: "row" }, `${pair.a} less ${pair.b}`), withSmall(signed(pair.difference, text), span),
      ...(response === "energy" ? [share || "–"] : []),
      el("td", { class: pair.adjusted_p < SURE ? "sure" : null }, pText(pair.adjusted_p).replace(/^p\s(=\s)?/, "")),
      effect(pair.cliffs_delta), effect(pair.hedges_g)];
  }

  function pairTable(response, factor) {
    const node = el("table"), { head, title } = RESPONSES[response], name = `${title} by ${factor.factor}: pairs`;
    const heads = [`${factor.factor}, by ${factor.pairs_by}`, head, ...(response === "energy" ? ["of the second"] : []), "adjusted p", "Cliff's δ", "Hedges' g"];
    fillTable(node, heads, factor.pairs.map((pair) => pairRow(response, factor, pair)));
    const scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": name }, node);
    return factor.pairs.length <= SHORT ? scroll : el("details", {}, el("summary", {}, `All ${factor.pairs.length} pairs`), scroll);
  }

  function interactionText({ factors: [a, b], first, second, interaction, aligned_ranks, refused }) {
    if (refused) return `${a} and ${b} together: no test of interaction: ${refused}.`;
    const ranks = known(aligned_ranks.p) ? `; by aligned ranks ${testText("F", aligned_ranks)}` : "";
    const sure = [interaction.p, aligned_ranks.p].filter(known).map((p) => p < SURE);
    const finding = sure.every(Boolean) ? `what ${a} does depends on ${b}`
      : sure.some(Boolean) ? "the two do not agree on whether what one does depends on the other" : "no sign that what one does depends on the other";
    return `${a} and ${b} together: interaction ${testText("F", interaction)}${ranks}: ${finding}.` +
      ` With the other's part taken out: ${a} ${testText("F", first)}; ${b} ${testText("F", second)}.`;
  }

  function repetitionsText({ relative_sd, difference, power, needed }) {
    if (!known(relative_sd)) return "Repetitions needed: can't be said, as no combination of levels has two runs.";
    const runs = measured.map((group) => group.energy_j.n), least = Math.min(...runs), most = Math.max(...runs);
    return `Runs with the same levels scatter by ${digits(relative_sd * 100)} % (standard deviation). ` +
      (needed ? `To tell a difference of ${degrees(difference * 100)} % takes ${countText(needed)} repetitions (${percent(power, 0)} power, t test at 5 %); `
        + `with an energy there are ${least === most ? countText(least) : `${countText(least)} to ${countText(most)}`} of each kind.`
        : `No number of repetitions can be said for a difference of ${degrees(difference * 100)} %.`);
  }

  function showResponse({ response, missing, n, factors, interactions, repetitions }, estimated) {
    const { title } = RESPONSES[response];
    const parts = factors.flatMap((factor) => [
      el("h3", {}, `${title} by ${factor.factor}`, estimated ? estimate() : null),
      el("p", { class: "finding" }, together(factorSentence(title.toLowerCase(), factor))),
      factor.pairs.length ? pairTable(response, factor)
        : factor.chosen ? el("p", { class: "note" }, "No pairs: the factor has too many levels for them.") : null]);
    const lines = [...interactions.map(interactionText), repetitionsText(repetitions),
      missing ? `${countText(missing)} of ${countText(missing + n)} finished runs have no ${title.toLowerCase()}.` : null];
    return [...parts, el("h3", {}, `${title}, whatever the factor`),
      el("ul", { class: "findings" }, ...lines.filter(Boolean).map((line) => el("li", {}, together(line))))].filter(Boolean);
  }

  function showDiffers() {
    const { analysis } = report;
    if (!analysis || !analysis.responses.some(({ factors }) => factors.length)) return hide("differs");
    byId("differs-lead").textContent = "Each factor is tested with the others' levels pooled. A p is adjusted over the pairs of one factor, not over "
      + "factors and figures. Below a difference of means stands its 95 % interval, for all pairs of the factor at once, where the test gives one. A small p says that there is a difference; the difference and the size of its effect say whether it matters."
      + (analysis.imported ? ` ${countText(analysis.imported)} runs are from elsewhere, and count as they were published.` : "");
    byId("differs-parts").replaceChildren(...analysis.responses.flatMap((r) => showResponse(r, analysis.estimated && r.response === "energy")));
  }

  // ---- the power trace ----

  function traceLabel(trace) {
    const run = report.runs.find((candidate) => candidate.run === trace.run);
    return `${groups[run.group].label}, repetition ${run.repetition} (run ${run.run})`;
  }

  const MOST_NUMBERS = 25; // of epochs beside each other that can be read

  // From an epoch's begin to the next one's; every second band is darker.
  function epochBands({ epoch_starts_s: starts, channels, bin_s }) {
    const end_s = Math.max(...channels.map(({ power_w }) => power_w.length * bin_s));
    return starts.map((from_s, i) => {
      const to_s = i + 1 < starts.length ? starts[i + 1] : Math.max(end_s, from_s);
      return { epoch: i + 1, from_s, to_s, middle_s: (from_s + to_s) / 2, shade: i % 2 ? 0.2 : 0.08 };
    });
  }

  function drawTrace(trace) {
    const models = new Set(report.instruments.filter((i) => i.kind === "model").map((i) => `${i.meter} ${i.name}`));
    const title = (name) => (models.has(name) ? `${name} (model, estimated)` : name);
    const rows = trace.channels.flatMap(({ channel, power_w }) =>
      power_w.map((w, bin) => ({ channel: title(channel), at_s: Math.round(bin * trace.bin_s * 1000) / 1000, power_w: w })));
    const bands = epochBands(trace);
    byId("trace-caption").textContent =
      `Mean power in steps of ${durationText(trace.bin_s)}, so that the area under a line is its energy.` +
      (bands.length ? " Bands: epochs, with their numbers above; the last one's reaches to the end of the run." : "") + " Where a line is broken, nothing was read: a gap.";
    const apart = Math.ceil(bands.length / MOST_NUMBERS);
    return draw("trace", { trace: rows, bands, numbers: bands.filter((band) => (band.epoch - 1) % apart === 0) }, { channels: trace.channels.map(({ channel }) => title(channel)) });
  }

  function showTraces() {
    if (!report.traces.length) {
      hide("trace");
      return null;
    }
    const select = byId("trace-run");
    report.traces.forEach((trace, i) => select.append(el("option", { value: i }, traceLabel(trace))));
    select.addEventListener("change", () => drawTrace(report.traces[select.value]).catch(failed));
    return drawTrace(report.traces[0]);
  }

  // ---- words and tables ----

  const estimate = () => el("abbr", { class: "chip est", title: "From a model, not measured" }, "est.");
  const swatch = (group) => {
    const palette = style("--palette").split(/\s+/);
    const dot = el("span", { class: "swatch", "aria-hidden": "true" });
    dot.style.background = palette[Math.max(0, mains.indexOf(group.main)) % palette.length];
    return dot;
  };
  const withSmall = (main, small, ...more) => el("td", {}, main, ...more, small ? el("small", {}, small) : null);

  function fillTable(node, heads, rows, words = []) {
    const cell = (text, i) => (text instanceof Element && /^T[DH]$/.test(text.tagName) ? text
      : el("td", { class: words.includes(i) ? "text" : null }, text));
    node.replaceChildren(
      el("thead", {}, el("tr", {}, ...heads.map((head, i) => el("th", { scope: "col", class: words.includes(i) ? "text" : null }, head)))),
      el("tbody", {}, ...rows.map((row) => (row instanceof Element ? row : el("tr", {}, ...row.map(cell))))),
    );
  }

  const table = (id, ...parts) => fillTable(byId(id), ...parts);

  function summaryRow(group) {
    const head = el("th", { scope: "row" }, swatch(group), group.label,
      group.front && scored.length > 1 ? el("abbr", { class: "chip front", title: "On the Pareto front" }, "front") : null);
    const e = group.energy_j, where = places.get(place.code);
    const cells = [el("td", {}, e ? `${e.n} of ${group.planned}` : `0 of ${group.planned}`),
      withSmall(energyText(mean(e)), intervalText(e, ENERGY), group.estimated ? estimate() : null)];
    if (groups.some((g) => g.hardware_j) && report.energy_basis !== "hardware")
      cells.push(withSmall(energyText(mean(group.hardware_j)), intervalText(group.hardware_j, ENERGY)));
    cells.push(withSmall(durationText(mean(group.wall_s)), group.power_w ? `${digits(group.power_w.mean)} W` : null));
    if (scored.length) {
      const a = group.accuracy, s = group.accuracy_per_kwh;
      const between = a && known(a.low) ? (report.accuracy.fraction
        ? `${(a.low * 100).toFixed(1)} to ${(a.high * 100).toFixed(1)} %` : intervalText(a)) : null;
      cells.push(withSmall(accuracyText(mean(a)), between), withSmall(scoreText(mean(s)), intervalText(s), group.estimated && s ? estimate() : null));
    }
    cells.push(el("td", { class: "mass" }, (where || asCharged()) && e ? massText(runKg(group, where)) : "–",
      (where || asCharged()) && e && group.estimated ? estimate() : null));
    return el("tr", { class: group === groups[0] && measured.length > 1 ? "best" : null }, head, ...cells);
  }

  function showSummary() {
    const where = places.get(place.code);
    const heads = [mainFactor ? varied.map((f) => f.name).join(" · ") : "", "runs",
      report.energy_basis === "hardware" ? "energy (wattmeter)" : "energy",
      ...(groups.some((g) => g.hardware_j) && report.energy_basis !== "hardware" ? ["wattmeter"] : []), "time, power",
      ...(scored.length ? ["accuracy", "accuracy per kWh"] : []), where ? `CO₂e in ${where.name}` : "CO₂e (choose a place)"];
    byId("summary-lead").textContent = "Means of a run, with the 95 % interval of the mean by Student's t" +
      (scored.length ? "; the most accuracy per kWh comes first." : "; the least energy comes first.");
    table("summary-table", heads, groups.filter(isShown).map(summaryRow));
  }

  function showPlace() {
    const where = places.get(place.code);
    const best = measured[0], note = byId("place-note"), line = byId("emitted");
    if (!where) {
      note.textContent = asCharged() ? `Each run is charged in the place that its ${siteFactor} names; choose a place to see all of them there.`
        : "No place was set, and none is assumed: choose one to see what this emits.";
      line.textContent = (asCharged() && best ? `The whole study emits ${massText(studyKg())} CO₂e${studyRange()}${anyEstimated ? " (from estimated energies)" : ""}.` : "") + embodiedText();
      return;
    }
    note.textContent = `${where.intensity_g_per_kwh} g CO₂e per kWh${rangeText(where)} (${figureText(where)}; ${where.source})${pueText(where)}${chargeText()}`;
    if (!best) return;
    const sorted = [...places.values()].filter((p) => report.emissions.among.some((a) => a.code === p.code) && p !== where)
      .sort((a, b) => a.intensity_g_per_kwh - b.intensity_g_per_kwh);
    const elsewhere = sorted.length ? [sorted[0], sorted[sorted.length - 1]].filter((p, i, all) => all.indexOf(p) === i) : [];
    line.textContent = `In ${where.name} a run of ${best.label} emits ${massText(runKg(best, where))} CO₂e, ` +
      `the whole study ${massText(studyKg(where))}${studyRange(where)}` + (elsewhere.length
        ? `; the study would emit ${elsewhere.map((p) => `${massText(emitted(total_j, p))} in ${p.name}`).join(" and ")}` : "") + (anyEstimated ? " (from estimated energies)." : ".") + embodiedText();
  }

  // by the range of the intensity: of the runs as they were charged, or of a place's yearly figure
  function studyRange(where) {
    const sum = (end) => measured.reduce((kg, g) => (g[end] === null ? NaN : kg + g[end] * g.energy_j.n), 0) * place.pue / report.emissions.pue;
    const yearly = (end) => (where[end] === null ? NaN : emitted(total_j, { intensity_g_per_kwh: where[end] }));
    const [low, high] = asCharged() ? [sum("low_kg_co2e"), sum("high_kg_co2e")] : [yearly("low_g_per_kwh"), yearly("high_g_per_kwh")];
    return high > low ? ` (${massText(low)} to ${massText(high)} by the range of the intensity)` : "";
  }

  function embodiedText() {
    const machine = report.emissions.embodied;
    return machine ? ` Making the machine emitted ${massText(machine.machine_kg_co2e)} CO₂e; the runs' share by time is ${massText(machine.kg_co2e)}, which is not in these figures.` : "";
  }

  function placeChanged() {
    showPlace();
    showSummary();
    return Promise.all([drawEmissions(), drawElsewhere()]);
  }

  function filterNote() {
    if (!isFiltered()) return "";
    const kinds = groups.filter(isShown).length, runs = done.filter((run) => run.group !== null && isShown(groups[run.group])).length;
    return `A filter is on: ${filterText()}. ${kinds ? `Shown are ${countText(kinds)} of ${countText(groups.length)} kinds, `
      + `${countText(runs)} of ${countText(done.length)} finished runs.` : "No kind has these levels: nothing is left to show."}`
      + " The answer, its sentences, the Pareto front, what differs, instruments, emissions, power and the list of runs are of the whole study.";
  }

  let filters = 0, redrawing = Promise.resolve();
  // One at a time; of several that wait only the last is drawn.
  function filterChanged() {
    const own = ++filters;
    byId("filter-note").textContent = filterNote();
    byId("show-all").disabled = !isFiltered();
    showSummary();
    redrawing = redrawing.then(() => (own === filters ? Promise.all([...drawRuns(), ...drawEpochs()]) : null)).catch(failed);
  }

  function levelBox(factor, level) {
    const box = el("input", { type: "checkbox", checked: "", autocomplete: "off" });
    box.addEventListener("change", () => {
      leftOut.get(factor.name)[box.checked ? "delete" : "add"](level);
      filterChanged();
    });
    return el("label", {}, box, level);
  }

  // Of one factor that varies, the charts show at a glance what a filter would.
  function showFilter() {
    if (varied.length < 2 || groups.length < 2) return;
    const form = byId("filter-form"), all = el("button", { type: "button", id: "show-all", disabled: "" }, "Show all");
    all.addEventListener("click", () => {
      leftOut.forEach((levels) => levels.clear());
      form.querySelectorAll("input").forEach((box) => { box.checked = true; });
      form.querySelector("input").focus(); // a disabled button would lose the focus
      filterChanged();
    });
    form.addEventListener("submit", (event) => event.preventDefault());
    form.append(...varied.map((factor) => el("fieldset", {}, el("legend", {}, factor.name),
      ...factor.levels.map((level) => levelBox(factor, level)))), all);
    byId("filter").hidden = false;
  }

  function showControls() {
    const select = byId("location"), pue = byId("pue");
    select.append(el("option", { value: "" }, "not set"));
    for (const where of [...places.values()].sort((a, b) => a.name.localeCompare(b.name, "en")))
      select.append(el("option", { value: where.code }, `${where.name} (${where.code})`));
    select.value = place.code;
    pue.value = place.pue;
    byId("place").addEventListener("submit", (event) => event.preventDefault());
    const changed = () => {
      place.code = select.value;
      if (pue.validity.valid && pue.value !== "") place.pue = Number(pue.value);
      if (!place.pueSet) pue.value = place.pue = (places.get(place.code) || {}).pue || 1;
      Promise.resolve(placeChanged()).catch(failed);
    };
    select.addEventListener("change", changed);
    pue.addEventListener("input", () => {
      place.pueSet = true;
      changed();
    });
  }

  function showHead() {
    const { study, counts } = report;
    byId("study").textContent = study.name;
    byId("question").textContent = study.question || "";
    const parts = [`${counts.done} of ${counts.planned} runs done`];
    if (counts.failed) parts.push(`${counts.failed} failed`);
    if (counts.cut) parts.push(`${counts.cut} cut short`);
    if (counts.running) parts.push(`${counts.running} under way`);
    parts.push(`begun ${study.created}`, `reported ${report.generated}`, `seed ${study.seed}`, `Joulery ${report.version}`);
    byId("about").textContent = parts.join(" · ");
    byId("headline").textContent = together(report.answer.headline);
    byId("threats").append(...report.answer.threats.map((threat) => el("li", {}, together(threat))));
    if (!report.answer.threats.length) hide("validity");
    byId("sentences").append(...report.answer.sentences.map((sentence) => el("li", {}, together(sentence))));
    byId("footer").append(el("p", {}, `Made by Joulery ${report.version} at ${report.generated}. ` +
      "This page holds all of its data and loads nothing."));
  }

  const fact = (list, name, text) => list.append(el("dt", {}, name), el("dd", {}, text));

  function showMethod() {
    const { recorder, instruments, hosts, notes } = report, facts = el("dl", { class: "facts" });
    if (instruments.some((i) => i.kind === "model"))
      byId("method-text").append(el("p", { class: "warning" }, "Some energies here come from a model, not from an instrument: " +
        "they are marked est. everywhere. Compare them with each other, not with a meter."));
    fact(facts, "Energy", report.energy_basis === "hardware" ? "of the wattmeter (no software total)"
      : "CPU packages, memory outside of them and GPUs; nothing is counted twice");
    if (known(recorder.rate_hz)) fact(facts, "Sampling", `${Number(recorder.rate_hz.toPrecision(3))} times a second`);
    if (known(recorder.cpu_share))
      fact(facts, "Recorder", `${percent(recorder.cpu_share, 2)} of one CPU` +
        (known(recorder.peak_rss_bytes) ? `, ${digits(recorder.peak_rss_bytes / 1048576)} MiB of memory at most` : ""));
    const gaps = instruments.reduce((sum, i) => sum + i.gaps, 0);
    fact(facts, "Gaps", gaps ? `${gaps} ${gaps === 1 ? "stretch" : "stretches"} without a trusted reading, see the table` : "none");
    byId("method-text").append(facts);
    table("instruments", ["instrument", "channel", "scope", "kind", "stated accuracy", "runs", "energy", "gaps"],
      instruments.map((i) => [el("th", { scope: "row" }, i.meter), i.part_of ? `${i.name} (in ${i.part_of})` : i.name, i.scope,
        el("td", { class: "text" }, i.kind, i.kind === "model" ? estimate() : null, i.apart ? el("small", {}, "apart: in no total") : null),
        el("td", { class: "text" }, i.accuracy > 0 ? `${digits(i.accuracy * 100, 2)} %` : "not known", el("small", { style: "white-space:normal" }, i.accuracy_source)), i.runs,
        energyText(i.energy_j), i.gaps ? `${i.gaps} (${durationText(i.gap_s)})` : "none"]), [0, 1, 2, 3, 4]);
    if (notes.length)
      byId("notes").append(el("h3", {}, "Notes of the recorder"),
        el("ul", {}, ...notes.map((n) => el("li", {}, n.text, n.runs > 1 ? ` (${countText(n.runs)} times)` : null))));
    table("hosts", ["name", "CPU", "sockets, CPUs", "memory", "system", "virtualisation", "Joulery", "runs"],
      hosts.map((h) => [el("th", { scope: "row" }, h.name), h.cpu_model, `${h.sockets}, ${h.logical_cpus}`,
        `${digits(h.memory_bytes / 2 ** 30)} GiB`, [h.os, h.kernel].filter(Boolean).join(", "), h.virtualisation, h.version, h.runs]), [0, 1, 4, 5]);
  }

  function showTroubles() {
    const troubles = report.runs.filter((run) => run.state === "failed" || run.state === "cut");
    if (!troubles.length) return;
    const how = (run) => (run.state === "cut" ? "cut short"
      : run.term_signal ? `killed by signal ${run.term_signal}` : `failed with exit status ${run.exit_status}`);
    const shown = troubles.slice(0, 100);
    byId("troubles").append(el("h3", {}, "Failed and cut runs"),
      el("p", { class: "lead" }, "They count in no figure above." +
        (shown.length < troubles.length ? ` The first ${shown.length} of ${countText(troubles.length)}.` : "")),
      ...shown.map((run) => el("div", {},
        el("p", {}, el("strong", {}, `Run ${run.run}: ${run.group === null ? "" : groups[run.group].label}, repetition ${run.repetition}`),
          ` – ${how(run)}, begun ${run.started}`),
        run.output_tail ? el("pre", { tabindex: "0" }, run.output_tail) : null)));
  }

  function showAllRuns() {
    const MOST = 1000, shown = report.runs.slice(0, MOST);
    const heads = ["run", "kind", "repetition", "state", "begun", "time", "energy", "± (standard uncertainty)",
      ...(report.accuracy ? ["accuracy"] : []), "gaps"];
    table("runs-table", heads, shown.map((run) => [run.run, run.group === null ? "" : groups[run.group].label, run.repetition, run.state,
      run.started, durationText(run.wall_s), withSmall(energyText(run.energy_j), null, run.estimated && known(run.energy_j) ? estimate() : null),
      energyText(run.uncertainty_j),
      ...(report.accuracy ? [accuracyText(run.accuracy)] : []), run.gap_s ? durationText(run.gap_s) : "none"]), [1, 3, 4]);
    if (report.runs.length > MOST)
      byId("runs-table").append(el("caption", {}, `The first ${MOST} of ${countText(report.runs.length)}; joulery report --json has all.`));
  }

  function showRuns() {
    showTroubles();
    byId("all-runs").addEventListener("toggle", showAllRuns, { once: true }); // thousands of rows: only when asked for
    byId("definition").textContent = report.study.definition;
  }

  function showNav() {
    for (const section of document.querySelectorAll("main > section[data-title]"))
      if (!section.hidden) byId("nav").append(el("a", { href: `#${section.id}` }, section.dataset.title));
  }

  const redrawAll = () => Promise.all([...drawn.values()].map((again) => again())).catch(failed);
  // Paper is light, whatever the screen is.
  function onPaper(printing) {
    if (!matchMedia("(prefers-color-scheme: dark)").matches) return;
    document.documentElement.classList.toggle("paper", printing);
    redrawAll();
  }

  async function show() {
    showHead();
    showView();
    showControls();
    showWhereControls();
    showFilter();
    showPlace();
    showSummary();
    showMethod();
    showDiffers();
    showRuns();
    const work = [...drawRuns(), drawComparison(), drawEmissions(), drawElsewhere(), ...drawEpochs(), showTraces()];
    showNav();
    await Promise.all(work);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { redrawAll(); showSummary(); });
    addEventListener("beforeprint", () => onPaper(true));
    addEventListener("beforeprint", () => [...waiting.keys()].forEach(drawWaiting));
    addEventListener("beforeprint", () => document.querySelectorAll("#differs details").forEach((pairs) => { pairs.open = true; }));
    addEventListener("afterprint", () => onPaper(false));
    document.documentElement.dataset.ready = "yes";
    opened = true;
    await drawRest();
  }
  show().catch(failed);
})();
