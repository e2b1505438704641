#!/usr/bin/env python3
"""Prints the golden values of test_audit.c: which whole numbers of lost counter ranges lead to a power that can be.

Every number from 1 to 99 is tried against the bounds of docs/method.md, "Lost counter ranges"; the audit works them out from formulas
instead. Energies and powers are those of tests/data/imported, and of the second case of the test.
"""
import csv
import json
import math
import pathlib

RANGE_J = 262143.328850
DATA = pathlib.Path(__file__).parent.parent / "data" / "imported"


def candidates(energy_j, wall_s, closing_w, sockets, tdp_w, rest_j=0.0, wall_j=math.inf):
    found = []
    for wraps in range(1, 100):
        repaired_j = energy_j + wraps * RANGE_J
        mean_w = repaired_j / wall_s
        fits = closing_w / 2 <= mean_w <= closing_w * 2 and mean_w >= 5 * max(sockets, 1)
        fits = fits and (sockets == 0 or mean_w <= sockets * tdp_w) and repaired_j + rest_j <= wall_j
        if fits:
            found.append((abs(mean_w - closing_w), wraps, repaired_j))
    return found


def show(name, found):
    _, wraps, energy_j = min(found)
    numbers = [f[1] for f in found]
    spread = math.sqrt(max(sum((n - wraps) ** 2 for n in numbers) / len(numbers), 1 / 12))
    print(f'{{"{name}", {wraps}, {min(numbers)}, {max(numbers)}, {energy_j!r}, {spread * RANGE_J!r}}},')


for network in ("vgg16", "resnet50"):
    row = next(csv.DictReader(open(DATA / f"{network}_emissions.csv")))
    wall_j = json.load(open(DATA / f"{network}_wattmeter.json"))["joules"]
    cpu_j, gpu_j, ram_j = (float(row[f"{part}_energy"]) * 3.6e6 for part in ("cpu", "gpu", "ram"))
    for sockets in (2, 0):
        show(f"{network}, {sockets} sockets", candidates(cpu_j, float(row["duration"]), float(row["cpu_power"]), sockets, 135,
                                                         gpu_j + ram_j, wall_j))
show("near the wall", candidates(36000.0, 10000.0, 100.0, 0, 0, 36000.0, 900000.0))
show("one alone", candidates(-180000.0, 2000.0, 50.0, 0, 0))
