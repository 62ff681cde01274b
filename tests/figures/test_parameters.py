"""Figures for parameters of one's own: computed, named as such, and the data beside them are what is drawn."""

import csv
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from figures import recipe as recipes
from figures import subset_sum
from figures.figure import main as figure_main
from figures.recipe import Recipe, load
from figures.registry import NAMES, recipe
from figures.settings import changed, length
from figures.style import Style

NEED_TORCH = {"theorem_corner", "main_theorem", "similarity", "accuracy", "bits", "gallery"}

FEW = {"trials": 200}
OTHER: dict[str, dict[str, Any]] = {
    "single_weight": {"R": [1, 3], "eps": 0.2, "alpha": 0.9, **FEW},
    "subset_sum": {"R": [1, 3], "eps": [0.1, 0.02], "alpha": 0.9, **FEW},
    "required_n": {"R": 3, "eps": [0.2, 0.05], "alpha": 0.9, "widths": (3, 2), "network_R": 7, **FEW},
    "phase_diagram": {"R": [1, 3], "eps": [0.2, 0.1, 0.05], "alpha": 0.9, **FEW},
    "theorem_corner": {"eps": 0.3, "R": 4, "decades": 5, "trials": 60},
    "main_theorem": {"widths": (2, 2), "eps": 0.3, "R": [100, 1000], "trials": 8},
    "coverage": {"R": [2, 3], "eps": 0.2, "interval": (-0.2, 0.4), "delta": 0.2, **FEW},
    "looseness": {"only": ("1.2",), "budget": 1.0},
    "recycling": {"eps": 0.05, "alpha": 0.9, "R": [1, 4], "n": range(1, 5), **FEW},
    "accuracy": {"methods": ["biprop"], "density": 0.3, "width_factor": 0.05, "seeds": 1, "epochs": 1},
    "similarity": {"method": "edge-popup", "runs": 2, "epochs": 1, "density": 0.2},
    "trade_off": {"eps": 0.05, "delta": 0.1, "alpha": 0.9, "price": 5.0, "largest_R": 4},
    "binary_weights": {"R": 3, "eps": 0.2, "alpha": 0.9, "trials": 100},
    "product_sum": {"R": 2, "eps": 0.1, "alpha": 0.9, "n": [1, 2], **FEW},
    "crossover": {"eta": 0.1, "delta": 0.1, "largest_R": 3},
    "vector_sum": {"d": [1, 2], "R": [2, 3], "eps": 0.2, "alpha": 0.25, **FEW},
    "fixed_size": {"eps": 0.05, "R": 2, "alpha": 0.9, "size": [2, 3], "delta": 0.3, "trials": 100},
    "grid_sum": {"grid": 7, "grids": [3, 5], "R": 2, "alpha": 0.25, "n": [1, 2, 3], **FEW},
    "movable_sum": {"R": 2, "eps": 0.01, "alpha": 0.9, "move": [0.1, 0.01], **FEW},
    "draw_code": {"d": 3, "eps": [0.3, 0.2], "trials": 60},
    "bits": {"networks": ["digits"], "eta": 0.05, "codes": ["block"], "d": 2},
    "width": {"widths": (3, 2), "eps": 0.5, "delta": 0.1, "R": [1, 50]},
    "tail": {"R": 3, "eps": 0.1, "alpha": 0.9, "delta": 1e-4, "n": [2, 3], "trials": 128},
    "gallery": {"names": ["digits"], "n": 10, "eta": 0.1},
}
"""Parameters that are not the committed ones, of little work."""


def skip_without_torch(name: str) -> None:
    if name in NEED_TORCH:
        pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")


def flag(name: str, value: Any) -> list[str]:
    values = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
    return [f"--{name.replace('_', '-')}", *map(str, values)]


def table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def points(figure: Any) -> np.ndarray:
    """Every point of every line, bar and field of a figure."""
    found = [line.get_xydata() for axes in figure.axes for line in axes.get_lines()]
    return np.vstack([np.asarray(one, float).reshape(-1, 2) for one in found])


