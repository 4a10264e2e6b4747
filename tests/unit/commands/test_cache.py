"""What is kept, what of it goes first, and that nothing goes which a run is using."""

from __future__ import annotations

import io
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from crosswheel.commands import run_verb
from crosswheel.commands.cache import keep_within_limit
from crosswheel.containers.docker_containers import DockerContainers
from crosswheel.containers.docker_host import DockerHost
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Event, Note, deaf
from crosswheel.system.locks import at_work, mark_used, mark_volume, oldest_run, take
from crosswheel.system.memo import answers_in
from crosswheel.system.scratch import scratch_folder
from crosswheel.toolchains import zig_library
from crosswheel.toolchains.pinned import version_of
from crosswheel.toolchains.toolbox import volume_name
from crosswheel.upkeep.caches import (
    GIB,
    Holding,
    docker_holdings,
    goes,
    is_due,
    local_holdings,
    remove_from,
    remove_local,
)
from tiny_projects import tiny_facts, tiny_host, tiny_project

PINNED = f"zig/{version_of('zig')}"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, and nothing left in the folder for temporary files."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("CROSSWHEEL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def put(cache: Path, place: str, *, size: int = 100, days: float = 0) -> Path:
    """A folder with a file in it, last used so many days ago."""
    folder = cache / place
    folder.mkdir(parents=True)
    (folder / "content").write_bytes(b"x" * size)
    os.utime(folder, (moment := time.time() - days * 86400, moment))
    return folder


def names(holdings: list[Holding]) -> list[str]:
    return [Path(holding.place).name for holding in holdings]


# ---- what is there --------------------------------------------------------------------------------------------


def test_everything_is_found_with_its_size_and_last_use(cache: Path) -> None:
    put(cache, "journal/tiny/aaa", size=300, days=2)
    put(cache, f"{PINNED}-objects-{zig_library.VERSION}/tiny-cp311-manylinux2014_aarch64/o/deep", size=5000)
    put(cache, f"{PINNED}-libraries-{zig_library.VERSION}/o", size=70)
    put(cache, PINNED, size=60)
    put(cache, "zig/0.1.0", size=50)
    put(cache, "files/123", size=40)
    (cache / "files" / "123" / "content").rename(cache / "files" / "123" / "tiny-1.0.tar.gz")
    (cache / "bytecode").mkdir()
    (cache / "bytecode" / "image-cp311.tar").write_bytes(b"xx")
    (cache / "bytecode" / "image-cp311.lock").touch()
    answers_in(cache).keep(True, "pythons", "sha256:123")
    (cache / "zig.lock").touch()
    put(cache, "journal/tiny/.making-x", size=7)
    found = {(holding.kind, holding.what): holding for holding in local_holdings(cache)}
    assert {key: holding.size for key, holding in found.items()} == {
        ("journal", "tiny"): 300,
        ("objects", "tiny-cp311-manylinux2014_aarch64"): 5000,
        ("libraries", f"libc and libc++ of Zig {version_of('zig')}"): 70,
        ("toolchain", f"Zig {version_of('zig')}"): 60,
        ("toolchain", "Zig 0.1.0"): 50,
        ("downloads", "tiny-1.0.tar.gz"): 40,
        ("bytecode", "image-cp311"): 2,
        ("answers", "pythons"): 111,
        ("remains", ".making-x"): 7,
    }
    assert time.time() - found["journal", "tiny"].used == pytest.approx(2 * 86400, abs=60)
    assert [what for (_, what), holding in found.items() if holding.stale] == ["Zig 0.1.0"]


def test_of_nothing_there_is_nothing(cache: Path) -> None:
    cache.rmdir()
    assert local_holdings(cache) == []


@pytest.mark.no_cover
def test_thousands_of_files_are_measured_in_no_time(cache: Path) -> None:
    for number in range(3000):
        folder = cache / "journal" / "tiny" / str(number)
        folder.mkdir(parents=True)
        for name in ("entry.json", "log", "x.whl"):
            (folder / name).touch()
    began = time.process_time()
    assert len(local_holdings(cache)) == 3000
    assert time.process_time() - began < 1


