from __future__ import annotations

import pytest

from crosswheel.formats.wheel_names import WheelName, split_name


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("tiny-1.0-py3-none-any.whl", ("tiny", "1.0", "", "py3", "none", "any")),
        ("Ti_ny-1.0-2b-cp39.cp310-abi3-linux_i686.whl", ("Ti_ny", "1.0", "2b", "cp39.cp310", "abi3", "linux_i686")),
    ],
)
def test_the_parts_of_a_name_make_the_name_again(name: str, parts: tuple[str, ...]) -> None:
    assert split_name(name) == WheelName(*parts)
    assert split_name(name).file_name == name
    assert split_name(name).tag == "-".join(parts[3:])


def test_what_has_too_few_parts_is_no_name() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        split_name("tiny-1.0.whl")
