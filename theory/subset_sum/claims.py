"""Statements 2: one weight by a subset of draws."""

from __future__ import annotations

from theory.claim import PROOFS, TARGET, UNIFORM, Claim, names

SUBSET_SUM: tuple[Claim, ...] = (
    Claim(
        "2.0",
        "Densities of sums of draws and probabilities of windows obey recurrences with nonnegative terms, so their "
        "rounding error is known in advance.",
        PROOFS,
        "proved",
        (UNIFORM, "1e-60 <= eps <= 1", TARGET),
        names("subset_sum", "sum_hit_prob", "log_sum_hit_prob"),
        test="theory/test_irwin_hall.py",
        short="sums of uniforms by recurrences without subtraction: rounding known in advance",
    ),
    Claim(
        "2.1",
        "Success has at most the probability of the expected number of good sums; hence n >= "
        "log((1-delta)/eps)/log(R+1) is necessary unless |alpha| <= eps.",
        PROOFS,
        "proved",
        (UNIFORM, "0 < eps <= 1", TARGET),
        names(
            "subset_sum",
            "success_prob_upper",
            "log_success_prob_upper",
            "necessary_n",
            "necessary_n_closed_form",
        ),
        simulation="sims.subset_sum",
        test="sims/test_subset_sum.py",
        figure="2",
        short="success <= expected number of good sums; necessary n",
    ),
    Claim(
        "2.2",
        "Success has at least the probability (c.e)^2/(c'Mc), e and M the first and second moments of the numbers of "
        "good sums with k values, c any real vector.",
        PROOFS,
        "proved",
        (UNIFORM, "1e-60 <= eps <= 1", "n <= 64 in one bound", TARGET),
        names("subset_sum", "success_prob_lower", "success_prob_second_moment"),
        simulation="sims.subset_sum",
        test="theory/test_subset_sum.py",
        figure="2",
        short="success >= (c.e)^2/(c'Mc): second moment, certified quadrature",
    ),
    Claim(
        "2.3",
        "Disjoint blocks of variables fail independently, so n = m ceil(log(1/delta)/-log(1-c(m))) variables suffice, "
        "c(m) from 2.2.",
        PROOFS,
        "proved",
        (UNIFORM, "1e-60 <= eps <= 1", "|alpha| <= 1 fixed; for a uniform alpha only a single block"),
        names("subset_sum", "required_n", "failure_prob_bound", "log_failure_prob_bound", "success_prob_lower"),
        simulation="sims.subset_sum",
        test="theory/test_subset_sum.py",
        figure="3",
        short="blocks fail independently: an explicit n that suffices",
    ),
    Claim(
        "2.4",
        "Success is about E[1-exp(-lambda)], lambda = (R+1)^n 2 eps phi((alpha-mu)/sqrt v)/sqrt v; the leading "
        "threshold is n ~ log(1/eps)/log(R+1).",
        "random-energy (Poisson) picture",
        "heuristic",
        (UNIFORM, "n not small", "sums treated as independent Gaussians given mu and v"),
        names(
            "subset_sum",
            "success_prediction",
            "failure_prediction",
            "success_prediction_given",
            "mean_and_variance",
            "predicted_n",
            "threshold_n",
        ),
        simulation="sims.subset_sum",
        test="theory/test_prediction.py",
        figure="2",
        short="sharp prediction (random-energy picture), threshold log(1/eps)/log(R+1)",
    ),
    Claim(
        "2.5",
        "The smallest |signed sum| D of n values U[0, 1] satisfies P(D > x) -> exp(-2^n x sqrt(3/(2 pi n))).",
        "borgs2001partition",
        "recalled",
        ("values i.i.d. U[0, 1]", "n -> infinity with 2^n x / sqrt n fixed"),
        names("subset_sum", "partition_miss_prediction"),
        test="theory/test_prediction.py",
        short="window of the number partitioning problem",
    ),
)
