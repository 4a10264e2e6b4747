from __future__ import annotations

from crosswheel.engines.backend import requirement_names


def test_the_names_of_requirements_are_normalised() -> None:
    assert requirement_names(["Meson_Python>=0.16", "numpy ; python_version > '3'"]) == {"meson-python", "numpy"}
