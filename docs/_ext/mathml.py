"""Formulas as MathML: the browser draws them itself, so that the site needs no script and no network."""

from __future__ import annotations

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert

# A minus after an opening bracket, a comma or a relation is a sign, not a difference: no space around it.
_SIGN = re.compile(
    r"(<mrow>|<mo stretchy=\"false\">(?:&#x00028;|\[)</mo>|<mo>(?:&#x0002C;|&#x0003D;)</mo>)<mo>&#x02212;</mo>"
)


def _mathml(node: Any, display: str) -> str:
    try:
        return _SIGN.sub(r'\1<mo form="prefix">&#x02212;</mo>', convert(node.astext(), display=display))
    except Exception as error:
        raise ValueError(f"this formula could not be converted: {node.astext()!r} ({error})") from error


def inline(translator: Any, node: Any) -> None:
    """A formula within a line."""
    translator.body.append(_mathml(node, "inline"))
    raise nodes.SkipNode


def block(translator: Any, node: Any) -> None:
    """A formula on its own line, which scrolls where it is too wide for the page."""
    number = f'<span class="eqno">({node["number"]})</span>' if node.get("number") else ""
    anchor = f' id="equation-{node["label"]}"' if node.get("label") else ""
    translator.body.append(f'<div class="math-block"{anchor}>{number}{_mathml(node, "block")}</div>\n')
    raise nodes.SkipNode


def setup(app: Any) -> dict[str, bool]:
    """Register the renderer under the name mathml."""
    app.add_html_math_renderer("mathml", inline_renderers=(inline, None), block_renderers=(block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
