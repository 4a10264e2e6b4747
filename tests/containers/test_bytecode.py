"""What interpreters under QEMU need not find out themselves, and that none of it stands in the way of the truth."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from containers.engine import Engine
from containers.stand_ins.manylinux import POLICY
from crosswheel.config import load_config
from crosswheel.containers.binfmt import Handler
from crosswheel.containers.container import Container
from crosswheel.containers.docker_host import DockerHost
from crosswheel.containers.environment import ENVIRONMENT, PYTHON, site_packages
from crosswheel.engines.containers import container_of, make_environment
from crosswheel.engines.site import Site, look_around
from crosswheel.model import Interpreter, deaf
from crosswheel.targets import parse_target
from crosswheel.toolchains.bytecode import put_bytecode, put_bytecode_of_packages
from crosswheel.toolchains.toolbox import UV

pytestmark = [pytest.mark.containers, pytest.mark.index]

TARGET = parse_target(f"cp311-{POLICY}_aarch64")
MODULE = site_packages(TARGET.python) / "module.py"


@pytest.fixture
def site(docker_engine: Engine, qemu: Handler, manylinux_aarch64: str, tmp_path: Path) -> Iterator[Site]:
    options = {"docker-host": docker_engine.address, "arch": ["aarch64"], "image": manylinux_aarch64, "fresh": True}
    found = look_around(load_config(tmp_path, options), deaf)
    assert isinstance(found.docker, DockerHost)
    if TARGET.python not in found.host.interpreters:
        pytest.skip("this machine has no CPython 3.11, which could compile for the image's")
    with closing(found.docker.client):
        yield found


@pytest.fixture
def interpreter(site: Site) -> Interpreter:
    image = site.pull(site.reference(TARGET), TARGET.arch, deaf)
    return site.pythons_of(image)[TARGET.python]


@pytest.fixture
def container(site: Site, interpreter: Interpreter) -> Iterator[Container]:
    image = site.pull(site.reference(TARGET), TARGET.arch, deaf)
    with container_of(image, site, "tiny", compilers=False, timeout=600) as running:
        put_bytecode(running, interpreter, site.host, deaf)
        yield running
    site.settle()


def test_the_standard_library_is_compiled(container: Container, interpreter: Interpreter) -> None:
    code = "import json, sys; print(json.__cached__); import os; print(os.path.exists(json.__cached__))"
    cached, exists = container.run([str(interpreter.path), "-B", "-c", code]).split()
    assert exists == "True", cached


def test_uv_knows_the_interpreter_and_its_environment(
    container: Container, interpreter: Interpreter, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    environ = {"RUST_LOG": "uv=trace"}
    make_environment(container, interpreter.path, environ, log, 1e9, seed=False)
    container.run([UV, "pip", "list", "--python", str(ENVIRONMENT)], env=environ, log=log)
    told = log.read_text()
    assert told.count("skipping query of") >= 2, told
    assert "Querying interpreter" not in told, told


def test_packages_are_compiled_and_changed_ones_are_seen(
    container: Container, interpreter: Interpreter, site: Site, tmp_path: Path
) -> None:
    def says() -> str:
        code = "import os, module; print(module.SAYS, os.path.exists(module.__cached__))"
        return container.run([str(PYTHON), "-B", "-c", code]).strip()

    make_environment(container, interpreter.path, {}, tmp_path / "log", 1e9, seed=False)
    container.write(MODULE, b"SAYS = 'one'\n")
    assert says() == "one False"
    put_bytecode_of_packages(container, MODULE.parent, TARGET.python, site.host)
    assert says() == "one True"
    # As long as before, and of no other time that matters.
    container.write(MODULE, b"SAYS = 'two'\n")
    assert says() == "two True"
    container.write(MODULE, b"SAYS = 'one'\n")
    assert says() == "one True"


def test_what_is_no_python_is_left_to_fail_where_it_is_imported(
    container: Container, interpreter: Interpreter, site: Site, tmp_path: Path
) -> None:
    make_environment(container, interpreter.path, {}, tmp_path / "log", 1e9, seed=False)
    container.write(MODULE, b"SAYS = (\n")
    container.write(MODULE.with_name("other.py"), b"SAYS = 'other'\n")
    put_bytecode_of_packages(container, MODULE.parent, TARGET.python, site.host)
    code = "import os, other; print(other.SAYS, os.path.exists(other.__cached__))"
    assert container.run([str(PYTHON), "-B", "-c", code]).strip() == "other True"
