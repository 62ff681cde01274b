"""Looks of figures: the same for every user's Matplotlib, embedded fonts, and told apart without colours."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import matplotlib as mpl
import pytest
from matplotlib.lines import Line2D

from figures import recipe as recipes
from figures import subset_sum, trade_off
from figures.recipe import load, write_pictures
from figures.registry import NAMES, recipe
from figures.style import Style, house_style, save_figure

HOSTILE: dict[str, Any] = {
    "text.usetex": True,
    "font.family": "No Such Font",
    "font.size": 40,
    "axes.titlesize": 60,
    "xtick.labelsize": 50,
    "axes.formatter.use_mathtext": True,
    "axes.formatter.limits": [0, 0],
    "axes.prop_cycle": mpl.cycler(color=["red"]),
    "axes.xmargin": 0.4,
    "lines.linewidth": 20,
    "lines.marker": "*",
    "figure.constrained_layout.use": False,
    "figure.autolayout": True,
    "figure.facecolor": "black",
    "savefig.bbox": "tight",
    "savefig.transparent": True,
    "savefig.format": "jpg",
    "savefig.facecolor": "red",
    "svg.fonttype": "path",
    "svg.hashsalt": None,
    "pdf.fonttype": 3,
    "pdf.compression": 0,
    "pdf.use14corefonts": True,
    "path.sketch": (3, 100, 2),
    "legend.loc": "center",
    "image.cmap": "jet",
    "date.epoch": "1990-01-01T00:00:00",
}


@pytest.fixture
def hostile() -> Any:
    with mpl.rc_context():
        mpl.rcParams.update(HOSTILE)
        yield


def pictures(name: str, folder: Path, style: Style) -> dict[str, bytes]:
    one = recipe(name)
    return {path.suffix: path.read_bytes() for path in write_pictures(one, load(one), folder, style=style)}


@pytest.mark.parametrize("style", [Style(), Style("paper")], ids=["screen", "paper"])
@pytest.mark.parametrize("name", ["trade_off", "phase_diagram", "similarity"])
def test_the_users_rcparams_change_no_byte(name: str, style: Style, tmp_path: Path) -> None:
    usual = pictures(name, tmp_path / "usual", style)
    with mpl.rc_context():
        mpl.rcParams.update(HOSTILE)
        before = dict(mpl.rcParams.copy())
        assert pictures(name, tmp_path / "hostile", style) == usual
        assert dict(mpl.rcParams.copy()) == before
    assert set(usual) == {".pdf", ".svg", ".png"}


def test_a_figure_keeps_its_look_in_the_users_program(hostile: None, tmp_path: Path) -> None:
    figure = trade_off.figure(style="paper")
    figure.savefig(tmp_path / "own.pdf", metadata={"CreationDate": None})  # with LaTeX it would fail here
    figure.axes[0].set_xlim(1, 7)  # new ticks
    figure.savefig(tmp_path / "zoomed.png", dpi=72)
    figure.canvas.draw()
    assert {text.get_usetex() for axes in figure.axes for text in axes.get_xticklabels()} == {False}
    assert mpl.image.imread(tmp_path / "zoomed.png").shape[1] in (237, 238)


def test_rc_is_the_users_own_look(tmp_path: Path) -> None:
    with mpl.rc_context({"font.size": 21, "axes.facecolor": "yellow"}):
        figure = trade_off.figure(style="rc")
        (axes,) = figure.axes
        assert axes.xaxis.label.get_fontsize() == 21
        assert axes.get_facecolor() == (1.0, 1.0, 0.0, 1.0)
        ours = trade_off.figure()
        assert ours.axes[0].xaxis.label.get_fontsize() == 9
        first, second = tmp_path / "a.svg", tmp_path / "b.svg"
        save_figure(figure, str(first))
        save_figure(trade_off.figure(style="rc"), str(second))
        assert first.read_bytes() == second.read_bytes()


CONFIGURATIONS = {
    "nonsense backend": {"MPLBACKEND": "nonsense"},
    "no display": {"MPLBACKEND": "TkAgg"},
    "folder that is a file": {"MPLCONFIGDIR": "{folder}/matplotlibrc"},
    "folder that cannot be made": {"MPLCONFIGDIR": "/proc/none", "HOME": "/proc/none"},
    "not text": {"MATPLOTLIBRC": "{folder}/bytes"},
}


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_no_configuration_breaks_a_run(name: str, tmp_path: Path) -> None:
    (tmp_path / "matplotlibrc").write_text("text.usetex: True\nbackend: nonsense\nno colon\nfont.size: huge\n")
    (tmp_path / "bytes").write_bytes(b"font.family: \xff\xfe\n")
    if name == "not text":
        (tmp_path / "matplotlibrc").write_bytes(b"font.family: \xff\xfe\n")  # in the folder where it runs
    changed = {key: value.format(folder=tmp_path) for key, value in CONFIGURATIONS[name].items()}
    code = "import sys; from figures import trade_off; sys.exit(trade_off.main(['--format', 'svg', '--out', 'out']))"
    environment = {**os.environ, **changed, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    usual = pictures("trade_off", tmp_path / "usual", Style())
    assert (tmp_path / "out" / "trade_off.svg").read_bytes() == usual[".svg"]


def test_paper_is_8_points_with_embedded_fonts(tmp_path: Path) -> None:
    one = subset_sum.RECIPE
    figure = recipes.draw(one, load(one), Style("paper", 3.3))
    sizes = {text.get_fontsize() for axes in figure.axes for text in (axes.xaxis.label, axes.yaxis.label)}
    assert sizes == {8.0}
    (pdf, png) = write_pictures(one, load(one), tmp_path, ("pdf", "png"), Style("paper", 3.3))
    content = pdf.read_bytes()
    assert b"/FontFile2" in content  # TrueType outlines, as Type 42 has them
    assert b"/Type3" not in content
    assert mpl.image.imread(png).shape[1] == 990  # 3.3 in at 300 a inch
    assert recipes.draw(one, load(one), Style("paper", 7.0, 2.5)).get_size_inches().tolist() == [7.0, 2.5]


def test_the_date_of_the_build_is_in_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = pictures("trade_off", tmp_path / "a", Style("paper"))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    assert pictures("trade_off", tmp_path / "b", Style("paper")) == usual


def look(line: Line2D) -> tuple[Any, ...]:
    """What is left of a line without its colour; a grey one says what a kind of line stands for, of whatever curve."""
    hollow = line.get_markerfacecolor() in ("none", "white")
    width = 0 if line.get_linestyle() == "None" else round(line.get_linewidth(), 1)
    return line.get_marker(), str(line._dash_pattern), width, hollow, line.get_color() == "0.35"


@pytest.mark.parametrize("name", NAMES)
def test_entries_of_a_legend_differ_without_colours(name: str) -> None:
    figure = recipe(name).plot(load(recipe(name)))
    bars = {one.get_label(): one[0] for axes in figure.axes for one in axes.containers}
    legends = list(figure.legends) + [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    legends += [one for part in figure.subfigs for one in part.legends]
    for legend in legends:
        named = zip(legend.legend_handles, (text.get_text() for text in legend.get_texts()), strict=True)
        lines = [bars.get(label, handle) for handle, label in named]
        looks = Counter(look(line) for line in lines if isinstance(line, Line2D))
        assert max(looks.values(), default=1) == 1, looks.most_common(2)


def test_committed_picture_of_the_front_page_is_that_of_its_numbers(tmp_path: Path) -> None:
    import numpy as np

    (drawn,) = write_pictures(subset_sum.RECIPE, load(subset_sum.RECIPE), tmp_path, ("png",))
    kept = Path(recipes.__file__).parent / "images" / "subset_sum.png"
    ours, theirs = mpl.image.imread(drawn), mpl.image.imread(kept)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 0.01  # another FreeType may move an edge


def test_styles_stay_inside_their_block() -> None:
    before = dict(mpl.rcParams.copy())
    with house_style(Style("paper")):
        assert mpl.rcParams["font.size"] == 8
        with house_style():
            assert mpl.rcParams["font.size"] == 8
    assert dict(mpl.rcParams.copy()) == before