# ---- what goes ------------------------------------------------------------------------------------------------


def holding(name: str, kind: Any = "journal", size: int = 10, used: float = 0.0, **more: bool) -> Holding:
    return Holding(kind, name, name, size, used, **more)


HOLDINGS = [
    holding("new", used=9),
    holding("old", used=1),
    holding("zig", "toolchain", used=2),
    holding("libc", "libraries", used=2),
    holding("old zig", "toolchain", used=8, stale=True),
    holding("unknown", "caches", used=math.nan),
    holding("objects", "objects", used=5),
    holding("busy", used=0, busy=True),
    holding("half", "remains", size=0, used=9),
]


@pytest.mark.parametrize(
    ("limit", "gone"),
    [
        (80, ["half"]),
        (79, ["half", "old zig"]),
        (60, ["half", "old zig", "unknown"]),
        (50, ["half", "old zig", "unknown", "old"]),
        (31, ["half", "old zig", "unknown", "old", "objects", "new"]),
        (0, ["half", "old zig", "unknown", "old", "objects", "new", "zig", "libc"]),
    ],
)
def test_what_was_used_longest_ago_goes_first_and_what_is_dear_last(limit: int, gone: list[str]) -> None:
    assert [each.what for each in goes(HOLDINGS, limit)] == gone


def test_a_limit_of_nothing_empties_all_even_what_has_no_size(cache: Path) -> None:
    put(cache, "journal/tiny/empty", size=0, days=1)
    assert names(goes(local_holdings(cache), 0)) == ["empty"]


def test_what_was_used_since_it_was_looked_at_stays(cache: Path) -> None:
    entry = put(cache, "journal/tiny/aaa", days=1)
    (found,) = local_holdings(cache)
    mark_used(entry)
    assert (remove_local(found), entry.is_dir()) == (False, True)
    (found,) = local_holdings(cache)
    assert (remove_local(found), local_holdings(cache)) == (True, [])


# ---- who uses it ----------------------------------------------------------------------------------------------


def test_what_was_used_since_the_first_living_run_began_is_busy(cache: Path) -> None:
    old = put(cache, "journal/tiny/old", days=1)
    new = put(cache, "journal/tiny/new", days=1)
    with at_work(cache):
        time.sleep(0.02)
        mark_used(new)
        with at_work(cache):
            assert {each.place: each.busy for each in local_holdings(cache)} == {old: False, new: True}
            assert goes(local_holdings(cache), 0) == [each for each in local_holdings(cache) if each.place == old]
        # The second is over; the first still needs what it has found.
        assert [each.busy for each in local_holdings(cache) if each.place == new] == [True]
    assert not any(each.busy for each in local_holdings(cache))
    assert list((cache / "runs").iterdir()) == []


