"""Similarity of masks: against counting by hand, at chance for independent masks, and on found tickets."""

from __future__ import annotations

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nets import similarity as command
from nets import train
from nets.construction.mask import Mask
from nets.search.comparison import MaskSet, compare, summarise
from nets.search.mask_similarity import norms, overlap, pairs, together
from tests.stats import FALSE_ALARM

KEYS = "a b layer weights kept_a kept_b kept_both agreement agreement_chance jaccard jaccard_at_mean jaccard_chance"
KEYS += " kappa z norm_kept_a norm_removed_a norm_kept_b norm_removed_b"
THRESHOLD = float(stats.norm.isf(FALSE_ALARM / 2))


def packed(bits: list[bool] | np.ndarray) -> np.ndarray:
    return np.frombuffer(Mask(np.asarray(bits)).pack(), np.uint8)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40))
def test_the_measures_by_counting(rows: list[tuple[bool, bool]]) -> None:
    a, b = zip(*rows, strict=True)
    n = len(rows)
    found = overlap(packed(list(a)), packed(list(b)), n)
    either = sum(x or y for x, y in rows)
    assert (found.n, found.kept_a, found.kept_b) == (n, sum(a), sum(b))
    assert found.agreement == sum(x == y for x, y in rows) / n
    assert found.jaccard == (sum(x and y for x, y in rows) / either if either else 1.0)
    p, q = Fraction(sum(a), n), Fraction(sum(b), n)
    chance = p * q + (1 - p) * (1 - q)
    assert found.agreement_chance == pytest.approx(float(chance), rel=1e-12)
    if chance == 1:
        assert math.isnan(found.kappa)
    else:
        kappa = (Fraction(found.agreement).limit_denominator(100) - chance) / (1 - chance)
        assert found.kappa == pytest.approx(float(kappa), rel=1e-9, abs=1e-12)
    same = overlap(packed(list(a)), packed(list(a)), n)
    assert (same.agreement, same.jaccard) == (1.0, 1.0)


@pytest.mark.parametrize(("n", "kept_a", "kept_b"), [(6, 3, 3), (7, 2, 5), (5, 5, 2), (6, 0, 3), (4, 4, 4), (1, 1, 0)])
def test_chance_by_going_through_all_masks(n: int, kept_a: int, kept_b: int) -> None:
    """Mean and variance of the overlap, and the mean Jaccard index, over every mask of the same count."""
    a = set(range(kept_a))
    both = [len(a & set(b)) for b in itertools.combinations(range(n), kept_b)]
    union = kept_a + kept_b
    jaccard = [Fraction(s, union - s) if union else Fraction(1) for s in both]
    found = overlap(packed([i < kept_a for i in range(n)]), packed([i < kept_b for i in range(n)]), n)
    assert found.expected == pytest.approx(np.mean(both))
    assert found.variance == pytest.approx(np.var(both))
    assert found.jaccard_chance == pytest.approx(float(sum(jaccard) / len(jaccard)))
    agreement = [(n - union + 2 * s) / n for s in both]
    assert found.agreement_chance == pytest.approx(np.mean(agreement))
    if found.variance:
        assert found.z == pytest.approx((found.both - np.mean(both)) / np.std(both))
    else:
        assert math.isnan(found.z)


def test_the_chance_of_several_layers() -> None:
    """Two layers by going through all pairs of masks: agreement exact, Jaccard to second order."""
    sizes = [(8, 4, 4), (7, 3, 4)]
    parts = [overlap(packed([i < a for i in range(n)]), packed([i < b for i in range(n)]), n) for n, a, b in sizes]
    found = together(parts)
    counts = [[len(set(range(a)) & set(b)) for b in itertools.combinations(range(n), kept)] for n, a, kept in sizes]
    both = [s + t for s, t in itertools.product(*counts)]
    assert (found.n, found.kept_a, found.kept_b, found.both, found.layers) == (15, 7, 8, 4 + 3, 2)
    assert found.expected == pytest.approx(np.mean(both))
    assert found.variance == pytest.approx(np.var(both))
    exact = np.mean([s / (15 - s) for s in both])
    assert found.jaccard_chance == pytest.approx(exact, rel=0.01)
    assert abs(found.jaccard_chance - exact) < abs(found.jaccard_at_mean - exact) / 3
    assert together(parts[:1]) == parts[0]
    with pytest.raises(ValueError, match="at least one layer"):
        together([])


