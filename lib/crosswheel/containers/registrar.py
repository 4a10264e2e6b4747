"""Registers entries of binfmt_misc, all or none: ``python registrar.py FOLDER LINE...``, without crosswheel.

It is a process of its own: neither a signal to a run nor the run's end stops it halfway.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

_TRIAL = "-crosswheel"


def main(folder: Path, *lines: str) -> str:
    """What the kernel said about the first line that it refused; empty if all are registered."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    names = [line.split(":")[1] for line in lines]
    try:
        # The kernel looks at every line before an old entry goes.
        for name, line in zip(names, lines, strict=True):
            _replace(folder, f"{name}{_TRIAL}", line.replace(name, f"{name}{_TRIAL}", 1))
        for name, line in zip(names, lines, strict=True):
            _replace(folder, name, line)
    except OSError as error:
        return f"{name}: {error}"
    finally:
        for name in names:
            _remove(folder / f"{name}{_TRIAL}")
    return ""


def _replace(folder: Path, name: str, line: str) -> None:
    _remove(folder / name)
    (folder / "register").write_text(line, "utf-8")


def _remove(entry: Path) -> None:
    if entry.exists():
        entry.write_text("-1", "ascii")


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]) or 0)
