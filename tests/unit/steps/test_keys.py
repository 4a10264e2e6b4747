"""What a wheel depends on changes its key, and nothing else does."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from crosswheel.engines import ENGINES
from crosswheel.engines.facts import Facts, reference_of
from crosswheel.errors import ImageUnavailable
from crosswheel.model.config import Config
from crosswheel.model.job import Job, Sdist
from crosswheel.pipeline.run import Run
from crosswheel.steps import MAKE, Composition, Steps, Work
from crosswheel.steps import keys as recipe
from crosswheel.steps.keys import test_key as key_of_test
from crosswheel.system.pip_settings import PipSettings
from tiny_projects import TARGETS, TinyEngine, Yard

COMPOSITION = Composition(MAKE)

Ingredients = tuple[Job, Sdist, Config, Facts]
Change = Callable[[pytest.MonkeyPatch], None]


def build_key(job: Job, sdist: Sdist, config: Config, facts: Facts) -> str:
    return recipe.build_key(job, sdist, config, facts, COMPOSITION)


def key(yard: Yard, text: str = "", **options: Any) -> str:
    """Of the project's first job, with that in [tool.crosswheel]."""
    return build_key(*ingredients(yard, text, **options))


def ingredients(yard: Yard, text: str = "", **options: Any) -> Ingredients:
    (yard.folder / "pyproject.toml").write_text(f"[tool.crosswheel]\n{text}\n")
    run: Run = yard.run("platform", **options)
    return run.plan.jobs[0], run.sdist, run.config, run.services.facts


def with_environ(facts: Facts, **variables: str) -> Facts:
    return replace(facts, host=replace(facts.host, environ={**facts.host.environ, **variables}))


@pytest.fixture
def sysroot(yard: Yard) -> Path:
    folder = yard.folder / "sysroot"
    folder.mkdir()
    (folder / "libz.so").write_bytes(b"old")
    return folder


@pytest.mark.parametrize(
    "text",
    [
        'before-all = "yum install zlib-devel"',
        'before-build = "pip list"',
        'environment = {CFLAGS = "-O1"}',
        'config-settings = {setup-args = "-Dblas=none"}',
        'config-settings = {setup-args = ["-Dblas=none"]}',
        "debug-info = true",
        "strip = true",
        'sysroot = {aarch64 = "sysroot"}',
    ],
)
def test_a_setting_that_changes_wheels_changes_the_key(yard: Yard, sysroot: Path, text: str) -> None:
    assert key(yard, text) != key(yard)
    assert key(yard, text) == key(yard, text)


@pytest.mark.parametrize(
    "text",
    [
        "jobs = 4",
        'output = "elsewhere"',
        "timeout = 60",
        "fail-fast = true",
        "offline = true",
        "cache-size = 1",
        'test = "never"',
        'test-command = "true"',
        'test-requires = ["pytest"]',
        'ignore = {W302 = "a trial"}',
        'repository = "testpypi"',
        'docker-host = "tcp://elsewhere"',
        'python = ["cp311"]',
        'sysroot = {x86_64 = "sysroot"}',
    ],
)
def test_what_changes_no_wheel_does_not(yard: Yard, sysroot: Path, text: str) -> None:
    assert key(yard, text) == key(yard)


@pytest.mark.parametrize("options", [{"json": "report.json"}, {"fresh": True}, {"twice": True}, {"yes": True}])
def test_nor_do_flags_of_the_run(yard: Yard, options: dict[str, Any]) -> None:
    assert key(yard, **options) == key(yard)


def test_a_key_is_of_the_content_of_the_sdist_and_not_of_its_packing(yard: Yard) -> None:
    job, sdist, config, facts = ingredients(yard)
    same = replace(sdist, path=Path("elsewhere.tar.gz"), sha256="packed again")
    assert build_key(job, same, config, facts) == build_key(job, sdist, config, facts)
    for other in (
        replace(sdist, content="other"),
        replace(sdist, version="1.1"),
        replace(sdist, epoch=sdist.epoch + 2),
    ):
        assert build_key(job, other, config, facts) != build_key(job, sdist, config, facts)


