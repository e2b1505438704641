#!/usr/bin/env python3
"""Fills low_g_per_kwh and high_g_per_kwh of data/places_country.csv in, from data/mix_country.csv and data/energy_source.csv: the
country's mix, each source with the least and with the greatest number published for it. A range that leaves the country's own
figure out is widened to it, and that is said. docs/method.md has the rest."""

import csv, pathlib, sys

DATA = pathlib.Path(__file__).parent
SOURCES = ("coal", "gas", "oil", "nuclear", "hydro", "wind", "solar", "other")


def table(name):
    lines = (DATA / name).read_text(encoding="utf8").splitlines(keepends=True)
    comments = [l for l in lines if l.startswith("#")]
    return comments, csv.DictReader(lines[len(comments):])


def bounds():
    numbers = {}
    for row in table("energy_source.csv")[1]:
        numbers.setdefault(row["energy"], []).extend(
            float(row[k]) for k in ("g_per_kwh", "low_g_per_kwh", "high_g_per_kwh") if row[k])
    return {s: (min(numbers[s]), max(numbers[s])) for s in SOURCES}


def mixes():
    shares = {}
    for row in table("mix_country.csv")[1]:
        twh = {s: float(row[s + "_twh"]) for s in SOURCES[:-1]}
        twh["other"] = max(float(row["total_twh"]) - sum(twh.values()), 0)
        total = sum(twh.values())
        shares[row["code"]] = {s: part / total for s, part in twh.items()} if total else None
    return shares


def main():
    bound, mix, widened = bounds(), mixes(), []
    comments, reader = table("places_country.csv")
    rows = list(reader)
    for row in rows:
        share = mix.get(row["code"])
        if not share:
            row["low_g_per_kwh"] = row["high_g_per_kwh"] = ""
            continue
        low, high = (sum(part * bound[s][i] for s, part in share.items()) for i in (0, 1))
        own = float(row["g_per_kwh"])
        if not low <= own <= high:
            widened.append(f"{row['code']} ({own:g}: {low:.0f} to {high:.0f})")
        row["low_g_per_kwh"] = f"{low:.4g}" if low < own else row["g_per_kwh"]
        row["high_g_per_kwh"] = f"{high:.4g}" if high > own else row["g_per_kwh"]
    with open(DATA / "places_country.csv", "w", encoding="utf8", newline="") as out:
        out.writelines(comments)
        writer = csv.DictWriter(out, reader.fieldnames, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{len(rows)} ranges, {len(widened)} widened to the country's own figure: {', '.join(widened)}", file=sys.stderr)


main()
