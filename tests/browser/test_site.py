"""The documentation site that Sphinx makes: no link is dead, nothing comes from elsewhere, everybody can read it."""

from __future__ import annotations

import html.parser
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from console_blocks import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytest.importorskip("furo")
pytestmark = pytest.mark.slow  # Sphinx takes ten seconds, and there is a browser

PHONE, SCREEN = 390, 1280
OF_THE_THEME = {"landmark-unique"}  # furo's two sidebars are both an <aside> without a name
SHOWN = ("index", "first-wheel", "compose", "comparison", "options", "reference", "why")

Open = Callable[..., "Page"]


def build(source: Path, into: Path) -> subprocess.CompletedProcess[str]:
    words = ["-m", "sphinx", "--quiet", "--fail-on-warning", str(source), str(into)]
    return subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    done = build(ROOT / "docs", made)
    assert done.returncode == 0, done.stderr
    return made


class Loaded(html.parser.HTMLParser):
    """What a browser would fetch for a page, and the pages that its contents name."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.contents: set[str] = set()
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag in {"script", "img", "iframe", "source", "video", "object"}:
            self.addresses.append(given.get("src", given.get("data", "")))
        if tag == "link":
            self.addresses.append(given.get("href", ""))
        if tag == "a" and "reference internal" in given.get("class", ""):
            self.contents.add(given["href"])


def test_pages_load_nothing_from_elsewhere(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 40
    loaded = {(page.name, address) for page in pages for address in Loaded(page).addresses}
    assert not [each for each in loaded if re.match(r"(?:[a-z]+:)?//", each[1])]
    styles = "".join(path.read_text() for path in site.rglob("*.css"))
    assert not re.findall(r"""(?:url\(|@import)\s*["']?(?:https?:)?//[^)]*""", styles)


def test_every_page_is_in_the_contents_and_the_search(site: Path) -> None:
    names = {path.stem for path in (ROOT / "docs").glob("*.md")} - {"index"}
    assert names <= {address.removesuffix(".html") for address in Loaded(site / "index.html").contents}
    index = (site / "searchindex.js").read_text()
    assert not [name for name in names if f'"{name}"' not in index]


def test_a_dead_link_fails_the_build(tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    configuration = (ROOT / "docs" / "conf.py").read_text().replace("Path(__file__).parents[1]", f'Path("{ROOT}")')
    (docs / "conf.py").write_text(configuration)
    (docs / "index.md").write_text("# A\n\n## Pages\n\n- [B](b.md)\n")
    (docs / "b.md").write_text("# B\n\n## There\n\n[A](index.md#pages), [there](#there)\n")
    good = build(docs, tmp_path / "good")
    assert good.returncode == 0, good.stderr
    dead = ["nowhere.md", "index.md#nothing", "#nothing", "../nowhere.toml"]
    (docs / "b.md").write_text("# B\n\n" + "\n\n".join(f"[A]({link})" for link in dead))
    bad = build(docs, tmp_path / "bad")
    assert bad.returncode != 0
    assert re.findall(r"b\.md:(\d+): WARNING", bad.stderr) == ["3", "5", "7", "9"]


@pytest.fixture
def opened(chromium: Browser, site: Path) -> Iterator[Open]:
    contexts = []

    def open_page(name: str, *, scheme: str = "light", width: int = SCREEN) -> Page:
        context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})  # type: ignore[arg-type]
        contexts.append(context)
        context.set_default_timeout(120_000)  # machines may be loaded
        page = context.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith("file:///") else said.append(request.url))
        page.said = said  # type: ignore[attr-defined]
        page.goto((site / f"{name}.html").as_uri())
        return page

    yield open_page
    for context in contexts:
        context.close()


def said(page: Any) -> list[str]:
    return list(page.said)


@pytest.mark.daily(4)
@pytest.mark.parametrize(("name", "scheme", "width"), list(product(SHOWN, ["light", "dark"], [PHONE, SCREEN])))
def test_everybody_can_read_it(opened: Open, name: str, scheme: str, width: int) -> None:
    """axe-core finds no fault, and only tables and code scroll sideways."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    page = opened(name, scheme=scheme, width=width)
    assert said(page) == []
    found = [each for each in axe.run(page).response["violations"] if each["id"] not in OF_THE_THEME]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"


def test_a_word_is_found(opened: Open) -> None:
    page = opened("search")
    page.goto(f"{page.url}?q=binfmt")
    page.wait_for_selector("#search-results li a")
    assert page.locator("#search-results li a", has_text="Programs of other architectures").count() >= 1
    # Of a folder on disk, the search cannot show the words around what it found: a browser lets no page fetch a file.
    assert [text for text in said(page) if text.startswith("http")] == []
