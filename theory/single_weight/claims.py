"""Statements 1: one weight by a single draw."""

from __future__ import annotations

from theory.claim import PROOFS, TARGET, UNIFORM, Claim, names

SINGLE_WEIGHT: tuple[Claim, ...] = (
    Claim(
        "1.1",
        "No draw of n candidates with R draws each lies within eps of alpha with probability (1-p)^(nR), "
        "p = |[alpha-eps, alpha+eps] ∩ [-1, 1]|/2.",
        PROOFS,
        "proved",
        (UNIFORM, "0 < eps <= 1", TARGET),
        names("single_weight", "miss_prob_exact", "hit_prob", "log_miss_prob_exact", "required_n_exact"),
        simulation="sims.single_weight",
        test="sims/test_single_weight.py",
        figure="1",
        short="one value, n candidates, R draws each: P(miss) = (1-p)^(nR)",
    ),
    Claim(
        "1.2",
        "That probability is at most exp(-nR eps/2), so n >= 2/(eps R) log(1/delta) suffices. "
        "For R = 1 it is a lemma in the appendix of chijiwa2021iterand.",
        PROOFS,
        "proved",
        (UNIFORM, "0 < eps <= 1", TARGET),
        names("single_weight", "required_n", "miss_prob_bound", "log_miss_prob_bound"),
        simulation="sims.single_weight",
        test="theory/test_single_weight.py",
        figure="1",
        short="P(miss) <= exp(-nR eps/2), so n >= 2/(eps R) log(1/delta) suffices",
    ),
    Claim(
        "1.3",
        "The distance of the nearest of R draws to t satisfies P(D > d) = (1-p(t, d))^R, and one uniform number and "
        "one sign suffice to draw the nearest value exactly in law.",
        PROOFS,
        "proved",
        (UNIFORM, "|t| <= 1 fixed"),
        names("single_weight", "nearest_distance_ppf", "nearest_distance_cdf", "nearest_draw"),
        simulation="sims.single_weight --sampler nearest",
        test="sims/test_single_weight.py",
        short="law of the nearest of R draws, from one random number",
    ),
)
