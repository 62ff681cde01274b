"""One look for every figure: sizes, fonts, and one colour per kind of statement.

Theory is a line, simulation is markers with bars, what is not proved is dashed. The colours are Okabe and Ito's, which
colour-blind readers can tell apart; each is paired with its own marker so that a grey print can be read too.
"""

from __future__ import annotations

import io
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from sims.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.typing import RcKeyType

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

_RC: dict[RcKeyType, Any] = {
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "legend.frameon": False,
    "svg.hashsalt": "strong-tickets",
    "svg.fonttype": "none",
    "pdf.fonttype": 42,
}


def house_style() -> AbstractContextManager[None]:
    """Context in which figures are made and saved."""
    import matplotlib as mpl

    return mpl.rc_context(_RC)


def blank_figure(width: float, height: float) -> Figure:
    """An empty figure (inches) without axes and without a display; call it inside ``house_style()``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def new_figure(width: float = 5.5, height: float = 3.4) -> tuple[Figure, Any]:
    """A blank figure with one pair of axes."""
    figure = blank_figure(width, height)
    return figure, figure.add_subplot()


def new_panels(count: int, width: float = 5.5, height: float = 2.3) -> tuple[Figure, list[Any]]:
    """A blank figure with ``count`` panels side by side that share their y axis."""
    figure = blank_figure(width, height)
    return figure, list(figure.subplots(1, count, sharey=True, squeeze=False)[0])


def sample(label: str, **style: Any) -> Line2D:
    """A grey line for a legend, to say what a kind of line or marker stands for."""
    from matplotlib.lines import Line2D

    return Line2D([], [], label=label, **{"color": "0.35", **style})


def save_figure(figure: Figure, path: str) -> None:
    """Write a .png, .pdf or .svg, whole or not at all, whose bytes depend on nothing but the figure."""
    metadata: dict[str, dict[str, Any]] = {
        "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None},
        "svg": {"Date": None, "Creator": None},
        "png": {"Software": None},
    }
    suffix = path.rsplit(".", 1)[-1].lower()
    content = io.BytesIO()
    with house_style():
        figure.savefig(content, format=suffix, metadata=metadata[suffix])
    write_bytes(path, content.getvalue())
