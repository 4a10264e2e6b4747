"""[tool.crosswheel] and the command line, as one `Config`; every mistake at once, each with its key.

data/options.toml is the one source: of the legal keys, their types and defaults, of the JSON schema, and of flags.
"""

from __future__ import annotations

import functools
import re
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from crosswheel.errors import UsageError
from crosswheel.model.targets import (
    Architecture,
    Policy,
    PythonTag,
    Target,
    did_you_mean,
    load_table,
    parse_architecture,
    parse_platform,
    parse_policy,
    parse_python,
    parse_target,
)

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same library under its older name
    import tomli as tomllib

# Asked only where there is something to look up: the rules bring along all that reads wheels.
RuleCodes = Callable[[], Collection[str]]

ENGINES = ("auto", "native", "accelerated", "cross", "dockcross", "emulated")


@dataclass(frozen=True)
class Option:
    """One row of options.toml."""

    name: str
    type: Literal["text", "texts", "number", "flag", "table"]
    default: Any
    help: str
    where: Literal["both", "flag", "file"]
    choices: tuple[str, ...] = ()
    verbs: tuple[str, ...] = ("plan", "wheels")


@functools.cache
def options() -> dict[str, Option]:
    """Every option by name, in the order of the file."""
    return {
        name: Option(
            name=name,
            type=row["type"],
            default=row["default"],
            help=row["help"],
            where=row["where"],
            choices=tuple(row.get("choices", ())),
            verbs=tuple(row.get("verbs", Option.verbs)),
        )
        for name, row in load_table("options.toml").items()
    }


@dataclass(frozen=True)
class Config:
    """What the caller wants, parsed: `policy` is None where each architecture's widest floor is meant.

    `jobs` 0 means as many as there is room for; `timeout` is in seconds, `cache_size` in GiB; relative folders are the
    project's.
    """

    source: str
    arch: tuple[Architecture, ...]
    python: tuple[PythonTag, ...]
    policy: Policy | None
    engine: str
    engines: Mapping[str, str]
    jobs: int
    output: Path
    timeout: int
    download_python: str
    fail_fast: bool
    offline: bool
    fresh: bool
    cache_size: int
    trim: bool
    twice: bool
    debug_info: bool
    strip: bool
    sysroots: Mapping[str, Path]
    docker_host: str
    image: str
    images: Mapping[str, str]
    mirrors: tuple[str, ...]
    before_all: str
    before_build: str
    test: str
    test_command: str
    test_requires: tuple[str, ...]
    test_extras: tuple[str, ...]
    test_images: tuple[str, ...]
    target: Target | None
    provider: str
    fix: bool
    environment: Mapping[str, str]
    config_settings: Mapping[str, str | list[str]]
    ignore: Mapping[str, str]
    wheels: tuple[Path, ...]
    rules: bool
    repository: str
    staging: str
    yes: bool
    index: Mapping[str, str]
    patience: int
    tag_format: str
    changelog: str
    sdist_first: bool
    allow_http: bool
    config_file: str
    dry_run: bool
    json: Path | None
    sarif: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """What was named, or the folder that everything is in."""
        return self.wheels or (self.output,)

    def sysroot(self, arch: Architecture) -> Path | None:
        return self.sysroots.get(arch.name)

    def engine_for(self, target: Target) -> str:
        """What was asked for: for this target, by either name of its platform, or for all."""
        names = (str(target), f"{target.python}-{target.platform}")
        for pattern, engine in self.engines.items():
            if any(fnmatchcase(name, pattern) for name in names):
                return engine
        return self.engine

    def family_for(self, target: Target) -> Literal["pypa", "dockcross"]:
        """Whose image --image names: that of the engine that was asked for."""
        return "dockcross" if self.engine_for(target) == "dockcross" else "pypa"

    def image_for(self, target: Target, family: str = "pypa") -> str:
        """The image of a family that was asked for instead of the pinned one, if one was."""
        if self.image and family == self.family_for(target):
            return self.image
        prefix = "" if family == "pypa" else f"{family}."
        names = (f"{prefix}{target.policy}_{target.arch}", f"{prefix}{target.platform}")
        return next((self.images[name] for name in names if name in self.images), "")


def load_config(project: Path, flags: Mapping[str, Any], rule_codes: RuleCodes | None = None) -> Config:
    """Options of `project`/pyproject.toml under the flags that were given (None: not given).

    `rule_codes` gives the codes of rules that `ignore` may name; without it, any may be.
    Raises UsageError with every mistake in it.
    """
    mistakes: list[str] = []
    written = _read_table(project, mistakes)
    given = {name: value for name, value in flags.items() if value is not None}
    values = {name: option.default for name, option in options().items()}
    values.update(_checked(written, "[tool.crosswheel] ", "file", mistakes))
    values.update(_checked(given, "--", "flag", mistakes))
    config = _parse(values, project, mistakes, rule_codes)
    if mistakes or config is None:
        raise UsageError(mistakes, hint="see docs/options.md, or `crosswheel --help wheels`")
    return config


