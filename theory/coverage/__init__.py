"""Random subset sum for all targets at once: when is every point of an interval within eps of a sum?"""

from theory.coverage.drift import expected_share, gain
from theory.coverage.lower_bound import (
    RequiredN,
    coverage_failure_bound,
    potential_failure_bound,
    required_n,
    share_failure_bound,
    success_prob_lower,
)
from theory.coverage.potential import (
    DACUNHA_C,
    dacunha_failure,
    log_window_failure_bound,
    lueker_constant,
    lueker_required_n,
    potential_factor,
)
from theory.coverage.prediction import predicted_n, success_prediction
from theory.coverage.question import Coverage
from theory.coverage.targets import necessary_n, success_prob_upper, union_failure_bound

__all__ = [
    "DACUNHA_C", "Coverage", "RequiredN", "coverage_failure_bound", "dacunha_failure", "expected_share", "gain",
    "log_window_failure_bound", "lueker_constant", "lueker_required_n", "necessary_n", "potential_factor",
    "potential_failure_bound", "predicted_n", "required_n", "share_failure_bound", "success_prediction",
    "success_prob_lower", "success_prob_upper", "union_failure_bound",
]  # fmt: skip
