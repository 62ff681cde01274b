"""Statements 4: from weights to networks."""

from __future__ import annotations

from theory.claim import PROOFS, UNIFORM, Claim, names

_NORMS = "spectral norms <= 1 (Frobenius <= 1 implies it)"

NETWORKS: tuple[Claim, ...] = (
    Claim(
        "4.2",
        "Effective weights within log(1+eps)/(l sqrt(d_i d_(i-1))) of the target's give a sup error of at most eps on "
        "the l2 ball; on the l_inf ball take eps/sqrt(d_0) for eps.",
        PROOFS,
        "proved",
        (_NORMS, "ReLU, no bias"),
        names("network.width", "layer_etas"),
        simulation="nets.main_theorem",
        test="theory/test_network_width.py",
        figure="6",
        short="weights within eta_i give sup error <= eps",
    ),
    Claim(
        "4.3",
        "n neurons with b and a aimed at their windows miss one weight with probability at most (1-q_b q_a)^n.",
        PROOFS,
        "proved",
        ("|w| <= 1", "0 < eta <= 1", UNIFORM),
        names(
            "network.gadget",
            "log_weight_miss_bound",
            "b_window_prob",
            "a_window_prob",
            "window_success_prob",
            "log_window_miss_prob",
        ),
        simulation="nets.main_theorem",
        test="theory/test_gadget.py",
        short="n neurons miss one weight with probability <= (1-q_b q_a)^n",
    ),
    Claim(
        "4.4",
        "Main theorem, our constants: sum_i 2 d_i d_(i-1) (1-q_i^2)^(n_i) <= delta suffices for sup error <= eps with "
        "probability >= 1-delta; n = 1 needs R to grow like log(1/delta).",
        PROOFS,
        "proved",
        (_NORMS, "masks and re-samplings chosen after all draws are seen"),
        names(
            "network.width",
            "required_n_ours",
            "failure_bound",
            "log_failure_bound",
            "required_R_for_minimal_width",
            "source_width",
        ),
        simulation="nets.main_theorem",
        test="nets/test_main_theorem.py",
        figure="6",
        short="main theorem with our constants",
    ),
    Claim(
        "4.5",
        "Main theorem as we recall it: n_i = 64 l^2 d_(i-1)^2 d_i/(eps^2 R^2) log(2 l d_(i-1) d_i/delta) suffices.",
        "chijiwa2021iterand",
        "recalled",
        ("Frobenius norms <= 1", "the wording and its domain are recalled, not checked against the text"),
        names("network.width", "required_n_recalled"),
        simulation="nets.main_theorem --statement recalled",
        test="nets/test_main_theorem.py",
        figure="5",
        short="main theorem as we recall it",
    ),
    Claim(
        "4.5 (b)",
        "As we recall it the statement holds for R = 1; for R > 1 the division by R^2 does not follow from windows.",
        PROOFS,
        "proved",
        (_NORMS, "l2 ball"),
        names("network.width", "required_n_recalled", "log_failure_bound"),
        test="theory/test_network_width.py",
        short="as recalled it holds for R = 1; dividing by R^2 does not follow",
    ),
    Claim(
        "4.5 (c)",
        "The corner n = 1, widths 1 1, exactly: failure = s(2-s)+2t^2. As we recall it the statement fails there only "
        "for delta below about 1e-21; with the neurons' roles fixed beforehand already below about 1e-4.",
        PROOFS,
        "proved",
        ("l = d = 1, F = [1]", "the thresholds are numerical"),
        names(
            "network.width",
            "corner_failure_exact",
            "corner_R",
            "corner_log_failure_exact",
            "corner_log_failure_designated",
        ),
        simulation="nets.main_theorem --widths 1 1",
        test="nets/test_main_theorem.py",
        figure="5",
        short="the corner n = 1, exactly: as recalled it fails only for delta below about 1e-21",
    ),
    Claim(
        "4.5 (d)",
        "A repair of the recalled form: 160.2 in place of 64 while R <= K_i, constant beyond, and n = 1 from "
        "R >= K_i log(4 l d_(i-1) d_i/delta) on.",
        PROOFS,
        "proved",
        (_NORMS, "l2 ball; on the l_inf ball if no hidden layer is narrower than the input, else with eps/sqrt(d_0)"),
        names("network.width", "required_n_repaired"),
        simulation="nets.main_theorem --statement repaired",
        test="theory/test_network_width.py",
        figure="5",
        short="a repair of the recalled form, for every R",
    ),
    Claim(
        "4.6",
        "One weight exactly: the law of a product of two draws, and of the best of R draws of b and then of a.",
        PROOFS,
        "proved",
        ("|w| <= 1", "0 < eta <= 1", UNIFORM, "any pair of draws: a bracket, exact where |w| + eta >= 1"),
        names(
            "network.gadget",
            "product_hit_prob",
            "neuron_log_success_prob",
            "neuron_log_miss_prob",
            "any_pair_log_miss_bracket",
            "weight_log_miss_prob",
        ),
        test="theory/test_gadget.py",
        short="one weight exactly: law of a product, best of R draws of b and of a",
    ),
    Claim(
        "4.8",
        "The certificate brackets sup ||f - g_M||: the upper end by rounded-up spectral norms, the lower end by an "
        "input at which it is attained.",
        PROOFS,
        "proved",
        ("IEEE float64, matrix products with the standard error bound", "effective weights taken as exact"),
        ("nets.certificate.certify", "nets.certificate.certify_batch"),
        test="nets/test_certificate.py",
        figure="6",
        short="certificate: lower <= sup error <= upper",
    ),
)
