"""What a wheelhouse takes by cross beside `pip wheel` of the same for this machine.

    python bench/wheelhouse.py pandas                   JSON: seconds, processor time and memory of both, and the ratio
    python bench/wheelhouse.py --well-known             the 25 projects below
    python bench/wheelhouse.py markupsafe --rounds 3    the two ways in turns; the median of the ratios counts

Both build the same packages from sdists, as if the index had no wheels of them: by `--all` of wheelhouse, and by
`--no-binary` of pip with their names. Both begin with empty caches of downloads and builds; the toolchain of `cross` is
there. `again` is the same wheelhouse once more, with nothing changed. The result is imported under QEMU, with a CPython
of Debian. Wall time counts on a quiet machine only.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import platformdirs
from measure import Measured, measure

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from arm import find_arm_python

WELL_KNOWN = {
    "aiohttp": "aiohttp._http_parser", "bitarray": "bitarray", "brotli": "brotli", "ciso8601": "ciso8601",
    "contourpy": "contourpy", "frozenlist": "frozenlist._frozenlist", "greenlet": "greenlet",
    "httptools": "httptools.parser.parser", "kiwisolver": "kiwisolver", "lz4": "lz4.block",
    "markupsafe": "markupsafe._speedups", "msgpack": "msgpack._cmsgpack", "multidict": "multidict._multidict",
    "numpy": "numpy", "propcache": "propcache._helpers_c", "psutil": "psutil", "regex": "regex",
    "setproctitle": "setproctitle._setproctitle", "simplejson": "simplejson._speedups", "tornado": "tornado.speedups",
    "ujson": "ujson", "websockets": "websockets.speedups", "wrapt": "wrapt._wrappers", "xxhash": "xxhash._xxhash",
    "yarl": "yarl._quoting_c",
}  # fmt: skip
"""By project, the module that shows that its wheel works. None links to a library beyond the policy."""

_PYTHON = 11  # of Debian 12, which runs the result
_PLATFORM = "manylinux_2_36_aarch64"
_READY = platformdirs.user_cache_path("crosswheel-bench", appauthor=False) / "wheelhouse"
_PRIMER = ("markupsafe", "kiwisolver")  # C and C++
_OF_PROJECTS = ("journal", "uv", "files/*/*.tar.gz", "zig/*-objects-*", "bytecode/packages-*")


def wheelhouse(requirements: Sequence[str], work: Path, *more: str) -> Measured:
    command = [sys.executable, "-m", "crosswheel", "wheelhouse", *requirements, "--all", "--engine", "cross"]
    command += ["--platforms", _PLATFORM, "--python", f"cp3{_PYTHON}", "--output", str(work / "wheelhouse")]
    command += ["--test", "never", *more]
    return measure(command, env=_environ(work), cwd=work, log=work / "cross.log")


def pip_wheel(requirements: Sequence[str], built: Sequence[str], work: Path) -> Measured:
    python = os.environ.get("BENCH_PYTHON", f"python3.{_PYTHON}")
    command = [python, "-m", "pip", "wheel", *requirements, "--no-binary", ",".join(built)]
    return measure([*command, "--wheel-dir", str(work / "pip")], env=_environ(work), cwd=work, log=work / "pip.log")


def _environ(work: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CROSSWHEEL_", "UV_CACHE"))}
    caches = {"UV_CACHE_DIR": work / "uv-cache", "PIP_CACHE_DIR": work / "pip-cache", "CROSSWHEEL_CACHE": _READY}
    return {**kept, **{name: str(path) for name, path in caches.items()}}


def forget() -> None:
    """Leave the toolchain, and nothing of any project."""
    for pattern in _OF_PROJECTS:
        for place in _READY.glob(pattern):
            shutil.rmtree(place) if place.is_dir() else place.unlink()


def built_in(work: Path) -> list[str]:
    """The packages that were built. Raises SystemExit if one was not."""
    report = json.loads((work / "wheelhouse/wheelhouse.json").read_text())
    if lacking := [one["name"] for one in report["packages"] if one["state"] != "built"]:
        sys.exit(f"not built: {', '.join(lacking)}; see {work}")
    return [one["name"] for one in report["packages"]]


def import_all(modules: Sequence[str], work: Path) -> None:
    """Under QEMU, from the wheels of the folder alone. Raises SystemExit."""
    folder = work / "imported"
    for wheel in (work / "wheelhouse").glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = find_arm_python(_READY).run(_PYTHON, code, *modules, paths=[folder])
    if done.returncode:
        sys.exit(f"{', '.join(modules)} cannot be imported under QEMU:\n{done.stderr}")


def one_round(requirements: Sequence[str], modules: Sequence[str], work: Path) -> Mapping[str, Measured]:
    work.mkdir()
    forget()
    cross = wheelhouse(requirements, work)
    built = built_in(work)
    again = wheelhouse(requirements, work)
    import_all(modules, work)
    return {"cross": cross, "again": again, "native": pip_wheel(requirements, built, work)}


def main() -> dict[str, Any]:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("requirements", nargs="*")
    parser.add_argument("--well-known", action="store_true")
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    requirements = [*given.requirements, *(WELL_KNOWN if given.well_known else ())] or ["pandas"]
    modules = [WELL_KNOWN.get(name, name.partition("=")[0].replace("-", "_")) for name in requirements]
    with tempfile.TemporaryDirectory(prefix="bench-wheelhouse-") as name:
        primed = Path(name, "primed")
        primed.mkdir()
        wheelhouse(_PRIMER, primed)
        rounds = [one_round(requirements, modules, Path(name, str(number))) for number in range(given.rounds)]
    return {
        "requirements": requirements,
        "load": os.getloadavg()[0],
        "ratio": round(median(one["cross"].seconds / one["native"].seconds for one in rounds), 2),
        "rounds": [{way: vars(measured) for way, measured in one.items()} for one in rounds],
    }


if __name__ == "__main__":
    json.dump(main(), sys.stdout, indent=1)
    print()