def number(text: str) -> float:
    return float(text) if text else float("nan")


Map = Callable[[float], float]


def same(x: float) -> float:
    return x


def complement(x: float) -> float:
    return 1.0 - x


DRAWN: dict[str, list[tuple[str, str, Map, str, Map]]] = {
    "single_weight": [("", "n", same, "success", complement), ("", "n", same, "lower_bound", complement)],
    "subset_sum": [("", "n", same, c, same) for c in ("success", "lower_bound", "upper_bound", "prediction")],
    "product_sum": [("", "n", same, "success", same), ("", "n", same, "prediction", same)],
    "required_n": [
        (".one_weight", "eps", lambda x: 1 / x, "measured", same),
        (".one_weight", "eps", lambda x: 1 / x, "predicted", same),
        (".networks", "eps", lambda x: 1 / x, "params", same),
    ],
    "theorem_corner": [
        (".curves", "R", same, "exact", lambda x: 10**x),
        (".promises", "log10_delta", same, "ours", same),
        (".built", "R", same, "success", complement),
    ],
    "main_theorem": [(".errors", "upper", same, "", same), (".errors", "lower", same, "", same)],
    "coverage": [(".bounds", "n", same, "drift", same), (".results", "n", same, "success", complement)],
    "looseness": [("", "ratio", same, "", same)],
    "recycling": [("", "n", same, "success", same), ("", "n", same, "R4", same), ("", "n", same, "expected_R", same)],
    "accuracy": [(".density", "density", same, "test_accuracy", lambda x: 100 * (1 - x))],
    "similarity": [("", "", same, "", same)],
    "trade_off": [(".curves", "R", same, "n", same), (".optima", "R", same, "n", same)],
    "binary_weights": [
        (".result", "n", same, "exact", same),
        (".errors", "n", same, "exact", same),
        (".errors", "n", same, "searched", same),
    ],
    "crossover": [("", "R", same, "curves.pairs", same), ("", "R", same, "least", same)],
    "vector_sum": [(".curves", "n", same, "success", same), (".needs", "d", same, "predicted", same)],
    "fixed_size": [("", "", same, "", same)],
    "grid_sum": [(".needs", "grid", same, "required_n", same), (".result", "n", same, "lower_bound", complement)],
    "movable_sum": [("", "move", same, c, same) for c in ("measured", "predicted", "necessary_n", "required_n")],
    "draw_code": [("", "eps", same, "bits", same), ("", "eps", same, "bound", same)],
    "bits": [("", "eta", same, "bits", same)],
    "width": [("", "R", same, "best", same), ("", "R", same, "sums", same), ("", "R", same, "necessary", same)],
    "tail": [(".rows", "n", same, "failure", same)],
    "gallery": [("", "bits_per_weight", same, "", same), ("", "after", same, "", same)],
    "phase_diagram": [],
}
"""Of every figure: a table, the column along x and what is drawn of it, the column along y likewise."""


