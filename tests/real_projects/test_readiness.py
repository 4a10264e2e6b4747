"""Ten applications from the index: what readiness says of their locks is what uv and pip would take there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

import pytest
from packaging.utils import canonicalize_name

import crosswheel as cw
from crosswheel.system.interpreters import uv
from crosswheel.trees.cells import Cell
from crosswheel.trees.resolution import uv_platform
from crosswheel.trees.verdicts import Verdict

pytestmark = [pytest.mark.index, pytest.mark.slow]

PYTHON = f"3.{sys.version_info[1]}"
# The C libraries that uv's names for these platforms stand for.
PLATFORMS = ["manylinux_2_34_aarch64", "musllinux_1_2_aarch64", "manylinux_2_39_riscv64", "manylinux_2_28_x86_64"]
APPLICATIONS = {
    "airflow": ["apache-airflow-core", "apache-airflow-providers-postgres", "apache-airflow-providers-http"],
    "bot": ["aiohttp[speedups]", "discord.py[voice]", "orjson", "uvloop", "redis[hiredis]"],
    "dashboard": ["streamlit", "plotly", "polars", "duckdb", "pyarrow"],
    "fastapi": ["fastapi[standard]", "sqlalchemy[asyncio]", "asyncpg", "alembic", "pydantic-settings", "sentry-sdk"],
    "geo": ["geopandas", "rasterio", "fiona", "shapely", "pyproj", "xarray", "netcdf4"],
    "jupyterlab": ["jupyterlab", "ipywidgets", "jupytext"],
    "learning": ["pandas", "scikit-learn", "matplotlib", "xgboost", "lightgbm", "statsmodels"],
    "operations": ["ansible-core", "paramiko", "boto3", "kubernetes", "psutil", "lxml", "grpcio-tools"],
    "scraper": ["scrapy", "playwright", "lxml", "brotli", "zstandard", "pillow", "regex", "confluent-kafka"],
    "shop": ["django", "psycopg[binary]", "celery[redis]", "gunicorn[gevent]", "whitenoise", "pillow", "reportlab"],
}

_TAKEN = re.compile(r"^ \+ (\S+)==(\S+)$", re.MULTILINE)
_SELECTED = re.compile(r"Selecting: (\S+==\S+) \[[^\]]*\] \((\S+)\)")


@dataclass(frozen=True)
class Application:
    """A project with a uv.lock, and the pins of that lock with their markers."""

    folder: Path
    pins: Path
    requirements: Path


@pytest.fixture(params=[*APPLICATIONS])
def application(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    monkeypatch.setenv("UV_PYTHON", sys.executable)
    requirements = APPLICATIONS[request.param]
    (tmp_path / "pyproject.toml").write_text(
        f'[project]\nname = "application"\nversion = "0"\nrequires-python = ">={PYTHON}"\n'
        f"dependencies = {json.dumps(requirements)}\n"
        "[tool.uv]\nenvironments = [\"sys_platform == 'linux'\"]\n"
    )
    (tmp_path / "requirements.txt").write_text("".join(f"{text}\n" for text in requirements))
    run("lock", "--quiet", "--project", str(tmp_path), folder=tmp_path)
    exported = ["--frozen", "--no-emit-project", "--no-hashes", "--format", "requirements.txt"]
    pins = tmp_path / "pins.txt"
    # A constraint has no extras.
    text = run("export", "--quiet", *exported, "--project", str(tmp_path), folder=tmp_path)
    pins.write_text(re.sub(r"^([\w.-]+)\[[^\]]*\]", r"\1", text, flags=re.MULTILINE))
    return Application(tmp_path, pins, tmp_path / "requirements.txt")


def run(*words: str, folder: Path) -> str:
    done = tried(*words, folder=folder)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def tried(*words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    return subprocess.run([uv(), *words], capture_output=True, encoding="utf-8", cwd=folder, env=environ, check=False)


@pytest.mark.daily(1)
def test_readiness_says_what_installers_take(
    application: Application, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    (tree,) = cw.readiness(application.folder, platforms=PLATFORMS, python=f"cp3{sys.version_info[1]}").trees
    disagreements = []
    for cell in tree.cells:
        said = {verdict.name: verdict for verdict in tree.verdicts if verdict.cell == cell}
        assert len(said) > 5
        disagreements += list(of_uv(cell, said, application, tmp_path))
        disagreements += list(of_pip(cell, said, tmp_path))
    assert disagreements == []
    record_property("verdicts", len(tree.verdicts))


def of_uv(cell: Cell, said: dict[str, Verdict], application: Application, tmp_path: Path) -> Iterator[str]:
    """Uv resolves for the platform; the lock only limits the versions."""
    words = ["pip", "install", "--dry-run", "-v", "--no-progress", "--target", str(tmp_path / "nowhere")]
    words += ["--python-version", cell.newest_patch, "--python-platform", uv_platform(cell)]
    words += ["--constraint", str(application.pins), "--requirements", str(application.requirements)]
    done = tried(*words, folder=tmp_path)
    if impossible := {name for name, verdict in said.items() if verdict.state == "impossible"}:
        if not done.returncode or not any(name in done.stderr for name in impossible):
            yield f"{cell}: readiness calls {impossible} impossible, uv does not"
        excludes = tmp_path / "excludes.txt"
        excludes.write_text("".join(f"{name}\n" for name in impossible))
        done = tried(*words, "--excludes", str(excludes), folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    taken = {str(canonicalize_name(name)): version for name, version in _TAKEN.findall(done.stderr)}
    files = dict(_SELECTED.findall(done.stderr))
    for name in taken.keys() - said.keys():
        yield f"{cell}: uv takes {name}, readiness does not"
    for name in set() if impossible else said.keys() - taken.keys():  # others may only be required by these
        yield f"{cell}: readiness takes {name}, uv does not"
    for name in taken.keys() & said.keys():
        file = files.get(f"{name}=={taken[name]}", "")
        if (taken[name], file) != (said[name].version, said[name].file):
            yield f"{cell}: uv takes {file} of {name} {taken[name]}, readiness {said[name]}"


def of_pip(cell: Cell, said: dict[str, Verdict], tmp_path: Path) -> Iterator[str]:
    """Pip takes wheels alone, of the versions of the lock. It judges markers for this machine, so none are asked."""
    ready = {verdict.file: verdict for verdict in said.values() if not verdict.is_missing}
    report = pip(cell, [f"{one.name}=={one.version}" for one in ready.values()], tmp_path)
    if isinstance(report, str):
        yield f"{cell}: pip does not find what readiness calls ready: {report}"
        return
    taken = {unquote(one["download_info"]["url"].rpartition("/")[2]) for one in report}
    if taken != set(ready):
        yield f"{cell}: pip takes {taken - ready.keys()}, readiness {ready.keys() - taken}"
    for verdict in said.values():
        if verdict.is_missing and not isinstance(pip(cell, [f"{verdict.name}=={verdict.version}"], tmp_path), str):
            yield f"{cell}: pip finds a wheel of {verdict.name}, readiness calls it {verdict.state}"


def pip(cell: Cell, pins: list[str], tmp_path: Path) -> list[dict[str, dict[str, str]]] | str:
    """What pip would install, or its last word."""
    words = ["install", "--dry-run", "--quiet", "--report", "-", "--no-deps", "--ignore-installed"]
    words += ["--only-binary", ":all:", "--target", str(tmp_path / "nowhere"), "--implementation", "cp"]
    words += ["--abi", cell.python.abi, "--python-version", f"{PYTHON}.99"]
    words += [word for platform in cell.accepted_platforms for word in ("--platform", platform)]
    environ = {**os.environ, "PIP_CONSTRAINT": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    command = [sys.executable, "-m", "pip", *words, *pins]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", env=environ, check=False)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["nothing"])[-1]
    installed: list[dict[str, dict[str, str]]] = json.loads(done.stdout)["install"]
    return installed
