"""Wrong theory on purpose: functions of proved statements, each spoilt in one constant, must be refuted."""

import importlib
import math
from collections.abc import Callable

import pytest

import sims.verify

pytestmark = pytest.mark.verification


def scaled(factor: float) -> Callable:
    """The value times a factor; of every number in a tuple."""

    def spoil(right: Callable) -> Callable:
        def wrong(*args: object, **options: object) -> object:
            value = right(*args, **options)
            return tuple(factor * one for one in value) if isinstance(value, tuple) else factor * value

        return wrong

    return spoil


def shifted(step: float) -> Callable:
    """The value plus a step; of every number in a tuple."""

    def spoil(right: Callable) -> Callable:
        def wrong(*args: object, **options: object) -> object:
            value = right(*args, **options)
            return tuple(one + step for one in value) if isinstance(value, tuple) else value + step

        return wrong

    return spoil


def floored(factor: float) -> Callable:
    """An integer, or each of a tuple, times a factor and rounded down, at least 1."""

    def spoil(right: Callable) -> Callable:
        def wrong(*args: object, **options: object) -> object:
            value = right(*args, **options)
            if isinstance(value, tuple):
                return tuple(max(1, math.floor(factor * one)) for one in value)
            return max(1, math.floor(factor * value))

        return wrong

    return spoil


def fewer_draws(right: Callable) -> Callable:
    """R off by one."""

    def wrong(n: int, R: int, **options: object) -> object:
        return right(n, R + 1, **options)

    return wrong


def field(name: str, factor: float) -> Callable:
    """One integer field of a result object, times a factor and rounded down."""

    def spoil(right: Callable) -> Callable:
        def wrong(*args: object, **options: object) -> object:
            from dataclasses import replace

            value = right(*args, **options)
            return replace(value, **{name: max(1, math.floor(factor * getattr(value, name)))})

        return wrong

    return spoil


def lost(name: str, value: object) -> Callable:
    """One keyword argument is not looked at: the value is taken whatever was passed."""

    def spoil(right: Callable) -> Callable:
        def wrong(*args: object, **options: object) -> object:
            return right(*args, **{**options, name: value})

        return wrong

    return spoil


