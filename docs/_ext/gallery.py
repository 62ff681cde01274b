"""The page of all figures, drawn from their committed numbers when the site is built."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any


def write(app: Any) -> None:
    """Draw the figures and write the page that shows them; nothing is simulated."""
    from figures.recipe import load, write_pictures
    from figures.registry import recipes

    docs = Path(app.srcdir)
    lines = ["# Gallery", "", "All figures, from the numbers in `figures/data`. `make figures` draws them;",
             "{doc}`howto/figures` says how to draw them for parameters of your own, for a paper.", ""]  # fmt: skip
    for recipe in recipes():
        data = load(recipe)
        write_pictures(recipe, data, docs / "_figures", ("svg",))
        caption = re.sub(r"([\\*_$|<`])", r"\\\1", " ".join(recipe.caption(data).split()))
        lines += [
            f"## {recipe.number}. {recipe.title}",
            "",
            f"![{recipe.title}](_figures/{recipe.name}.svg)",
            "",
            caption,
            "",
        ]
    text = "\n".join(lines)
    page = docs / "gallery.md"
    if not page.is_file() or page.read_text(encoding="utf-8") != text:
        page.write_text(text, encoding="utf-8")


def setup(app: Any) -> dict[str, bool]:
    """Write the page before the sources are looked for."""
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
