"""Sphinx makes the site from these pages: `nox -s site`. They are plain Markdown, to be read on a code host as well."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).parents[1] / "lib"))

import crosswheel

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "crosswheel"
release = crosswheel.__version__
extensions = ["myst_parser"]
myst_heading_anchors = 4  # links to headings, spelled as on a code host
nitpicky = True
html_theme = "furo"
html_title = f"crosswheel {release}"
html_copy_source = False
html_show_copyright = False
html_theme_options: dict[str, list[str]] = {"top_of_page_buttons": []}  # there is no address of the sources yet


def setup(app: Sphinx) -> None:
    app.connect("source-read", add_contents)
    app.connect("html-page-context", mend_for_readers, priority=900)  # after furo's own


def add_contents(_app: Sphinx, page: str, source: list[str]) -> None:
    """Make the contents beside each page from the lists of links in index.md, one part for each heading."""
    if page == "index":
        for part in re.split(r"^## ", source[0], flags=re.MULTILINE)[1:]:
            pages = re.findall(r"^- \[.*?\]\(([\w-]+)\.md\)", part, re.MULTILINE)
            caption = part.partition("\n")[0]
            source[0] += "\n".join(["", "", "```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```", ""])


def mend_for_readers(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _tree: object) -> None:
    """What the theme leaves out for keyboards and screen readers: what scrolls, and headings of the contents."""
    if "body" in context:
        context["body"] = re.sub(r'(<pre|<div class="table-wrapper[^">]*")>', r'\1 tabindex="0">', context["body"])
    tree = context.get("furo_navigation_tree", "")
    context["furo_navigation_tree"] = tree.replace('role="heading"', 'role="heading" aria-level="2"')
