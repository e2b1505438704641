#!/usr/bin/env python3
"""A wattmeter over HTTP with known truth, for tests: wall_server.py SHAPE [LOST [UPDATE]]; or wall_server.py lines START

Prints its port and its start (CLOCK_BOOTTIME, ns), then answers every GET in the shape of a device. Power is 100 W + 40 W sin(2 pi t / 3 s), t by CLOCK_BOOTTIME
from the server's start; energy is its exact integral, in the device's steps. LOST: the share of questions that get an error, an
answer too late, or nonsense. With WALL_SERVER_PASSWORD it wants the user "meter" with that
password, with WALL_SERVER_TOKEN that token; with WALL_SERVER_TLS, a file with certificate and key, it speaks TLS. Ends with its standard input. `lines` writes what
Tasmota publishes over MQTT, ten lines a second, with START (CLOCK_BOOTTIME, ns) as its beginning, until nobody reads them.
SHAPE `follower` answers as home-assistant does, with 50 W + 40 W for each core that its parent keeps busy, as a mean over
1 s that ended 1 s ago, renewed every UPDATE seconds.
"""
import base64
import http.server
import json
import math
import os
import random
import ssl
import sys
import threading
import time

MEAN_W, SWING_W, PERIOD_S = 100.0, 40.0, 3.0
SHAPE = sys.argv[1]
LOST = float(sys.argv[2]) if len(sys.argv) > 2 and SHAPE != "lines" else 0.0
UPDATE_S = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
START = time.clock_gettime(time.CLOCK_BOOTTIME)
DICE = random.Random(7)


def power(t):
    return MEAN_W + SWING_W * math.sin(2 * math.pi * t / PERIOD_S)


def energy(t):
    return MEAN_W * t + SWING_W * PERIOD_S / (2 * math.pi) * (1 - math.cos(2 * math.pi * t / PERIOD_S))


class Follower:
    """CPU time of the parent, sampled each 50 ms."""

    AVERAGING_S, DELAY_S = 1.0, 1.0

    def __init__(self):
        self.pid, self.samples = os.getppid(), [(time.clock_gettime(time.CLOCK_BOOTTIME), 0.0)]
        threading.Thread(target=self.sample, daemon=True).start()

    def sample(self):
        hertz = os.sysconf("SC_CLK_TCK")
        while True:
            with open(f"/proc/{self.pid}/stat") as file:
                fields = file.read().rpartition(")")[2].split()
            self.samples.append((time.clock_gettime(time.CLOCK_BOOTTIME), (int(fields[11]) + int(fields[12])) / hertz))
            time.sleep(0.05)

    def until(self, at):
        return next((cpu for when, cpu in reversed(self.samples) if when <= at), self.samples[0][1])

    def power(self, at):
        end = at - self.DELAY_S
        return 50 + 40 * (self.until(end) - self.until(end - self.AVERAGING_S)) / self.AVERAGING_S


FOLLOWER = Follower() if SHAPE == "follower" else None


def answer(t):
    if FOLLOWER:
        return {"state": f"{FOLLOWER.power(START + t):.3f}", "attributes": {"unit_of_measurement": "W"}}
    w, j = power(t), energy(t) + 5e6
    return {
        "shelly-gen1": {"meters": [{"power": round(w, 2), "is_valid": True, "total": int(j / 60)}], "unixtime": 1},
        "shelly-gen2": {"id": 0, "apower": round(w, 1), "aenergy": {"total": round(j / 3600, 3), "by_minute": [1, 2, 3]}},
        "tasmota": {"StatusSNS": {"Time": "2026-01-01T00:00:00", "ENERGY": {"Power": round(w), "Total": math.floor(j / 3600) / 1000}}},
        "home-assistant": {"state": f"{w / 1000:.4f}", "attributes": {"unit_of_measurement": "kW"}},
        "netio": {"Outputs": [{"Load": round(w), "Energy": int(j / 3600)}]},
    }[SHAPE]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def send(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        wanted = os.environ.get("WALL_SERVER_PASSWORD")
        given = self.headers.get("Authorization", "")
        if wanted and given != "Basic " + base64.b64encode(f"meter:{wanted}".encode()).decode():
            return self.send(401, b"{}")
        token = os.environ.get("WALL_SERVER_TOKEN")
        if token and given != "Bearer " + token:
            return self.send(401, b"{}")
        if DICE.random() < LOST:
            kind = DICE.randrange(3)
            if kind == 0:
                return self.send(500, b"{}")
            if kind == 1:
                return self.send(200, b"<html>busy</html>")
            time.sleep(0.5)
        t = time.clock_gettime(time.CLOCK_BOOTTIME) - START
        if UPDATE_S:
            t = math.floor(t / UPDATE_S) * UPDATE_S
        self.send(200, json.dumps(answer(t)).encode())


def lines(start):
    while True:
        t = time.clock_gettime(time.CLOCK_BOOTTIME) - start
        print(json.dumps({"Time": "2026-01-01T00:00:00", "ENERGY": {"Power": round(power(t), 2), "Total": 1.5}}), flush=True)
        time.sleep(0.1)


def main():
    if SHAPE == "lines":
        return lines(int(sys.argv[2]) / 1e9)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if os.environ.get("WALL_SERVER_TLS"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(os.environ["WALL_SERVER_TLS"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # who asks gives up on what is late
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], int(START * 1e9), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
