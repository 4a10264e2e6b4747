"""What containers keep for the next ones: packages, compiled objects, and an image in which `before-all` is done."""

from __future__ import annotations

import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import docker
import pytest

from containers.engine import Engine
from containers.stand_ins.manylinux import POLICY
from crosswheel.commands import run_verb
from crosswheel.containers.ownership import KIND
from crosswheel.system.locks import user_cache
from tiny_projects import tiny_project

pytestmark = [pytest.mark.containers, pytest.mark.index]

Jobs = list[dict[str, Any]]
Wheels = Callable[..., Jobs]


class Layers:
    """The results of `before-all` on a Docker Engine."""

    def __init__(self, client: docker.DockerClient) -> None:
        self._client = client

    def names(self) -> set[str]:
        return {str(image.id) for image in self._client.images.list(filters={"label": f"{KIND}=before-all"})}

    def files(self, layer: str) -> list[str]:
        """Files in folders that are ours or temporary."""
        script = "find /etc/crosswheel /tmp -type f; true"  # one of them may be missing
        found = self._client.containers.run(layer, ["sh", "-c", script], remove=True)
        return [*found.decode().splitlines()]

    def environment(self, layer: str) -> list[str]:
        return list(self._client.images.get(layer).attrs["Config"]["Env"])


class NamespaceLayers:
    """The same in the user's cache."""

    def __init__(self) -> None:
        self._folder = user_cache(os.environ) / "namespaces" / "layers"

    def names(self) -> set[str]:
        found = self._folder.glob("*/layer.json")
        return {path.parent.name for path in found if json.loads(path.read_text())["labels"].get(KIND) == "before-all"}

    def files(self, layer: str) -> list[str]:
        files = self._folder / layer / "files"
        return [str(path) for name in ("etc/crosswheel", "tmp") for path in (files / name).rglob("*") if path.is_file()]

    def environment(self, layer: str) -> list[str]:
        """A layer has none: containers take the image's."""
        assert {*json.loads((self._folder / layer / "layer.json").read_text())} == {"below", "labels"}
        return []


@pytest.fixture
def layers(engine_of_kind: Engine | None) -> Iterator[Layers | NamespaceLayers]:
    if engine_of_kind is None:
        yield NamespaceLayers()
        return
    with closing(docker.DockerClient(base_url=engine_of_kind.address)) as client:
        yield Layers(client)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tiny_project("compiles", tmp_path)


@pytest.fixture
def wheels(chosen: Mapping[str, str], manylinux_x86_64: str, project: Path) -> Wheels:
    """Builds the project natively, with options of [tool.crosswheel] and flags; gives the jobs of the report."""
    written = (project / "pyproject.toml").read_text()

    def build(flags: dict[str, Any] | None = None, **options: Any) -> Jobs:
        given = {"policy": POLICY, "arch": ["x86_64"], "python": ["cp311", "cp313"], "test": "never", **options}
        rows = [f"{name.replace('_', '-')} = {json.dumps(value)}" for name, value in given.items()]
        (project / "pyproject.toml").write_text("\n".join([written, "[tool.crosswheel]", *rows, ""]))
        shutil.rmtree(project / "wheelhouse", ignore_errors=True)
        named = {"source": str(project), "engine": "native", "image": manylinux_x86_64, **(flags or {})}
        printed = io.StringIO()
        code = run_verb("wheels", project, {**named, **chosen}, printed)
        sys.stdout.write(printed.getvalue())
        jobs: Jobs = json.loads((project / "wheelhouse" / "report.json").read_text())["jobs"]
        assert code == max((job["failure"]["exit_code"] for job in jobs if job["failure"]), default=0)
        return jobs

    return build


def served(jobs: Jobs) -> list[tuple[int, int]]:
    return [(job["usage"]["hits"], job["usage"]["misses"]) for job in jobs]


