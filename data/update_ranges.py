#!/usr/bin/env python3
"""Fills low_g_per_kwh and high_g_per_kwh of data/places_country.csv and data/places_region.csv in, from the tables of mixes beside them
and data/energy_source.csv: the place's mix, each source with the least and with the greatest number published for it. A range
that leaves the place's own figure out is widened to it, and that is said. A figure that counts the burning alone (scope direct) has no
range of that kind: what its mix gives stands apart, in life_cycle_low_g_per_kwh and life_cycle_high_g_per_kwh. With --check
nothing is written: the exit status is 1 where a table is not what this would write. docs/method.md has the rest."""

import csv, io, pathlib, sys

DATA = pathlib.Path(__file__).parent
SOURCES = ("coal", "gas", "oil", "nuclear", "hydro", "wind", "solar", "fossil", "other")
RANGES, LIFE_CYCLE = (tuple(f"{kind}{end}_g_per_kwh" for end in ("low", "high")) for kind in ("", "life_cycle_"))
FUELS = ("coal", "gas", "oil")  # between which other fossil fuels are taken to be
TABLES = (("places_country.csv", "mix_country.csv", "_twh"), ("places_region.csv", "mix_region.csv", "_percent"))


def table(name):
    lines = (DATA / name).read_text(encoding="utf8").splitlines(keepends=True)
    comments = [l for l in lines if l.startswith("#")]
    return comments, csv.DictReader(lines[len(comments):])


def bounds():
    numbers = {}
    for row in table("energy_source.csv")[1]:
        numbers.setdefault(row["energy"], []).extend(
            float(row[k]) for k in ("g_per_kwh", "low_g_per_kwh", "high_g_per_kwh") if row[k])
    numbers["fossil"] = [number for fuel in FUELS for number in numbers[fuel]]
    return {s: (min(numbers[s]), max(numbers[s])) for s in SOURCES}


def mixes(name, unit):
    shares = {}
    for row in table(name)[1]:
        parts = {s: float(row.get(s + unit, 0)) for s in SOURCES[:-1]}
        parts["other"] = max(float(row["total" + unit]) - sum(parts.values()), 0)
        total = sum(parts.values())
        shares[row["code"]] = {s: part / total for s, part in parts.items()} if total else None
    return shares


def fill(rows, mix, bound):
    """What was done: how many have a range, and those whose own figure is outside of it, by scope."""
    ranges, outside = 0, {"life-cycle": [], "direct": []}
    for row in rows:
        row.update((column, "") for column in RANGES + LIFE_CYCLE if column in row)
        share = mix.get(row["code"])
        if not share:
            continue
        low, high = (sum(part * bound[s][i] for s, part in share.items()) for i in (0, 1))
        own = float(row["g_per_kwh"])
        if not low <= own <= high:
            outside[row["scope"]].append(f"{row['code']} ({own:g}: {low:.0f} to {high:.0f})")
        ends = f"{low:.4g}", f"{high:.4g}"
        if row["scope"] == "direct":
            row.update(zip(LIFE_CYCLE, ends))
            continue
        row.update(zip(RANGES, (ends[0] if low < own else row["g_per_kwh"], ends[1] if high > own else row["g_per_kwh"])))
        ranges += 1
    return ranges, outside


def text_of(comments, names, rows):
    out = io.StringIO()
    out.writelines(comments)
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def say(name, ranges, outside):
    widened, direct = outside["life-cycle"], outside["direct"]
    print(f"{name}: {ranges} ranges, {len(widened)} widened to the place's own figure: {', '.join(widened) or '-'}", file=sys.stderr)
    if direct:
        print(f"{name}: direct, and outside of what its mix gives over the life cycle: {', '.join(direct)}", file=sys.stderr)


def main(check):
    bound, stale = bounds(), []
    for name, mix, unit in TABLES:
        comments, reader = table(name)
        rows = list(reader)
        ranges, outside = fill(rows, mixes(mix, unit), bound)
        text = text_of(comments, reader.fieldnames, rows)
        if not check:
            say(name, ranges, outside)
            (DATA / name).write_text(text, encoding="utf8")
        elif text != (DATA / name).read_text(encoding="utf8"):
            stale.append(name)
    for name in stale:
        print(f"data/{name} has not the ranges of its mix: run data/update_ranges.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["--check"]))
