#!/usr/bin/env python3
"""Prints the golden values of test_align.c, by SciPy's least_squares (made with NumPy 1.24 and SciPy 1.10).

The run and the log are those of test_align.c's golden case, made by the same formulas. The model is the log's reading on the run's mean
power over the reading's cell, with offset, slope, delay at the run's middle and drift free, from the truth on; standard errors are
those of independent residuals.
"""
import numpy as np
from scipy.optimize import least_squares

RUN_S, STEP_S, DELAY_S, DRIFT = 300.0, 0.25, 7.3, 200e-6


def chance(i):
    """In [-1, 1): the fractional part of a large sine, as in many shaders."""
    v = np.sin(12.9898 * i + 4.1414) * 43758.5453
    return 2 * (v - np.floor(v)) - 1


def power_w(t):
    inside = (t >= 0) & (t < RUN_S)
    return np.where(inside, 30 + 14 * np.sin(t / 6.1) + 9 * np.sin(t / 2.3 + 1) + 5 * np.sin(t / 17.0), 5.0)


steps = np.arange(int(RUN_S / STEP_S))
energy_j = np.concatenate([[0], np.cumsum(power_w((steps + 0.5) * STEP_S) * STEP_S)])
at_s = np.arange(len(energy_j)) * STEP_S

true_s = np.arange(-40, 340) + 0.2 * chance(np.arange(380))
log_s = true_s + DELAY_S + DRIFT * (true_s - RUN_S / 2)
log_w = 50 + 1.3 * power_w(true_s) + 4 * chance(1000 + np.arange(380))

low, high = (log_s[:-2] + log_s[1:-1]) / 2, (log_s[1:-1] + log_s[2:]) / 2
y = log_w[1:-1]
middle_s = RUN_S / 2 + 7.3
keep = (low - 7.3 > 0.5) & (high - 7.3 < RUN_S - 0.5)


def residuals(p):
    offset, slope, delay, drift = p[0], p[1], p[2], p[3] * 1e-6
    u = low[keep] - delay - drift * (low[keep] - middle_s)
    v = high[keep] - delay - drift * (high[keep] - middle_s)
    return y[keep] - offset - slope * (np.interp(v, at_s, energy_j) - np.interp(u, at_s, energy_j)) / (v - u)


found = least_squares(residuals, [50, 1.3, DELAY_S, DRIFT * 1e6], x_scale=[10, 1, 0.1, 100], diff_step=1e-4, xtol=1e-12, ftol=1e-12)
variance = (found.fun ** 2).sum() / (len(found.fun) - 4)
errors = np.sqrt(np.diag(np.linalg.inv(found.jac.T @ found.jac)) * variance)
print("offset, slope, delay, drift in ppm: ", ", ".join(f"{v:.9g}" for v in found.x))
print("standard errors: ", ", ".join(f"{v:.6g}" for v in errors))
