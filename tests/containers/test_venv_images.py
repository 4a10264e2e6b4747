"""What interpreters under QEMU need not find out themselves, and that none of it stands in the way of the truth."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from containers.stand_ins.manylinux import POLICY
from crosswheel.containers.environment import EMPTY, environment, python, site_packages
from crosswheel.containers.host import Container
from crosswheel.containers.images import Image
from crosswheel.containers.project_caches import PACKAGES
from crosswheel.engines.facts import look_around, reference_of
from crosswheel.engines.in_containers import container_of
from crosswheel.engines.services import Services
from crosswheel.engines.venv_images import seed, with_environment
from crosswheel.errors import BuildFailed
from crosswheel.model.config import Config
from crosswheel.model.config_reader import load_config
from crosswheel.model.job import Interpreter, deaf
from crosswheel.model.targets import parse_target
from crosswheel.toolchains.bytecode import put_bytecode_of_packages
from crosswheel.toolchains.toolbox import UV

pytestmark = [pytest.mark.containers, pytest.mark.index, pytest.mark.binfmt]

TARGET = parse_target(f"cp311-{POLICY}_aarch64")
TAG = TARGET.python
MODULE = site_packages(TAG) / "module.py"


@pytest.fixture
def config(chosen: Mapping[str, str], manylinux_aarch64: str, tmp_path: Path) -> Config:
    options = {**chosen, "arch": ["aarch64"], "image": manylinux_aarch64, "fresh": True}
    return load_config(tmp_path, options)


@pytest.fixture
def services(config: Config, emulates: None) -> Iterator[Services]:
    with look_around(config, deaf) as facts, Services(facts) as services:
        if TAG not in facts.host.interpreters:
            pytest.skip("this machine has no CPython 3.11, which could compile for the image's")
        yield services


@pytest.fixture
def image(config: Config, services: Services) -> Image:
    return services.pull(reference_of(TARGET, config), TARGET.arch)


@pytest.fixture
def interpreter(services: Services, image: Image) -> Interpreter:
    return services.facts.pythons_of(image)[TAG]


def ready(image: Image, services: Services, find: Callable[..., Interpreter], *, fresh: bool = True) -> Image:
    return with_environment(image, TAG, services, find, fresh=fresh, timeout=600)


@pytest.fixture
def container(config: Config, services: Services, image: Image, interpreter: Interpreter) -> Iterator[Container]:
    made = ready(image, services, lambda *_: interpreter)
    with container_of(made, config, services, "tiny", compilers=False, timeout=600) as running:
        yield running


def test_uv_knows_it_in_a_volume_that_other_pythons_have_used(
    config: Config, services: Services, image: Image, interpreter: Interpreter, tmp_path: Path
) -> None:
    kept = replace(config, build=replace(config.build, fresh=False))
    made, log = ready(image, services, lambda *_: interpreter, fresh=False), tmp_path / "log"
    for used in (image, made):
        with container_of(used, kept, services, "tiny", compilers=False, timeout=600) as container:
            container.run(["mkdir", "-p", str(PACKAGES / "other")])
            if used == made:
                listing = [UV, "pip", "list", "--python", str(environment(TAG))]
                container.run(listing, env={"RUST_LOG": "uv=trace"}, log=log)
    assert "skipping query of" in log.read_text()
    assert "Querying interpreter" not in log.read_text()


def test_it_is_made_once(services: Services, image: Image, container: Container) -> None:
    def forbidden(_container: Container, _deadline: float) -> Interpreter:
        raise AssertionError("it is there")

    assert container.image.layer
    assert ready(image, services, forbidden) == container.image


def test_what_cannot_be_made_is_not_kept(services: Services, image: Image) -> None:
    missing = Interpreter(parse_target(f"cp39-{POLICY}_aarch64").python, "3.9.1", Path("/opt/python/none/bin/python"))
    for _ in range(2):
        with pytest.raises(BuildFailed, match="no environment of /opt/python/none/bin/python could be made"):
            with_environment(image, missing.tag, services, lambda *_: missing, fresh=True, timeout=600)


def test_nothing_is_installed_in_it_and_pip_comes_on_demand(
    services: Services, container: Container, tmp_path: Path
) -> None:
    listed = [UV, "pip", "list", "--python", str(environment(TAG))]
    assert container.run(listed) == ""
    assert container.run(["ls", "-A", str(EMPTY)]) == ""
    container.write({MODULE: b"SAYS = 'still here'\n"})
    seed(container, TAG, {}, tmp_path / "log", 1e9)
    assert "pip" in container.run(listed)
    assert container.run([str(python(TAG)), "-c", "import module; print(module.SAYS)"]) == "still here\n"


def test_the_standard_library_is_compiled(container: Container, interpreter: Interpreter) -> None:
    code = "import json, sys; print(json.__cached__); import os; print(os.path.exists(json.__cached__))"
    cached, exists = container.run([str(interpreter.path), "-B", "-c", code]).split()
    assert exists == "True", cached


def test_uv_knows_the_interpreter_and_its_environment(
    container: Container, interpreter: Interpreter, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environ = {"RUST_LOG": "uv=trace"}
    other = [UV, "venv", "--no-project", "--python", str(interpreter.path), "/tmp/other"]  # noqa: S108 - in a container
    container.run(other, env=environ, log=log)
    container.run([UV, "pip", "list", "--python", str(environment(TAG))], env=environ, log=log)
    told = log.read_text()
    assert told.count("skipping query of") >= 2, told
    assert "Querying interpreter" not in told, told


def test_packages_are_compiled_and_changed_ones_are_seen(container: Container, services: Services) -> None:
    def says() -> str:
        code = "import os, module; print(module.SAYS, os.path.exists(module.__cached__))"
        return container.run([str(python(TAG)), "-B", "-c", code]).strip()

    container.write({MODULE: b"SAYS = 'one'\n"})
    assert says() == "one False"
    put_bytecode_of_packages(container, MODULE.parent, TAG, services.facts.host)
    assert says() == "one True"
    # As long as before, and of no other time that matters.
    container.write({MODULE: b"SAYS = 'two'\n"})
    assert says() == "two True"
    container.write({MODULE: b"SAYS = 'one'\n"})
    assert says() == "one True"


def test_what_is_no_python_is_left_to_fail_where_it_is_imported(container: Container, services: Services) -> None:
    container.write({MODULE: b"SAYS = (\n", MODULE.with_name("other.py"): b"SAYS = 'other'\n"})
    put_bytecode_of_packages(container, MODULE.parent, TAG, services.facts.host)
    code = "import os, other; print(other.SAYS, os.path.exists(other.__cached__))"
    assert container.run([str(python(TAG)), "-B", "-c", code]).strip() == "other True"
