#!/usr/bin/env python3
"""Rack PDUs with known truth, for snmpd's pass_persist: wall_snmp.py START

Power follows the same curve as wall_server.py's, from START (CLOCK_BOOTTIME, ns) on; energy is its exact integral, in the devices'
steps. The trees are those of APC's, Raritan's and Server Technology's PDUs, as far as presets ask them, with what devices answer
that measure less; below 55555 is what no preset asks.
"""
import math
import sys
import time

MEAN_W, SWING_W, PERIOD_S = 100.0, 40.0, 3.0
START = int(sys.argv[1]) / 1e9
ENTERPRISES = ".1.3.6.1.4.1."
RARITAN = "13742.6.5.2.3.1.4.1."
RARITAN_DIGITS = "13742.6.3.3.4.1.7.1."


def power(t):
    return MEAN_W + SWING_W * math.sin(2 * math.pi * t / PERIOD_S)


def energy(t):
    return MEAN_W * t + SWING_W * PERIOD_S / (2 * math.pi) * (1 - math.cos(2 * math.pi * t / PERIOD_S))


def tree():
    t = time.clock_gettime(time.CLOCK_BOOTTIME) - START
    w, j = power(t), energy(t) + 5e6
    return {
        "318.1.1.26.4.3.1.5.1": ("integer", round(w / 10)),
        "318.1.1.26.4.3.1.9.1": ("integer", int(j / 360000)),
        "318.1.1.26.4.3.1.5.2": ("integer", -1),
        "318.1.1.26.4.3.1.9.2": ("integer", -1),
        RARITAN + "1.5": ("gauge", round(100 * w)),
        RARITAN_DIGITS + "1.5": ("gauge", 2),
        RARITAN + "1.8": ("gauge", int(j / 3.6)),
        RARITAN_DIGITS + "1.8": ("gauge", 3),
        RARITAN + "2.5": ("gauge", round(w)),
        RARITAN_DIGITS + "2.5": ("gauge", 12),
        RARITAN + "2.8": ("gauge", int(j / 3600)),
        RARITAN_DIGITS + "2.8": ("gauge", 0),
        "1718.4.1.8.3.1.7.1.1.1": ("integer", round(w)),
        "1718.4.1.8.3.1.14.1.1.1": ("integer", int(j / 3600)),
        "55555.1": ("string", f" {w:.2f} "),
        "55555.2": ("string", "busy"),
        "55555.3": ("ipaddress", "127.0.0.1"),
        "55555.4": ("counter64", int(j) + 2**40),
        "55555.5": ("gauge", 4294967295),
    }


def main():
    while True:
        command = sys.stdin.readline().strip()
        if not command:
            return
        if command == "PING":
            print("PONG", flush=True)
            continue
        oid = sys.stdin.readline().strip()
        found = tree().get(oid.removeprefix(ENTERPRISES)) if command == "get" else None
        print("\n".join([oid, found[0], str(found[1])]) if found else "NONE", flush=True)


if __name__ == "__main__":
    main()
