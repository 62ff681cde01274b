"""The figure of storage against sampling draws its numbers and nothing else."""

from __future__ import annotations

import pytest

from figures import recipe, trade_off
from theory import single_weight, subset_sum


def test_committed_numbers_are_those_of_the_theory() -> None:
    data = recipe.load(trade_off.RECIPE)
    curves = {(curve["kind"], curve["basis"]): curve for curve in data["curves"]}
    for R, n in list(zip(*(curves["subset_sum", "proved"][key] for key in ("R", "n")), strict=True))[::6]:
        assert n == subset_sum.required_n(0.01, 0.01, R=R, alpha=0.5).n
    for R, n in zip(*(curves["pick_one", "proved"][key] for key in ("R", "n")), strict=True):
        assert n == single_weight.required_n_exact(0.01, 0.01, R=R, alpha=0.5)
    for one in data["optima"]:
        curve = curves["subset_sum", one["basis"]]
        costs = [(one["price"] + R) * n for R, n in zip(curve["R"], curve["n"], strict=True)]
        assert (one["price"] + one["R"]) * one["n"] == min(costs)


def test_lines_and_markers_are_the_numbers() -> None:
    data = recipe.load(trade_off.RECIPE)
    (axes,) = trade_off.plot(data).axes
    lines = {line.get_label(): line for line in axes.get_lines()}
    assert lines["subset sum: prediction (heuristic)"].get_linestyle() == "--"
    assert list(lines["one draw (exact)"].get_ydata()) == data["curves"][0]["n"]
    markers = {(float(line.get_xdata()[0]), float(line.get_ydata()[0])) for line in axes.get_lines()[4:]}
    assert markers == {(one["R"], one["n"]) for one in data["optima"]}
    assert "0.01" in trade_off.caption(data)


def test_smoke(tmp_path, capsys: pytest.CaptureFixture) -> None:
    assert trade_off.main(["--smoke", "--out", str(tmp_path), "--format", "png"]) == 0
    assert (tmp_path / "trade_off.png").stat().st_size > 5000
