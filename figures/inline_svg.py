"""A figure as SVG inside an HTML page: no clashing ids, no styles that leak, and words for those who cannot see it."""

from __future__ import annotations

import io
import re
from html import escape
from typing import TYPE_CHECKING, Any

from figures.style import house_style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FONTS = "'DejaVu Sans', Verdana, sans-serif"


def inline_svg(figure: Figure, name: str, title: str) -> str:
    """The figure as an ``<svg>`` element.

    Parameters
    ----------
    figure : Figure
    name : str
        Prefix of every id, different for each figure of a page.
    title : str

    Returns
    -------
    str
        Bytes depend on the figure alone. Ids that nothing refers to, fixed sizes and global styles are left out.
    """
    buffer = io.StringIO()
    with house_style():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return cleaned(buffer.getvalue(), name, title, described(figure))


def cleaned(svg: str, name: str, title: str, description: str) -> str:
    """An SVG file's text made fit for a page, with a title and a description."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>|<defs>\s*<style.*?</style>\s*</defs>", "", svg, flags=re.S)
    used = set(re.findall(r'(?:href="#|url\(#)([^")]+)', svg))
    svg = re.sub(r' id="([^"]*)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", svg)
    svg = re.sub(r'(?:xlink:)?href="#', f'href="#{name}-', svg)
    svg = svg.replace("url(#", f"url(#{name}-")
    svg = re.sub(r"font-family: [^;\"]*", f"font-family: {FONTS}", svg)
    svg = re.sub(r"(font: (?:\w+ )*[\d.]+px) [^;\"]*", rf"\1 {FONTS}", svg)
    svg = re.sub(r"\s*\n\s*", "\n", svg)
    head, body = svg.split(">", 1)
    head = re.sub(r' (?:width|height|version|xmlns(?::\w+)?)="[^"]*"', "", head)
    label = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    words = f'<title id="{name}-title">{escape(title)}</title><desc id="{name}-desc">{escape(description)}</desc>'
    return f"{head} {label}>{words}{body.lstrip()}"


def described(figure: Figure) -> str:
    """Axes, scales, ranges and legends in words."""
    said = [_axes_in_words(axes) for axes in figure.axes if axes.get_visible() and axes.axison]
    if len(said) > 1:
        said = [f"Panel {number}: {words}" for number, words in enumerate(said, start=1)]
    legends = [legend for axes in figure.axes if (legend := axes.get_legend())]
    legends += [legend for part in (figure, *figure.subfigs) for legend in part.legends]
    entries = dict.fromkeys(_plain(text.get_text()) for legend in legends for text in legend.get_texts())
    if entries:
        said.append(f"Legend: {'; '.join(entries)}.")
    return " ".join(said)


def _axes_in_words(axes: Any) -> str:
    words = [_plain(axes.get_title()) + "."] if axes.get_title() else []
    for direction, axis in (("Horizontal", axes.xaxis), ("Vertical", axes.yaxis)):
        label = _plain(axis.get_label_text())
        if not label:  # shared with another panel
            continue
        low, high = axis.get_view_interval()
        scale = "logarithmic, " if axis.get_scale() == "log" else ""
        words.append(f"{direction} axis: {label} ({scale}{low:.3g} to {high:.3g}).")
    return " ".join(words)


def _plain(text: str) -> str:
    """A label without its mathematics mark-up."""
    text = re.sub(r"\\(?:mathrm|mathdefault|text)\{([^{}]*)\}", r"\1", text)
    return " ".join(re.sub(r"[${}]", "", text).replace("\\", "").split())
