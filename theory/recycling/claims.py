"""Statement 6: recycling, where every slot may take any of the values already present."""

from __future__ import annotations

from theory.claim import PROOFS, TARGET, UNIFORM, Claim, names

_SLOTS = "n slots and n values; a sum uses at most n values, repetitions included"

RECYCLING: tuple[Claim, ...] = (
    Claim(
        "6.1",
        "Recycling has C(2n, n) sums; success has at most the probability of the expected number of good ones, which "
        "is an explicit rational number, and fails with probability at least about exp(alpha-eps) 2^-n.",
        PROOFS,
        "proved",
        (UNIFORM, _SLOTS, "1e-60 <= eps <= 1", TARGET),
        names("recycling", "multiset_count", "success_prob_upper", "certain_failure", "necessary_n", "expected_R"),
        simulation="sims.recycling",
        test="theory/test_recycling.py",
        figure="9",
        short="recycling: C(2n, n) sums; success <= expected number of good ones; failure >= about exp(alpha-eps) 2^-n",
    ),
    Claim(
        "6.2",
        "Success has at least the probability that the numbers of good multisets and of pairs of them imply, each pair "
        "being good with probability at most eps^2/D, D its largest minor; at least that of R = 1; and disjoint blocks "
        "of values fail independently.",
        PROOFS,
        "proved",
        (UNIFORM, _SLOTS, "1e-60 <= eps <= 1", TARGET, "pairs: n <= 8", "blocks: alpha fixed"),
        names(
            "recycling",
            "success_prob_pairs",
            "success_prob_lower",
            "failure_prob_bound",
            "log_failure_prob_bound",
            "required_n",
        ),
        simulation="sims.recycling",
        test="theory/test_recycling.py",
        figure="9",
        short="success by pairs of multisets, by R = 1, and by independent blocks: an explicit n that suffices",
    ),
    Claim(
        "6.3",
        "Success is about E[1-exp(-lambda)], lambda the C(2n, n) sums as Gaussians with Bose-Einstein variance, given "
        "the number of values on the target's side, scaled to the exact expected number of good sums.",
        "random-energy (Poisson) picture",
        "heuristic",
        (
            UNIFORM,
            _SLOTS,
            "measured at eps = .01 and .001, alpha = .1, .5, 1 and uniform: success "
            "off by up to .03, small failures by a factor of up to two; elsewhere worse (n = 2, eps = .3: .1)",
        ),
        names("recycling", "success_prediction", "failure_prediction", "predicted_n"),
        simulation="sims.recycling",
        test="sims/test_recycling.py",
        figure="9",
        short="prediction of success (random-energy picture)",
    ),
    Claim(
        "6.4",
        "The worth of recycling in fresh draws: the real R at which the choice model has as many sums, or succeeds as "
        "often, by interpolation between simulated R or by the prediction 2.4.",
        "definition; the prediction 2.4",
        "heuristic",
        (UNIFORM, _SLOTS, "interpolation of log(-log(1-P)) in log(R+1)"),
        names("recycling", "count_R", "interpolated_R", "gain_left", "effective_R"),
        simulation="sims.recycling",
        test="theory/test_recycling.py",
        figure="9",
        short="what recycling is worth in fresh draws",
    ),
)
