#!/usr/bin/env python3
"""A wattmeter over HTTP on a simulated Jetson, for tests: rail_server.py SYSFS

Answers every GET with the wall's power, {"w": 55 + 1.12 cpu + 1.3 memory}, of the two rails that an INA3221 below SYSFS shows at the
moment (5 V each). Prints its port; ends with its standard input.
"""
import http.server
import json
import sys
import threading

CHIP = sys.argv[1] + "/class/hwmon/hwmon0/"


def rail_w(number):
    with open(f"{CHIP}curr{number}_input") as file:
        return 5 * int(file.read()) / 1000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        body = json.dumps({"w": 55 + 1.12 * rail_w(1) + 1.3 * rail_w(2)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_address[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