@pytest.mark.daily(1)
def test_what_was_compiled_is_not_compiled_again(wheels: Wheels, project: Path) -> None:
    # The backend compiles and links at once, which is never kept.
    compiling = {"before_build": "cc -O2 -c more.c -o more.o", "python": ["cp313"]}
    name = f"more_{uuid4().hex}"  # no earlier run compiled it
    (project / "more.c").write_text(f"int {name}(void) {{ return 1; }}\n")
    assert served(wheels(**compiling)) == [(0, 1)]
    (project / "README").write_text("nothing that a compiler reads")
    assert served(wheels(**compiling)) == [(1, 0)]
    (project / "more.c").write_text(f"int {name}(void) {{ return 2; }}\n")
    assert served(wheels(**compiling)) == [(0, 1)]
    assert served(wheels({"fresh": True}, **compiling)) == [(0, 0)]


@pytest.mark.daily(1)
def test_packages_are_kept_for_runs_without_an_index(wheels: Wheels, project: Path) -> None:
    tested = {"test": "auto", "test_requires": ["iniconfig==2.1.0"], "python": ["cp313"]}
    assert [job["status"] for job in wheels(**tested)] == ["built"]
    (project / "README").write_text("another")
    assert [job["status"] for job in wheels({"offline": True}, **tested)] == ["built"]
    (job,) = wheels({"offline": True}, **{**tested, "test_requires": ["iniconfig==2.0.0"]})
    assert job["failure"]["exit_code"] == 5
    assert "--offline forbids downloading them" in job["failure"]["message"]


# What follows it is another in each run: the user's cache keeps the layers of earlier runs.
_ONCE = """
set -eu
echo once >>/root/runs
mkdir made && echo '#define MADE' >made/it.h
echo '/* changed */' >>fast.c
"""
_SEEN = """
test "$(cat /root/runs)" = once
test -f made/it.h && tail -n 1 fast.c | grep changed
test -f /var/lib/crosswheel/tiny-1.0/fast.c && test ! -e /var/lib/crosswheel/tiny-1.0/pyproject.toml
"""


@pytest.mark.daily(1)
def test_before_all_is_done_once_for_all_pythons_and_runs(
    wheels: Wheels, project: Path, layers: Layers | NamespaceLayers, capsys: pytest.CaptureFixture[str]
) -> None:
    before = layers.names()
    options = {"before_all": f"{_ONCE}: {uuid4()}", "before_build": _SEEN}
    assert [job["status"] for job in wheels(**options)] == ["built", "built"]
    (layer,) = layers.names() - before
    told = capsys.readouterr().out.splitlines()
    for long in ("running before-all in", "making an environment of cp311 in", "making an environment of cp313 in"):
        assert [line.startswith(long) for line in told].count(True) >= 2, "when it begins and when it has ended"
    # Another setting of the build alone: another wheel, and the same layer.
    assert [job["status"] for job in wheels({"strip": True}, **options)] == ["built", "built"]
    assert layers.names() - before == {layer}
    assert "before-all" not in capsys.readouterr().out
    (project / "README").write_text("the command may read it")
    wheels(**options)
    assert len(layers.names() - before) == 2


@pytest.mark.daily(1)
def test_the_layer_holds_nothing_of_the_callers(wheels: Wheels, layers: Layers | NamespaceLayers) -> None:
    before = layers.names()
    wheels(before_all=f"{_ONCE}: {uuid4()}")
    (layer,) = layers.names() - before
    assert layers.files(layer) == []
    assert not [line for line in layers.environment(layer) if "=/etc/crosswheel" in line or "PIP_" in line]


@pytest.mark.daily(1)
def test_a_before_all_that_fails_leaves_no_layer(wheels: Wheels, layers: Layers | NamespaceLayers) -> None:
    before = layers.names()
    jobs = wheels(before_all="echo some reason; exit 3")
    assert [job["failure"]["kind"] for job in jobs] == ["BuildFailed", "BuildFailed"]
    assert all("ended with exit code 3" in job["failure"]["message"] for job in jobs)
    assert all("some reason" in job["failure"]["log_tail"] for job in jobs)
    assert layers.names() == before
