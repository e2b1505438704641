#!/usr/bin/env python3
"""Fits the model of the CPU (src/meter/cpu_model.c) to data/cpu_load_power.csv and prints how well it does on the machine
that it was not fitted to, beside TDP x load and beside other forms. docs/method.md explains the form; tests/meter checks
the figures of the first. Plain Python 3."""
import itertools
import math
import os

CSV = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "cpu_load_power.csv")


def read():
    points = []
    with open(CSV, encoding="utf-8") as file:
        for line in file:
            if line[0].isdigit():
                tdp_w, _, kind, load, power_w, model = line.rstrip("\n").split(",", 5)
                load = float(load) / 100
                # "some": the busy CPUs are fully busy; "all": every CPU is as busy as the whole
                points.append((float(tdp_w), load, 1.0 if kind == "some" else load, float(power_w), model.split()[0]))
    return points


def mae(points, fraction):
    return sum(abs(fraction(u, k) * tdp - power) for tdp, u, k, power, _ in points) / len(points)


def weighted_median(pairs):
    """Of (value, weight): what minimises the weighted sum of absolute deviations."""
    pairs = sorted(pairs)
    half, so_far = sum(weight for _, weight in pairs) / 2, 0
    for value, weight in pairs:
        so_far += weight
        if so_far >= half:
            return value


def ours(points):
    """Two fitted parameters: idle (mean at no load), peak (least absolute deviations)."""
    rest = [power / tdp for tdp, u, _, power, _ in points if u < 0.03]
    idle = sum(rest) / len(rest)
    shape = lambda u, k: 3 * u / (1 + 2 * u) * (1 + k) / 2
    peak = weighted_median([((power - idle * (1 - shape(u, k)) * tdp) / (shape(u, k) * tdp), shape(u, k) * tdp)
                            for tdp, u, k, power, _ in points if u > 0])
    return (idle, peak), lambda u, k: idle + (peak - idle) * shape(u, k)


def gridded(form, *ranges):
    """All parameters fitted, by trying all."""
    def fit(points):
        best = min(itertools.product(*ranges), key=lambda q: mae(points, lambda u, k: form(q, u, k)))
        return best, lambda u, k: form(best, u, k)
    return fit


SCALES = [0.30 + 0.02 * i for i in range(36)]
FORMS = [
    ("TDP x load", lambda points: ((), lambda u, k: u)),
    ("ours: idle and peak fitted, shape given", ours),
    ("the same, shape fitted too", gridded(lambda q, u, k: q[0] * (1 + q[1]) * u / (q[1] + u) * (1 - q[2] * (1 - k)),
                                           SCALES, [0.02 * 1.25 ** i for i in range(24)],
                                           [0.1 * i for i in range(11)])),
    ("a straight line through 0", gridded(lambda q, u, k: q[0] * u, SCALES)),
    ("Fan et al. 2007, 2u - u^r", gridded(lambda q, u, k: q[0] * (2 * u - u ** q[1]), SCALES,
                                          [1.1 + 0.1 * i for i in range(20)])),
    ("peak u^r", gridded(lambda q, u, k: q[0] * u ** q[1], SCALES, [0.1 * i for i in range(1, 21)])),
    ("peak u / (h + u)", gridded(lambda q, u, k: q[0] * (1 + q[1]) * u / (q[1] + u), SCALES,
                                 [0.02 * 1.25 ** i for i in range(24)])),
]


def main():
    points = read()
    amd = [p for p in points if p[4] == "AMD"]
    intel = [p for p in points if p[4] == "Intel(R)"]
    print("mean absolute error, W (times as close as TDP x load)")
    print(f"{'form':40}  {'all 42':>13}  {'AMD -> Intel':>13}  {'Intel -> AMD':>13}  {'left out':>13}  parameters of all 42")
    for name, fit in FORMS:
        parameters, whole = fit(points)
        _, of_amd = fit(amd)
        _, of_intel = fit(intel)
        errors = [mae(points, whole), mae(intel, of_amd), mae(amd, of_intel)]
        errors.append((errors[1] * len(intel) + errors[2] * len(amd)) / len(points))
        usual = [mae(over, lambda u, k: u) for over in (points, intel, amd, points)]
        cells = "  ".join(f"{e:5.2f} ({b / e:5.2f})" for e, b in zip(errors, usual))
        print(f"{name:40}  {cells}  {' '.join(f'{p:.4f}' for p in parameters)}")
    relative = []
    for train, test in ((amd, intel), (intel, amd)):
        _, fraction = ours(train)
        relative += [power / (fraction(u, k) * tdp) - 1 for tdp, u, k, power, _ in test if u >= 0.1]
    print(f"ours, left out, from 10 % load: relative error of the estimate, root mean square "
          f"{math.sqrt(sum(r * r for r in relative) / len(relative)):.3f}")


if __name__ == "__main__":
    main()
