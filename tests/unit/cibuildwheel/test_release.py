from __future__ import annotations

from pathlib import Path

import pytest

from crosswheel.cibuildwheel.release import Release, release_of
from crosswheel.cibuildwheel.workflows import values_in
from crosswheel.model import targets
from crosswheel.model.adoption import WorkflowValue
from crosswheel.model.targets import load_table

_KNOWN = Release(f"=={load_table('cibuildwheel.toml')['version']}")
_COMMIT = "4a" * 20


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def test_without_a_pin_it_is_the_newest_that_crosswheel_knows(tmp_path: Path) -> None:
    written(tmp_path, ".github/workflows/wheels.yml", "run: pipx run cibuildwheel\n")
    assert release_of(tmp_path) == _KNOWN


@pytest.mark.parametrize(
    ("name", "text", "specifier"),
    [
        (".github/workflows/wheels.yml", "- uses: pypa/cibuildwheel@v3.1.4\n", "==3.1.4"),
        (".github/workflows/wheels.yaml", f"- uses: pypa/cibuildwheel@{_COMMIT}  # v4.2.1\n", "==4.2.1"),
        (".github/workflows/wheels.yml", "- uses: pypa/cibuildwheel@v3.1\n", "==3.1.*"),
        (".github/workflows/wheels.yml", "- run: pip install cibuildwheel==2.23.3\n", "==2.23.3"),
        ("requirements/kit.txt", "cibuildwheel==4.3.5 \\\n    --hash=sha256:00\n", "==4.3.5"),
        (".travis.yml", "install: pip install 'cibuildwheel[uv] == 3.0.0'\n", "==3.0.0"),
    ],
)
def test_the_project_s_files_pin_it(name: str, text: str, specifier: str, tmp_path: Path) -> None:
    assert release_of(written(tmp_path, name, text)) == Release(specifier, name)


def test_of_two_pins_the_newer_counts(tmp_path: Path) -> None:
    written(tmp_path, ".github/workflows/old.yml", "uses: pypa/cibuildwheel@v2.23.3\n")
    written(tmp_path, ".github/workflows/new.yml", "uses: pypa/cibuildwheel@v3.4.1\n")
    assert release_of(tmp_path) == Release("==3.4.1", ".github/workflows/new.yml")


def test_a_commit_without_a_comment_and_a_link_out_of_the_project_pin_nothing(tmp_path: Path) -> None:
    outside = written(tmp_path, "outside.yml", "uses: pypa/cibuildwheel@v3.4.1\n") / "outside.yml"
    project = written(tmp_path / "project", ".github/workflows/a.yml", f"uses: pypa/cibuildwheel@{_COMMIT}\n")
    (project / ".github/workflows/b.yml").symlink_to(outside)
    assert release_of(project) == _KNOWN


# ---- CIBW_ variables of workflows -----------------------------------------------------------------------------

_WORKFLOW = """\
env:
  CIBW_SKIP: "pp* *-musllinux*"
  CIBW_BUILD: ${{ matrix.build }}
  CIBW_BEFORE_ALL_LINUX: >-
    yum install -y libffi-devel
    && ldconfig
  CIBW_BEFORE_ALL_MACOS: brew install libffi
  CIBW_TEST_COMMAND:
steps:
  - run: export CIBW_ARCHS=aarch64
"""


def test_literal_variables_of_workflows_are_found_with_their_lines(tmp_path: Path) -> None:
    name = ".github/workflows/wheels.yml"
    assert values_in(written(tmp_path, name, _WORKFLOW)) == (
        WorkflowValue(name, 2, "CIBW_SKIP", "pp* *-musllinux*"),
        WorkflowValue(name, 4, "CIBW_BEFORE_ALL_LINUX", "yum install -y libffi-devel && ldconfig"),
        WorkflowValue(name, 10, "CIBW_ARCHS", "aarch64"),
    )


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('    env: {CIBW_TEST_COMMAND: "pytest {project}, all", CIBW_ARCHS: "${{ matrix.arch }}", CIBW_SKIP: pp*}',
         {"CIBW_TEST_COMMAND": "pytest {project}, all", "CIBW_SKIP": "pp*"}),
        ('      echo "CIBW_BUILD=cp310-* cp311-*" >> $GITHUB_ENV', {"CIBW_BUILD": "cp310-* cp311-*"}),
        ("  - run: CIBW_BUILD_VERBOSITY=1 CIBW_SKIP='pp* *i686' python -m cibuildwheel",
         {"CIBW_BUILD_VERBOSITY": "1", "CIBW_SKIP": "pp* *i686"}),
        ("    export CIBW_ENVIRONMENT=A=1", {"CIBW_ENVIRONMENT": "A=1"}),
        ("    CIBW_BUILD: ${{ matrix.python }}-*", {}),
        ("    # CIBW_BUILD: cp311-*", {}),
        ("    export CIBW_SKIP=${{ inputs.skip }}", {}),
        ("    CIBW_ARCHS_MACOS: arm64", {}),
    ],
)  # fmt: skip
def test_values_are_found_in_each_place_that_a_workflow_has_for_them(
    tmp_path: Path, line: str, expected: dict[str, str]
) -> None:
    found = values_in(written(tmp_path, ".github/workflows/wheels.yml", f"{line}\n"))
    assert {value.name: value.value for value in found} == expected


def test_the_newest_known_release_is_the_one_whose_images_are_pinned() -> None:
    images = (Path(targets.__file__).parents[1] / "data" / "images.toml").read_text("utf-8")
    assert f"# As pinned by cibuildwheel {load_table('cibuildwheel.toml')['version']}." in images
