"""One target value, n candidates of R draws each: the exact law, the IteRand bound and the nearest of R draws."""

from theory.single_weight.bound import log_miss_prob_bound, miss_prob_bound, required_n
from theory.single_weight.law import hit_prob, log_miss_prob_exact, miss_prob_exact, required_n_exact
from theory.single_weight.nearest import nearest_distance_cdf, nearest_distance_ppf, nearest_draw
from theory.single_weight.question import SingleWeight

__all__ = [
    "SingleWeight", "hit_prob", "log_miss_prob_bound", "log_miss_prob_exact", "miss_prob_bound", "miss_prob_exact",
    "nearest_distance_cdf", "nearest_distance_ppf", "nearest_draw", "required_n", "required_n_exact",
]  # fmt: skip
