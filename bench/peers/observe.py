"""Watches a folder: `observe.py FOLDER FILE` until its input ends, then prints one JSON object.

The modes that were seen of files with something in them, and what the readers of FILE got meanwhile.
"""
import json
import os
import select
import stat
import sys


def look(folder, file, modes, reads):
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    for entry in entries:
        try:
            state = os.stat(entry.path, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if stat.S_ISREG(state.st_mode) and state.st_size:
            modes.add(f"{stat.S_IMODE(state.st_mode):04o}")
    try:
        with open(os.path.join(folder, file), "rb") as opened:
            content = opened.read()
    except FileNotFoundError:
        reads["none"] += 1
        return
    try:
        json.loads(content)
        reads["whole"] += 1
    except ValueError:
        reads["torn"] += 1


def main():
    folder, file = sys.argv[1:]
    modes, reads = set(), {"whole": 0, "torn": 0, "none": 0}
    print("watching", flush=True)
    while not select.select([sys.stdin], [], [], 0)[0]:
        for _ in range(50):
            look(folder, file, modes, reads)
    print(json.dumps({"modes": sorted(modes), "reads": reads}))


main()