@pytest.mark.parametrize(("p", "q"), [(0.5, 0.5), (0.1, 0.1), (0.75, 0.3), (0.98, 0.02)])
def test_independent_masks_are_at_chance(p: float, q: float) -> None:
    """Acceptance test 11: agreement k^2 + (1-k)^2, J = k/(2-k), kappa 0, at a false alarm of 1e-6; and a control."""
    n, rng = 200_000, np.random.default_rng(11)
    a, b = np.zeros(n, bool), np.zeros(n, bool)
    a[rng.permutation(n)[: int(p * n)]] = True
    b[rng.permutation(n)[: int(q * n)]] = True
    found = overlap(packed(a), packed(b), n)
    spread = THRESHOLD * math.sqrt(p * q * (1 - p) * (1 - q) / (n - 1))  # of the overlap's share: hypergeometric
    assert abs(found.z) < THRESHOLD
    assert abs(found.agreement - (p * q + (1 - p) * (1 - q))) < 2 * spread
    assert abs(found.kappa) < 2 * spread / (1 - found.agreement_chance)
    slope = (p + q) / (p + q - p * q) ** 2
    assert abs(found.jaccard - p * q / (p + q - p * q)) < 1.1 * slope * spread
    if p == q:
        assert found.jaccard_at_mean == pytest.approx(p / (2 - p), rel=1e-12)
    assert found.jaccard_chance == pytest.approx(found.jaccard_at_mean, rel=1e-3)
    b[: n // 50] = a[: n // 50]  # two in a hundred positions are made equal
    assert abs(overlap(packed(a), packed(b), n).z) > THRESHOLD or p + q == 1.0


def test_the_wrong_total_is_told_apart() -> None:
    """The published code adds the intersection twice, J / (1 + J): at chance and density 1/2 a fourth, not a third."""
    a, b = np.arange(4000) % 2 == 0, np.arange(4000) % 4 < 2
    found = overlap(packed(a), packed(b), 4000)
    assert found.jaccard == 1 / 3
    assert found.jaccard / (1 + found.jaccard) == pytest.approx(1 / 4)


def test_odd_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="must have 2 bytes for n=9"):
        overlap(packed([True] * 9), packed([True] * 8), 9)
    with pytest.raises(ValueError, match="n=0"):
        overlap(np.empty(0, np.uint8), np.empty(0, np.uint8), 0)


@given(st.lists(st.tuples(st.floats(-3, 3), st.booleans()), min_size=1, max_size=30))
def test_norms_are_of_the_true_complement(rows: list[tuple[float, bool]]) -> None:
    weight, mask = (np.array(column) for column in zip(*rows, strict=True))
    kept, removed = norms(weight, mask.astype(bool))
    assert kept == pytest.approx(math.sqrt(math.fsum(w * w for w, m in rows if m)))
    assert removed == pytest.approx(math.sqrt(math.fsum(w * w for w, m in rows if not m)))


def test_pairs_and_their_summary() -> None:
    masks = {name: {"x": packed(bits), "y": packed(bits[:3])} for name, bits in
             {"a": [1, 0, 1, 0], "b": [1, 1, 0, 0], "c": [1, 0, 1, 0]}.items()}  # fmt: skip
    sets = [MaskSet(name, found, {"x": (2, 2), "y": (3,)}, {}) for name, found in masks.items()]
    rows = compare(sets)
    assert [row["a"] + row["b"] + row["layer"] for row in rows[::3]] == ["abx", "acx", "bcx"]
    assert [row["layer"] for row in rows[:3]] == ["x", "y", "total"]
    assert [row["agreement"] for row in rows if row["layer"] == "x"] == [0.5, 1.0, 0.5]
    total = rows[2]
    assert (total["weights"], total["kept_a"], total["kept_both"]) == (7, 4, 2)
    assert total["jaccard"] == 2 / 6
    line = summarise(rows)[0]
    assert (line["layer"], line["pairs"], line["agreement_min"], line["agreement_max"]) == ("x", 3, 0.5, 1.0)
    assert line["agreement"] == pytest.approx(2 / 3)
    assert pairs(3) == [(0, 1), (0, 2), (1, 2)]
    other = MaskSet("d", masks["a"], {"x": (4, 1), "y": (3,)}, {})
    with pytest.raises(ValueError, match="a and d are networks with different layers"):
        compare([sets[0], other])


