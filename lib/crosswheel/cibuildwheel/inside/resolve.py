"""Prints as JSON what cibuildwheel's own reader makes of a project's configuration, for each build identifier.

    python -I resolve.py QUESTION

The working folder is the project's. QUESTION is a JSON file: `variables` (the caller's CIBW_ variables), `archs` (as
for --archs; empty: what the project says) and `machine` (what `auto` means). The answer has the version, the
architectures and the identifiers with their options; or, in `refused`, why cibuildwheel does not accept them.

It uses these names of cibuildwheel, which all releases from 2.16 on have: compute_options, CommandLineArguments,
Options.globals, Options.build_options, OptionsReader, get_python_configurations,
container_image_for_python_configuration, bashlex_eval.
"""

import contextlib
import json
import platform
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cibuildwheel
from cibuildwheel import bashlex_eval
from cibuildwheel.options import CommandLineArguments, compute_options

try:
    from cibuildwheel.platforms import linux
except ImportError:  # before 3.0
    from cibuildwheel import linux


# Tables of the configuration that are no options.
_PLATFORMS = {"linux", "macos", "windows", "pyodide", "android", "ios"}


class _Variables(dict[str, str]):
    """The caller's environment: the CIBW_ variables, and a placeholder for any other, whose value stays outside."""

    def __missing__(self, name: str) -> str:
        if name.startswith("CIBW_"):
            raise KeyError(name)
        return ""


class _Runs(Exception):  # noqa: N818 - no error
    """A value is the output of a command."""


def main(file: str) -> None:
    question = json.loads(Path(file).read_text("utf-8"))
    with contextlib.redirect_stdout(sys.stderr):
        try:
            answer = _resolved(question)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever it is, cibuildwheel would end with it
            answer = {"refused": _words(error)}
        except BaseException as error:
            if not any(kind.__name__ == "FatalError" for kind in type(error).__mro__):
                raise
            answer = {"refused": _words(error)}
    json.dump({"version": cibuildwheel.__version__, **answer}, sys.stdout)


def _words(error: BaseException) -> str:
    text = str(error).strip()
    ours = type(error).__module__.startswith("cibuildwheel")
    return text if ours and text else f"{type(error).__name__}: {text}"


def _resolved(question: dict[str, Any]) -> dict[str, Any]:
    platform.machine = lambda: str(question["machine"])
    arguments = CommandLineArguments.defaults()
    arguments.platform = "linux"
    arguments.archs = question["archs"] or None
    arguments.package_dir = Path.cwd()
    arguments.config_file = question["variables"].get("CIBW_CONFIG_FILE", "")
    options = compute_options("linux", arguments, _Variables(question["variables"]))
    chosen = options.globals
    found = linux.get_python_configurations(chosen.build_selector, chosen.architectures)
    entries = [_options(one, options) for one in found]
    options.check_for_invalid_configuration([one.identifier for one in found])
    return {"archs": sorted(arch.value for arch in chosen.architectures), "identifiers": entries}


def _options(configuration: Any, options: Any) -> dict[str, Any]:
    identifier = configuration.identifier
    own = options.build_options(identifier)
    engine, front_end = own.container_engine, own.build_frontend
    return {
        "identifier": identifier,
        "written": sorted(_written(options.reader, identifier)),
        "image": linux.container_image_for_python_configuration(configuration, own),
        "environment": list(_assignments(own.environment, identifier)),
        "config_settings": shlex.split(own.config_settings),
        "front_end": [front_end.name, *front_end.args] if front_end else ["default"],
        "before_all": own.before_all,
        "before_build": own.before_build or "",
        "repair": own.repair_command,
        "tested": options.globals.test_selector(identifier),
        "test_command": own.test_command or "",
        "before_test": own.before_test or "",
        "test_requires": list(own.test_requires),
        "test_extras": own.test_extras.strip("[]"),
        "test_sources": list(getattr(own, "test_sources", [])),
        "test_environment": list(_assignments(getattr(own, "test_environment", None), identifier)),
        "create_args": list(engine.create_args) if engine else [],
    }


def _written(reader: Any, identifier: str) -> Iterator[str]:
    """The names of the options that the project or the caller has set for an identifier."""
    with reader.identifier(identifier):
        overrides = [override.options for override in reader.active_config_overrides]
    sources = [reader.config_options, reader.config_platform_options, *overrides]
    known = {**reader.default_options, **reader.default_platform_options}
    for name in known.keys() - _PLATFORMS:
        variable = f"CIBW_{name.upper().replace('-', '_')}"
        if any(name in source for source in sources) or {variable, f"{variable}_LINUX"} & reader.env.keys():
            yield name


def _assignments(environment: Any, identifier: str) -> Iterator[dict[str, Any]]:
    """Each assignment with its value, or what only a container knows: `needs` variables, or `runs` a command."""
    known = {"AUDITWHEEL_ARCH": identifier.partition("linux_")[2]}
    for assignment in environment.assignments if environment else []:
        name = assignment.name
        if type(assignment).__name__ == "EnvironmentAssignmentRaw":
            yield {"name": name, "passed": True}
            known.pop(name, None)
            continue
        needs: set[str] = set()
        with _noting_needs(needs):
            try:
                value = assignment.evaluated_value(environment=known, executor=_refuse)
            except _Runs:
                yield {"name": name, "text": assignment.value, "runs": True}
                continue
        if needs:
            yield {"name": name, "text": assignment.value, "needs": sorted(needs)}
        else:
            yield {"name": name, "value": value}
            known[name] = value


def _refuse(*_command: Any, **_variables: Any) -> str:
    raise _Runs


@contextlib.contextmanager
def _noting_needs(needs: set[str]) -> Iterator[None]:
    original = bashlex_eval.evaluate_parameter_node

    def evaluate(node: Any, context: Any) -> str:
        if node.value not in context.environment:
            needs.add(node.value)
        return str(original(node, context=context))

    bashlex_eval.evaluate_parameter_node = evaluate
    try:
        yield
    finally:
        bashlex_eval.evaluate_parameter_node = original


if __name__ == "__main__":
    main(sys.argv[1])
