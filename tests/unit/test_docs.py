"""The pages say what the code does, and every page can be reached from the README."""

from __future__ import annotations

import importlib.util
import inspect
import pkgutil
import re
import shlex
from pathlib import Path
from types import ModuleType

import pytest

import crosswheel
from crosswheel import errors
from crosswheel.auditing.rules import ALL_RULES
from crosswheel.model.flags import parse_flags
from crosswheel.model.verbs import VERBS
from crosswheel.steps import MAKE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"


@pytest.fixture
def generate() -> ModuleType:
    return _script("generate")


def _script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pages_were_written_from_what_the_code_says(generate: ModuleType) -> None:
    assert (DOCS / "options.md").read_text() == generate.options_page()
    assert (DOCS / "rules.md").read_text() == generate.rules_page()
    assert (DOCS / "crosswheel.schema.json").read_text() == generate.schema_text()
    assert (DOCS / "reference.md").read_text() == _script("generate_reference").reference_page(), "nox -s docs"


@pytest.mark.parametrize("page", ["options.md", "rules.md", "exit-codes.md"])
def test_a_pattern_in_a_written_page_is_code_and_not_emphasis(page: str) -> None:
    """ "*-musllinux*" would be shown as -musllinux."""
    outside = re.sub(r"`+[^`]*`+", "", (DOCS / page).read_text()).replace("**", "")
    assert re.findall(r"[^\s\n]*\*[-./][^\s]*", outside) == []


def test_every_exit_code_is_documented() -> None:
    page = (DOCS / "exit-codes.md").read_text()
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.CrosswheelError):
            assert f"| {kind.exit_code} | `{name}` |" in page


def test_python_in_pages_uses_names_that_exist() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", _text_of_all_pages(), re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        for line in re.findall(r"^(?:from crosswheel|import crosswheel).*$", block, re.MULTILINE):
            exec(line, {})  # noqa: S102 - as its reader would
        for name in re.findall(r"\bcw\.(\w+)", block):
            assert name in crosswheel.__all__


def test_commands_of_pages_have_verbs_and_flags_that_exist() -> None:
    text = _text_of_all_pages(but="compose.md")  # tests/recipes runs what is in it
    own = re.findall(r'session\(.*?name="(.+?)"|^def (\w+)\(session', (ROOT / "noxfile.py").read_text(), re.MULTILINE)
    own_sessions = {name for names in own for name in names}
    commands = re.findall(r"(?:^\$ .*?|`)(nox -s|invoke|crosswheel) ([a-z][^`\n#]*)", text, re.MULTILINE)
    assert len(commands) > 50
    for program, line in commands:
        verb, *words = shlex.split(line)
        if program == "nox -s" and verb in own_sessions:
            continue
        verb = re.sub("^(wheels|wheelhouse)-.*", r"\1", verb)
        assert verb in VERBS, line
        parse_flags([word for word in words if word != "--"], verb)


def test_findings_in_pages_have_the_texts_of_the_rules() -> None:
    texts = {rule.code: " ".join((inspect.getdoc(type(rule)) or "").split()) for rule in ALL_RULES}
    found = re.findall(r"(?:error|warning) (W\d+): (.+)", _text_of_all_pages())
    assert len(found) > 2
    assert not [(code, text) for code, text in found if not text.startswith(texts[code])]


def test_every_page_is_linked_from_the_readme_and_no_link_is_dead() -> None:
    reached, waiting, dead = {README}, [README], []
    while waiting:
        page = waiting.pop()
        for link in _links(page):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            if not target.exists() or (anchor and anchor not in _anchors(target)):
                dead.append(f"{page.name}: {link}")
            elif target.suffix == ".md" and target not in reached:
                reached.add(target)
                waiting.append(target)
    assert not dead
    assert not {page.name for page in DOCS.glob("*.md")} - {page.name for page in reached}


def test_files_and_functions_that_pages_name_are_there() -> None:
    text = _text_of_all_pages()
    paths = set(re.findall(r"`((?:lib|tests|tools|bench)/[^`\s]+)`", text))
    names = set(re.findall(r"`(crosswheel\.\w[\w.]*)`", text))
    assert len(paths) > 1
    assert len(names) > 1
    assert not [path for path in paths if not list(ROOT.glob(path))]
    for name in names:
        pkgutil.resolve_name(name)


def test_the_concepts_name_every_room_of_the_package() -> None:
    package = ROOT / "lib" / "crosswheel"
    rooms = {f"{path.parent.name}/" for path in package.glob("*/__init__.py")} | {"data/"}
    modules = {path.name for path in package.glob("*.py") if not path.name.startswith("__")}
    table = _section("concepts.md", "## The rooms")
    cells = re.findall(r"^\| (`[^|]+`) \|", table, re.MULTILINE)
    assert {name for cell in cells for name in re.findall(r"`(.+?)`", cell)} == rooms | modules


def test_the_concepts_name_the_steps_in_their_order() -> None:
    phases = _section("concepts.md", "## The three phases")
    assert tuple(re.findall(r"^\| `(\w+)` \|", phases, re.MULTILINE)) == MAKE.names


def test_decisions_have_numbers_of_their_own_and_dates() -> None:
    titles = re.findall(r"^### (.+)$", (DOCS / "why.md").read_text(), re.MULTILINE)
    found = [re.fullmatch(r"(\d+)\. .+ \(20\d\d-\d\d-\d\d\)", title) for title in titles]
    numbers = [int(match[1]) for match in found if match]
    assert len(numbers) == len(titles) == len(set(numbers)) > 100


def _section(page: str, heading: str) -> str:
    """The text from a heading that begins so to the next one."""
    _, _, rest = (DOCS / page).read_text().partition(heading)
    assert rest
    return rest.partition("\n## ")[0]


def _text_of_all_pages(*, but: str = "") -> str:
    pages = [*DOCS.glob("*.md"), README, ROOT / "CONTRIBUTING.md"]
    return "".join(page.read_text() for page in pages if page.name != but)


def _links(page: Path) -> list[str]:
    """Relative links of a page, without those in code."""
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", _without_code(page))
    return [link for link in links if not re.match(r"[a-z]+:", link)]


def _anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them: lower case, words joined by hyphens."""
    headings = re.findall(r"^#+ (.+)$", _without_code(page, inline=False), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _without_code(page: Path, *, inline: bool = True) -> str:
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    return re.sub(r"`[^`\n]*`", "", text) if inline else text