MUTANTS = [
    ("1.1", "single_weight.hit_prob", scaled(0.5)),
    ("1.1", "single_weight.miss_prob_exact", scaled(1.02)),
    ("1.1", "single_weight.miss_prob_exact", fewer_draws),
    ("1.1", "single_weight.log_miss_prob_exact", scaled(math.log(2))),
    ("1.1", "single_weight.log_miss_prob_exact", scaled(-1)),
    ("1.1", "single_weight.required_n_exact", shifted(-1)),
    ("1.2", "single_weight.miss_prob_bound", scaled(0.5)),
    ("1.2", "single_weight.log_miss_prob_bound", scaled(2)),
    ("1.2", "single_weight.log_miss_prob_bound", scaled(-1)),
    ("1.2", "single_weight.required_n", floored(math.log10(math.e))),
    ("1.2", "single_weight.required_n", shifted(-1)),
    ("1.3", "single_weight.nearest_distance_cdf", scaled(0.5)),
    ("1.3", "single_weight.nearest_distance_ppf", scaled(0.9)),
    ("1.3", "single_weight.nearest_draw", scaled(-1)),
    ("2.0", "subset_sum.sum_hit_prob", scaled(0.5)),
    ("2.0", "subset_sum.log_sum_hit_prob", shifted(math.log(2))),
    ("2.1", "subset_sum.success_prob_upper", scaled(0.5)),
    ("2.1", "subset_sum.success_prob_upper", fewer_draws),
    ("2.1", "subset_sum.log_success_prob_upper", scaled(math.log2(math.e))),
    ("2.1", "subset_sum.necessary_n", shifted(1)),
    ("2.1", "subset_sum.necessary_n_closed_form", shifted(1)),
    ("2.2", "subset_sum.success_prob_second_moment", scaled(1.1)),
    ("2.2", "subset_sum.success_prob_second_moment", fewer_draws),
    ("2.2 (b)", "subset_sum.success_prob_weighted", scaled(1.1)),
    ("2.2 (c)", "subset_sum.success_prob_last_variable", scaled(1.1)),
    ("2.3", "subset_sum.failure_prob_bound", scaled(0.5)),
    ("2.3", "subset_sum.log_failure_prob_bound", scaled(2)),
    ("2.3", "subset_sum.success_prob_lower", scaled(1.05)),
    ("2.3", "subset_sum.required_n", field("n", 0.5)),
    ("3.1", "coverage.gain", scaled(2)),
    ("3.1", "coverage.gain", scaled(-1)),
    ("3.2", "coverage.expected_share", scaled(1.1)),
    ("3.2", "coverage.expected_share", lambda right: lambda v, R, **options: right(v, R + 1, **options)),
    ("3.3", "coverage.share_failure_bound", scaled(0.5)),
    ("3.3", "coverage.coverage_failure_bound", scaled(0.5)),
    ("3.3", "coverage.required_n", field("n", 0.8)),
    ("3.4 (a)", "coverage.lueker_required_n", floored(0.6)),
    ("3.4 (b)", "coverage.dacunha_failure", scaled(0.5)),
    ("3.7", "coverage.potential_factor", scaled(0.9)),
    ("3.5", "coverage.union_failure_bound", scaled(0.5)),
    ("3.5", "coverage.success_prob_lower", scaled(0.5)),
    ("3.5", "coverage.success_prob_upper", scaled(0.5)),
    ("3.5", "coverage.necessary_n", shifted(1)),
    ("4.2", "network.width.layer_etas", scaled(2)),
    ("4.2", "network.width.layer_etas", scaled(0.5)),
    ("4.3", "network.gadget.b_window_prob", scaled(0.5)),
    ("4.3", "network.gadget.a_window_prob", scaled(2)),
    ("4.3", "network.gadget.window_success_prob", scaled(0.5)),
    ("4.3", "network.gadget.log_window_miss_prob", scaled(math.log(2))),
    ("4.3", "network.gadget.log_weight_miss_bound", scaled(2)),
    ("4.4", "network.width.required_n_ours", floored(0.8)),
    ("4.4", "network.width.failure_bound", scaled(0.5)),
    ("4.4", "network.width.log_failure_bound", shifted(-math.log(2))),
    ("4.4", "network.width.required_R_for_minimal_width", floored(0.9)),
    ("4.5 (b)", "network.width.required_n_recalled", floored(0.5)),
    ("4.5 (b)", "network.width.log_failure_bound", scaled(-1)),
    ("4.5 (c)", "network.width.corner_R", shifted(-1)),
    ("4.5 (c)", "network.width.corner_failure_exact", scaled(0.5)),
    ("4.5 (c)", "network.width.corner_log_failure_exact", scaled(math.log(2))),
    ("4.5 (c)", "network.width.corner_log_failure_designated", scaled(2)),
    ("4.5 (d)", "network.width.required_n_repaired", floored(64 / 160.2)),
    ("4.6", "network.gadget.product_hit_prob", scaled(0.5)),
    ("4.6", "network.gadget.neuron_log_success_prob", shifted(math.log(2))),
    ("4.6", "network.gadget.neuron_log_miss_prob", scaled(2)),
    ("4.6", "network.gadget.any_pair_log_miss_bracket", shifted(-0.5)),
    ("4.6", "network.gadget.weight_log_miss_prob", scaled(math.log(2))),
    ("2.6", "fixed_size.success_prob_upper", scaled(0.9)),
    ("2.6", "fixed_size.success_prob_second_moment", scaled(1.1)),
    ("2.6", "fixed_size.necessary_n", shifted(1)),
    ("2.6", "fixed_size.failure_prob_bound", scaled(0.1)),
    ("2.7", "grid_sum.sum_hit_prob_exact", scaled(0.9)),
    ("2.7", "grid_sum.success_prob_upper", scaled(0.9)),
    ("2.7", "grid_sum.success_prob_second_moment", scaled(1.1)),
    ("2.7", "grid_sum.necessary_n", shifted(1)),
    ("2.7", "grid_sum.required_n_one", shifted(-1)),
    ("2.7", "grid_sum.miss_prob_one_exact", scaled(0.9)),
    ("2.8", "movable_sum.success_prob_upper", scaled(0.9)),
    ("2.8", "movable_sum.success_prob_second_moment", scaled(1.1)),
    ("2.8", "movable_sum.necessary_n", shifted(1)),
    ("4.7", "product_sum.required_neurons", field("neurons", 0.01)),
    ("4.7", "product_sum.required_neurons", field("shift", 0.5)),
    ("4.7", "product_sum.required_neurons", field("group", 0.8)),
    ("4.7", "product_sum.required_n", shifted(-1)),
    ("4.7", "product_sum.neuron_factor", scaled(0.9)),
    ("4.7", "product_sum.unit_accuracy", scaled(2)),
    ("4.7", "product_sum.log_shift_failure_bound", scaled(2)),
    ("4.7", "product_sum.log_shift_failure_bound", scaled(math.log10(math.e))),
    ("4.7", "product_sum.log_shift_failure_bound", lambda right: lambda n, R, *, reach: right(n, R + 1, reach=reach)),
    ("4.7", "product_sum.log_share_failure_bound", scaled(2)),
    ("4.7", "product_sum.neurons_closed_form", floored(math.log10(math.e))),
    ("4.7", "product_sum.neurons_closed_form", shifted(-1)),
    ("4.7", "product_sum.log_network_failure_bound", shifted(-math.log(2))),
    (
        "4.7",
        "product_sum.network_designs",
        lambda right: lambda *args, delta, **more: right(*args, delta=2 * delta, **more),
    ),
    ("4.7", "product_sum.bounds.layer_etas", scaled(2)),
    ("5.1", "necessary.log2_packing", scaled(math.log(2))),
    ("5.1", "necessary.log2_packing", shifted(1)),
    ("5.1", "necessary.log2_packing", lambda right: lambda d, eps: right(d, eps / 2)),
    ("5.1", "necessary.log2_packing", lambda right: lambda d, eps: right(d[:2], eps)),
    ("5.2", "necessary.log2_networks", scaled(math.log(2))),
    ("5.2", "necessary.log2_networks", lost("density", 1.0)),
    ("5.2", "necessary.bits_per_param", shifted(-1)),
    ("5.2", "necessary.bits_per_param", lambda right: lambda R, **options: right(max(1, R - 1), **options)),
    ("5.2", "necessary.bits_per_param", lost("density", 1.0)),
    ("5.3", "necessary.necessary_params", shifted(1)),
    ("5.3", "necessary.necessary_params", shifted(-1)),
    (
        "5.3",
        "necessary.necessary_params",
        lambda right: lambda d, eps, *, delta, **more: right(d, eps, delta=1 - delta, **more),
    ),
    ("5.3", "necessary.necessary_width", shifted(1)),
    ("5.4", "necessary.trade_off.optimum", lost("price_value", 0.0)),
    ("5.4", "necessary.trade_off.last_R", shifted(-1)),
    ("5.4", "necessary.trade_off.smallest_candidates", shifted(1)),
    ("5.4", "necessary.trade_off.iso_success", lost("R", (1, 2, 3))),
    ("6.1", "recycling.success_prob_upper", scaled(0.5)),
    ("6.1", "recycling.multiset_count", shifted(-1)),
    ("6.1", "recycling.necessary_n", shifted(1)),
    ("6.1", "recycling.certain_failure", scaled(2)),
    ("6.1", "recycling.certain_failure", scaled(0.5)),
    ("6.1", "recycling.expected_R", shifted(1)),
    ("6.1", "recycling.upper_bound.expected_good", scaled(0.5)),
    ("6.2", "recycling.success_prob_pairs", scaled(2)),
    ("6.2", "recycling.success_prob_lower", scaled(2)),
    ("6.2", "recycling.failure_prob_bound", scaled(0.5)),
    ("6.2", "recycling.log_failure_prob_bound", scaled(2)),
    ("6.2", "recycling.log_failure_prob_bound", scaled(math.log10(math.e))),
    ("6.2", "recycling.required_n", shifted(-1)),
    ("6.2", "recycling.required_n", floored(0.5)),
    ("7.1", "binary_weights.success_prob_exact", scaled(0.95)),
    ("7.1", "binary_weights.miss_prob_exact", scaled(2)),
    ("7.1", "binary_weights.signs_needed", shifted(1)),
    ("7.1", "binary_weights.error_mean_exact", scaled(0.5)),
    ("7.1", "binary_weights.error_quantile_exact", scaled(2)),
    ("7.2", "binary_weights.required_n", shifted(-1)),
    ("7.2", "binary_weights.best_gain", scaled(0.5)),
    ("7.2", "binary_weights.best_gain_for", scaled(0.5)),
    ("7.2", "binary_weights.guaranteed_error_exact", lambda right: lambda n, R, delta: right(n, R + 1, delta)),
    ("7.2", "binary_weights.required_n_closed_form", floored(0.3)),
    ("7.3", "binary_weights.success_prob_all_exact", scaled(0.9)),
    ("7.3", "binary_weights.miss_prob_all_exact", scaled(2)),
    ("7.4", "binary_weights.necessary_n", shifted(1)),
    ("7.4", "binary_weights.necessary_n_shared_gain", shifted(1)),
    ("7.4", "binary_weights.necessary_n_shared_gain", lost("d", 1)),
    ("7.5", "binary_weights.equivalent_subset", shifted(1)),
    ("7.5", "binary_weights.equivalent_subset", lost("inner", 1)),
    ("7.6", "binary_weights.required_width_deep", field("ones", 0.6)),
    ("7.6", "binary_weights.required_width_deep", field("carriers", 0.6)),
    ("7.6", "binary_weights.required_width_deep", field("base", 0.5)),
    ("7.6", "binary_weights.necessary_width_deep", shifted(1)),
    ("8.1", "bits.necessary_bits", shifted(1)),
    ("8.1", "bits.necessary_bits", scaled(1.1)),
    ("8.1", "bits.entropy_bits", shifted(0.1)),
    ("8.1", "bits.necessary_log2_codewords", shifted(1)),
    ("8.2", "bits.mean_log2_index", shifted(0.2)),
    ("8.2", "bits.mean_log2_index", shifted(-0.2)),
    ("8.2", "bits.index_bits_lower", shifted(0.2)),
    ("8.2", "bits.index_bits_bound", scaled(0.95)),
    ("8.2", "bits.geometric_bits", scaled(1.1)),
    ("8.3", "bits.mismatch_bits", scaled(1.1)),
    ("8.3", "bits.mean_log2_inverse_hit", shifted(0.1)),
    ("8.4", "bits.capped.miss_prob", scaled(0.95)),
    ("8.4", "bits.mean_draws", scaled(1.05)),
    ("8.4", "bits.hit_share", scaled(0.5)),
    ("8.4", "bits.capped_bits_bound", scaled(0.9)),
    ("8.4", "bits.mean_log2_index_capped", scaled(1.05)),
    ("8.5", "bits.best_under_budget", field("success", 1.1)),
    ("8.5", "bits.rank_log2_lower", shifted(2)),
    ("8.6", "bits.cheapest_choice", field("n", 0.4)),
]
"""Claim, function of theory, and what spoils it."""


@pytest.mark.parametrize(
    ("claim", "name", "spoil"), MUTANTS, ids=[f"{c}-{n}-{i}" for i, (c, n, _) in enumerate(MUTANTS)]
)
def test_a_spoilt_function_is_refuted(
    claim: str, name: str, spoil: Callable, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    if claim[0] == "4":
        pytest.importorskip("torch", reason="PyTorch is not installed (extra: nets)")
    module_name, function = name.rsplit(".", 1)
    module = importlib.import_module(f"theory.{module_name}")
    caches = [member for member in vars(module).values() if hasattr(member, "cache_clear")]
    monkeypatch.setattr(module, function, spoil(getattr(module, function)))
    for cached in caches:  # what the right function gave before must not hide the wrong one
        cached.cache_clear()
    try:
        assert sims.verify.main(["--only", claim, "--budget", "10s", "--seed", "1", "--quiet"]) == 1
    finally:
        for cached in caches:  # nor may the wrong one's values stay
            cached.cache_clear()