@pytest.fixture(scope="module")
def tickets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three tickets in the same weights, a fourth of other sizes, and a dense run."""
    folder = tmp_path_factory.mktemp("runs")
    tiny = ["--seed", "1", "--epochs", "2", "--quiet"]
    kaiming = ["--init", "kaiming-normal", "--method", "biprop", "--width", "0.5"]
    assert train.main([*tiny, *kaiming, "--multi-prize", "3", "--out", str(folder / "prize")]) == 0
    assert train.main([*tiny, "--width", "0.1", "--out", str(folder / "small")]) == 0
    assert train.main([*tiny, "--width", "0.1", "--method", "dense", "--out", str(folder / "dense")]) == 0
    return folder


def test_several_tickets_in_the_same_weights(tickets: Path, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    from nets.training.checkpoint import load_checkpoint

    runs = sorted(str(path) for path in (tickets / "prize").iterdir())
    csv, picture = tmp_path / "rows.csv", tmp_path / "a.svg"
    assert command.main([*runs, "--json", "--csv", str(csv), "--plot", str(picture)]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == "strong-tickets/nets.similarity/1"
    assert all(list(row) == KEYS.split() for row in content["rows"])
    assert len(content["rows"]) == 3 * 4 == len(csv.read_text().splitlines()) - 1
    models = [load_checkpoint(Path(run) / "checkpoint.pt")["model"] for run in runs]
    frozen = [{i: model[f"{i}.masked_weights.weight.frozen"] for i in (1, 3, 5)} for model in models]
    assert all(np.array_equal(frozen[0][i], other[i]) for other in frozen for i in (1, 3, 5))
    row = content["rows"][1]
    masks, layer = [], f"{row['layer']}"
    for model in models[:2]:
        scores = model[f"{layer}.masked_weights.weight.scores"].abs().reshape(-1)
        mask = np.zeros(len(scores), bool)
        mask[scores.argsort(descending=True)[: len(scores) // 2].numpy()] = True
        masks.append(mask)
    assert row["agreement"] == (masks[0] == masks[1]).mean() < 0.9
    weight = models[0][f"{layer}.masked_weights.weight.frozen"].double().numpy().reshape(-1)
    assert row["norm_kept_a"] == pytest.approx(np.linalg.norm(weight[masks[0]]))
    assert row["norm_removed_a"] == pytest.approx(np.linalg.norm(weight[~masks[0]]))
    again = tmp_path / "b.svg"
    assert command.main([*runs, "--plot", str(again)]) == 0
    assert picture.read_bytes() == again.read_bytes()
    out = capsys.readouterr().out
    assert "3 runs, 3 pairs: means" in out
    assert "Frobenius norms" in out
    assert command.main([f"{run}/ticket.safetensors" for run in runs[:2]] + ["--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["norm_kept_a"] is None


def test_bad_runs_get_one_line(tickets: Path, capsys: pytest.CaptureFixture, tmp_path: Path) -> None:
    first, small, dense = (str(tickets / name) for name in ("prize/score-0", "small", "dense"))
    for argv, says in [
        ([first], "at least two runs, got 1"), ([first, first], "named more than once"), ([], "at least two runs"),
        ([first, dense], "holds no ticket: a dense run has none"), ([first, small], "different layers"),
        ([first, str(tmp_path)], "holds no run"), ([first, str(tmp_path / "none")], "no such file"),
        ([first, small, "--plot", "x.gif"], "--plot takes"),
    ]:  # fmt: skip
        assert command.main(argv) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.count("\n") == 1
        assert says in captured.err


def test_the_help_shows_no_empty_default(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "(default: )" not in shown
    assert "(required)" in shown
