"""The invoke adapter and the console command.

In a tasks file, `from crosswheel.tasks import namespace` offers all tasks; `from crosswheel.tasks import wheels, audit`
some of them, beside the file's own. Verbs and options are those of the nox sessions: `invoke wheels kiwisolver --arch
aarch64`.
"""

from __future__ import annotations

import inspect
import re
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from invoke.collection import Collection
from invoke.context import Context
from invoke.exceptions import Exit, ParseError
from invoke.program import Program
from invoke.tasks import Task

from crosswheel import __version__
from crosswheel.errors import INTERRUPTED, CrosswheelError, UsageError, explaining
from crosswheel.model.flags import flag_options, join_repeats, parse_value, split_command, takes_many
from crosswheel.model.keywords import keyword_of, of_verb
from crosswheel.model.options import Option
from crosswheel.model.targets import did_you_mean
from crosswheel.model.verbs import VERBS
from crosswheel.reporting.streams import guarded_streams, standard_output
from crosswheel.reporting.untrusted import error_text
from crosswheel.system.endings import ending_in_order

if TYPE_CHECKING:
    from crosswheel.commands.result import Result


class VerbTask(Task[Any]):
    """A verb as a task; its flags are the options of options.toml.

    Called from another task, as in ``wheels(c, arch=["aarch64"])``, it takes every option by keyword, and `project`,
    `steps`, `rules` and `own_engines` as the function `crosswheel.wheels` does. It gives what that gives, and raises
    `invoke.exceptions.Exit` if the exit code is not 0.

    Flags and keywords win over invoke's configuration under the key `crosswheel`, and that over pyproject.toml.
    """

    def __init__(self, verb: str) -> None:
        self.verb = verb
        options = {keyword_of(option): option for option in flag_options(verb)}
        texts = {name: option.help for name, option in options.items()}
        super().__init__(_body(verb, options), name=verb, positional=(), help=texts, auto_shortflags=False)


def _body(verb: str, options: Mapping[str, Option]) -> Callable[..., Result]:
    def body(context: Context, **given: Any) -> Result:
        try:
            result = _perform(verb, _flags(options, given), {**_configured(context), **_keywords(options, given)})
        except KeyboardInterrupt:
            raise Exit("crosswheel: interrupted", INTERRUPTED) from None
        except Exception as error:
            exit_code = error.exit_code if isinstance(error, CrosswheelError) else CrosswheelError.exit_code
            raise Exit(f"crosswheel: {error_text(error)}", exit_code) from error
        if result.exit_code:
            raise Exit(code=result.exit_code)
        return result

    body.__doc__ = VERBS[verb].text
    # invoke reads a task's flags from its function's parameters.
    context = inspect.Parameter("c", inspect.Parameter.POSITIONAL_ONLY)
    parameters = [_parameter(name, option) for name, option in options.items()]
    body.__signature__ = inspect.Signature([context, *parameters])  # type: ignore[attr-defined]
    return body


def _parameter(name: str, option: Option) -> inspect.Parameter:
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=False if option.type == "flag" else None)


def _perform(verb: str, flags: Mapping[str, Any], code: Mapping[str, Any]) -> Result:
    from crosswheel.commands import perform
    from crosswheel.commands.call import Own

    options = {name: value for name, value in code.items() if name not in {"project", "steps", "rules", "own_engines"}}
    own = Own(code.get("steps"), tuple(code.get("rules", ())), code.get("own_engines", {}))
    with explaining(), standard_output() as stream:
        return perform(verb, Path(code.get("project", ".")), flags, stream, code=of_verb(verb, options), own=own)


def _configured(context: Context) -> dict[str, Any]:
    """``{"crosswheel": {"test-command": "pytest"}}`` in invoke's configuration -> ``{"test_command": "pytest"}``."""
    return {name.replace("-", "_"): value for name, value in context.config.get("crosswheel", {}).items()}