def project_name(project: Path) -> str:
    """What the project in a folder is called, normalised, where it has a table [tool.crosswheel]; else empty."""
    path = project / "pyproject.toml"
    tool = read_toml(path).get("tool", {}) if path.is_file() else {}
    return declared_name(project) if isinstance(tool, dict) and "crosswheel" in tool else ""


def declared_name(project: Path) -> str:
    """What pyproject.toml calls the project, normalised; empty where it does not say, or is not there."""
    from packaging.utils import canonicalize_name

    path = project / "pyproject.toml"
    metadata = read_toml(path).get("project", {}) if path.is_file() else {}
    name = metadata.get("name", "") if isinstance(metadata, dict) else ""
    return canonicalize_name(name) if isinstance(name, str) else ""


def read_toml(path: Path) -> dict[str, Any]:
    """Raises UsageError, also for one that is larger or more nested than anybody would write it."""
    too_deep = UsageError(f"{path} is not read: it is nested too deeply", hint=f"correct {path.name}")
    try:
        text = read_settings(path)
        if not _ENDLESS_KEY.search(text):
            return tomllib.loads(text)
    except RecursionError:
        raise too_deep from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}", hint=f"correct {path.name}") from error
    raise too_deep


_LARGEST_SETTINGS = 1 << 20
# A parser takes the square of its length for a key of many parts: `a.a.a`, and so on.
_ENDLESS_KEY = re.compile(r"(?:[^\s.=]{1,64}[ \t]*\.[ \t]*){100}")


def read_settings(path: Path) -> str:
    """The text of a file that people write. Raises UsageError where it is larger than that, and UnicodeDecodeError."""
    with path.open("rb") as file:
        data = file.read(_LARGEST_SETTINGS + 1)
    if len(data) > _LARGEST_SETTINGS:
        raise UsageError(
            f"{path} is not read: it has more than {_LARGEST_SETTINGS} bytes, which is the limit", hint=f"ls -l {path}"
        )
    return data.decode("utf-8")


