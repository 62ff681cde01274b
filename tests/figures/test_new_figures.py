"""Figures 24 and 25: their committed numbers are those of the theory, and of the page of the gallery."""

import itertools
import json
from pathlib import Path

from figures import gallery, width
from figures.recipe import load
from theory.required_width import required_width


def test_the_best_of_each_layer_is_the_required_width() -> None:
    data = load(width.RECIPE)
    chosen = data["settings"]
    for row in data["rows"][3::8]:
        source = required_width(chosen["widths"], chosen["eps"], delta=chosen["delta"], R=row["R"]).source_widths
        assert row["best"] == sum(a * b for a, b in itertools.pairwise(source))
        assert row["best"] <= min(row[name] for name in ("window", "halves", "pairs", "sums") if row[name])
        assert row["necessary"] <= row["best"]
    assert data["target_weights"] == 64 * 64 + 64 * 10


def test_the_gallery_is_that_of_its_page() -> None:
    page = Path(__file__).parents[2] / "docs" / "data" / "gallery.json"
    assert load(gallery.RECIPE)["result"] == json.loads(page.read_text(encoding="utf-8"))
    scores, outputs, bits = gallery.RECIPE.plot(load(gallery.RECIPE)).axes
    rows = load(gallery.RECIPE)["result"]["rows"]
    assert list(scores.lines[1].get_xdata()) == [row["after"] for row in rows]
    assert list(outputs.lines[0].get_xdata()) == [row["difference"] / row["output"] for row in rows]
    assert list(bits.lines[0].get_xdata()) == [row["bits_per_weight"] for row in rows]
