"""What `auditwheel show` says of a wheel: it must confirm every policy in the name that we gave the wheel."""

from __future__ import annotations

import io
import json
from argparse import ArgumentParser
from collections.abc import Iterable
from contextlib import redirect_stdout
from pathlib import Path

from packaging.utils import parse_wheel_filename

from crosswheel.model.targets import parse_platform

SHOW = ("auditwheel", "show", "--json")


def assert_auditwheel_agrees(wheels: Iterable[Path]) -> None:
    """auditwheel finds that each compiled wheel keeps to the oldest policy in its name, or to an older one."""
    from auditwheel import main_show

    parser = ArgumentParser()
    main_show.configure_parser(parser.add_subparsers())
    for wheel in wheels:
        if not wheel.name.endswith("-any.whl"):
            args = parser.parse_args([*SHOW[1:], str(wheel)])
            with redirect_stdout(io.StringIO()) as said:
                assert not args.func(args, parser), said.getvalue()
            assert_names(wheel, said.getvalue())


def assert_names(wheel: Path, said: str) -> None:
    """The same for the answer of some other auditwheel."""
    *_, tags = parse_wheel_filename(wheel.name)
    named = [parse_platform(tag.platform) for tag in tags]
    policy, arch = parse_platform(json.loads(said)["overall_tag"])
    assert {arch} == {each for _, each in named}, said
    assert policy.libc == named[0][0].libc, said
    assert policy <= min(each for each, _ in named), said
