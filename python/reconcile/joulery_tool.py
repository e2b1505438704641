"""Runs a command under another energy measuring tool and writes down what that tool says of it: what `joulery
reconcile` starts for tools with a Python interface.

    joulery_tool.py probe NAME                       prints the tool's version; fails where it can't be used
    joulery_tool.py run NAME FOLDER COMMAND …        writes FOLDER/figure.json (joulery.tool/1, docs/json.md)

adapter_NAME.py beside this file knows one tool: `version()`, and a class Tool with __init__(folder), start() and
stop(), which gives the members of the document. The exit status is the command's; without a figure it is 70.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import traceback

NO_FIGURE = 70  # EX_SOFTWARE


def run_command(command):
    """The command's exit status, 128 + N if signal N ended it. SIGTERM is passed on to it."""
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda number, frame: child.send_signal(number))
    status = child.wait()
    return 128 - status if status < 0 else status


def write_figure(folder, figure):
    path = os.path.join(folder, "figure.json")
    with open(path + ".part", "w", encoding="utf-8") as file:
        json.dump({"schema": "joulery.tool/1", **figure}, file, allow_nan=False, indent=1)
    os.replace(path + ".part", path)


def run(adapter, folder, command):
    tool = adapter.Tool(folder)
    tool.start()
    status = run_command(command)
    write_figure(folder, {"version": adapter.version(), **tool.stop()})
    return status


def main(arguments):
    what, name = arguments[:2]
    try:
        adapter = importlib.import_module("adapter_" + name)
        if what == "probe":
            print(adapter.version())
            return 0
        return run(adapter, arguments[2], arguments[3:])
    except Exception:  # whatever a tool may raise: it is told, and the run has no figure
        traceback.print_exc()
        return NO_FIGURE


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # threads that a tool leaves behind don't hold the run up
