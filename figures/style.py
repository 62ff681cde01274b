"""Looks of figures: sizes, fonts, and one colour per kind of statement, whatever the user's Matplotlib is set to.

Theory is a line, simulation is markers with bars, what is not proved is dashed. The colours are Okabe and Ito's, which
colour-blind readers can tell apart; each is paired with its own marker so that a grey print can be read too.
"""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal
from unittest import mock

from sims.files import write_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

StyleName = Literal["screen", "paper", "rc"]

_ALL: dict[str, Any] = {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "svg.hashsalt": "strong-tickets",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
}

_RC: dict[StyleName, dict[str, Any]] = {
    "screen": {
        **_ALL,
        "figure.dpi": 100,
        "savefig.dpi": 200,
        "font.size": 9,
        "axes.titlesize": 9,
        "axes.labelsize": 9,
        "legend.fontsize": 8,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "lines.linewidth": 1.4,
        "lines.markersize": 4,
        "svg.fonttype": "none",
    },
    "paper": {
        **_ALL,
        "figure.dpi": 100,
        "savefig.dpi": 300,
        "font.size": 8,
        "axes.titlesize": 8,
        "axes.labelsize": 8,
        "legend.fontsize": 7,
        "xtick.labelsize": 7,
        "ytick.labelsize": 7,
        "axes.linewidth": 0.6,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.minor.width": 0.4,
        "ytick.minor.width": 0.4,
        "lines.linewidth": 1.0,
        "lines.markersize": 3,
        "legend.handlelength": 1.8,
        "legend.columnspacing": 1.0,
        "svg.fonttype": "path",
    },
    "rc": {"svg.hashsalt": "strong-tickets"},
}

WIDTHS = (1.5, 20.0)
"""Inches that a figure may be wide or high."""
_PAPER = 3.3


@dataclass(frozen=True)
class Style:
    """How figures look.

    Attributes
    ----------
    name : {"screen", "paper", "rc"}
        paper: 8 points, fonts embedded as Type 42, 3.3 inches wide. rc: the user's own rcParams.
    width, height : float or None
        Inches in [1.5, 20]. None: those of the figure.
    """

    name: StyleName = "screen"
    width: float | None = None
    height: float | None = None

    def __post_init__(self) -> None:
        if self.name not in _RC:
            raise ValueError(f"style must be one of {', '.join(_RC)}, got {self.name!r}")
        for name in ("width", "height"):
            value = getattr(self, name)
            if value is not None and not WIDTHS[0] <= value <= WIDTHS[1]:
                raise ValueError(f"{name} must be from 1.5 to 20 inches, got {value:g}")

    def size(self, width: float, height: float) -> tuple[float, float]:
        """Inches of a figure that is drawn ``width`` by ``height`` on a screen."""
        wide = self.width or (_PAPER if self.name == "paper" else width)
        return wide, self.height or height * (wide / width) ** 0.75


_CURRENT: ContextVar[Style] = ContextVar("style", default=Style())  # noqa: B039 (frozen)


@contextmanager
def house_style(style: Style | None = None) -> Iterator[None]:
    """Context in which figures are made and saved; ``style``: by default that of the context around.

    Nothing of the user's rcParams is in force there, unless the style is "rc"; afterwards they are as before.
    """
    mpl = matplotlib()
    chosen = style or _CURRENT.get()
    token = _CURRENT.set(chosen)
    try:
        with mpl.rc_context():
            if chosen.name != "rc":  # past the validation, as Matplotlib itself resets them: no warnings
                usual = {k: v for k, v in dict.items(mpl.rcParamsDefault) if not k.startswith("backend")}
                dict.update(mpl.rcParams, usual)
            mpl.rcParams.update(_RC[chosen.name])
            yield
    finally:
        _CURRENT.reset(token)


