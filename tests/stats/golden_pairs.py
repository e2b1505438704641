#!/usr/bin/env python3
"""Prints the golden values of test_pairs.c, by NumPy and SciPy (made with NumPy 1.24 and SciPy 1.10).

SciPy has Pearson's, Spearman's and Kendall's coefficients, the line of least squares, Shapiro-Wilk, the paired t and Wilcoxon's signed
ranks; Bland-Altman, Deming and Lin's coefficient are written out from their papers, with other means than Joulery's: Deming's slope
from the first eigenvector of the covariance, its jackknife by leaving out rows of an array.
"""
import numpy as np
from scipy import stats

X = np.array([102.5, 155.25, 98.0, 201.0, 250.5, 180.75, 120.0, 305.25, 275.0, 222.5])
Y = np.array([150.0, 212.5, 149.25, 260.0, 322.5, 238.75, 176.5, 388.75, 345.0, 288.0])
TIES_X = np.array([1.0, 2.0, 2.0, 3.0, 5.0, 5.0, 7.0, 8.0])
TIES_Y = np.array([2.0, 2.0, 3.0, 3.0, 4.0, 9.0, 7.0, 7.0])
SKEWED = np.array([0.1, 0.2, 0.15, 0.3, 0.22, 0.18, 9.0, 0.12, 0.25, 0.4, 0.33, 14.0])


def fisher(r, error):
    z, half = np.arctanh(r), stats.norm.ppf(0.975) * error
    return [r, np.tanh(z - half), np.tanh(z + half)]


def bland_altman(x, y):
    d, n = y - x, len(x)
    t, sd = stats.t.ppf(0.975, n - 1), d.std(ddof=1)
    out = [sd]
    for value, error in ((d.mean(), sd / np.sqrt(n)), (d.mean() - 1.96 * sd, sd * np.sqrt(3 / n)), (d.mean() + 1.96 * sd, sd * np.sqrt(3 / n))):
        out += [value, value - t * error, value + t * error]
    return out


def least_squares(x, y, at):
    n, line = len(x), stats.linregress(x, y)
    t = stats.t.ppf(0.975, n - 2)
    s = np.sqrt(((y - line.intercept - line.slope * x) ** 2).sum() / (n - 2))
    spread = t * s * np.sqrt(1 + 1 / n + (at - x.mean()) ** 2 / ((x - x.mean()) ** 2).sum())
    middle = line.intercept + line.slope * at
    return [line.slope, line.slope - t * line.stderr, line.slope + t * line.stderr, line.intercept,
            line.intercept - t * line.intercept_stderr, line.intercept + t * line.intercept_stderr, s, middle, middle - spread, middle + spread]


def deming(x, y, ratio):
    scaled = np.cov(np.vstack([x * np.sqrt(ratio), y]))
    values, vectors = np.linalg.eigh(scaled)
    v = vectors[:, np.argmax(values)]
    slope = v[1] / v[0] * np.sqrt(ratio)
    return np.array([slope, y.mean() - slope * x.mean()])


def deming_line(x, y, ratio):
    n, whole = len(x), deming(x, y, ratio)
    parts = np.array([deming(np.delete(x, i), np.delete(y, i), ratio) for i in range(n)])
    pseudo = n * whole - (n - 1) * parts
    half = stats.t.ppf(0.975, n - 2) * pseudo.std(axis=0, ddof=1) / np.sqrt(n)
    return [whole[0], whole[0] - half[0], whole[0] + half[0], whole[1], whole[1] - half[1], whole[1] + half[1]]


def concordance(x, y):
    n, sx, sy = len(x), x.std(), y.std()
    r = np.corrcoef(x, y)[0, 1]
    c = 2 * r * sx * sy / (sx**2 + sy**2 + (x.mean() - y.mean()) ** 2)
    u = (x.mean() - y.mean()) / np.sqrt(sx * sy)
    variance = ((1 - r**2) * c**2 / ((1 - c**2) * r**2) + 2 * c**3 * (1 - c) * u**2 / (r * (1 - c**2) ** 2)
                - c**4 * u**4 / (2 * r**2 * (1 - c**2) ** 2)) / (n - 2)
    return fisher(c, np.sqrt(variance))


def show(name, values):
    print(name, ", ".join(repr(float(v)) for v in values))


show("bland_altman", bland_altman(X, Y))
show("least_squares", least_squares(X, Y, 240.0))
show("deming 1", deming_line(X, Y, 1.0))
show("deming 2.5", deming_line(X, Y, 2.5))
show("pearson", fisher(stats.pearsonr(X, Y)[0], 1 / np.sqrt(len(X) - 3)))
show("concordance", concordance(X, Y))
show("spearman ties", [stats.spearmanr(TIES_X, TIES_Y)[0]])
show("kendall ties", [stats.kendalltau(TIES_X, TIES_Y)[0]])
show("kendall", [stats.kendalltau(X, Y)[0]])
for name, values in (("X", X), ("differences", Y - X), ("skewed", SKEWED), ("three", X[:3]), ("five", X[:5]), ("ties", TIES_Y),
                     ("many", np.sin(np.arange(60.0)) ** 3)):
    show("shapiro " + name, stats.shapiro(values))
show("t", stats.ttest_rel(Y, X))
show("wilcoxon exact", [stats.wilcoxon(Y - X - 60.1, mode="exact", alternative="greater").statistic, stats.wilcoxon(Y - X - 60.1, mode="exact").pvalue])
show("wilcoxon ties", [stats.wilcoxon(TIES_Y - TIES_X, correction=True, mode="approx", alternative="greater").statistic,
                       stats.wilcoxon(TIES_Y - TIES_X, correction=True, mode="approx").pvalue])
