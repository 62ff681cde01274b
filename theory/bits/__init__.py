"""How many bits does a ticket need? The least, those of the index of the first good draw, and those of masks."""

from theory.bits.capped import capped_bits_bound, hit_share, mean_draws, mean_log2_index_capped, miss_prob
from theory.bits.choice import Choice, best_under_budget, cheapest_choice, rank_bits_prediction, rank_log2_lower
from theory.bits.index import geometric_bits, index_bits_bound, index_bits_lower, mean_log2_index
from theory.bits.laws import UNIFORM, Histogram, Laws
from theory.bits.limit import (
    entropy_bits,
    mean_log2_inverse_hit,
    mismatch_bits,
    necessary_bits,
    necessary_log2_codewords,
)
from theory.bits.question import DrawCode
from theory.bits.reach import code_eps, leanest, limit_eps, mean_index, sufficient_eps, unreached_eps

__all__ = [
    "UNIFORM", "Choice", "DrawCode", "Histogram", "Laws", "best_under_budget", "capped_bits_bound",
    "cheapest_choice", "code_eps", "entropy_bits", "geometric_bits", "hit_share", "index_bits_bound",
    "index_bits_lower", "leanest", "limit_eps", "mean_draws", "mean_index", "mean_log2_index", "mean_log2_index_capped",
    "mean_log2_inverse_hit", "mismatch_bits", "miss_prob", "necessary_bits", "necessary_log2_codewords",
    "rank_bits_prediction", "rank_log2_lower", "sufficient_eps", "unreached_eps",
]  # fmt: skip