def expected(folder: Path, name: str) -> list[tuple[float, float]]:
    """Points that must be drawn, read from the CSV files; NaN where only the abscissa is known."""
    found = []
    for part, x, of_x, y, of_y in DRAWN[name]:
        if not x:
            continue
        for row in table(folder / f"{name}{part}.csv"):
            abscissa, ordinate = of_x(number(row[x])), of_y(number(row[y])) if y else float("nan")
            failure = (of_y is complement and not ordinate > 0.0) or (y and np.isnan(ordinate))
            if not np.isnan(abscissa) and not failure:
                found.append((abscissa, ordinate))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_other_parameters_and_the_data_beside(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    skip_without_torch(name)
    given = [token for key, value in OTHER[name].items() for token in flag(key, value)]
    command = [name.replace("_", "-"), *given, "--style", "paper", "--format", "png", "--out", str(tmp_path)]
    assert figure_main(command) == 0, capsys.readouterr().err
    data = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    one = recipe(name)
    chosen = json.loads(json.dumps(recipes.asdict(changed(one.settings, OTHER[name], name))))
    assert data["settings"] == chosen != load(one)["settings"]
    assert {"version", "commit", "cpu", "seed"} <= set(data["provenance"])
    assert data["caption"] == one.caption(data) != one.caption(load(one))

    figure = recipes.draw(one, data, Style("paper"))
    assert figure.get_size_inches()[0] == pytest.approx(3.3)
    assert figure.data is data
    drawn = points(figure)
    wanted = expected(tmp_path, name)
    assert wanted or name in ("phase_diagram", "fixed_size", "similarity")
    for x, y in wanted:
        near = np.isclose(drawn[:, 0], x, rtol=1e-9, atol=0)
        assert near.any(), (name, x)
        assert np.isnan(y) or np.isclose(drawn[near, 1], y, rtol=1e-9, atol=1e-15).any(), (name, x, y)


def test_the_field_of_the_phase_diagram_is_its_table(tmp_path: Path) -> None:
    given = [token for key, value in OTHER["phase_diagram"].items() for token in flag(key, value)]
    assert figure_main(["phase-diagram", *given, "--quiet", "--format", "svg", "--out", str(tmp_path)]) == 0
    rows = table(tmp_path / "phase_diagram.csv")
    data = json.loads((tmp_path / "phase_diagram.json").read_text(encoding="utf-8"))
    panels = [axes for axes in recipe("phase_diagram").plot(data).axes if axes.collections and axes.get_title()]
    assert [axes.get_title() for axes in panels] == ["R = 1", "R = 3"]
    for axes, R in zip(panels, ("1", "3"), strict=True):
        mine = sorted((float(r["eps"]), int(r["n"]), int(r["successes"]) / 200) for r in rows if r["R"] == R)
        assert axes.collections[0].get_array().ravel().tolist() == [share for *_, share in mine]


def test_sums_of_fixed_size_are_drawn_as_densities(tmp_path: Path) -> None:
    given = [token for key, value in OTHER["fixed_size"].items() for token in flag(key, value)]
    assert figure_main(["fixed-size", *given, "--quiet", "--format", "svg", "--out", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "fixed_size.json").read_text(encoding="utf-8"))
    drawn = points(recipe("fixed_size").plot(data)).tolist()
    for row in table(tmp_path / "fixed_size.csv"):
        for column in ("measured", "predicted", "necessary", "sufficient"):
            if row[column]:
                assert [int(row[column]), int(row["size"]) / int(row[column])] in drawn


def test_the_call_is_the_command(tmp_path: Path) -> None:
    figure = subset_sum.figure(R=[1, 3], eps=0.1, alpha=0.9, trials=200, seed=5, style="paper", width="84mm")
    assert figure.get_size_inches()[0] == pytest.approx(8.4 / 2.54)
    flags = ["--R", "1", "3", "--eps", "0.1", "--alpha", "0.9", "--trials", "200", "--seed", "5"]
    assert figure_main(["subset_sum", *flags, "--quiet", "--format", "png", "--out", str(tmp_path)]) == 0
    data = json.loads((tmp_path / "subset_sum.json").read_text(encoding="utf-8"))
    assert data["result"]["rows"] == figure.data["result"]["rows"]
    assert "seed 5" in figure.caption
    assert subset_sum.RECIPE.data() == load(subset_sum.RECIPE)  # nothing is computed for committed parameters


def test_committed_numbers_are_not_drawn_for_other_parameters(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = subset_sum.RECIPE
    data = {**load(one), "settings": {**load(one)["settings"], "eps": [0.5]}}
    monkeypatch.setattr(recipes, "FOLDER", tmp_path)
    one.data_file.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(ValueError, match="computed for other parameters"):
        load(one)


def test_mistakes_are_one_line_before_the_work(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    out = ["--out", str(tmp_path)]
    for given, said in [
        ([], "the first word names a figure"),
        (["subset-sun"], "did you mean subset-sum?"),
        (["subset-sum", "--width", "3 ells", *out], "--width takes a length such as 3.3in"),
        (["subset-sum", "--width", "1mm", *out], "width must be from 1.5 to 20 inches"),
        (["subset-sum", "--R", "1:9", *out], "up to 7 settings of R, eps and alpha, got 9"),
        (["subset-sum", "--eps", "2", *out], "eps must be in (0, 1], got eps=2"),
        (["subset-sum", "--trials", "0", *out], "trials must be"),
        (["subset-sum", "--eps", "1e-6", "--trials", "1e10", "--max-time", "1", *out], "more than --max-time"),
        (["subset-sum", "--eps", "0.1", "--compute", *out], "--compute keeps the committed parameters"),
        (["phase-diagram", "--eps", "0.1", *out], "eps needs at least two values"),
        (["crossover", "--eta", "0.1", *out], "delta needs as many values as eta, 1, got 2"),
        (["draw-code", "--eps", "1e-9", *out], "eps must be larger"),
        (["trade-off", "--eps", "0.1", "--out", str(recipes.FOLDER)], "--out must not be the folder of the committed"),
    ]:
        assert figure_main(given) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("error: ")
        assert said in line
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(TypeError, match="figure subset_sum has no parameter epsilon: it takes trials, seed, R"):
        subset_sum.figure(epsilon=1)
    with pytest.raises(ValueError, match="width and height: takes a length"):
        subset_sum.figure(width="wide")
    with pytest.raises(ValueError, match="style must be one of screen, paper, rc, got 'poster'"):
        subset_sum.figure(style="poster")  # type: ignore[arg-type]


def test_a_file_of_another_kind_is_not_replaced(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "trade_off.json").write_text("{}", encoding="utf-8")
    assert figure_main(["trade-off", "--out", str(tmp_path), "--format", "png"]) == 2
    assert "is no numbers of a figure" in capsys.readouterr().err
    (tmp_path / "trade_off.json").unlink()
    (tmp_path / "trade_off.curves.csv").write_text("dear diary\n", encoding="utf-8")
    assert figure_main(["trade-off", "--out", str(tmp_path), "--format", "png"]) == 2
    assert (tmp_path / "trade_off.curves.csv").read_text(encoding="utf-8") == "dear diary\n"


def test_a_picture_that_fails_loses_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("Failed to process string with tex")

    monkeypatch.setattr(recipes, "save_figure", broken)
    given = ["--eps", "0.1", "--trials", "50", "--out", str(tmp_path), "--format", "pdf", "--seed", "3"]
    assert figure_main(["subset-sum", *given]) == 2
    said = capsys.readouterr()
    assert said.err.splitlines() == [
        f"error: picture {tmp_path}/subset_sum.pdf failed (RuntimeError: Failed to process string with tex)"
    ]
    assert len(table(tmp_path / "subset_sum.csv")) > 3
    assert json.loads((tmp_path / "subset_sum.json").read_text(encoding="utf-8"))["settings"]["seed"] == 3


def test_lengths() -> None:
    assert [length(one) for one in ("3.3in", "72.27pt", "2.54cm", ".5in")] == pytest.approx([3.3, 1.0, 1.0, 0.5])
    for wrong in ("", "in", "-3in", "3.3 miles", "nan", "1e3"):
        with pytest.raises(ValueError, match="takes a length"):
            length(wrong)


def test_flags_of_figures_do_not_clash() -> None:
    fields = {one.name for one in recipes.fields(recipes.Draw)}
    for name in NAMES:
        own = {one.name for one in recipes.fields(recipe(name).settings)}
        assert not own & fields, name


@pytest.mark.parametrize("name", NAMES)
def test_help_names_every_setting(name: str, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        figure_main([name, "--help"])
    assert stop.value.code == 0
    said = capsys.readouterr().out
    one: Recipe = recipe(name)
    for field in recipes.fields(one.settings):
        assert f"--{field.name.replace('_', '-')}" in said
    assert one.example in said
