"""Check that wheels run where their tag says: ``python audit.py WHEEL...``.

Every ELF file of a wheel is looked at, wherever it lies: the module, and what is installed as a program.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

#: What a manylinux system has besides glibc itself (PEP 513).
LIBRARIES = re.compile(r"lib(c|m|dl|rt|pthread|util|gcc_s)\.so\.\d+|ld-linux-x86-64\.so\.2")
LEGACY = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}


def promised(wheel: Path) -> tuple[int, int]:
    """Return the oldest glibc that the tag of the wheel names."""
    versions = [LEGACY[name] for name in re.findall(r"manylinux\d+", wheel.name) if name in LEGACY]
    versions += [(int(major), int(minor)) for major, minor in re.findall(r"manylinux_(\d+)_(\d+)", wheel.name)]
    if not versions:
        raise SystemExit(f"{wheel.name}: the tag names no manylinux")
    return min(versions)


def readelf(option: str, path: Path) -> str:
    return subprocess.run(["readelf", "--wide", option, path], check=True, capture_output=True, text=True).stdout


def faults(wheel: Path) -> list[str]:
    """Return what in the wheel does not keep the promise of its tag."""
    oldest = promised(wheel)
    found, looked_at = [], 0
    with zipfile.ZipFile(wheel) as archive, tempfile.TemporaryDirectory() as folder:
        for member in archive.namelist():
            data = archive.read(member)
            if not data.startswith(b"\x7fELF"):
                continue
            looked_at += 1
            file = Path(folder, "elf")
            file.write_bytes(data)
            wanted = {(int(a), int(b)) for a, b in re.findall(r"Name: GLIBC_(\d+)\.(\d+)", readelf("-V", file))}
            found += [f"{member} needs GLIBC_{a}.{b}" for a, b in sorted(wanted) if (a, b) > oldest]
            libraries = re.findall(r"\(NEEDED\).*\[(.+)\]", readelf("-d", file))
            found += [f"{member} needs {name}" for name in libraries if not LIBRARIES.fullmatch(name)]
            newest = max(wanted, default=(0, 0))
            print(f"{wheel.name}: {member}: glibc {newest[0]}.{newest[1]}")
    return found if looked_at else ["it holds no ELF file"]


def main() -> None:
    broken = [f"{name}: {fault}" for name in sys.argv[1:] for fault in faults(Path(name))]
    if broken or len(sys.argv) == 1:
        raise SystemExit("\n".join(broken) or "no wheel was named")


main()
