"""Random subset sum for all targets at once: when is every point of an interval within eps of a sum?"""

from theory.coverage.drift import (
    CERTIFICATE,
    DRIFT_CONJECTURED,
    DRIFT_MIDPOINT,
    DRIFT_PROVED,
    check_certificate,
    expected_share,
    gain,
    spectral_gap_enclosure,
)
from theory.coverage.lower_bound import coverage_failure_bound, required_n, share_failure_bound, success_prob_lower
from theory.coverage.prediction import dacunha_failure, lueker_required_n, predicted_n, success_prediction
from theory.coverage.question import Coverage
from theory.coverage.targets import necessary_n, success_prob_upper, union_failure_bound

__all__ = [
    "CERTIFICATE", "DRIFT_CONJECTURED", "DRIFT_MIDPOINT", "DRIFT_PROVED", "Coverage", "check_certificate",
    "coverage_failure_bound", "dacunha_failure", "expected_share", "gain", "lueker_required_n", "necessary_n",
    "predicted_n", "required_n", "share_failure_bound", "spectral_gap_enclosure", "success_prediction",
    "success_prob_lower", "success_prob_upper", "union_failure_bound",
]  # fmt: skip
