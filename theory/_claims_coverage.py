"""Statements 3: all targets at once."""

from __future__ import annotations

from theory._claim import PROOFS, UNIFORM, Claim, names

COVERAGE: tuple[Claim, ...] = (
    Claim(
        "3.1",
        "The share v of [-1, 1] near a reachable sum grows by at least c v(1-v) in expectation, c = 1/5 and c = 0.307.",
        PROOFS,
        "proved",
        (UNIFORM, "R = 1", "a finite union of intervals"),
        names("coverage", "gain", "check_certificate", "spectral_gap_enclosure"),
        test="theory/test_coverage.py",
    ),
    Claim(
        "3.1 (c)",
        "The same with c = 1/2, which an interval at one end attains.",
        "conjecture; a property test tries to break it",
        "heuristic",
        (UNIFORM, "R = 1"),
        names("coverage", "gain"),
        test="theory/test_coverage.py",
    ),
    Claim(
        "3.2",
        "With R draws the expected share is at least v + c (1-v)(1-(1-v)^R), and no step exceeds (R+1) v.",
        PROOFS,
        "proved",
        (UNIFORM,),
        names("coverage", "expected_share"),
        test="theory/test_coverage.py",
    ),
    Claim(
        "3.3",
        "Explicit tail of the share, hence an n that suffices for all targets at once with every constant known.",
        PROOFS,
        "proved",
        (UNIFORM, "c <= 0.307 (the conjectured 1/2 may be asked for and is then no proof)"),
        names("coverage", "share_failure_bound", "coverage_failure_bound", "required_n"),
        simulation="sims.coverage",
        test="sims/test_coverage.py",
    ),
    Claim(
        "3.4 (a)",
        "n >= C log(2/min(eps, delta)) suffices for all z in [-1/2, 1/2]; C unknown.",
        "lueker1998",
        "recalled",
        ("C must be passed",),
        names("coverage", "lueker_required_n"),
        test="theory/test_coverage.py",
    ),
    Claim(
        "3.4 (b)",
        "Failure exp(-(n - C log2(1/eps))^2/(4n)) at error 2 eps; C unknown.",
        "dacunha2022subsetsum",
        "recalled",
        ("C must be passed",),
        names("coverage", "dacunha_failure"),
        test="theory/test_coverage.py",
    ),
    Claim(
        "3.5",
        "All targets by a union over a grid of single targets; necessary n by counting and by single targets.",
        PROOFS,
        "proved",
        (UNIFORM, "at most 4096 targets"),
        names("coverage", "union_failure_bound", "success_prob_lower", "success_prob_upper", "necessary_n"),
        simulation="sims.coverage",
        test="sims/test_coverage.py",
    ),
    Claim(
        "3.6",
        "Poisson picture of the uncovered gaps.",
        "random-energy (Poisson) picture",
        "heuristic",
        (UNIFORM, "n not small"),
        names("coverage", "success_prediction", "predicted_n"),
        simulation="sims.coverage",
        test="theory/test_coverage.py",
    ),
)
