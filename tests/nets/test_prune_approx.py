"""The constructions against slow twins and exact probabilities; the pruned network really is mask * source."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from nets.construction.options import PARTS
from nets.construction.pick_torch import first_min
from nets.construction.prune_approx import prune, simulate_trials
from nets.construction.pruned import Kept, Pruned
from nets.construction.scan import scan_layer
from nets.construction.source import Source, trial_seeds
from nets.targets.target import Target, random_target
from sims.solver import best_subset, philox
from tests.nets.elsewhere import Elsewhere
from theory.network.gadget import weight_log_miss_prob, window_success_prob

FALSE_ALARM = 1e-6
SEEDS = st.integers(0, 2**64 - 1)
WIDTHS = (3, 4, 2)
CASES = [
    {"construction": "window", "eta": 0.4, "R": 1, "n": 40},
    {"construction": "window", "eta": (0.3, 0.2), "R": 6, "n": (5, 9)},
    {"construction": "window", "eta": 0.05, "R": 3, "n": 2},  # nearly all miss
    {"construction": "best", "R": 1, "n": 30},
    {"construction": "best", "R": 1, "n": 5, "signs": "open"},
    {"construction": "best", "R": 7, "n": (1, 3)},
    {"construction": "subset-sum", "R": 1, "n": 6},
    {"construction": "subset-sum", "R": 1, "n": 9, "signs": "assigned"},
    {"construction": "subset-sum", "R": 3, "n": 4},
    {"construction": "best", "R": 50, "n": 2, "sampler": "nearest"},
    {"construction": "window", "R": 50, "n": 2, "sampler": "nearest", "eta": 0.2},
    {"construction": "halves", "R": 1, "n": 6, "signs": "open"},
    {"construction": "halves", "R": 7, "n": (2, 5)},
    {"construction": "thirds", "R": 1, "n": 8, "signs": "assigned"},
    {"construction": "quarters", "R": 4, "n": 5},
    {"construction": "halves", "R": 50, "n": 3, "sampler": "nearest"},
    {"construction": "quarters", "R": 50, "n": 4, "sampler": "nearest"},
]


def _prune(case: dict, *, seed: int = 3, sides: str = "both", target_seed: int = 1) -> tuple[Target, Source, Pruned]:
    options = dict(case)
    target = random_target(WIDTHS, seed=target_seed)
    source = Source(WIDTHS, options.pop("n"), seed=seed, R=options.pop("R"), sampler=options.pop("sampler", "draws"))
    return target, source, prune(target, source, sides=sides, **options)


@pytest.mark.parametrize("sides", ["both", "needed"])
@pytest.mark.parametrize("case", CASES)
def test_forward_is_mask_times_source_and_the_effective_form(
    case: dict, sides: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    target, source, pruned = _prune(case, sides=sides)
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(5, 7, 3)))
    dense = pruned.dense()
    by_lists = pruned(x)
    with monkeypatch.context() as patch:
        patch.setattr("nets.construction.pruned._DENSE", 0)
        patch.setattr("nets.construction.pruned._CHUNK", 1)
        torch.testing.assert_close(pruned(x), by_lists, rtol=0, atol=1e-12)
    assert by_lists.shape == (5, 7, 2)
    assert by_lists.dtype == torch.float64
    (plus, minus), (second, unused) = pruned.effective()
    hidden = torch.relu(torch.relu(x) @ plus.T - torch.relu(-x) @ minus.T)
    # a few hundred additions of terms below 10
    torch.testing.assert_close(by_lists, dense(x), rtol=0, atol=1e-12)
    torch.testing.assert_close(by_lists, hidden @ second.T, rtol=0, atol=1e-12)
    assert bool((unused == 0).all()) == (sides == "needed")
    for errors, (w_plus, w_minus), weight in zip(
        pruned.weight_errors(), pruned.effective(), target.weights, strict=True
    ):
        assert torch.equal(errors[0], (w_plus - weight).abs())
        if len(errors) == 2:
            assert torch.equal(errors[1], (w_minus - weight).abs())
    assert [len(errors) for errors in pruned.weight_errors()] == [2, 2 if sides == "both" else 1]
    assert [getattr(dense, f"G{j}").shape for j in (1, 2, 3, 4)] == [source.shape(j) for j in (1, 2, 3, 4)]
    assert list(pruned.parameters()) == list(dense.parameters()) == []


@pytest.mark.parametrize("case", [case for case in CASES if "sampler" not in case])
def test_every_kept_weight_is_one_of_its_draws_and_the_rest_is_untouched(case: dict) -> None:
    _, source, pruned = _prune(case)
    dense = pruned.dense()
    for layer, (mask, draws) in enumerate(zip(pruned.masks, pruned.draws, strict=True), 1):
        kept = pruned.kept(layer)
        assert torch.equal(mask.to_tensor().nonzero(), torch.stack([kept.rows, kept.cols], 1))
        assert mask.n_keep == pruned.n_keep_layers[layer - 1] == len(draws)
        number = source.flat(layer, kept.rows.numpy(), kept.cols.numpy())
        drawn = source.element(layer, number[:, None], draw=np.arange(source.R))
        assert (drawn[np.arange(len(draws)), draws.numpy()] == kept.values.numpy()).all()
        first = source.matrix(layer)
        assert torch.equal(getattr(dense, f"G{layer}")[~mask.to_tensor()], first[~mask.to_tensor()])
        if layer % 2:
            n = source.n[layer // 2]
            assert torch.equal(kept.cols, kept.rows // (2 * n))
            assert len(torch.unique(kept.rows)) == len(kept.rows)
            if case.get("signs") != "open" and case["construction"] != "subset-sum":
                assert torch.equal(kept.values > 0, kept.rows % (2 * n) < n)
    assert pruned.n_keep == sum(pruned.n_keep_layers)


def _choice_by_hand(w: float, s: float, b: np.ndarray, a: np.ndarray, eta: float | None) -> tuple[float, bool]:
    """Effective weight of one half from all draws b, a of shape (neurons, R); eta is None for "best"."""
    best, product = abs(w), 0.0
    for row_b, row_a in zip(b, a, strict=True):
        vb = row_b[np.argmin(np.abs(row_b - s))]
        if s * vb <= 0:
            continue
        aim = np.abs(row_a * vb - w) if eta is None else np.abs(row_a - s * w)
        va = row_a[np.argmin(aim)]
        if eta is not None and s * vb >= 1 - eta / 2 and abs(va - s * w) <= eta / 2:
            return va * vb, True
        if abs(va * vb - w) < best:
            best, product = abs(va * vb - w), va * vb
    return product, False


@given(
    seed=SEEDS,
    R=st.sampled_from([1, 2, 5]),
    n=st.integers(1, 6),
    eta=st.sampled_from([None, 0.1, 0.5, 1.0]),
    signs=st.sampled_from(["assigned", "open"]),
)
def test_window_and_best_are_what_a_plain_loop_finds(seed: int, R: int, n: int, eta: float | None, signs: str) -> None:
    if R > 1 or eta is not None:
        signs = "assigned"
    weight = random_target((3, 2), seed=seed % 1000).weights[0]
    source = Source((3, 2), n, seed=seed, R=R)
    how = "best" if eta is None else "window"
    pruned = prune([weight], source, construction=how, eta=eta, signs=signs)
    all_b = philox.uniforms(seed, 0, 6 * n * 3, R, stream=3).reshape(6 * n, 3, R)
    all_a = philox.uniforms(seed, 0, 2 * 6 * n, R, stream=4).reshape(2, 6 * n, R)
    for side, (s, half) in enumerate(zip((1.0, -1.0), pruned.effective()[0], strict=True)):
        for o in range(2):
            for j in range(3):
                start = 2 * n * j + (0 if signs == "open" else side * n)
                rows = slice(start, start + (2 * n if signs == "open" else n))
                product, hit = _choice_by_hand(float(weight[o, j]), s, all_b[rows, j], all_a[o, rows], eta)
                assert float(half[o, j]) == product
                if eta is not None:
                    assert bool(pruned.hits[0][side, o, j]) == hit
    if eta is not None:
        # a hit is within eta, 4.3
        assert bool((pruned.weight_errors()[0][pruned.hits[0]] <= eta).all())


@pytest.mark.parametrize("case", [case for case in CASES if case["construction"] == "subset-sum"])
def test_subset_sum_is_the_best_choice_for_every_weight_and_half(case: dict) -> None:
    target, source, pruned = _prune(case)
    for i, (n, weight) in enumerate(zip(source.n, target.weights, strict=True)):
        d_out, d_in = weight.shape
        b = np.stack([source.matrix(2 * i + 1, draw=r).numpy() for r in range(source.R)], -1)
        a = np.stack([source.matrix(2 * i + 2, draw=r).numpy() for r in range(source.R)], -1)
        for side, (s, half) in enumerate(zip((1, -1), pruned.effective()[i], strict=True)):
            for j in range(d_in):
                block = np.arange(2 * n * j, 2 * n * (j + 1))
                meant = block[side * n : side * n + n] if source.R > 1 or "signs" in case else block
                nearest = {h: b[h, j, np.argmin(np.abs(b[h, j] - s))] for h in meant}
                used = [h for h in meant if s * nearest[h] > 0][:n]
                for o in range(d_out):
                    products = np.array([a[o, h] * nearest[h] for h in used]).reshape(len(used), source.R)
                    error = abs(float(half[o, j]) - float(weight[o, j]))
                    best = best_subset(products, float(weight[o, j])).error if used else abs(float(weight[o, j]))
                    assert error == pytest.approx(best, abs=1e-14)


@pytest.mark.parametrize("case", CASES)
def test_trials_are_the_pruned_networks_of_their_seeds(case: dict) -> None:
    if case["construction"] == "subset-sum":
        with pytest.raises(ValueError, match="must pick single neurons"):
            simulate_trials(random_target(WIDTHS, seed=0), seed=5, trials=4, **case)
        return
    options = {"sampler": "draws", **case}
    targets = [random_target(WIDTHS, seed=k) for k in range(4)]
    batched = [torch.stack([t.weights[i] for t in targets]) for i in range(2)]
    found = simulate_trials(batched, seed=5, first_trial=7, trials=4, jobs=2, **options)
    seeds = trial_seeds(5, 7, trials=4)
    for t, target in enumerate(targets):
        source = Source(WIDTHS, options["n"], seed=int(seeds[t]), R=options["R"], sampler=options["sampler"])
        rest = {key: value for key, value in options.items() if key in ("construction", "eta", "signs")}
        pruned = prune(target, source, jobs=1, **rest)
        for many, one in zip(found.effective, pruned.effective(), strict=True):
            assert torch.equal(many[0][t], one[0])
            assert torch.equal(many[1][t], one[1])
        if options["construction"] == "window":
            assert int(found.misses[t]) == sum(int((~hit).sum()) for hit in pruned.hits)


def test_trials_do_not_depend_on_parts_or_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    target = random_target(WIDTHS, seed=0)
    options = {"eta": 0.2, "construction": "window", "R": 30, "seed": 5}
    whole = simulate_trials(target, 3, trials=20, jobs=1, **options)
    monkeypatch.setattr("nets.construction.scan._TASK_DRAWS", 10)
    monkeypatch.setattr("nets.construction.prune_approx._RECORD_TRIALS", 100)
    parts = [simulate_trials(target, 3, first_trial=k, trials=10, jobs=3, **options) for k in (0, 10)]
    for i in range(2):
        for half in range(2):
            joined = torch.cat([part.effective[i][half] for part in parts])
            assert torch.equal(whole.effective[i][half], joined)
    assert torch.equal(whole.misses, torch.cat([part.misses for part in parts]))


@pytest.mark.parametrize("budget", [40, 2**20])
@pytest.mark.parametrize("case", [case for case in CASES if case["construction"] != "subset-sum"])
def test_torch_operations_find_the_same_records(
    case: dict, budget: int, elsewhere: Elsewhere, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("nets.construction.pick_torch.budget", lambda _: budget)
    by_law = case.get("sampler") == "nearest"
    eta = case.get("eta", 1.0)
    n = case["n"][0] if isinstance(case["n"], tuple) else case["n"]
    options = {
        "n": n, "R": case["R"], "eta": eta[0] if isinstance(eta, tuple) else eta,
        "window": case["construction"] == "window", "parts": PARTS.get(case["construction"], 1),
        "open_signs": case.get("signs") == "open", "by_law": by_law,
    }  # fmt: skip
    seeds = trial_seeds(2**63 + 1, 0, trials=5)
    weights = torch.stack([random_target((3, 4), seed=k).weights[0] for k in range(5)])
    expected = scan_layer(seeds, 1, weights, halves=2, **options)
    with elsewhere as device:
        found = scan_layer(seeds, 1, weights, halves=2, device=device, **options)
    for key, value in expected.items():
        if by_law and value.dtype == torch.float64:  # log1p and expm1 may differ in the last bits
            torch.testing.assert_close(found[key].cpu(), value, rtol=0, atol=1e-13)
        else:
            assert torch.equal(found[key].cpu(), value), key


def test_first_min_is_the_first_one() -> None:
    smallest, place = first_min(torch.tensor([[2.0, 1.0, 3.0, 1.0], [5.0, 5.0, 5.0, 5.0]]))
    assert smallest.tolist() == [1.0, 5.0]
    assert place.tolist() == [1, 0]


def _binomial_pvalue(count: int, trials: int, p: float) -> float:
    return float(stats.binomtest(count, trials, p).pvalue)


def _window_fails(n: int, R: int, sampler: str, *, weight: float, eta: float = 0.3, trials: int = 20_000) -> int:
    found = simulate_trials(
        [torch.tensor([[weight]])], n, R=R, seed=17, trials=trials, eta=eta, construction="window", sampler=sampler
    )
    return int((~found.hits[0][:, 0, 0, 0]).sum())


@pytest.mark.parametrize("sampler", ["draws", "nearest"])
@pytest.mark.parametrize(("n", "R", "weight"), [(40, 1, -0.8), (3, 10, 1.0), (1, 30, 0.4)])
def test_window_failure_is_exact_and_other_R_or_eta_are_refuted(n: int, R: int, weight: float, sampler: str) -> None:
    fails = _window_fails(n, R, sampler, weight=weight)
    exact = (1 - window_success_prob(0.3, R, w=weight)) ** n
    assert _binomial_pvalue(fails, 20_000, exact) > FALSE_ALARM
    for other_R, other_eta in ((2 * R, 0.3), (R, 0.6), (R, 0.15)):
        wrong = (1 - window_success_prob(other_eta, other_R, w=weight)) ** n
        assert _binomial_pvalue(fails, 20_000, wrong) < FALSE_ALARM


@pytest.mark.parametrize("sampler", ["draws", "nearest"])
@pytest.mark.parametrize(("n", "R", "weight"), [(30, 1, 0.3), (20, 1, -0.9), (2, 12, 1.0), (1, 40, -1.0)])
def test_best_failure_is_exact(n: int, R: int, weight: float, sampler: str) -> None:
    # for R > 1 the largest b is the best one at abs(w) = 1, so that choice="best_b" is what the construction does
    found = simulate_trials(
        [torch.tensor([[weight]])], n, R=R, seed=23, trials=20_000, eta=0.1, construction="best", sampler=sampler
    )
    exact = math.exp(weight_log_miss_prob(weight, 0.1, R=R, n=n))
    for side in (0, 1):
        fails = int((~found.hits[0][:, side, 0, 0]).sum())
        assert 0.05 < exact < 0.95
        assert _binomial_pvalue(fails, 20_000, exact) > FALSE_ALARM
        assert _binomial_pvalue(fails, 20_000, exact**2) < FALSE_ALARM
        assert torch.equal((found.effective[0][side][:, 0, 0] - weight).abs() > 0.1, ~found.hits[0][:, side, 0, 0])


def test_both_halves_aim_at_the_weight() -> None:
    weight = torch.tensor([[0.6, -0.7], [-0.2, 0.9]])
    for case in ({"R": 4000, "construction": "window"}, {"R": 4000, "construction": "best"}):
        pruned = prune([weight], Source((2, 2), 2, seed=1, R=case["R"]), eta=0.02, construction=case["construction"])
        assert pruned.within(0.02) == (8,)
        x = torch.tensor([[1.0, -1.0], [-0.5, -2.0]], dtype=torch.float64)
        # two effective weights of error 0.02 times inputs up to 2
        torch.testing.assert_close(pruned(x), x @ weight.double().T, rtol=0, atol=0.06)


def test_a_zero_weight_keeps_nothing_and_an_empty_network_gives_zero() -> None:
    pruned = prune([torch.zeros(2, 3)], Source((3, 2), 4, seed=0), construction="best")
    assert pruned.n_keep == 0
    assert torch.equal(pruned(torch.ones(3)), torch.zeros(2, dtype=torch.float64))
    assert torch.equal(pruned.dense()(torch.ones(3)), torch.zeros(2, dtype=torch.float64))
    assert pruned.within([0.01]) == (12,)


def test_within_counts_errors_up_to_eta_layer_by_layer() -> None:
    _, _, pruned = _prune(CASES[3])
    sizes = [errors.flatten().sort().values.tolist() for errors in pruned.weight_errors()]
    assert pruned.within([sizes[0][4], sizes[1][-1]]) == (5, len(sizes[1]))
    assert pruned.within(sizes[0][-1])[0] == len(sizes[0])


def test_progress_counts_every_weight() -> None:
    for case in ({"construction": "best"}, {"construction": "subset-sum"}):
        seen: list[tuple[int, int]] = []
        prune(random_target(WIDTHS, seed=0), Source(WIDTHS, 1, seed=0), progress=lambda *s: seen.append(s), **case)  # noqa: B023
        assert seen[-1] == (40, 40)
        assert seen == sorted(seen)


def test_float32_forward_is_close() -> None:
    _, _, pruned = _prune(CASES[3])
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(9, 3)))
    exact = pruned(x)
    rounded = pruned.float()(x)
    assert rounded.dtype == torch.float32
    torch.testing.assert_close(rounded.double(), exact, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"construction": "greedy"}, "construction must be"),
        ({"construction": "window"}, "eta must be given"),
        ({"eta": 0.0}, "eta must be"),
        ({"eta": (0.1,)}, "eta must be one number"),
        ({"sides": "one"}, "sides must be"),
        ({"signs": "any"}, "signs must be"),
        ({"construction": "window", "eta": 0.1, "signs": "open"}, "signs='open' needs"),
        ({"target": random_target((3, 4, 3), seed=0)}, "widths of the source"),
        ({"target": [torch.ones(4, 3), torch.ones(2, 3)]}, "do not chain"),
        ({"target": []}, "target must be"),
        ({"target": [torch.full((4, 3), math.nan), torch.ones(2, 4)]}, "must be finite"),
    ],
)
def test_bad_arguments_are_named(change: dict, message: str) -> None:
    options = {"target": random_target(WIDTHS, seed=0), "construction": "best", **change}
    with pytest.raises(ValueError, match=message):
        prune(options.pop("target"), Source(WIDTHS, 2, seed=0), **options)


def test_more_bad_arguments_are_named() -> None:
    target = random_target(WIDTHS, seed=0)
    with pytest.raises(ValueError, match="needs sampler 'draws'"):
        prune(target, Source(WIDTHS, 2, seed=0, sampler="nearest"), construction="subset-sum", signs="assigned")
    with pytest.raises(ValueError, match="signs='open' needs"):
        prune(target, Source(WIDTHS, 2, seed=0, R=2), construction="best", signs="open")
    with pytest.raises(ValueError, match="trials=3"):
        simulate_trials([torch.ones(2, 4, 3)], 1, R=1, seed=0, trials=3)
    with pytest.raises(ValueError, match="last side"):
        _prune(CASES[3])[2](torch.ones(4))
    with pytest.raises(ValueError, match="kept must have"):
        Pruned(Source([1, 1], 1, seed=0), [torch.ones(1, 1)], [], construction="best")
    wide = Source([2000, 1], 10**6, seed=0)
    empty = Kept(*(torch.zeros(0, dtype=torch.int64),) * 3, torch.zeros(0, dtype=torch.float64))
    with pytest.raises(ValueError, match="limit of a full matrix"):
        _ = Pruned(wide, [torch.ones(1, 2000)], [empty, empty], construction="best").masks
