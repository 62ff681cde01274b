"""The figure of binary weights: the whole way on a few numbers, the same bytes twice, and its committed numbers."""

from pathlib import Path

import pytest

from figures import binary_weights as figure
from figures.recipe import load, make
from sims.statistics.result import Result


def test_smoke_draws_and_is_reproducible(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert figure.main(["--smoke", "--quiet", "--format", "png", "--out", str(tmp_path / folder)]) == 0
    first, second = ((tmp_path / folder / "binary_weights.png").read_bytes() for folder in ("a", "b"))
    assert first == second
    assert len(first) > 5000


def test_numbers_say_what_the_caption_claims() -> None:
    for data in (make(figure.RECIPE, smoke=True), load(figure.RECIPE)):
        for row in data["errors"]:
            middle, low, high = (row[name] for name in ("binary", "binary_low", "binary_high"))
            assert low <= middle <= high
            if row["n"] <= 12 or data["settings"]["trials"] > 1000:
                assert low <= row["exact"] * (1 + 1e-9)
            if data["settings"]["trials"] > 1000:
                assert middle <= row["exact"] * (1 + 1e-9)  # what 1/(2k+1) promises
        assert any(row["searched"] is not None for row in data["errors"])
        assert "seed 1" in figure.RECIPE.caption(data)


def test_too_many_cells_are_refused() -> None:
    rows = [{"R": R, "eps": 0.1, "alpha": 0.5, "kind": "subset", "n": 1} for R in range(1, 9)]
    with pytest.raises(ValueError, match="up to 7 settings of R, eps and alpha, got 8"):
        figure.plot(Result("sims.binary_weights", {}, rows, {}))
