#!/usr/bin/env python3
"""joulery calibrate from loads to predictions, with a wattmeter whose truth is known: bench/calibrate.py [JOULERY [SECONDS [REPEAT]]]

The wattmeter is an HTTP server on loopback whose wall is 50 W + 1.2 times what the model of the CPU says (docs/method.md) of a processor
of 100 W. Load is real, but both sides count only what joulery and its children do (a /proc/stat made from their times), so that others
on the machine don't matter. Prints the calibration, and for commands of other loads what a run without the wattmeter predicts beside
what the server counted.
"""
import glob
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time

JOULERY = sys.argv[1] if len(sys.argv) > 1 else "build/release/bin/joulery"
SECONDS, REPEAT = (sys.argv[2:4] + ["6", "3"][len(sys.argv[2:4]):])
TDP, IDLE, PEAK, OFFSET_W, SLOPE = 100, 0.0045, 0.692, 50.0, 1.2
CPUS = os.cpu_count()
TICK = os.sysconf("SC_CLK_TCK")


def threads_of(pid):
    """CPU time of each thread of a process and its children, in ticks."""
    times = []
    for folder in glob.glob(f"/proc/{pid}/task/*"):
        try:
            with open(folder + "/stat") as stat:
                fields = stat.read().rsplit(")", 1)[1].split()
            with open(folder + "/children") as children:
                offspring = children.read().split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        times.append(int(fields[11]) + int(fields[12]))
        for child in offspring:
            times += threads_of(child)
    return times


class World:
    """A /proc/stat of one process tree, and the wall over it."""

    def __init__(self, folder):
        self.procfs = folder + "/proc"
        os.mkdir(self.procfs)
        for name in ("cpuinfo", "meminfo", "sys", "self", "1"):
            os.symlink("/proc/" + name, f"{self.procfs}/{name}")
        self.lock = threading.Lock()
        self.pid, self.start, self.past = None, time.monotonic(), [0] * CPUS
        self.power_w, self.energy_j, self.since = OFFSET_W, 0.0, time.monotonic()
        self.write(self.ticks())
        self.ended = threading.Event()
        self.follower = threading.Thread(target=self.follow, daemon=True)
        self.follower.start()

    def end(self):
        self.ended.set()
        self.follower.join()

    def ticks(self):
        """Busy and total of each CPU; threads are dealt out to CPUs, the busiest first."""
        total = int((time.monotonic() - self.start) * TICK) + 1
        now = [0] * CPUS
        for used in sorted(threads_of(self.pid) if self.pid else [], reverse=True):
            now[now.index(min(now))] += used
        self.past = [min(max(a, b), total) for a, b in zip(self.past, now)] if self.pid else self.past
        return [(busy, total) for busy in self.past]

    def write(self, ticks):
        def line(name, busy, idle):
            return f"{name:<6} {busy:012d} 0 0 {idle:012d} 0 0 0 0 0 0\n"
        text = line("cpu", sum(b for b, _ in ticks), sum(t - b for b, t in ticks))
        text += "".join(line(f"cpu{i}", b, t - b) for i, (b, t) in enumerate(ticks))
        descriptor = os.open(self.procfs + "/stat", os.O_WRONLY | os.O_CREAT)
        os.pwrite(descriptor, text.encode(), 0)
        os.close(descriptor)

    def follow(self):
        before, when = self.ticks(), 0.0
        while not self.ended.wait(0.02):
            now = self.ticks()
            self.write(now)
            if time.monotonic() - when < 0.1:
                continue
            with self.lock:
                self.settle()
                self.power_w = OFFSET_W + SLOPE * self.model_w(before, now)
            before, when = now, time.monotonic()

    @staticmethod
    def model_w(before, now):
        each = [min((b1 - b0) / (t1 - t0), 1) if t1 > t0 else 0 for (b0, t0), (b1, t1) in zip(before, now)]
        u = sum(each) / len(each)
        w = sum(x * x for x in each) / sum(each) if u > 0 else 1
        return TDP * (IDLE + (PEAK - IDLE) * 3 * u / (1 + 2 * u) * (1 + w) / 2)

    def settle(self):
        now = time.monotonic()
        self.energy_j += self.power_w * (now - self.since)
        self.since = now

    def read(self):
        with self.lock:
            self.settle()
            return {"w": self.power_w, "j": self.energy_j}

    def run(self, arguments, environment):
        """A joulery whose process tree the world is about from its start; the wall's joules meanwhile."""
        self.past, self.start = [0] * CPUS, time.monotonic()
        before = self.read()["j"]
        process = subprocess.Popen([JOULERY, *arguments], env=environment, stderr=subprocess.PIPE, text=True)
        self.pid = process.pid
        _, said = process.communicate()
        self.pid = None
        if process.returncode:
            sys.exit(said)
        return self.read()["j"] - before


def serve(world):
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_GET(self):
            body = json.dumps(world.read()).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


BURN = "import time\nend = time.time() + {s}\nwhile time.time() < end:\n  t = time.time()\n  while time.time() < t + {busy}: pass\n  time.sleep({rest})"


def main():
    with tempfile.TemporaryDirectory() as folder:
        world = World(folder)
        site, calibration, record = (f"{folder}/{name}" for name in ("site.yaml", "calibration.json", "run.json"))
        with open(site, "w") as file:
            file.write(f"wattmeters:\n  - name: plug\n    url: http://127.0.0.1:{serve(world)}/\n    power: {{at: /w, unit: W}}\n"
                       "    energy: {at: /j, unit: J, step: 0.01}\n    interval: 0.5\n")
        environment = {**os.environ, "JOULERY_PROCFS": world.procfs, "JOULERY_SYSFS": "/nonexistent", "XDG_CONFIG_HOME": folder}
        meters = ["--meter", "cpu-model", "--tdp", str(TDP)]
        world.run(["calibrate", *meters, "--meter", "wattmeter", "--site", site, "--for", SECONDS, "--repeat", REPEAT, "-o", calibration],
                  environment)
        for share in (0.1, 0.4, 0.8):
            burn = BURN.format(s=8, busy=0.05 * share, rest=0.05 * (1 - share))
            truth_j = world.run(["run", "-q", *meters, "--calibration", calibration, "--json", record, "--", "python3", "-c", burn], environment)
            with open(record) as file:
                run = json.load(file)
            wall = run["calibrated"]
            print(f"one thread busy for {share:.0%}, {run['wall_s']:.1f} s: software {run['totals']['software_j']:.0f} J, wall predicted "
                  f"{wall['wall_j']:.0f} J ({wall['low_j']:.0f} to {wall['high_j']:.0f}), counted {truth_j:.0f} J, "
                  f"{len(wall['warnings'])} warnings")
        world.end()


if __name__ == "__main__":
    main()
