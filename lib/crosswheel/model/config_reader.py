"""Reads [tool.crosswheel], options from code and flags into one `Config`; reports all mistakes, each with its key."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from crosswheel.errors import UsageError
from crosswheel.model.ci import CISettings, parse_settings
from crosswheel.model.config import (
    CI,
    ENGINES,
    STANDARD_OUTPUT,
    Audit,
    Build,
    Config,
    Containers,
    Fleet,
    Output,
    Release,
    Test,
    Trees,
    Upkeep,
)
from crosswheel.model.constraints import constraint_lines
from crosswheel.model.options import checked, options
from crosswheel.model.pyproject import crosswheel_table
from crosswheel.model.targets import (
    did_you_mean,
    parse_architecture,
    parse_platform,
    parse_policy,
    parse_python,
    parse_target,
)

_Value = TypeVar("_Value")

# Called only if needed, because importing the rules imports all readers of wheels.
RuleCodes = Callable[[], Collection[str]]

_GROUPS = {
    "build": Build,
    "containers": Containers,
    "test": Test,
    "audit": Audit,
    "release": Release,
    "trees": Trees,
    "output": Output,
    "upkeep": Upkeep,
    "fleet": Fleet,
    "ci": CI,
}
_OF_DOCKCROSS = "dockcross."
_NONE: Mapping[str, Any] = MappingProxyType({})


def load_config(
    project: Path,
    flags: Mapping[str, Any],
    rule_codes: RuleCodes | None = None,
    *,
    code: Mapping[str, Any] = _NONE,
    engines: Iterable[str] = (),
) -> Config:
    """The configuration: flags over options from code, over `project`/pyproject.toml, over defaults (None: not given).

    `rule_codes` returns the codes that `ignore` may name; without it, any code is allowed. `engines` are names of
    engines besides crosswheel's own.
    Raises UsageError with every mistake in it.
    """
    mistakes: list[str] = []
    written = crosswheel_table(project, mistakes)
    values = {name: option.default for name, option in options().items()}
    given = {
        **checked(written, "[tool.crosswheel] ", "file", mistakes),
        **checked(_given(code), "", "code", mistakes),
        **checked(_given(flags), "--", "flag", mistakes),
    }
    values.update(given)
    reader = _Reader(project, rule_codes, mistakes, (*ENGINES, *engines))
    fields: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    for name, option in options().items():
        fields[option.group][option.field] = reader.parse(name, values[name])
    _refuse(mistakes)
    groups: dict[str, Any] = {group: kind(**fields[group]) for group, kind in _GROUPS.items()}
    return Config(**groups, given=frozenset(given))


def changed(
    config: Config,
    project: Path,
    code: Mapping[str, Any],
    rule_codes: RuleCodes | None = None,
    engines: Iterable[str] = (),
) -> Config:
    """The configuration with some options replaced. Raises UsageError with every mistake in it."""
    mistakes: list[str] = []
    reader = _Reader(project, rule_codes, mistakes, (*ENGINES, *engines))
    given = checked(_given(code), "", "code", mistakes)
    for name, value in given.items():
        option = options()[name]
        group = replace(getattr(config, option.group), **{option.field: reader.parse(name, value)})
        config = replace(config, **{option.group: group})
    _refuse(mistakes)
    return replace(config, given=config.given | given.keys())


def parsed(values: Mapping[str, Any], project: Path) -> Mapping[str, Any]:
    """The values of some options, as a Config has them. Raises UsageError with every mistake in them."""
    mistakes: list[str] = []
    reader = _Reader(project, None, mistakes, ENGINES)
    found = {name: reader.parse(name, value) for name, value in checked(values, "", "code", mistakes).items()}
    _refuse(mistakes)
    return MappingProxyType(found)


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _refuse(mistakes: list[str]) -> None:
    if mistakes:
        raise UsageError(mistakes, hint="see docs/options.md, or `crosswheel --help wheels`")


@dataclass(frozen=True)
class _Reader:
    """Parses options and collects the mistakes."""

    project: Path
    rule_codes: RuleCodes | None
    mistakes: list[str]
    engines: tuple[str, ...]

    def parse(self, name: str, value: Any) -> Any:
        own = getattr(self, "_" + name.replace("-", "_"), None)
        if own:
            return own(value)
        if isinstance(value, list):
            return tuple(value)
        return MappingProxyType(dict(value)) if isinstance(value, dict) else value

    # ---- options that need parsing; named as in options.toml --------------------------------------------------

    def _arch(self, names: list[str]) -> Any:
        return self._each(parse_architecture, names, "arch")

    def _python(self, names: list[str]) -> Any:
        return self._each(parse_python, names, "python")

    def _policy(self, name: str) -> Any:
        return self._collect(parse_policy, name, "policy") if name else None

    def _target(self, name: str) -> Any:
        return self._collect(parse_target, name, "target") if name else None

    def _engine(self, name: str) -> str:
        return self._known_engine(name, "engine")

    def _engines(self, table: Mapping[str, str]) -> Mapping[str, str]:
        return MappingProxyType({key: self._known_engine(name, f"engines.{key}") for key, name in table.items()})

    def _images(self, table: Mapping[str, Any]) -> Mapping[str, str]:
        named = dict(_named_images(table))
        for name in named:
            self._collect(parse_platform, name.removeprefix(_OF_DOCKCROSS), f"images.{name}")
        return self._texts(named, "images")

    def _sysroot(self, table: Mapping[str, Any]) -> Mapping[str, Path]:
        folders = {name: self._folder(text, f"sysroot.{name}") for name, text in table.items()}
        for name in table:
            self._collect(parse_architecture, name, f"sysroot.{name}")
        return MappingProxyType(folders)

    def _environment(self, table: Mapping[str, Any]) -> Mapping[str, str]:
        return self._texts(table, "environment")

    def _test_environment(self, table: Mapping[str, Any]) -> Mapping[str, str]:
        return self._texts(table, "test-environment")

    def _index(self, table: Mapping[str, Any]) -> Mapping[str, str]:
        return self._texts(table, "index")

    def _config_settings(self, table: Mapping[str, Any]) -> Mapping[str, Any]:
        self.mistakes.extend(
            f"config-settings.{name}: must be a text or a list of texts, not {value!r}"
            for name, value in table.items()
            if not all(isinstance(item, str) for item in (value if isinstance(value, list) else [value]))
        )
        return MappingProxyType(dict(table))

    def _tag_format(self, text: str) -> str:
        if text.count("{version}") != 1 or re.search("[{}].*[{}].*[{}]", text):
            self.mistakes.append(f"tag-format: must contain {{version}} exactly once, not {text!r}")
        return text

    def _ignore(self, table: Mapping[str, Any]) -> Mapping[str, str]:
        """Parse the switched-off rules: each code must exist, and needs a reason, which reports show."""
        known = self.rule_codes() if table and self.rule_codes else ()
        for code, reason in table.items():
            if self.rule_codes and code not in known:
                listed = "`crosswheel audit --rules` lists them"
                self.mistakes.append(f"ignore.{code}: no such rule{did_you_mean(code, known)}; {listed}")
            if not isinstance(reason, str) or not reason.strip():
                self.mistakes.append(f"ignore.{code}: must be the reason why the rule is switched off, not {reason!r}")
        return MappingProxyType(dict(table))

    def _output(self, text: str) -> Path:
        return self.project / text

    def _wheels(self, paths: list[str]) -> tuple[Path, ...]:
        return tuple(self.project / path for path in paths)

    def _channel(self, text: str) -> Path:
        return self.project / text

    def _json(self, text: str) -> Path | None:
        if text == str(STANDARD_OUTPUT):
            return STANDARD_OUTPUT
        return self.project / text if text else None

    def _sarif(self, text: str) -> Path | None:
        return self.project / text if text else None

    def _certificates(self, text: str) -> Path | None:
        return self.project / text if text else None

    def _markdown(self, text: str) -> Path | None:
        return self.project / text if text else None

    def _reports(self, paths: list[str]) -> tuple[Path, ...]:
        return tuple(self.project / path for path in paths)

    def _page(self, text: str) -> Path | None:
        return self.project / text if text else None

    def _trace(self, text: str) -> Path | None:
        return self.project / text if text else None

    def _platforms(self, names: list[str]) -> Any:
        return self._each(parse_platform, names, "platforms")

    def _compare(self, name: str) -> Any:
        return self._collect(parse_architecture, name, "compare") if name else None

    def _constraint(self, paths: list[str]) -> tuple[Path, ...]:
        there = tuple(self.project / path for path in paths)
        self.mistakes.extend(f"constraint: there is no file {path}" for path in there if not path.is_file())
        return there

    def _build_constraint(self, paths: list[str]) -> tuple[str, ...]:
        return self._constraint_lines("build-constraint", paths)

    def _test_constraint(self, paths: list[str]) -> tuple[str, ...]:
        return self._constraint_lines("test-constraint", paths)

    def _constraint_lines(self, option: str, paths: list[str]) -> tuple[str, ...]:
        """Read the files: containers and workers of other machines do not have them."""
        try:
            return tuple(line for path in paths for line in constraint_lines(self.project / path, self.project))
        except (OSError, UnicodeDecodeError) as error:
            self.mistakes.append(f"{option}: a file cannot be read: {error}")
            return ()

    def _ci(self, table: Mapping[str, Any]) -> CISettings:
        return parse_settings(table, self.mistakes)

    # ---- helpers ----------------------------------------------------------------------------------------------

    def _collect(self, parse: Callable[[str], _Value], text: str, key: str) -> _Value | None:
        try:
            return parse(text)
        except UsageError as error:
            self.mistakes.extend(f"{key}: {mistake}" for mistake in error.mistakes)
            return None

    def _each(self, parse: Callable[[str], _Value], names: list[str], key: str) -> tuple[_Value, ...]:
        """Parse each text and drop duplicates: cp312 and python3.12 are the same."""
        parsed = (self._collect(parse, name, key) for name in names)
        return tuple(dict.fromkeys(value for value in parsed if value is not None))

    def _known_engine(self, name: str, key: str) -> str:
        if name not in self.engines:
            near = did_you_mean(str(name), self.engines)
            self.mistakes.append(f"{key}: unknown engine {name!r}{near}; known: {', '.join(self.engines)}")
        return name

    def _folder(self, text: Any, key: str) -> Path:
        path = self.project / str(text)
        if not isinstance(text, str) or not text or not path.is_dir():
            self.mistakes.append(f"{key}: there is no folder {text!r}")
        return path.resolve()

    def _texts(self, table: Mapping[str, Any], key: str) -> Mapping[str, str]:
        for name, value in table.items():
            if not isinstance(value, str):
                self.mistakes.append(f"{key}.{name}: must be a text, not {value!r}")
        return MappingProxyType({name: str(value) for name, value in table.items()})


def _named_images(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Flatten the nested table: ``[images.dockcross]`` becomes names such as ``dockcross.manylinux_2_28``."""
    for name, value in table.items():
        if f"{name}." == _OF_DOCKCROSS and isinstance(value, dict):
            yield from ((f"{_OF_DOCKCROSS}{platform}", image) for platform, image in value.items())
        else:
            yield name, value
