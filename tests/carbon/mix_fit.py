#!/usr/bin/env python3
"""What burning each source emits, g CO2e/kWh, if the direct figures of US states in data/places_region.csv are their mix in
data/mix_region.csv times one number per source: least squares without negative numbers. The test `facts` has them once more. Needs
scipy."""

import csv, pathlib

import numpy
from scipy.optimize import nnls

DATA = pathlib.Path(__file__).parents[2] / "data"
BURNT = ("coal", "gas", "oil", "fossil", "other")


def table(name):
    with open(DATA / name, encoding="utf8") as file:
        return {row["code"]: row for row in csv.DictReader(line for line in file if not line.startswith("#"))}


def share(row):
    parts = {name[:-len("_percent")]: float(row[name]) for name in row if name.endswith("_percent")}
    total = parts.pop("total")
    parts["other"] = max(total - sum(parts.values()), 0)
    return [parts[source] / sum(parts.values()) for source in BURNT]


figures = table("places_region.csv")
states = {code: share(row) for code, row in table("mix_region.csv").items() if code.startswith("US-")}
own = numpy.array([float(figures[code]["g_per_kwh"]) for code in states])
shares = numpy.array(list(states.values()))
numbers, _ = nnls(shares, own)
ratio = own / (shares @ numbers)
print("\n".join(f"{source} {number:.0f}" for source, number in zip(BURNT, numbers)))
print(f"{sum(abs(ratio - 1) < 0.1)} of {len(ratio)} within 10%; own figure over that of the mix: {min(ratio):.2f} to {max(ratio):.2f}")