def json_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of the table [tool.crosswheel], for editors."""
    shapes: dict[str, dict[str, Any]] = {
        "text": {"type": "string"},
        "texts": {"type": "array", "items": {"type": "string"}},
        "number": {"type": "integer", "minimum": 0},
        "flag": {"type": "boolean"},
        "table": {"type": "object"},
    }
    properties = {
        name: {
            **shapes[option.type],
            **({"enum": list(option.choices)} if option.choices else {}),
            "default": option.default,
            "description": option.help,
        }
        for name, option in options().items()
        if option.where != "flag"
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "[tool.crosswheel] in pyproject.toml",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


def _read_table(project: Path, mistakes: list[str]) -> dict[str, Any]:
    path = project / "pyproject.toml"
    if not path.is_file():
        return {}
    tool = read_toml(path).get("tool", {})
    table = tool.get("crosswheel", {}) if isinstance(tool, dict) else tool
    if isinstance(table, dict):
        return table
    mistakes.append(f"[tool.crosswheel] must be a table, and is {table!r}")
    return {}


_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "texts": (list, tuple),
    "number": (int,),
    "flag": (bool,),
    "table": (dict,),
}


def _checked(given: Mapping[str, Any], prefix: str, where: str, mistakes: list[str]) -> dict[str, Any]:
    """The values of known keys and right types."""
    known = {name: option for name, option in options().items() if option.where in {"both", where}}
    good = {}
    for name, value in given.items():
        if name not in known:
            mistakes.append(f"{prefix}{name}: no such option{did_you_mean(name, known)}")
        elif not _fits(value, known[name]):
            mistakes.append(f"{prefix}{name}: must be {_wanted(known[name])}, and is {value!r}")
        else:
            good[name] = value
    return good


def _fits(value: Any, option: Option) -> bool:
    if isinstance(value, bool) != (option.type == "flag") or not isinstance(value, _TYPES[option.type]):
        return False
    if isinstance(value, (list, tuple)):
        return all(isinstance(item, str) for item in value)
    if isinstance(value, int):
        return value >= 0
    return not option.choices or value in option.choices


def _wanted(option: Option) -> str:
    if option.choices:
        return "one of " + ", ".join(option.choices)
    words = {"text": "a text", "texts": "a list of texts", "number": "a number, 0 or more", "flag": "true or false"}
    return words.get(option.type, "a table")


def _parse(
    values: Mapping[str, Any], project: Path, mistakes: list[str], rule_codes: RuleCodes | None
) -> Config | None:
    collect = functools.partial(_collect, mistakes=mistakes)
    # A dict, for nothing is built twice that was named twice: cp312 and python3.12.
    arch = tuple(dict.fromkeys(filter(None, (collect(parse_architecture, text, "arch") for text in values["arch"]))))
    python = tuple(dict.fromkeys(filter(None, (collect(parse_python, text, "python") for text in values["python"]))))
    policy = collect(parse_policy, values["policy"], "policy") if values["policy"] else None
    for key, engine in {
        "engine": values["engine"],
        **{f"engines.{k}": v for k, v in values["engines"].items()},
    }.items():
        if engine not in ENGINES:
            near = did_you_mean(str(engine), ENGINES)
            mistakes.append(f"{key}: unknown engine {engine!r}{near}; known: {', '.join(ENGINES)}")
    named = dict(_named_images(values["images"]))
    for name in named:
        collect(parse_platform, name.removeprefix(_OF_DOCKCROSS), f"images.{name}")
    images = {name: _text(value, f"images.{name}", mistakes) for name, value in named.items()}
    target = collect(parse_target, values["target"], "target") if values["target"] else None
    sysroots = {name: _folder(project, text, f"sysroot.{name}", mistakes) for name, text in values["sysroot"].items()}
    for name in sysroots:
        collect(parse_architecture, name, f"sysroot.{name}")
    environment = {name: _text(value, f"environment.{name}", mistakes) for name, value in values["environment"].items()}
    index = {name: _text(value, f"index.{name}", mistakes) for name, value in values["index"].items()}
    if values["tag-format"].count("{version}") != 1 or re.search("[{}].*[{}].*[{}]", values["tag-format"]):
        mistakes.append(f"tag-format: must have {{version}} in it, once, and is {values['tag-format']!r}")
    mistakes.extend(_wrongly_ignored(values["ignore"], rule_codes))
    mistakes.extend(
        f"config-settings.{name}: must be a text or a list of texts, and is {value!r}"
        for name, value in values["config-settings"].items()
        if not all(isinstance(item, str) for item in (value if isinstance(value, list) else [value]))
    )
    if mistakes:
        return None
    return Config(
        source=values["source"],
        arch=arch,
        python=python,
        policy=policy,
        engine=values["engine"],
        engines=MappingProxyType(dict(values["engines"])),
        jobs=values["jobs"],
        output=project / values["output"],
        timeout=values["timeout"],
        download_python=values["download-python"],
        fail_fast=values["fail-fast"],
        offline=values["offline"],
        fresh=values["fresh"],
        cache_size=values["cache-size"],
        trim=values["trim"],
        twice=values["twice"],
        debug_info=values["debug-info"],
        strip=values["strip"],
        sysroots=MappingProxyType(sysroots),
        docker_host=values["docker-host"],
        image=values["image"],
        images=MappingProxyType(images),
        mirrors=tuple(values["mirrors"]),
        before_all=values["before-all"],
        before_build=values["before-build"],
        test=values["test"],
        test_command=values["test-command"],
        test_requires=tuple(values["test-requires"]),
        test_extras=tuple(values["test-extras"]),
        test_images=tuple(values["test-images"]),
        target=target,
        provider=values["provider"],
        fix=values["fix"],
        environment=MappingProxyType(environment),
        config_settings=MappingProxyType(dict(values["config-settings"])),
        ignore=MappingProxyType(dict(values["ignore"])),
        wheels=tuple(project / path for path in values["wheels"]),
        rules=values["rules"],
        repository=values["repository"],
        staging=values["staging"],
        yes=values["yes"],
        index=MappingProxyType(index),
        patience=values["patience"],
        tag_format=values["tag-format"],
        changelog=values["changelog"],
        sdist_first=values["sdist-first"],
        allow_http=values["allow-http"],
        config_file=values["config-file"],
        dry_run=values["dry-run"],
        json=project / values["json"] if values["json"] else None,
        sarif=project / values["sarif"] if values["sarif"] else None,
    )


_OF_DOCKCROSS = "dockcross."


def _named_images(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Those of the table in the table under names that tell them apart: ``dockcross.manylinux_2_28_aarch64``."""
    for name, value in table.items():
        if f"{name}." == _OF_DOCKCROSS and isinstance(value, dict):
            yield from ((f"{_OF_DOCKCROSS}{platform}", image) for platform, image in value.items())
        else:
            yield name, value


def _wrongly_ignored(table: Mapping[str, Any], rule_codes: RuleCodes | None) -> Iterator[str]:
    """What is wrong with rules that are switched off: each has to be one, and to have a reason for reports to show."""
    known = rule_codes() if table and rule_codes else ()
    for code, reason in table.items():
        if rule_codes and code not in known:
            yield f"ignore.{code}: no such rule{did_you_mean(code, known)}; `crosswheel audit --rules` lists them"
        if not isinstance(reason, str) or not reason.strip():
            yield f"ignore.{code}: must be the reason why the rule is switched off, and is {reason!r}"


def _collect(parse: Any, text: str, key: str, mistakes: list[str]) -> Any:
    try:
        return parse(text)
    except UsageError as error:
        mistakes.extend(f"{key}: {mistake}" for mistake in error.mistakes)
        return None


def _folder(project: Path, text: Any, key: str, mistakes: list[str]) -> Path:
    path = project / str(text)
    if not isinstance(text, str) or not text or not path.is_dir():
        mistakes.append(f"{key}: there is no folder {text!r}")
    return path.resolve()


def _text(value: Any, key: str, mistakes: list[str]) -> str:
    if not isinstance(value, str):
        mistakes.append(f"{key}: must be a text, and is {value!r}")
    return str(value)
