"""Who catches what: every bad wheel, tiny or compiled, before crosswheel's audit and before the other tools.

Each is started as a user would start it, with its strictest option, and catches a bad wheel when it

- crosswheel audit: has a finding of the very rule that the wheel was made to break,
- auditwheel show: fails, unless no tag is for Linux, when it always does; or names a platform that promises less than
  the file name does, or that it does not have at all,
- check-wheel-contents: fails for another reason than that the extension lies beside its package (W009, W010), as it
  does in most of these wheels,
- twine check --strict: fails,
- abi3audit --strict: fails; it is asked only of wheels for the stable ABI, as it fails on all others.

Good wheels of the same make are shown to all of them first: who has something to say of those proves nothing.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import compiled_wheels
from compiled_wheels import metadata

import bad_wheels
from crosswheel.errors import UsageError
from crosswheel.model.targets import parse_platform

PROGRAMS = Path(sys.executable).parent
_TIMEOUT = 120.0


@dataclass(frozen=True)
class Specimen:
    """A wheel of the corpus, and the rule that it was made to break, none for a good one."""

    rule: str
    what: str
    compiled: bool
    wheel: Path


@dataclass(frozen=True)
class Verdict:
    """Who catches a bad wheel."""

    rule: str
    what: str
    compiled: bool
    caught_by: tuple[str, ...]


def verdicts(folder: Path) -> list[Verdict]:
    corpus = list(_corpus(folder))
    for specimen in corpus:
        if not specimen.rule and (wrong := _complaining(specimen.wheel) + sorted(_rules_broken(specimen.wheel))):
            raise SystemExit(f"{', '.join(wrong)} on {specimen.what}, in which nothing is wrong")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(_judge, (specimen for specimen in corpus if specimen.rule)))


def _corpus(folder: Path) -> Iterator[Specimen]:
    # Other tools take one wheel at a time: what only shows beside another is left out.
    alone = {what: case for what, case in bad_wheels.BAD.items() if not case.beside}
    tiny = {"a good one, tiny": bad_wheels.Case(), **alone}
    for number, (what, case) in enumerate(tiny.items()):
        if not case.target:  # only an audit that follows a build knows what the wheel was to be
            rule = case.finds[0][0] if case.finds else ""
            yield Specimen(rule, what, compiled=False, wheel=_described(case).make(_room(folder, f"tiny-{number}")))
    for number, (what, compiled) in enumerate(compiled_wheels.COMPILED.items()):
        wheel = compiled_wheels.make(compiled, _room(folder, f"compiled-{number}"))
        yield Specimen(compiled.rule, what, compiled=True, wheel=wheel)


def _described(case: bad_wheels.Case) -> bad_wheels.Case:
    return replace(case, members={**metadata(case.name, case.version), **case.members})


def _room(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _judge(specimen: Specimen) -> Verdict:
    ours = ["crosswheel audit"] if specimen.rule in _rules_broken(specimen.wheel) else []
    return Verdict(specimen.rule, specimen.what, specimen.compiled, (*ours, *_complaining(specimen.wheel)))


def _complaining(wheel: Path) -> list[str]:
    return [name for name, complains in OTHERS.items() if complains(wheel)]


def _rules_broken(wheel: Path) -> set[str]:
    report = wheel.with_suffix(".json")
    _run("crosswheel", "audit", str(wheel), "--json", str(report))
    document = json.loads(report.read_text())
    return {finding["rule"] for wheel in document["wheels"] for finding in wheel["findings"]}


def _auditwheel(wheel: Path) -> bool:
    named = wheel.stem.rsplit("-", 1)[1].split(".")
    done = _run("auditwheel", "show", "--json", str(wheel))
    if done.returncode:
        return any("linux" in platform for platform in named)
    shown = json.loads(done.stdout)["overall_tag"]
    return shown not in named and not any(_promises(platform, shown) for platform in named)


def _promises(platform: str, shown: str) -> bool:
    """Whether a wheel that auditwheel finds fit for `shown` keeps what its own tag says."""
    try:
        return parse_platform(shown)[0] <= parse_platform(platform)[0]
    except UsageError:  # linux_aarch64, and the like
        return False


def _abi3audit(wheel: Path) -> bool:
    return "-abi3" in wheel.stem and _fails("abi3audit", "--strict", str(wheel))


OTHERS: dict[str, Callable[[Path], bool]] = {
    "auditwheel show": _auditwheel,
    "check-wheel-contents": lambda wheel: _fails("check-wheel-contents", "--ignore", "W009,W010", str(wheel)),
    "abi3audit --strict": _abi3audit,
    "twine check --strict": lambda wheel: _fails("twine", "check", "--strict", str(wheel)),
}
TOOLS = ("crosswheel audit", *OTHERS)


def _fails(*command: str) -> bool:
    return _run(*command).returncode != 0


def _run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(PROGRAMS / program), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_TIMEOUT)