def matplotlib() -> Any:
    """Matplotlib, imported even where the user's configuration lets its import fail."""
    if "matplotlib" in sys.modules:
        return sys.modules["matplotlib"]
    try:
        return importlib.import_module("matplotlib")
    except ImportError:
        raise
    except Exception:  # an unknown MPLBACKEND, a matplotlibrc that cannot be read: once more, without them
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]
        there = os.path.exists

        def no_user_file(path: Any) -> bool:
            return there(path) and ("mpl-data" in str(path) or not str(path).endswith("matplotlibrc"))

        with mock.patch.dict(os.environ), mock.patch("os.path.exists", no_user_file):
            os.environ.pop("MPLBACKEND", None)
            os.environ.pop("MATPLOTLIBRC", None)
            return importlib.import_module("matplotlib")


def blank_figure(width: float, height: float) -> Figure:
    """An empty figure (inches on a screen) without axes and without a display; call it inside ``house_style()``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from figures.canvas import HouseFigure

    style = _CURRENT.get()
    figure = HouseFigure(figsize=style.size(width, height), layout="constrained")
    figure.style = style
    FigureCanvasAgg(figure)
    return figure


def new_figure(width: float = 5.5, height: float = 3.4) -> tuple[Figure, Any]:
    """A blank figure with one pair of axes."""
    figure = blank_figure(width, height)
    return figure, figure.add_subplot()


def new_panels(
    count: int, width: float = 5.5, height: float = 2.3, *, least: float = 2.3, share: bool = True
) -> tuple[Figure, list[Any]]:
    """A blank figure with ``count`` panels, side by side as far as each is at least ``least`` inches wide.

    ``height``: of one row. ``share``: one y axis for all; it is labelled in the first column.
    """
    wide = _CURRENT.get().size(width, height)[0]
    columns = min(count, max(1, int(wide / least + 1e-9)))
    rows = -(-count // columns)
    figure = blank_figure(width, height)
    if columns < count and not _CURRENT.get().height:
        figure.set_size_inches(wide, rows * min(height, 0.7 * wide / columns))
    panels = list(figure.subplots(rows, columns, sharey=share, squeeze=False).flat)
    for panel in panels[count:]:
        panel.set_visible(False)
    return figure, panels[:count]


def marker_size() -> float:
    """Of a marker in the style of the context around, in points."""
    return float(matplotlib().rcParams["lines.markersize"])


def in_first_column(axes: Any) -> bool:
    """Whether a panel carries the label of its row's y axis."""
    return bool(axes.get_subplotspec().is_first_col())


def legend_above(figure: Any, handles: Sequence[Any], *, columns: int = 3, **options: Any) -> Any:
    """A legend over all axes of a figure or a subfigure, in as many columns as fit; the figure grows by its height."""
    root = figure.figure
    room = root.get_size_inches()[0] * root.dpi - 4
    for number in range(columns, 0, -1):
        legend = figure.legend(handles=handles, loc="outside upper center", ncols=number, **options)
        box = legend.get_window_extent(root.canvas.get_renderer())
        if box.width <= room or number == 1:
            break
        legend.remove()
    grow(root, box.height / root.dpi)
    return legend


def legend_over(axes: Any, handles: Sequence[Any], *, columns: int = 1, title: str | None = None) -> float:
    """A legend over one panel, in as many columns as fit in its part of the figure; returns its height in inches."""
    figure = axes.figure
    spec = axes.get_subplotspec()
    share = (spec.colspan.stop - spec.colspan.start) / spec.get_gridspec().ncols
    room = (share * figure.get_size_inches()[0] - 0.55) * figure.dpi  # the y axis has its labels
    place = {"loc": "lower left", "bbox_to_anchor": (0.0, 1.0), "borderaxespad": 0.2}
    for number in range(columns, 0, -1):
        legend = axes.legend(handles=handles, ncols=number, title=title, alignment="left", **place)
        box = legend.get_window_extent(figure.canvas.get_renderer())
        if box.width <= room:
            break
    return float(box.height / figure.dpi)


def grow(figure: Any, inches: float) -> None:
    """Make room for what stands over the axes, unless the figure's height was asked for."""
    root = figure.figure
    if getattr(root, "style", Style()).height is None:
        width, height = root.get_size_inches()
        root.set_size_inches(width, height + inches)


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
    with house_style(getattr(figure, "style", None)):
        figure.savefig(content, format=suffix, metadata=metadata[suffix])
    write_bytes(path, content.getvalue())