def _flags(options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options on the command line: texts, and flags that are set. An empty text resets an option to its default."""
    return {
        option.name: parse_value(option, given[name])
        for name, option in options.items()
        if isinstance(given.get(name), str) or given.get(name) is True
    }


def _keywords(options: Mapping[str, Option], given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that only code can give: values other than texts, and options without a flag."""
    return {
        name: value
        for name, value in given.items()
        if value is not None and not (name in options and isinstance(value, (str, bool)))
    }


class _Namespace(Collection):
    """Refuses a second task of the same name: invoke would drop the first one without a word."""

    def add_task(
        self,
        task: Task[Any],
        name: str | None = None,
        aliases: tuple[str, ...] | None = None,
        default: bool | None = None,
    ) -> None:
        taken = self.transform(name or task.name)
        if taken in self.tasks:
            raise UsageError(
                f"crosswheel's namespace already has a task {taken!r}: this one would replace it",
                hint=f'ns.add_task(..., name="my-{taken}"), or a Collection of tasks that are imported by name',
            )
        super().add_task(task, name, aliases, default)


plan = VerbTask("plan")
wheels = VerbTask("wheels")
audit = VerbTask("audit")
check = VerbTask("check")
upload = VerbTask("upload")
verify = VerbTask("verify")
status = VerbTask("status")
release = VerbTask("release")
ci = VerbTask("ci")
readiness = VerbTask("readiness")
wheelhouse = VerbTask("wheelhouse")
report = VerbTask("report")
conda = VerbTask("conda")
accelerate = VerbTask("accelerate")
shell = VerbTask("shell")
worker = VerbTask("worker")
certificates = VerbTask("certificates")
cache = VerbTask("cache")
register = VerbTask("register")
pull = VerbTask("pull")
doctor = VerbTask("doctor")
namespace = _Namespace(
    plan, wheels, audit, check, upload, verify, status, release, ci, readiness, wheelhouse, report, conda,
    accelerate, shell, worker, certificates, cache, register, pull, doctor,
)  # fmt: skip
ns = namespace  # invoke's own short name for it


class _Console(Program):
    """`crosswheel wheels kiwisolver`: as invoke's, and what a verb is about may stand right after it."""

    def normalize_argv(self, argv: list[str] | None) -> None:
        super().normalize_argv(argv)
        self.argv = with_positional_flag(self.argv)

    def parse_core(self, argv: list[str] | None) -> None:
        before = sys.dont_write_bytecode
        try:
            with _usage_errors():
                super().parse_core(argv)
        finally:
            # invoke turns bytecode off, so that each run would compile what a verb imports.
            sys.dont_write_bytecode = before

    def parse_tasks(self) -> None:
        with _usage_errors():
            super().parse_tasks()

    def parse_cleanup(self) -> None:
        with _usage_errors():
            super().parse_cleanup()


@contextmanager
def _usage_errors() -> Iterator[None]:
    """A word that invoke cannot place ends with the exit code of every other mistake on the command line."""
    try:
        yield
    except ParseError as error:
        text = re.sub(r"<Argument: ([\w-]+).*?>", r"'--\1'", str(error))
        word = re.search(r"No idea what '(.*?)'", text)
        verb = error.context.name if error.context else None
        near = _nearest(word[1], verb) if word else ""
        hint = f"crosswheel --help {verb}" if verb in VERBS else "crosswheel --list"
        usage = UsageError(f"{text}{near}", hint=hint)
        raise Exit(f"crosswheel: {error_text(usage)}", usage.exit_code) from error


def _nearest(word: str, verb: str | None) -> str:
    """What may have been meant: a flag of the verb, the same flag of other verbs, or the name of a verb."""
    having = [name for name in VERBS if any(word == f"--{option.name}" for option in flag_options(name))]
    if having:
        return f" ({word} is an option of {', '.join(having)})"
    verbs = [verb] if verb in VERBS else VERBS
    return did_you_mean(word, [*VERBS, *(f"--{option.name}" for name in verbs for option in flag_options(name))])


def with_positional_flag(argv: Sequence[str]) -> list[str]:
    """Name the word after the verb: ``crosswheel wheels kiwisolver`` -> ``crosswheel wheels --source kiwisolver``."""
    words = list(argv)
    at = next((at for at, word in enumerate(words[1:], start=1) if word in VERBS), len(words))
    return [*words[: at + 1], *_with_flag(words[at], words[at + 1 :])] if at < len(words) else words


def with_positional_flags(words: Sequence[str], tasks: Collection) -> list[str]:
    """The same for each task of ours on the command line of a tasks file: ``clean wheels kiwisolver audit``.

    A word that is the name of a task begins that task.
    """
    named: list[str] = []
    for name, rest in _by_task(words, tasks):
        task = tasks[name] if name else None
        named += [*([name] if name else []), *(_with_flag(task.verb, rest) if isinstance(task, VerbTask) else rest)]
    return named


def _with_flag(verb: str, words: Sequence[str]) -> list[str]:
    """Join the words without a flag for a verb that accepts several: ``audit a b`` -> ``audit --wheels a,b``."""
    positional = VERBS[verb].positional
    if VERBS[verb].is_command:
        flags, command = split_command(words, verb)
        return [*join_repeats(flags, verb), *([f"--{positional}", shlex.join(command)] if command else [])]
    words = join_repeats(words, verb)
    flags, others = _told_apart(words, verb)
    if not positional or not others or (f"--{positional}" in flags and not takes_many(verb)):
        return list(words)
    if takes_many(verb):
        return [f"--{positional}", ",".join(others), *flags]
    return [f"--{positional}", others[0], *flags, *others[1:]]


def _by_task(words: Sequence[str], tasks: Collection) -> list[tuple[str, list[str]]]:
    """Each task that is named, with the words that follow it; first the words before any task."""
    names = {name for primary, aliases in tasks.task_names.items() for name in (primary, *aliases)}
    parts: list[tuple[str, list[str]]] = [("", [])]
    for before, word in zip(["", *words], words, strict=False):
        task = tasks[parts[-1][0]] if parts[-1][0] else None
        if word in names and not (isinstance(task, VerbTask) and before in _with_value(task.verb)):
            parts.append((word, []))
        else:
            parts[-1][1].append(word)
    return parts


def _told_apart(words: Sequence[str], verb: str) -> tuple[list[str], list[str]]:
    """Flags with their values, and all the rest."""
    with_value = _with_value(verb)
    flags: list[str] = []
    others: list[str] = []
    for before, word in zip(["", *words], words, strict=False):
        (flags if word.startswith("-") or before in with_value else others).append(word)
    return flags, others


def _with_value(verb: str) -> set[str]:
    return {f"--{option.name}" for option in flag_options(verb) if option.type != "flag"}


def _last_task_runs_command(program: Program) -> bool:
    named = [name for name, _ in _by_task(program.core.unparsed, program.collection) if name]
    task = program.collection[named[-1]] if named else None
    return isinstance(task, VerbTask) and VERBS[task.verb].is_command


_parse_tasks = Program.parse_tasks


def _parse_words_and_tasks(self: Program) -> None:
    words = list(self.argv)
    # invoke takes away what follows `--`, and joins it without quotes.
    if "--" in words and self.core.unparsed and _last_task_runs_command(self):
        self.core.unparsed.extend(words[words.index("--") :])
    self.core.unparsed[:] = with_positional_flags(self.core.unparsed, self.collection)
    _parse_tasks(self)


# invoke gives words without a flag only to arguments that must be given, and offers a tasks file no other way to hear
# of them: `invoke wheels kiwisolver` would end with "No idea what 'kiwisolver' is!". Only words after a task of ours
# are touched.
Program.parse_tasks = _parse_words_and_tasks  # type: ignore[method-assign]


def main(argv: list[str] | None = None) -> None:
    """The console command `crosswheel`."""
    # From the first moment on: what verbs import takes a while.
    with ending_in_order(), guarded_streams():
        _Console(name="crosswheel", binary="crosswheel", version=__version__, namespace=namespace).run(argv)