def test_a_run_that_was_killed_holds_nothing(cache: Path) -> None:
    code = f"""
import os, signal
from pathlib import Path
from crosswheel.system.locks import at_work
with at_work(Path({str(cache)!r})):
    os.kill(os.getpid(), signal.SIGKILL)
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL
    assert len(list((cache / "runs").iterdir())) == 1
    assert oldest_run(cache) == math.inf
    assert list((cache / "runs").iterdir()) == []


def test_what_a_living_run_is_making_is_no_remains_yet(cache: Path) -> None:
    put(cache, "journal/tiny/.making-old", days=1)
    with at_work(cache):
        time.sleep(0.02)
        put(cache, "journal/tiny/.making-new")
        assert names(goes(local_holdings(cache), GIB)) == [".making-old"]
    assert len(goes(local_holdings(cache), GIB)) == 2


def test_folders_for_temporary_files_that_nobody_works_in_go(cache: Path) -> None:
    with scratch_folder("dead") as dead, scratch_folder("busy") as busy:
        busy.mkdir()
        dead.mkdir()
        (dead / "object.o").write_bytes(b"x" * 9)
        assert local_holdings(cache) == []
        leave(dead.parent)
        found = local_holdings(cache)
        assert [(each.kind, each.what, each.size) for each in found] == [("remains", "dead", 9)]
        assert [remove_local(each) for each in found] == [True]
        assert busy.is_dir()


def leave(folder: Path) -> None:
    """As a killed process does: everything stays but the lock, which is of a folder that is no longer there."""
    shutil.copytree(folder, folder.with_name("copy"))
    shutil.rmtree(folder)
    folder.with_name("copy").rename(folder)


def test_a_lock_is_one_processs_until_it_is_closed(cache: Path) -> None:
    path = cache / "lock"
    assert take(path) is None
    path.touch()
    first = take(path)
    assert first is not None
    assert take(path) is None
    os.close(first)
    second = take(path)
    assert second is not None
    os.close(second)


# ---- the Docker host ------------------------------------------------------------------------------------------


class Engine:
    """What a client of docker's can be asked here."""

    def __init__(self, *, volumes: list[dict[str, Any]], images: list[dict[str, Any]]) -> None:
        self.all_volumes, self.all_images = volumes, images
        self.removed: list[str] = []
        self.api = self
        self.timeout = 600
        self.in_use: set[str] = set()

    def df(self) -> dict[str, Any]:
        """Sizes, with nothing else that podman leaves out."""
        volumes = [{**volume, "Labels": {}} for volume in self.all_volumes]
        bare = {"Labels": {}, "RepoTags": ["abc"]}
        images = [{**image, **bare, "Id": image["Id"].removeprefix("sha256:")} for image in self.all_images]
        return {"Volumes": volumes, "Images": images}

    def volumes(self, filters: dict[str, str]) -> dict[str, Any]:
        return {"Volumes": [volume for volume in self.all_volumes if filters["label"] in (volume["Labels"] or {})]}

    def images(self, filters: dict[str, str]) -> list[dict[str, Any]]:
        """With the registry that podman puts before names."""
        ours = [image for image in self.all_images if filters["label"] in (image["Labels"] or {})]
        names = [[f"docker.io/library/{name}" for name in image["RepoTags"]] for image in ours]
        return [{**image, "RepoTags": tags, "SharedSize": -1} for image, tags in zip(ours, names, strict=True)]

    def remove_volume(self, name: str) -> None:
        if name in self.in_use:
            from docker.errors import APIError

            raise APIError("409 Client Error", explanation="volume is in use")
        self.removed.append(name)

    remove_image = remove_volume


def volume(name: str, role: str | None, size: int, *, containers: int = 0, project: str = "") -> dict[str, Any]:
    labels = {"io.crosswheel": role, **({"io.crosswheel.project": project} if project else {})} if role else None
    return {"Name": name, "Labels": labels, "UsageData": {"Size": size, "RefCount": containers}}


def host_of(engine: Engine) -> DockerHost:
    return DockerHost(engine, "unix:///nowhere", "29.0", "x86_64", cpus=2, memory=2**30)  # type: ignore[arg-type]


@pytest.fixture
def engine() -> Engine:
    current = volume_name(DockerContainers(host_of(Engine(volumes=[], images=[]))), compilers=True)
    image = {"Size": 900, "SharedSize": 890, "Created": 1, "Containers": 0}
    return Engine(
        volumes=[
            volume("a-database", None, 10**12),
            volume(current, "toolbox", 200),
            volume("crosswheel-tools-x86_64-other", "toolbox", 190),
            volume("crosswheel-cache-tiny-1", "cache", 50, project="tiny"),
            volume("crosswheel-cache-tiny-2", "cache", -1, project="tiny", containers=1),
        ],
        images=[
            {**image, "Id": "sha256:1", "Labels": None},
            {
                **image,
                "Id": "sha256:2",
                "RepoTags": ["crosswheel-before-all:abc"],
                "Labels": {"io.crosswheel": "before-all", "io.crosswheel.project": "tiny"},
            },
            {
                **image,
                "Id": "sha256:3",
                "ParentId": "sha256:2",
                "Size": 907,
                "RepoTags": ["<none>:<none>"],
                "Labels": {"io.crosswheel": "environment"},
            },
        ],
    )


