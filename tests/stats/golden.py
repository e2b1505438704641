#!/usr/bin/env python3
"""Prints the golden values of test_stats.c, by NumPy and SciPy (made with NumPy 1.24 and SciPy 1.10)."""
import numpy as np
from scipy import stats

ENERGY = [1204.5, 1187.25, 1243.0, 1199.75, 1310.125]
OTHER = [2210.0, 2301.5, 2150.25]


def summary(values):
    v = np.array(values)
    low, high = stats.t.interval(0.95, len(v) - 1, loc=v.mean(), scale=stats.sem(v))
    return [v.mean(), v.std(ddof=1), low, high, v.min(), *np.percentile(v, [25, 50, 75]), v.max()]


def ratio(a, b):
    a, b = np.log(a), np.log(b)
    va, vb = a.var(ddof=1) / len(a), b.var(ddof=1) / len(b)
    freedom = (va + vb) ** 2 / (va**2 / (len(a) - 1) + vb**2 / (len(b) - 1))
    half = stats.t.ppf(0.975, freedom) * np.sqrt(va + vb)
    # the same t that SciPy's own Welch test has
    t = stats.ttest_ind(a, b, equal_var=False).statistic
    assert np.isclose(t, (a.mean() - b.mean()) / np.sqrt(va + vb))
    d = a.mean() - b.mean()
    return [np.exp(d), np.exp(d - half), np.exp(d + half)]


for name, values in [("five", summary(ENERGY)), ("three", summary(OTHER)), ("ratio", ratio(OTHER, ENERGY))]:
    print(name, ", ".join(repr(float(v)) for v in values))
