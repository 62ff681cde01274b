"""The registry of statements: what is claimed, on whose word, under which assumptions, and which functions compute it.

Append one tuple per section and add it to CLAIMS. A test resolves every function and looks for the heading
``## <id>`` of every proved claim in theory/PROOFS.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["proved", "read", "recalled", "heuristic"]


@dataclass(frozen=True)
class Claim:
    """One statement.

    Attributes
    ----------
    id : str
        Section and number, e.g. "1.1"; the heading of its proof.
    statement : str
        The claim in one sentence.
    source : str
        "theory/PROOFS.md" or a key of theory.bibliography.
    status : {"proved", "read", "recalled", "heuristic"}
        Proved in PROOFS.md; read in the paper's text or code; recalled, not checked; or a prediction, never a bound.
    assumptions : tuple of str
        What the statement needs.
    functions : tuple of str
        Dotted names of the functions that evaluate it.
    """

    id: str
    statement: str
    source: str
    status: Status
    assumptions: tuple[str, ...]
    functions: tuple[str, ...]


_PROOFS = "theory/PROOFS.md"
_UNIFORM = "draws i.i.d. U[-1, 1]"
_TARGET = "|alpha| <= 1 fixed, or alpha ~ U[-1, 1] independent of the draws"


def _names(module: str, *functions: str) -> tuple[str, ...]:
    return tuple(f"theory.{module}.{function}" for function in functions)


SINGLE_WEIGHT: tuple[Claim, ...] = (
    Claim(
        "1.1",
        "No draw of n candidates with R draws each lies within eps of alpha with probability (1-p)^(nR), "
        "p = |[alpha-eps, alpha+eps] ∩ [-1, 1]|/2.",
        _PROOFS,
        "proved",
        (_UNIFORM, "0 < eps <= 1", _TARGET),
        _names("single_weight", "hit_prob", "miss_prob_exact", "log_miss_prob_exact", "required_n_exact"),
    ),
    Claim(
        "1.2",
        "That probability is at most exp(-nR eps/2), so n >= 2/(eps R) log(1/delta) suffices. "
        "For R = 1 it is a lemma in the appendix of chijiwa2021iterand.",
        _PROOFS,
        "proved",
        (_UNIFORM, "0 < eps <= 1", _TARGET),
        _names("single_weight", "miss_prob_bound", "log_miss_prob_bound", "required_n"),
    ),
    Claim(
        "1.3",
        "The distance of the nearest of R draws to t satisfies P(D > d) = (1-p(t, d))^R, and one uniform number and "
        "one sign suffice to draw the nearest value exactly in law.",
        _PROOFS,
        "proved",
        (_UNIFORM, "|t| <= 1 fixed"),
        _names("single_weight", "nearest_distance_cdf", "nearest_distance_ppf", "nearest_draw"),
    ),
)

SUBSET_SUM: tuple[Claim, ...] = (
    Claim(
        "2.0",
        "Densities of sums of draws and probabilities of windows obey recurrences with nonnegative terms, so their "
        "rounding error is known in advance.",
        _PROOFS,
        "proved",
        (_UNIFORM, "1e-60 <= eps <= 1", _TARGET),
        _names("subset_sum", "sum_hit_prob", "log_sum_hit_prob"),
    ),
    Claim(
        "2.1",
        "Success has at most the probability of the expected number of good sums; hence n >= "
        "log((1-delta)/eps)/log(R+1) is necessary unless |alpha| <= eps.",
        _PROOFS,
        "proved",
        (_UNIFORM, "0 < eps <= 1", _TARGET),
        _names(
            "subset_sum",
            "success_prob_upper",
            "log_success_prob_upper",
            "necessary_n",
            "necessary_n_closed_form",
        ),
    ),
    Claim(
        "2.2",
        "Success has at least the probability (c.e)^2/(c'Mc), e and M the first and second moments of the numbers of "
        "good sums with k values, c any real vector.",
        _PROOFS,
        "proved",
        (_UNIFORM, "1e-60 <= eps <= 1", "n <= 64 in one bound", _TARGET),
        _names("subset_sum", "success_prob_second_moment", "success_prob_lower"),
    ),
    Claim(
        "2.3",
        "Disjoint blocks of variables fail independently, so n = m ceil(log(1/delta)/-log(1-c(m))) variables suffice, "
        "c(m) from 2.2.",
        _PROOFS,
        "proved",
        (_UNIFORM, "1e-60 <= eps <= 1", "|alpha| <= 1 fixed; for a uniform alpha only a single block"),
        _names("subset_sum", "failure_prob_bound", "log_failure_prob_bound", "success_prob_lower", "required_n"),
    ),
    Claim(
        "2.4",
        "Success is about E[1-exp(-lambda)], lambda = (R+1)^n 2 eps phi((alpha-mu)/sqrt v)/sqrt v; the leading "
        "threshold is n ~ log(1/eps)/log(R+1).",
        "random-energy (Poisson) picture",
        "heuristic",
        (_UNIFORM, "n not small", "sums treated as independent Gaussians given mu and v"),
        _names(
            "subset_sum",
            "success_prediction",
            "failure_prediction",
            "success_prediction_given",
            "mean_and_variance",
            "predicted_n",
            "threshold_n",
        ),
    ),
    Claim(
        "2.5",
        "The smallest |signed sum| D of n values U[0, 1] satisfies P(D > x) -> exp(-2^n x sqrt(3/(2 pi n))).",
        "borgs2001partition",
        "recalled",
        ("values i.i.d. U[0, 1]", "n -> infinity with 2^n x / sqrt n fixed"),
        _names("subset_sum", "partition_miss_prediction"),
    ),
)

COVERAGE: tuple[Claim, ...] = (
    Claim(
        "3.1",
        "The share v of [-1, 1] near a reachable sum grows by at least c v(1-v) in expectation, c = 1/5 and c = 0.307.",
        _PROOFS,
        "proved",
        (_UNIFORM, "R = 1", "a finite union of intervals"),
        _names("coverage", "gain", "check_certificate", "spectral_gap_enclosure"),
    ),
    Claim(
        "3.1 (c)",
        "The same with c = 1/2, which an interval at one end attains.",
        "conjecture; a property test tries to break it",
        "heuristic",
        (_UNIFORM, "R = 1"),
        _names("coverage", "gain"),
    ),
    Claim(
        "3.2",
        "With R draws the expected share is at least v + c (1-v)(1-(1-v)^R), and no step exceeds (R+1) v.",
        _PROOFS,
        "proved",
        (_UNIFORM,),
        _names("coverage", "expected_share"),
    ),
    Claim(
        "3.3",
        "Explicit tail of the share, hence an n that suffices for all targets at once with every constant known.",
        _PROOFS,
        "proved",
        (_UNIFORM, "c <= 0.307 (the conjectured 1/2 may be asked for and is then no proof)"),
        _names("coverage", "share_failure_bound", "coverage_failure_bound", "required_n"),
    ),
    Claim(
        "3.4 (a)",
        "n >= C log(2/min(eps, delta)) suffices for all z in [-1/2, 1/2]; C unknown.",
        "lueker1998",
        "recalled",
        ("C must be passed",),
        _names("coverage", "lueker_required_n"),
    ),
    Claim(
        "3.4 (b)",
        "Failure exp(-(n - C log2(1/eps))^2/(4n)) at error 2 eps; C unknown.",
        "dacunha2022subsetsum",
        "recalled",
        ("C must be passed",),
        _names("coverage", "dacunha_failure"),
    ),
    Claim(
        "3.5",
        "All targets by a union over a grid of single targets; necessary n by counting and by single targets.",
        _PROOFS,
        "proved",
        (_UNIFORM, "at most 4096 targets"),
        _names("coverage", "union_failure_bound", "success_prob_lower", "success_prob_upper", "necessary_n"),
    ),
    Claim(
        "3.6",
        "Poisson picture of the uncovered gaps.",
        "random-energy (Poisson) picture",
        "heuristic",
        (_UNIFORM, "n not small"),
        _names("coverage", "success_prediction", "predicted_n"),
    ),
)

_NORMS = "spectral norms <= 1 (Frobenius <= 1 implies it)"

NETWORKS: tuple[Claim, ...] = (
    Claim(
        "4.2",
        "Effective weights within log(1+eps)/(l sqrt(d_i d_(i-1))) of the target's give a sup error of at most eps on "
        "the l2 ball; on the l_inf ball take eps/sqrt(d_0) for eps.",
        _PROOFS,
        "proved",
        (_NORMS, "ReLU, no bias"),
        _names("network_width", "layer_etas"),
    ),
    Claim(
        "4.3",
        "n neurons with b and a aimed at their windows miss one weight with probability at most (1-q_b q_a)^n.",
        _PROOFS,
        "proved",
        ("|w| <= 1", "0 < eta <= 1", _UNIFORM),
        _names(
            "gadget",
            "b_window_prob",
            "a_window_prob",
            "window_success_prob",
            "log_window_miss_prob",
            "log_weight_miss_bound",
        ),
    ),
    Claim(
        "4.4",
        "Main theorem, our constants: sum_i 2 d_i d_(i-1) (1-q_i^2)^(n_i) <= delta suffices for sup error <= eps with "
        "probability >= 1-delta; n = 1 needs R to grow like log(1/delta).",
        _PROOFS,
        "proved",
        (_NORMS, "masks and re-samplings chosen after all draws are seen"),
        _names(
            "network_width",
            "required_n_ours",
            "failure_bound",
            "log_failure_bound",
            "required_R_for_minimal_width",
            "source_width",
        ),
    ),
    Claim(
        "4.5",
        "Main theorem as we recall it: n_i = 64 l^2 d_(i-1)^2 d_i/(eps^2 R^2) log(2 l d_(i-1) d_i/delta) suffices.",
        "chijiwa2021iterand",
        "recalled",
        ("Frobenius norms <= 1", "the wording and its domain are recalled, not checked against the text"),
        _names("network_width", "required_n_recalled"),
    ),
    Claim(
        "4.5 (b)",
        "As we recall it the statement holds for R = 1; for R > 1 the division by R^2 does not follow from windows.",
        _PROOFS,
        "proved",
        (_NORMS, "l2 ball"),
        _names("network_width", "required_n_recalled", "log_failure_bound"),
    ),
    Claim(
        "4.5 (c)",
        "The corner n = 1, widths 1 1, exactly: failure = s(2-s)+2t^2. As we recall it the statement fails there only "
        "for delta below about 1e-21; with the neurons' roles fixed beforehand already below about 1e-4.",
        _PROOFS,
        "proved",
        ("l = d = 1, F = [1]", "the thresholds are numerical"),
        _names(
            "network_width",
            "corner_R",
            "corner_failure_exact",
            "corner_log_failure_exact",
            "corner_log_failure_designated",
        ),
    ),
    Claim(
        "4.5 (d)",
        "A repair of the recalled form: 160.2 in place of 64 while R <= K_i, constant beyond, and n = 1 from "
        "R >= K_i log(4 l d_(i-1) d_i/delta) on.",
        _PROOFS,
        "proved",
        (_NORMS, "l2 ball; on the l_inf ball if no hidden layer is narrower than the input, else with eps/sqrt(d_0)"),
        _names("network_width", "required_n_repaired"),
    ),
    Claim(
        "4.6",
        "One weight exactly: the law of a product of two draws, and of the best of R draws of b and then of a.",
        _PROOFS,
        "proved",
        ("|w| <= 1", "0 < eta <= 1", _UNIFORM, "any pair of draws: a bracket, exact where |w| + eta >= 1"),
        _names(
            "gadget",
            "product_hit_prob",
            "neuron_log_success_prob",
            "neuron_log_miss_prob",
            "any_pair_log_miss_bracket",
            "weight_log_miss_prob",
        ),
    ),
    Claim(
        "4.8",
        "The certificate brackets sup ||f - g_M||: the upper end by rounded-up spectral norms, the lower end by an "
        "input at which it is attained.",
        _PROOFS,
        "proved",
        ("IEEE float64, matrix products with the standard error bound", "effective weights taken as exact"),
        ("nets.certificate.certify", "nets.certificate.certify_batch"),
    ),
)

CLAIMS: tuple[Claim, ...] = SINGLE_WEIGHT + SUBSET_SUM + COVERAGE + NETWORKS
