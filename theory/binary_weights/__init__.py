"""One target value from n binary weights: each offers R random signs, and all share one gain."""

from theory.binary_weights.bounds import (
    best_gain,
    equivalent_subset,
    miss_prob_all_exact,
    miss_prob_exact,
    required_n_closed_form,
    success_prob_all_exact,
    success_prob_exact,
)
from theory.binary_weights.case import signs_needed
from theory.binary_weights.depth import necessary_width_deep, required_width_deep
from theory.binary_weights.error import best_gain_for, error_mean_exact, error_quantile_exact, guaranteed_error_exact
from theory.binary_weights.gain import (
    biprop_gain,
    continuous_error_prediction,
    error_prediction,
    necessary_n,
    necessary_n_shared_gain,
)
from theory.binary_weights.question import BinaryWeights
from theory.binary_weights.required import required_n

__all__ = [
    "BinaryWeights", "best_gain", "best_gain_for", "biprop_gain", "continuous_error_prediction",
    "equivalent_subset", "error_mean_exact", "error_prediction", "error_quantile_exact", "guaranteed_error_exact",
    "miss_prob_all_exact", "miss_prob_exact", "necessary_n", "necessary_n_shared_gain", "necessary_width_deep",
    "required_n", "required_n_closed_form", "required_width_deep", "signs_needed", "success_prob_all_exact",
    "success_prob_exact",
]  # fmt: skip
