"""Write what comes from the code: pages (options, rules, api, reference), the schema and model/keyword_types.py."""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from runpy import run_path

import crosswheel
from crosswheel.auditing.rules import ALL_RULES
from crosswheel.model.keywords import keyword_of
from crosswheel.model.options import Option, json_schema, options, options_for
from crosswheel.model.verbs import VERBS

_HEAD = """# Options

Every option has the same name in `[tool.crosswheel]` of pyproject.toml and as a flag (`nox -s wheels -- --policy X`,
`invoke wheels --policy X`, `crosswheel wheels --policy X`). As a flag, a list is written with commas:
`--python cp312,cp313`, or the flag is repeated. [From Python](api.md) it is a keyword argument with underscores:
`cw.wheels(test_command="...")`. A flag overrides a keyword argument, and both override the file. `nox -s docs` writes
this page and [crosswheel.schema.json](crosswheel.schema.json), the schema for editors.

| option | where | default | what it does |
|---|---|---|---|
"""
_RULES_HEAD = """# Rules of the audit

`nox -s audit` checks wheels against these rules ([how](audit.md)). `nox -s wheels` does the same before it saves a
wheel. The first digit of a code is the subject: 0 the file itself, 1 tags and metadata, 2 ELF headers, 3 extension
modules, 4 symbols and linkage, 5 archive, 6 purity, 7 the wheels of one release compared. Rules with an 8 are about a
whole release; only `nox -s check` applies them ([how](check.md)). `nox -s docs` writes this page.

A hostile file ends in a finding or a clear error ([limits](audit.md#hostile-files)). METADATA may have 4 MiB, WHEEL
64 KiB, RECORD 16 MiB. A library above 32 MiB is mapped from a temporary file. A report lists at most 1000 places per
rule and wheel.

| code | level | what it means | why it matters | how to fix it |
|---|---|---|---|---|
"""
_API_HEAD = """# From Python

Every verb is a function with the same name:

```python
import crosswheel as cw

plan = cw.plan(".", arch="aarch64", python=["cp312", "cp313"])
print(plan)  # the table

report = cw.wheels(plan)
if report.ok:
    found = cw.audit(report.wheels)
    cw.upload(report.wheels, repository="testpypi")
```

- **Options** are keyword arguments, with underscores: `before_build=` for `before-build`. All of
  [options.md](options.md) can be set, also those that have no flag. They override pyproject.toml. A single text can
  stand for a list, a `pathlib.Path` for a path. `help(crosswheel.wheels)` lists the options of a verb with their texts;
  a type checker knows them too.
- **Paths** are relative to the current folder. `project=` names the folder with the pyproject.toml; default: the
  current folder.
- **The result** is a frozen dataclass. `.ok` and `.exit_code` say how it went ([exit codes](exit-codes.md)),
  `.document()` is what `--json` writes, `str()` is the text that the command shows. `report.wheels` can be passed to
  every function that takes files.
- **Errors**: a `crosswheel.CrosswheelError` is raised if there is no result. `.message` says what happened, `.hint` is
  the next command, `.exit_code` the code. A job that fails, or a wheel with an error, is part of the result: check
  `.ok`.
- **Progress**: `listener=` is called with events, the classes in `crosswheel.model.job`. Jobs are threads, and call it
  from there. Nothing is printed.
- **Environment**: the functions read `os.environ` at the time of the call, as the commands do: `DOCKER_HOST`,
  `TWINE_PASSWORD`, `CROSSWHEEL_CACHE` and so on.
- **Own steps and rules**: `wheels(steps=..., rules=...)`, `audit(rules=...)`, `release(steps=...)`.
- **Ctrl-C** ends `wheels` in order: running jobs are stopped, report.json is written, KeyboardInterrupt is raised.

`nox -s docs` writes this page.

| function | what it does | result |
|---|---|---|
"""
_TYPES_HEAD = '''\
"""The options of each verb as keyword arguments (PEP 692); `nox -s docs` writes this file from options.toml."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Literal, TypeAlias, TypedDict

PathText: TypeAlias = "str | PathLike[str]"
Paths: TypeAlias = "PathText | Iterable[PathText]"
Texts: TypeAlias = "str | Sequence[str]"
'''
# Tables whose values are more than texts.
_TABLES = {
    "ci": "Mapping[str, object]",
    "images": "Mapping[str, str | Mapping[str, str]]",
    "config-settings": "Mapping[str, str | Sequence[str]]",
    "sysroot": "Mapping[str, PathText]",
}
_SHAPES = {"texts": "Texts", "number": "int", "flag": "bool", "text": "str"}
_WHERE = {"both": "file, flag", "flag": "flag", "file": "file"}


def options_page() -> str:
    return _HEAD + "".join(_row(option) for option in options().values())


def rules_page() -> str:
    rows = (
        (rule.code, rule.level, " ".join((inspect.getdoc(type(rule)) or "").split()), rule.why, rule.fix)
        for rule in ALL_RULES
    )
    return _RULES_HEAD + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def schema_text() -> str:
    return json.dumps(json_schema(), indent=2) + "\n"


def api_page() -> str:
    return _API_HEAD + "".join(map(_function, VERBS))


def _function(verb: str) -> str:
    first = VERBS[verb].positional
    returned = str(getattr(crosswheel, verb).__annotations__["return"])
    return f"| `{verb}({first}, ...)` | {VERBS[verb].text} | `{returned}` |\n".replace("(, ", "(")


def keyword_types() -> str:
    by_verb = {verb: [row for row in options_for(verb) if row.name != VERBS[verb].positional] for verb in VERBS}
    # Where own rules can be given, `rules` means these.
    for name in ("audit", "all"):
        by_verb[name] = [option for option in by_verb.get(name, options().values()) if option.name != "rules"]
    return _TYPES_HEAD + "".join(_class(f"{name.capitalize()}Options", rows) for name, rows in by_verb.items())


def _class(name: str, rows: list[Option]) -> str:
    fields = "".join(f"    {keyword_of(option)}: {_type(option)} | None\n" for option in rows)
    return f"\n\nclass {name}(TypedDict, total=False):\n{fields}"


def _type(option: Option) -> str:
    if option.choices:
        return f"Literal[{', '.join(json.dumps(choice) for choice in option.choices)}]"
    if option.type == "table":
        return _TABLES.get(option.name, "Mapping[str, str]")
    if option.path:
        return "Paths" if option.type == "texts" else "PathText"
    return _SHAPES[option.type]


def _row(option: Option) -> str:
    default = json.dumps(option.default)
    return f"| `{option.name}` | {_WHERE[option.where]} | `{default}` | {option.help} |\n"


if __name__ == "__main__":
    here = Path(__file__).parent
    (here / "options.md").write_text(options_page())
    (here / "rules.md").write_text(rules_page())
    (here / "api.md").write_text(api_page())
    (here / "crosswheel.schema.json").write_text(schema_text())
    run_path(str(here / "generate_reference.py"), run_name="__main__")
    (here.parent / "lib" / "crosswheel" / "model" / "keyword_types.py").write_text(keyword_types())