def test_only_what_is_ours_is_told_of(engine: Engine, cache: Path) -> None:
    mark_volume("crosswheel-cache-tiny-1", cache)
    found = docker_holdings(host_of(engine), cache)
    assert [(each.kind, each.what, each.size, each.stale, each.busy, each.is_known) for each in found] == [
        ("toolchain", engine.all_volumes[1]["Name"], 200, False, False, False),
        ("toolchain", "crosswheel-tools-x86_64-other", 190, True, False, False),
        ("caches", "tiny", 50, False, False, True),
        ("caches", "tiny", 0, False, True, False),
        ("image", "tiny", 10, False, False, False),
        ("image", "sha256:3", 7, False, False, False),
    ]


def test_a_volume_that_a_living_run_has_used_is_busy_between_two_containers(engine: Engine, cache: Path) -> None:
    with at_work(cache):
        mark_volume("crosswheel-cache-tiny-1", cache)
        assert [each.place for each in docker_holdings(host_of(engine), cache) if each.busy] == [
            "crosswheel-cache-tiny-1",
            "crosswheel-cache-tiny-2",
        ]


def test_what_the_engine_does_not_give_away_stays(engine: Engine, cache: Path) -> None:
    engine.in_use = {"crosswheel-cache-tiny-1"}
    host = host_of(engine)
    chosen = goes(docker_holdings(host, cache), 0)
    assert [remove_from(host, cache, each) for each in chosen] == [each.place not in engine.in_use for each in chosen]
    assert {"crosswheel-before-all:abc", "sha256:3"} <= {*engine.removed}
    assert not {"a-database", "sha256:1", "crosswheel-cache-tiny-1", "crosswheel-cache-tiny-2"} & {*engine.removed}


def test_what_a_run_has_begun_to_use_since_it_was_looked_at_stays_there_too(engine: Engine, cache: Path) -> None:
    """The toolbox of a run that is about to start its first container: no container has it yet."""
    host = host_of(engine)
    chosen = [each for each in docker_holdings(host, cache) if each.what == "tiny"]
    mark_volume("crosswheel-cache-tiny-1", cache)
    for each in chosen:
        assert remove_from(host, cache, each) == (each.place != "crosswheel-cache-tiny-1")
    assert "crosswheel-cache-tiny-1" not in engine.removed


# ---- the verb -------------------------------------------------------------------------------------------------


def verb(folder: Path, **options: Any) -> str:
    stream = io.StringIO()
    options = {name.replace("_", "-"): value for name, value in options.items()}
    assert run_verb("cache", folder, {"docker-host": "unix:///nowhere/docker.sock", **options}, stream) == 0
    return stream.getvalue()


@pytest.fixture
def filled(cache: Path) -> Path:
    put(cache, "journal/tiny/aaa", size=2048, days=3)
    put(cache, "journal/tiny/bbb", size=2048, days=1)
    put(cache, "zig/0.1.0", size=1024, days=1)
    return cache


def test_the_verb_shows_what_there_is_and_where_the_engine_is_not(filled: Path, tmp_path: Path) -> None:
    text = verb(tmp_path)
    assert "tiny: 2 wheels" in text
    assert "4.0 KiB" in text
    assert "of another version" in text
    assert f"this machine: 5.0 KiB of 10.0 GiB in {filled}\n" in text
    assert "Docker host: cannot be read: asking the Docker Engine unix:///nowhere/docker.sock: no Docker" in text
    assert len(local_holdings(filled)) == 3


