"""Prints where below a prefix this Python looks for modules, relative to it; nothing if nowhere."""
import pathlib, sys

prefix = pathlib.Path(sys.argv[1])
folders = [pathlib.Path(entry) for entry in sys.path if entry.endswith(("/dist-packages", "/site-packages"))]
below = [folder.relative_to(prefix) for folder in folders if prefix in folder.parents]
# /usr has /usr/local in it, whose folders are another prefix's
below = [folder for folder in below if folder.parts[0] in ("lib", "lib64")]
print(next(iter(below), ""))
