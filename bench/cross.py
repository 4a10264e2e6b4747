"""`nox -s bench`: cross builds beside native ones of the same sdists, and what the tool itself costs, in one run.

Cross is `crosswheel wheels FILE --python X --engine cross --test never` (build, repair, audit) with the toolchain warm
(libc and libc++ are built) and no object compiled before: each build gets a cache of its own, made of hard links to the
warm one. Native is `pip wheel --no-deps FILE` with the same Python. Both have their download caches filled by an
unmeasured build before.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

import plan
from measure import Measured, measure

PROJECTS = (
    "kiwisolver==1.4.9",
    "markupsafe==3.0.3",
    "msgpack==1.1.2",
    "ujson==5.11.0",
    "regex==2025.11.3",
    "pyclipper==1.3.0.post6",
    "bitarray==3.8.0",
    "greenlet==3.2.4",
    "wrapt==2.0.1",
    "contourpy==1.3.3",
)
TARGET = "aarch64"


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="crosswheel-bench-") as folder:
        work = Path(folder)
        warm = _warm_cache(work, options.python)
        rows = [_compare(name, work, warm, options) for name in options.projects]
    result = {
        "machine": f"{os.cpu_count()} processors, {platform.machine()}, CPython {platform.python_version()}",
        "rows": rows,
        "geometric mean": _geometric_mean([row["ratio"] for row in rows]),
        "import": _import_cost(),
        "plan of 10,000 jobs": plan.seconds(),
    }
    _show(result)
    Path(options.json).write_text(json.dumps(result, indent=1) + "\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("projects", nargs="*", default=PROJECTS, help="NAME==VERSION")
    parser.add_argument("--python", default="cp311", help="the CPython to build for")
    parser.add_argument("--filled", action="store_true", help="download caches are full: skip the unmeasured builds")
    parser.add_argument("--json", default="bench/cross.json", help="where the numbers go")
    return parser.parse_args()


def _warm_cache(work: Path, python: str) -> Path:
    """A cache with Zig, libc and libc++ of the target, and nothing else compiled."""
    from crosswheel.hosts import local_host
    from crosswheel.model import deaf
    from crosswheel.targets import Target, oldest_policy, parse_architecture, parse_python
    from crosswheel.toolchains.zig import ensure_zig, warm_up

    warm = work / "warm"
    user = local_host(offline=False, listener=deaf)
    zigs = sorted((user.cache / "files").glob("*/ziglang-*.whl"))
    for kept in zigs:  # what this machine has fetched is not fetched again
        (warm / "files" / kept.parent.name).mkdir(parents=True)
        os.link(kept, warm / "files" / kept.parent.name / kept.name)
    os.environ["CROSSWHEEL_CACHE"] = str(warm)
    host = local_host(offline=False, listener=deaf)
    arch = parse_architecture(TARGET)
    zig = ensure_zig(host.index, warm, host.processes, deaf)
    warm_up(
        zig, Target(parse_python(python), arch, oldest_policy(arch)), cxx=True, processes=host.processes, listener=deaf
    )
    return warm


def _compare(name: str, work: Path, warm: Path, options: argparse.Namespace) -> dict[str, object]:
    sdist = _fetch(name, work)
    python = _interpreter(options.python)
    cross = [sys.executable, "-m", "crosswheel", "wheels", str(sdist), "--arch", TARGET, "--python", options.python]
    cross += ["--engine", "cross", "--test", "never"]
    native = [
        str(python),
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--quiet",
        "--wheel-dir",
        str(work / "native"),
        str(sdist),
    ]
    results: dict[str, Measured] = {}
    for attempt in ("measured",) if options.filled else ("fill caches", "measured"):
        cache = _copy_of(warm, work / "cache")
        environ = {**os.environ, "CROSSWHEEL_CACHE": str(cache)}
        results["cross"] = measure(
            [*cross, "--output", str(work / "cross")], env=environ, cwd=work, log=work / "cross.log"
        )
        results["native"] = measure(native, env=os.environ, cwd=work, log=work / "native.log")
        print(
            f"{attempt}: {name}: {results['cross'].seconds:.1f} s against {results['native'].seconds:.1f} s", flush=True
        )
    return {
        "project": name,
        "ratio": results["cross"].seconds / results["native"].seconds,
        **{kind: asdict(measured) for kind, measured in results.items()},
    }


def _copy_of(warm: Path, cache: Path) -> Path:
    shutil.rmtree(cache, ignore_errors=True)
    shutil.copytree(warm, cache, copy_function=os.link, symlinks=True)
    return cache


def _fetch(name: str, work: Path) -> Path:
    from crosswheel.hosts import local_host
    from crosswheel.model import deaf
    from crosswheel.source import fetch

    return fetch(name, local_host(offline=False, listener=deaf), work, deaf).path


def _interpreter(tag: str) -> Path:
    from crosswheel.hosts import local_host
    from crosswheel.model import deaf
    from crosswheel.targets import parse_python

    return local_host(offline=True, listener=deaf).interpreters[parse_python(tag)].path


def _import_cost() -> float:
    """Seconds that importing crosswheel.sessions adds to a nox that is imported already; the best of twenty."""
    code = "import nox, time; t = time.perf_counter(); import crosswheel.sessions; print(time.perf_counter() - t)"
    run = [sys.executable, "-c", code]
    return min(float(subprocess.run(run, capture_output=True, text=True, check=True).stdout) for _ in range(20))


def _geometric_mean(ratios: list[object]) -> float:
    return math.exp(sum(math.log(float(str(ratio))) for ratio in ratios) / len(ratios))


def _show(result: dict[str, object]) -> None:
    print(f"\n{result['machine']}\n")
    print(f"{'project':26}{'cross s':>9}{'native s':>10}{'ratio':>7}{'cross MiB':>11}{'native MiB':>12}")
    rows = result["rows"]
    assert isinstance(rows, list)
    for row in rows:
        cross, native = row["cross"], row["native"]
        print(
            f"{row['project']:26}{cross['seconds']:9.1f}{native['seconds']:10.1f}{row['ratio']:7.2f}"
            f"{cross['peak'] / 2**20:11.0f}{native['peak'] / 2**20:12.0f}"
        )
    print(f"{'geometric mean':45}{result['geometric mean']:7.2f}")
    print(f"\nimporting crosswheel.sessions: {float(str(result['import'])) * 1000:.1f} ms")
    print(f"a plan of 10,000 jobs: {result['plan of 10,000 jobs']:.3f} s")


if __name__ == "__main__":
    main()
