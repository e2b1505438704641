#!/usr/bin/env python3
"""Writes docs/performance.md: how fast every architecture of the zoo trains on this machine.

    make build && python3 bench/performance.py [--output docs/performance.md] [--steps 20] [--turns 3] [--threads N]

Each architecture is trained by bench_step on random images, in a process of its own, three times in turns; figures are those of the
turn whose step is the median. The limit is the rate of a product of two matrices of 4096 x 4096 floats by oneDNN, measured by the
same process on the same threads just after; FLOPs are three times those of the forward pass, without those of batch normalisation,
activations and the optimiser. The machine should have nothing else to do.
"""
import argparse
import datetime
import json
import os
import platform
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--build", default=os.path.join(HERE, "..", "build", "release"))
    p.add_argument("--output", default=os.path.join(HERE, "..", "docs", "performance.md"))
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--steps", type=int, default=20)
    p.add_argument("--turns", type=int, default=3)
    p.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    return p.parse_args()


def architectures(a):
    zoo = os.path.join(a.build, "bin", "joulery-train")
    return json.loads(subprocess.run([zoo, "zoo", "--json", "-"], check=True, capture_output=True, text=True).stdout)


def step(a, name, size, mode="full", precision="fp32"):
    command = [os.path.join(a.build, "bin", "bench_step"), "--json", name, str(size), str(a.batch), str(a.steps), "adam", str(a.threads)]
    return json.loads(subprocess.run(command + [mode, precision], check=True, capture_output=True, text=True).stdout)


def median_step(a, *what):
    """Turns of everything in `what`: the median of each."""
    turns = [[step(a, *w) for w in what] for _ in range(a.turns)]
    return [sorted((t[i] for t in turns), key=lambda r: r["step_s"])[a.turns // 2] for i in range(len(what))]


def cells(r):
    share = r["flops_per_s"] / r["product_flops_per_s"]
    return [f"{r['step_s'] * 1e3:.1f}", f"{r['images_per_s']:,.0f}", f"{r['flops_per_s'] / 1e9:.0f}", f"{100 * share:.0f} %",
            f"{r['peak_rss_bytes'] / 2**20:.0f}"]


def row(*texts):
    return "| " + " | ".join(texts) + " |"


def processor():
    with open("/proc/cpuinfo") as f:
        text = f.read()
    name = re.search(r"model name\s*:\s*(.*)", text)
    flags = re.search(r"flags\s*:\s*(.*)", text)
    has = [f for f in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flags and f in flags.group(1).split()]
    return f"{name.group(1) if name else platform.machine()} ({', '.join(has)})"


def main():
    a = arguments()
    date = datetime.date.today().isoformat()
    lines = ["# Performance", "",
             f"Made by `bench/performance.py` on {date}: {processor()}, {a.threads} threads, batch {a.batch}, Adam, {a.steps} steps after the",
             f"first, median of {a.turns} turns. What each column means is said in the script. README.md has the comparison with PyTorch.", "",
             "## Training", "",
             row("architecture", "pixels", "ms a step", "images/s", "GFLOP/s", "of the limit", "peak MiB", "bf16 ms a step", "bf16 peak MiB"),
             row(*["---"] + ["---:"] * 8)]
    for entry in architectures(a)["architectures"]:
        name = entry["name"]
        size = max(32, entry["least_size"])
        whole, half = median_step(a, (name, size), (name, size, "full", "bf16"))
        lines.append(row(name, str(size), *cells(whole), f"{half['step_s'] * 1e3:.1f}", f"{half['peak_rss_bytes'] / 2**20:.0f}"))
        print(lines[-1], flush=True)
    lines += ["", "## Frozen base", "", "The base alone, forward, as `--freeze base` runs it:", "",
              row("architecture", "pixels", "ms a batch", "images/s", "GFLOP/s", "of the limit", "peak MiB", "bf16 ms a batch"),
              row(*["---"] + ["---:"] * 7)]
    for name in ("vgg16", "vgg19", "resnet50"):
        whole, half = median_step(a, (name, 32, "base"), (name, 32, "base", "bf16"))
        lines.append(row(name, "32", *cells(whole), f"{half['step_s'] * 1e3:.1f}"))
        print(lines[-1], flush=True)
    with open(a.output, "w") as f:
        f.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
