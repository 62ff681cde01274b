"""Claims of section 7: binary weights. Ours; what is read of the papers is marked so."""

from __future__ import annotations

from theory.claim import PROOFS, Claim, names

_SIGNS = "signs i.i.d., fair; one gain for all"
_TARGETS = "|alpha| <= 1 fixed, or alpha ~ U[-1, 1] independent of the signs"

BINARY: tuple[Claim, ...] = (
    Claim(
        "7.1",
        "With n binary weights +-g, R signs each, the reachable sums are g{-M, ..., N}, N and M both Bin(n, 1-2^-R), "
        "so success is P(N >= ceil((|alpha|-eps)/g)) if that multiple is within eps of alpha, and 0 if not.",
        PROOFS,
        "proved",
        (_SIGNS, "0 < eps <= 1", _TARGETS),
        names(
            "binary_weights",
            "success_prob_exact",
            "miss_prob_exact",
            "signs_needed",
            "error_quantile_exact",
            "error_mean_exact",
        ),
        simulation="sims.binary_weights",
        test="theory/test_binary_weights.py",
        figure="13",
        short="n binary weights +-g with R signs each: exact law of the reachable sums",
    ),
    Claim(
        "7.2",
        "The gain 2 eps is best for the worst target and for a uniform one; every target is reached within 1/(2k+1) "
        "with probability 1-delta, k the largest with P(Bin(n, 1-2^-R) >= k) >= 1-delta, and no gain beats it.",
        PROOFS,
        "proved",
        (_SIGNS, "0 < eps <= 1", "each target by itself, not all at once"),
        names(
            "binary_weights",
            "best_gain",
            "best_gain_for",
            "guaranteed_error_exact",
            "required_n",
            "required_n_closed_form",
        ),
        simulation="sims.binary_weights",
        test="theory/test_binary_weights.py",
        figure="13",
        short="the gain 2 eps is best; guaranteed error 1/(2k+1), k of order n",
    ),
    Claim(
        "7.3",
        "All targets in [-1, 1] are reached at once iff g <= 2 eps and both counts of signs are at least "
        "ceil((1-eps)/g); the probability is exact.",
        PROOFS,
        "proved",
        (_SIGNS, "0 < eps <= 1"),
        names("binary_weights", "success_prob_all_exact", "miss_prob_all_exact"),
        test="theory/test_binary_weights.py",
        short="all targets at once: exact probability",
    ),
    Claim(
        "7.4",
        "n >= ((1-delta)/eps - 1)/(2q) is necessary for a uniform target at any gain, q = 1-2^-R; d weights that share "
        "a gain chosen afterwards need n of order eps^(1/d-1).",
        PROOFS,
        "proved",
        (_SIGNS, "targets i.i.d. U[-1, 1], independent of the signs"),
        names("binary_weights", "necessary_n", "necessary_n_shared_gain"),
        test="theory/test_binary_bounds.py",
        short="n >= ((1-delta)/eps - 1)/(2q) is necessary at any gain; a shared gain hardly helps",
    ),
    Claim(
        "7.5",
        "n products of two binary weights have the law of n single signs with 2R-1 draws; n outer signs times masked "
        "sums of m shared inner signs have the law of nm single signs.",
        PROOFS,
        "proved",
        (_SIGNS, "masks on all weights", "two stages: the matrix is re-sampled, inner and outer signs are not"),
        names("binary_weights", "equivalent_subset"),
        simulation="sims.binary_weights --kind product",
        test="sims/test_binary_weights.py",
        short="products of two signs are single signs with 2R-1 draws; two stages are nm single signs",
    ),
    Claim(
        "7.6",
        "A linear network of D layers of binary weights reaches steps of order n^-(D-1): exponential in depth, with an "
        "explicit sufficient width and, for fixed depth and delta, a necessary one of the same order.",
        PROOFS,
        "proved",
        (_SIGNS, "one input, one output, no activation", "all signs of the matrices independent"),
        names("binary_weights", "required_width_deep", "necessary_width_deep"),
        test="theory/test_binary_bounds.py",
        short="in depth the step falls like n^-(D-1): a sufficient and a necessary width",
    ),
    Claim(
        "7.7",
        "The error left for the worst target is about 1/(2qn+1), against about (R+1)^-n for continuous values; "
        "Biprop's gain follows the initial scale and not the target accuracy.",
        "binomial number replaced by its mean; a mask that does not look at |W|",
        "heuristic",
        (_SIGNS, "n not small"),
        names("binary_weights", "error_prediction", "continuous_error_prediction", "biprop_gain"),
        test="theory/test_binary_bounds.py",
        short="the error left is about 1/(2qn+1); Biprop's gain follows the initial scale",
    ),
)
