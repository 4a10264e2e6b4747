"""Jobs and wheels to report on."""

from __future__ import annotations

from pathlib import Path

from crosswheel.model.job import Artifact, Interpreter, Job, Refusal
from crosswheel.model.targets import parse_target


def make_job(target: str, engine: str = "cross", version: str = "", refused: str = "") -> Job:
    parsed = parse_target(target)
    python = Interpreter(parsed.python, version, Path("/opt/python/bin/python3")) if version else None
    return Job(
        target=parsed,
        engine=engine,
        interpreter=python,
        reason="zig is a compiler for it",
        refused=(Refusal("native", refused),) if refused else (),
    )


def make_wheel(tag: str, size: int = 1_258_291) -> Artifact:
    return Artifact(Path("wheelhouse", f"demo-1.0-{tag}.whl"), size, "0123456789abcdef" * 4, tag)