def test_a_dry_run_removes_nothing_and_says_what_would_go(filled: Path, tmp_path: Path) -> None:
    text = verb(tmp_path, trim=True, dry_run=True, cache_size=0, json="cache.json")
    assert "would go" in text
    assert f"this machine: 5.0 KiB of 0 B in {filled}\n    5.0 KiB would go\n" in text
    assert len(local_holdings(filled)) == 3
    document = json.loads((tmp_path / "cache.json").read_text())
    assert (document["kind"], document["limit"], document["dry_run"]) == ("cache", 0, True)
    here, docker = document["places"]
    assert [each["place"] for each in here["gone"]] == [
        str(filled / place) for place in ("zig/0.1.0", "journal/tiny/aaa", "journal/tiny/bbb")
    ]
    assert (here["holdings"], docker["answers"]) == ([], False)


def test_trimmed_to_nothing_nothing_is_left(filled: Path, tmp_path: Path) -> None:
    assert f"this machine: 0 B of 0 B in {filled}\n    5.0 KiB removed\n" in verb(tmp_path, trim=True, cache_size=0)
    assert local_holdings(filled) == []
    assert [path.name for path in filled.rglob("*") if not path.is_dir()] == []


def test_the_limit_is_read_from_the_project(filled: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.crosswheel]\ncache-size = 3\n")
    assert "of 3.0 GiB" in verb(tmp_path)


# ---- without anybody typing anything --------------------------------------------------------------------------


def test_a_run_that_finds_too_much_removes_what_it_did_not_use(
    filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tiny_host(tmp_path)
    assert host.cache == filled
    given = load_config(tmp_path, {"cache-size": 0}), tiny_facts(host)
    events: list[Event] = []
    with at_work(filled):
        time.sleep(0.02)
        mark_used(filled / "journal" / "tiny" / "bbb")
        keep_within_limit(*given, events.append)
        assert names(local_holdings(filled)) == ["bbb"]
        (note,) = (event.text for event in events if isinstance(event, Note))
        assert note.startswith("removed the 2 things used least recently, 3.0 KiB: the limit of caches is 0 B")
        # The next run does not look again.
        put(filled, "journal/tiny/ccc", days=1)
        keep_within_limit(*given, events.append)
        assert len(local_holdings(filled)) == 2


def test_a_run_removes_no_volume_that_only_others_have_used(engine: Engine, cache: Path, tmp_path: Path) -> None:
    mark_volume("crosswheel-cache-tiny-1", cache)
    given = load_config(tmp_path, {"cache-size": 0}), tiny_facts(tiny_host(tmp_path), host_of(engine))
    for _ in range(2):
        keep_within_limit(*given, deaf)
    assert engine.removed == ["crosswheel-cache-tiny-1"]


def test_a_run_whose_engine_does_not_answer_any_more_has_not_failed(
    cache: Path, tmp_path: Path, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> dict[str, Any]:
        raise OSError("Connection refused")

    monkeypatch.setattr(engine, "df", refuse)
    given = load_config(tmp_path, {}), tiny_facts(tiny_host(tmp_path), host_of(engine))
    keep_within_limit(*given, deaf)


@pytest.mark.parametrize("moment", [-7200, 7200])
def test_a_stamp_of_long_ago_or_of_the_future_is_none(cache: Path, moment: int) -> None:
    assert is_due(cache, "measured", 3600)
    assert not is_due(cache, "measured", 3600)
    now = time.time()
    os.utime(cache / ".measured", (now + moment, now + moment))
    assert is_due(cache, "measured", 3600)


def test_wheels_keeps_within_the_limit(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And has a lock while it does, so that what it fetched stays."""
    seen: list[float] = []
    monkeypatch.setattr("crosswheel.commands.wheels.look_around", lambda *_: tiny_facts(tiny_host(tmp_path)))
    monkeypatch.setattr("crosswheel.commands.wheels.keep_within_limit", lambda *_: seen.append(oldest_run(cache)))
    project = tiny_project("pure", tmp_path)
    options = {"source": str(project), "python": ["cp313"], "engine": "cross"}
    run_verb("wheels", project, options, io.StringIO())
    assert seen
    assert seen[0] < math.inf
    assert oldest_run(cache) == math.inf
