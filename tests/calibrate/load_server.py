#!/usr/bin/env python3
"""A wattmeter over HTTP whose wall follows this machine's load, for tests: load_server.py TDP

Ten times a second it works out the processor's power as src/meter/cpu_model.c does where no clock can be read (docs/method.md, "The
model of the CPU"), of TDP watts, and takes 50 W + 1.2 times that as the wall's. Prints its port, then answers every GET with
{"w": power, "j": energy so far}. Ends with its standard input.
"""
import http.server
import json
import sys
import threading
import time

TDP = float(sys.argv[1])
IDLE, PEAK = 0.0045, 0.692
OFFSET_W, SLOPE = 50.0, 1.2


def ticks():
    """Busy and total of all CPUs, then of each."""
    found = []
    with open("/proc/stat") as stat:
        for line in stat:
            if line.startswith("cpu"):
                user, nice, system, idle, iowait, irq, softirq, steal = map(int, line.split()[1:9])
                busy = user + nice + system + irq + softirq
                found.append((busy, busy + idle + iowait + steal))
    return found


def load(before, now):
    busy, total = now[0] - before[0], now[1] - before[1]
    return min(busy / total, 1) if busy > 0 and total > 0 else 0.0


def model_w(before, now):
    u, *each = (load(a, b) for a, b in zip(before, now))
    w = sum(x * x for x in each) / sum(each) if sum(each) > 0 else 1
    return TDP * (IDLE + (PEAK - IDLE) * 3 * u / (1 + 2 * u) * (1 + w) / 2)


class Meter:
    def __init__(self):
        self.lock = threading.Lock()
        self.power_w, self.energy_j = OFFSET_W, 0.0
        self.since = time.monotonic()

    def follow(self):
        before = ticks()
        while True:
            time.sleep(0.1)
            now = ticks()
            with self.lock:
                self.settle()
                self.power_w = OFFSET_W + SLOPE * model_w(before, now)
            before = now

    def settle(self):
        now = time.monotonic()
        self.energy_j += self.power_w * (now - self.since)
        self.since = now

    def answer(self):
        with self.lock:
            self.settle()
            return {"w": self.power_w, "j": self.energy_j}


METER = Meter()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = json.dumps(METER.answer()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    threading.Thread(target=METER.follow, daemon=True).start()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
