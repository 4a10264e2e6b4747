"""The page in a real browser: nothing runs that is not its own, and everybody can read it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import page_samples as samples
from crosswheel.reporting.page.html import page
from crosswheel.reporting.page.inputs import inputs_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.slow  # seconds, and a browser

HONEST = [samples.full_report(), samples.emulated_before(), samples.readiness(), samples.release()]
DOCUMENTS = {
    "all": HONEST,
    "hostile": [samples.hostile(document) for document in HONEST],
    "good": [samples.report(*(samples.outcome(f"cp31{at}-manylinux2014_aarch64", at * 6.0) for at in range(4)))],
    "large": [samples.many_jobs(64)],
}
PHONE, SCREEN = 390, 1280

Open = Callable[..., "Page"]


class Watched:
    """What a page said, asked for or opened; nothing is right."""

    def __init__(self, opened: Page) -> None:
        self.said: list[str] = []
        opened.on("console", lambda message: self.said.append(message.text))
        opened.on("pageerror", lambda error: self.said.append(str(error)))
        opened.on("dialog", lambda dialog: self.said.append(f"dialog {dialog.message}"))
        opened.on("request", self._request)

    def _request(self, request: Any) -> None:
        if not request.url.startswith("file:///") or request.resource_type != "document":
            self.said.append(request.url)


@pytest.fixture
def opened(chromium: Browser, tmp_path: Path) -> Iterator[Open]:
    contexts = []

    def open_page(name: str, *, scheme: str = "light", width: int = SCREEN, **options: Any) -> Page:
        path = tmp_path / f"{name}.html"
        path.write_text(page(inputs_of(DOCUMENTS[name])), "utf-8")
        context = chromium.new_context(
            color_scheme=scheme,  # type: ignore[arg-type]
            viewport={"width": width, "height": 900},
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(120_000)  # machines may be loaded
        made = context.new_page()
        made.watched = Watched(made)  # type: ignore[attr-defined]
        made.goto(path.as_uri())
        return made

    yield open_page
    for context in contexts:
        context.close()


def said(page: Page) -> list[str]:
    return list(page.watched.said)  # type: ignore[attr-defined]


@pytest.mark.daily(4)
@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [*product(["all", "good"], ["light", "dark"], [PHONE, SCREEN]), ("large", "dark", PHONE)],
)
def test_everybody_can_read_it(opened: Open, name: str, scheme: str, width: int) -> None:
    """axe-core finds no fault, contrast and landmarks among them, with all that can be unfolded unfolded."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    shown = opened(name, scheme=scheme, width=width)
    shown.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    found = axe.run(shown).response["violations"]
    assert [(each["id"], [node["html"][:200] for node in each["nodes"][:3]]) for each in found] == []
    assert said(shown) == []
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"


@pytest.mark.parametrize("width", [PHONE, SCREEN])
def test_hostile_texts_do_nothing(opened: Open, width: int) -> None:
    shown = opened("hostile", width=width)
    shown.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    shown.mouse.move(width / 2, 300)
    shown.keyboard.press("Tab")
    assert said(shown) == []
    strange = "img, iframe, object, embed, form, link, base, [onload], [onerror], [onmouseover], [style]"
    assert shown.locator(strange).count() == 0
    assert {link.get_attribute("href")[:1] for link in shown.locator("a").all()} == {"#"}  # type: ignore[index]
    assert shown.locator("script").count() == 1
    assert "<img src=x onerror='alert(1)'>" in shown.locator("body").inner_text()
    assert shown.evaluate("document.documentElement.scrollWidth <= innerWidth"), "wider than the screen"


def test_an_injected_script_or_style_would_not_run(opened: Open) -> None:
    """The policy holds even where the escaping would fail."""
    shown = opened("good")
    shown.evaluate("document.body.insertAdjacentHTML('beforeend', `<img src=x onerror=\"window.harmed = 1\">`)")
    shown.evaluate(
        "document.body.append(Object.assign(document.createElement('script'), {textContent: 'window.harmed = 2'}))"
    )
    shown.wait_for_timeout(200)
    assert shown.evaluate("window.harmed ?? 0") == 0
    assert any("Content Security Policy" in line for line in said(shown))


def test_it_is_whole_without_script(opened: Open) -> None:
    shown = opened("all", java_script_enabled=False)
    text = shown.locator("body").inner_text()
    for part in ("4 of 5 targets have a wheel", "Critical path", "W302", "tensorflow"):
        assert part in text
    shown.locator("summary", has_text="lines of the log").click()
    assert shown.locator("pre").first.is_visible()
    assert "119" in shown.locator("pre").first.inner_text()
    assert shown.locator("figure svg").first.is_visible()


def test_the_keyboard_reaches_everything(opened: Open) -> None:
    """Links, folds and what scrolls, in the order of the page; the focus is seen."""
    shown = opened("all", width=PHONE)
    wanted = "a[href], summary, button, input, [tabindex='0']"
    count = shown.evaluate(f'[...document.querySelectorAll("{wanted}")].filter(each => each.checkVisibility()).length')
    reached = []
    for _ in range(count):
        shown.keyboard.press("Tab")
        reached.append(
            shown.evaluate(
                "(() => { const all = [...document.querySelectorAll('*')]; const at = document.activeElement;"
                " return [all.indexOf(at), getComputedStyle(at).outlineStyle]; })()"
            )
        )
    places = [place for place, _ in reached]
    assert places == sorted(set(places)), "each once, from the top to the bottom"
    assert {style for _, style in reached} == {"solid"}
    shown.keyboard.press("Tab")
    assert shown.evaluate("document.activeElement === document.body"), "the last one was the last"


def test_enter_unfolds_and_sorts(opened: Open) -> None:
    shown = opened("all")
    fold = shown.locator("summary", has_text="with size and sha256")
    fold.focus()
    shown.keyboard.press("Enter")
    table = shown.locator("table.sortable").first
    heading = table.locator("th button").first
    heading.focus()
    shown.keyboard.press("Enter")
    assert table.locator("th").first.get_attribute("aria-sort") == "ascending"
    first = table.locator("tbody tr").first.inner_text()
    shown.keyboard.press("Enter")
    assert table.locator("th").first.get_attribute("aria-sort") == "descending"
    assert table.locator("tbody tr").last.inner_text() == first


def test_words_are_found_in_long_tables(opened: Open) -> None:
    shown = opened("large")
    shown.locator("summary", has_text="All times as a table").click()
    shown.get_by_label("Show rows with").last.fill("cp39-manylinux_2_24_armv7l")
    assert shown.locator("section[aria-labelledby='timeline-1'] tbody tr:visible").count() == 1


def test_printed_it_has_all_tables_whole(opened: Open) -> None:
    shown = opened("all")
    shown.emulate_media(media="print")
    assert not shown.locator("nav").is_visible()
    cut = "[...document.querySelectorAll('.scroll')].some(each => getComputedStyle(each).overflowX !== 'visible')"
    assert not shown.evaluate(cut)
    assert shown.pdf().startswith(b"%PDF")
