"""A prediction is never shown outside the proved band unmarked; what is published stands below the table."""

import importlib
import json
import math

import pytest

from sims.band import FOOTNOTE, Published, clamped, published_line
from sims.registry import experiment
from theory.bibliography import paper
from theory.subset_sum import SubsetSum

FEW = ("--trials", "100", "--seed", "1")

OUTSIDE = {
    "subset_sum": "--R 1 --eps 0.1 --n 1:3",
    "vector_sum": "--d 2 --eps 0.1 --n 1:2",
    "recycling": "--eps 0.1 --n 1:2 --R 1",
    "coverage": "--eps 0.2 --n 1:2",
}
"""Commands with a row whose prediction lies outside the band."""


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_a_command_prints_lies_in_the_band(name: str, capsys: pytest.CaptureFixture) -> None:
    line = [*OUTSIDE[name].split(), *FEW]
    assert importlib.import_module(f"sims.{name}").main([*line, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert all(row["lower_bound"] <= row["prediction"] <= row["upper_bound"] for row in rows)
    assert rows[0]["prediction_clamped"]
    assert importlib.import_module(f"sims.{name}").main(line) == 0
    printed = capsys.readouterr().out
    assert printed.count("*") == sum(row["prediction_clamped"] for row in rows) + 1
    assert FOOTNOTE in printed


def test_one_value_has_an_exact_law_and_the_heuristic_misses_it(capsys: pytest.CaptureFixture) -> None:
    """R = 1, n = 1, eps = .1, alpha = .5: success is .1 exactly; the library's prediction stays what it is."""
    assert SubsetSum(R=1, eps=0.1).success_prediction(1) > 0.15
    (_, columns) = experiment("subset_sum").bounds(SubsetSum(R=1, eps=0.1), 1)
    assert columns["prediction"] == pytest.approx(0.1, abs=1e-12)
    assert columns["prediction_clamped"]


def test_a_table_within_the_band_has_no_footnote(capsys: pytest.CaptureFixture) -> None:
    assert importlib.import_module("sims.subset_sum").main(["--eps", "0.1", "--n", "3:5", *FEW]) == 0
    assert "*" not in capsys.readouterr().out


def test_continuous_values_are_predicted_within_what_is_proved_of_them(capsys: pytest.CaptureFixture) -> None:
    line = ["--eps", "0.1", "--R", "1", "--n", "1:3", *FEW, "--json"]
    assert importlib.import_module("sims.binary_weights").main(line) == 0
    content = json.loads(capsys.readouterr().out)
    assert [row["continuous_clamped"] for row in content["rows"]] == [True, True, False]
    assert content["rows"][0]["continuous"] == pytest.approx(0.1, abs=1e-12)
    assert content["summary"][0]["continuous_n"] >= SubsetSum(R=1, eps=0.1).necessary_n(0.01)


@pytest.mark.parametrize(
    ("prediction", "low", "high", "near", "marked"),
    [
        (0.5, 0.25, 0.75, 0.5, False),
        (0.75 + 1e-13, 0.25, 0.75, 0.75, False),
        (3e-15, 0.0, 1e-15, 1e-15, True),
        (1 - 1e-10, 1 - 1e-12, 1.0, 1 - 1e-12, True),
        (math.nextafter(1.0, 0.0), 1.0, 1.0, 1.0, False),
        (0.1, 0.2, 0.3, 0.2, True),
    ],
)
def test_only_more_than_rounding_is_marked(
    prediction: float, low: float, high: float, near: float, marked: bool
) -> None:
    assert clamped(prediction, low, high) == {"prediction": near, "prediction_clamped": marked}


@pytest.mark.parametrize(
    ("line", "keys"),
    [
        ("vector_sum --d 2 --eps 0.2", ["becchetti2022"]),
        ("fixed_size --size 2 --eps 0.2", ["natale2024"]),
        ("grid_sum --grid 5", ["kumar2025", "kumar2026"]),
        ("movable_sum --eps 0.1", ["xiong2022"]),
    ],
)
def test_what_is_published_stands_below_the_table(line: str, keys: list, capsys: pytest.CaptureFixture) -> None:
    name, *flags = line.split()
    main = importlib.import_module(f"sims.{name}").main
    flags += ["--n", "2:3", *FEW]
    assert main(flags) == 0
    printed = capsys.readouterr().out
    assert main([*flags, "--json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)["summary"]
    assert [stated["key"] for stated in entry["published"]] == keys
    for stated in entry["published"]:
        assert paper(stated["key"])
        assert "unknown" in stated["constant"]
        assert published_line(stated) in printed


def test_the_published_condition_of_fixed_size_is_evaluated_where_simulation_succeeds() -> None:
    """n = 14, k = 5, eps = .01: 14 H2(5/14) / log2(500) by hand."""
    from theory.fixed_size import FixedSize

    share, question = 5 / 14, FixedSize(eps=0.01, size=5)
    bits = -(share * math.log2(share) + (1 - share) * math.log2(1 - share))
    (stated,) = experiment("fixed_size").published(question, 14)
    assert stated.values == {"the left side at n = 14": pytest.approx(14 * bits / math.log2(500))}
    (stated,) = experiment("fixed_size").published(question, None)
    assert stated.values == {}


def test_a_published_form_without_numbers_is_one_sentence() -> None:
    stated = Published("xiong2022", "recalled", "a form").row()
    assert published_line(stated) == "Published (xiong2022, recalled): a form; constant unknown."


def test_products_say_how_far_the_proof_is_from_what_is_seen() -> None:
    entry = {"delta": 0.05, "necessary_n": 2, "required_n": 30, "first_n": 12}
    sentence = experiment("product_sum").sentence
    assert sentence(entry).endswith("simulation shows it from n = 12. Proved / first simulated: 30 / 12 = 2.5.")
    assert sentence({**entry, "first_n": None}).endswith("no simulated n shows it.")
