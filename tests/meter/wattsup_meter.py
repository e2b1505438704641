#!/usr/bin/env python3
"""A Watts Up? meter on a serial line with known truth, for tests: wattsup_meter.py LINK SCALE EVERY LOST [OLD]

LINK becomes a symbolic link to the line, a pseudo-terminal. Writes 0 (it has no port) and its start (CLOCK_BOOTTIME, ns). Sends nothing
until it is told to (#L,W,3,E,…), then its header, then a packet EVERY so many seconds, whatever interval it was told. Power is SCALE times
100 W + 40 W sin(2 pi t / 3 s), t from the start, in tenths of a watt; energy is its exact integral, in tenths of a watt-hour. Packets come
in fragments, with line ends, NULs and text between them; of LOST in ten, a byte is missing, another, or the packet stops half-way. OLD: it
does not log energy. "silent" as LOST: it never sends. Ends with its standard input, and the line with it.
"""
import math
import os
import pty
import random
import select
import sys
import time
import tty

MEAN_W, SWING_W, PERIOD_S = 100.0, 40.0, 3.0
LINK, SCALE, EVERY_S = sys.argv[1], float(sys.argv[2]), float(sys.argv[3])
SILENT = sys.argv[4] == "silent"
LOST = 0 if SILENT else int(sys.argv[4])
OLD = len(sys.argv) > 5
DICE = random.Random(7)
HEADER = b"#h,-,18,W,V,A,WH,Cost,WH/Mo,Cost/Mo,Wmax,Vmax,Amax,Wmin,Vmin,Amin,PF,DC,PC,Hz,VA;\r\n"


def now():
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def packet(t):
    w = SCALE * (MEAN_W + SWING_W * math.sin(2 * math.pi * t / PERIOD_S))
    j = SCALE * (MEAN_W * t + SWING_W * PERIOD_S / (2 * math.pi) * (1 - math.cos(2 * math.pi * t / PERIOD_S)))
    wh = "_" if OLD else str(100 + int(j / 360))
    return f"#d,-,18,{round(w * 10)},2301,433,{wh},_,_,_,9720,2280,435,9720,2274,432,95,_,3,500,10200;\r\n".encode()


def spoil(data):
    at = DICE.randrange(len(data) - 3)
    return [data[:at] + data[at + 1:], data[:at] + bytes([DICE.randrange(128, 256)]) + data[at + 1:], data[:at]][DICE.randrange(3)]


def send(master, data):
    at = DICE.randrange(1, len(data))
    os.write(master, data[:at])
    os.write(master, data[at:] + [b"", b"\0\0", b"EED05F01 $Revision: 4.41 $\r\n"][DICE.randrange(3)])


def wait_for(master, until):
    """What was said until then; None: standard input has ended."""
    said = b""
    while (left := until - now()) > 0:
        ready, _, _ = select.select([master, sys.stdin], [], [], left)
        if sys.stdin in ready:
            return None
        if master in ready:
            said += os.read(master, 512)
    return said


def main():
    master, line = pty.openpty()  # the line stays open here too: without anybody at its other end the master would fail
    tty.setraw(line)
    if os.path.lexists(LINK):
        os.unlink(LINK)
    os.symlink(os.ttyname(line), LINK)
    start, told, sending = now(), b"", False
    print(0, int(start * 1e9), flush=True)
    turn = start
    while True:
        turn += EVERY_S
        said = wait_for(master, turn)
        if said is None:
            return
        told += said
        if not sending and b"#L,W,3,E,,1;" in told and not SILENT:
            sending = True
            send(master, HEADER)
        elif sending:
            data = packet(now() - start)
            send(master, spoil(data) if DICE.randrange(10) < LOST else data)


if __name__ == "__main__":
    main()