def test_a_key_is_of_the_target_the_engine_and_the_interpreter(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENGINES, "other", TinyEngine(yard.folder))
    job, sdist, config, facts = ingredients(yard)
    assert job.interpreter
    jobs = [
        job,
        replace(job, target=TARGETS[1]),
        replace(job, engine="other"),
        replace(job, interpreter=replace(job.interpreter, version="3.11.99")),
        replace(job, interpreter=replace(job.interpreter, path=Path("/elsewhere/python3.11"))),
    ]
    assert len({build_key(each, sdist, config, facts) for each in jobs}) == len(jobs)
    unimportant = replace(job, reason="because", processors=2, seconds=3.0, fallbacks=(job,))
    assert build_key(unimportant, sdist, config, facts) == build_key(job, sdist, config, facts)


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(recipe, "__version__", "99"),
        lambda patch: patch.setattr(recipe, "version_of", lambda _tool: "99"),
        lambda patch: patch.setattr(recipe, "_version", lambda name: "99" if name == "auditwheel" else ""),
        lambda patch: patch.setitem(ENGINES["cross"].toolchain, "zig", "99"),
    ],
    ids=["crosswheel", "uv", "auditwheel", "zig"],
)
def test_another_tool_is_another_key(yard: Yard, monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    before = key(yard)
    change(monkeypatch)
    assert key(yard) != before


def test_a_sysroot_is_known_by_what_is_in_it(yard: Yard, sysroot: Path) -> None:
    text = 'sysroot = {aarch64 = "sysroot"}'

    def now() -> str:
        return key(yard, text)  # each time of another run, in the same process

    first = now()
    assert now() == first
    os.utime(sysroot / "libz.so", (1, 1))
    changed = now()
    (sysroot / "libm.so").symlink_to("libz.so")
    assert len({first, changed, now()}) == 3


# ---- steps of a project's own -----------------------------------------------------------------------------------


def sign(work: Work) -> Work:
    return work


@pytest.mark.parametrize(
    "steps", [MAKE.after("repair", sign), MAKE.before("build", sign), MAKE.without("repair")], ids=str
)
def test_other_steps_in_front_of_the_audit_are_another_key(yard: Yard, steps: Steps[Work]) -> None:
    found = ingredients(yard)
    assert recipe.build_key(*found, Composition(steps)) != build_key(*found)


@pytest.mark.parametrize(
    "steps", [MAKE, MAKE.after("audit", sign), MAKE.without("find"), MAKE.without("test")], ids=str
)
def test_what_does_not_make_the_wheel_is_in_no_key(yard: Yard, steps: Steps[Work]) -> None:
    found = ingredients(yard)
    assert recipe.build_key(*found, Composition(steps)) == build_key(*found)


# ---- images ---------------------------------------------------------------------------------------------------


@pytest.fixture
def in_images(yard: Yard) -> Yard:
    yard.engine.family = "pypa"
    return yard


def with_image(found: Ingredients, image: str, reference: str = "") -> Ingredients:
    """With the policy's image, or another one, on a Docker host."""
    job, _, config, facts = found
    reference = reference or reference_of(job.target, config)
    answer = SimpleNamespace(id=image) if image else ImageUnavailable("no registry")
    facts.once.known["image", reference, job.target.arch] = answer
    return found


def test_an_image_is_known_by_its_id_and_brings_its_own_interpreter(in_images: Yard) -> None:
    job, sdist, config, facts = with_image(ingredients(in_images), "sha256:1")
    first = build_key(job, sdist, config, facts)
    assert first
    assert job.interpreter
    moved = replace(job, interpreter=replace(job.interpreter, path=Path("/elsewhere")))
    assert build_key(moved, sdist, config, facts) == first
    assert build_key(*with_image(ingredients(in_images), "sha256:2")) != first


def test_without_its_image_a_job_has_no_key(in_images: Yard) -> None:
    assert build_key(*with_image(ingredients(in_images), "")) == ""


def test_a_test_is_of_the_wheel_and_of_every_image(yard: Yard) -> None:
    text = 'test-images = ["registry/slim"]'

    def of(wheel: str, policy: str, slim: str) -> str:
        found = with_image(with_image(ingredients(yard, text), policy), slim, "registry/slim")
        return key_of_test(found[0], wheel, *found[1:])

    keys = [of("w", "1", "2"), of("v", "1", "2"), of("w", "3", "2"), of("w", "1", "3")]
    assert len({*keys}) == 4
    assert of("w", "1", "2") == keys[0]
    assert of("w", "", "2") == of("w", "1", "") == ""


def test_a_test_of_the_projects_own_files_is_of_them_too(yard: Yard) -> None:
    def of(text: str, content: str) -> str:
        job, sdist, config, facts = with_image(ingredients(yard, text), "1")
        return key_of_test(job, "w", replace(sdist, content=content), config, facts)

    own, plain = 'test-command = "pytest {project}/tests"', 'test-command = "pytest --pyargs tiny"'
    assert of(own, "a") != of(own, "b")
    assert of(plain, "a") == of(plain, "b")


# ---- where requirements come from -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [
        {"UV_INDEX_URL": "https://index.example/simple"},
        {"UV_EXCLUDE_NEWER": "2026-01-01"},
        {"UV_RESOLUTION": "lowest"},
        {"UV_CONSTRAINT": "constraints.txt"},
    ],
)
def test_other_requirements_are_another_key(yard: Yard, variables: dict[str, str]) -> None:
    job, sdist, config, facts = ingredients(yard)
    assert build_key(job, sdist, config, with_environ(facts, **variables)) != build_key(job, sdist, config, facts)


def test_constraints_are_known_by_their_content(yard: Yard) -> None:
    path = yard.folder / "constraints.txt"
    keys = []
    for content in ("numpy<2", "numpy<3", "numpy<2"):
        path.write_text(content)
        job, sdist, config, facts = ingredients(yard)
        keys.append(build_key(job, sdist, config, with_environ(facts, UV_CONSTRAINT=str(path))))
    assert keys[0] == keys[2] != keys[1]


def test_another_index_is_another_key_and_another_token_is_not(yard: Yard) -> None:
    job, sdist, config, facts = ingredients(yard)

    def of(url: str, *extra: str) -> str:
        index = replace(facts.host.index, settings=PipSettings(index_url=url, extra_index_urls=extra))
        return build_key(job, sdist, config, replace(facts, host=replace(facts.host, index=index)))

    assert of("https://a.example/simple") != of("https://b.example/simple")
    assert of("https://me:old@a.example/simple") == of("https://me:new@a.example/simple")
    assert of("https://a.example/simple", "https://c.example/simple") != of("https://a.example/simple")
    environ = [
        with_environ(facts, UV_INDEX_URL=f"https://me:{token}@a.example/simple")
        for token in ("old", "n w", "p@ss", "%2F")
    ]
    assert len({build_key(job, sdist, config, each) for each in environ}) == 1
