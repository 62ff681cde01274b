"""Statement 4.7 and statements 5: neighbouring results, lower bounds, storage against sampling."""

from __future__ import annotations

from theory.claim import PROOFS, UNIFORM, Claim, names

_NORMS = "spectral norms <= 1 (Frobenius <= 1 implies it)"
_ANY = "any architecture, any law of the draws, any choice of masks and draws"

NEIGHBOURS: tuple[Claim, ...] = (
    Claim(
        "4.7",
        "Subset sums of products with R draws: N neurons per input coordinate make every weight of the layer, N of "
        "order log(1/eta) + log(1/delta) with every constant known, e.g. 142 log(1/eta) + 149 log(4/delta) a weight.",
        PROOFS,
        "proved",
        (_NORMS, UNIFORM, "masks and re-samplings chosen after all draws are seen"),
        names(
            "product_sum",
            "required_neurons",
            "required_n",
            "network_designs",
            "log_network_failure_bound",
            "drift_constant",
            "log_shift_failure_bound",
            "share_tail_closed_form",
            "neurons_closed_form",
            "success_prob_upper",
            "necessary_n",
        ),
        simulation="sims.product_sum",
        test="theory/test_product_sum.py",
        figure="3",
        short="subset sums of products: logarithmic width, every constant known",
    ),
    Claim(
        "5.1",
        "The targets of norm at most 1 hold 2^B functions more than 2 eps apart; "
        "B >= d_0 d_1 log2(1/(2 eps)) for l = 1.",
        PROOFS,
        "proved",
        ("spectral norms <= 1", "sup over the l2 ball"),
        names("necessary", "log2_packing"),
        test="theory/test_necessary.py",
        short="2^B targets more than 2 eps apart, B >= d_0 d_1 log2(1/(2 eps)) for l = 1",
    ),
    Claim(
        "5.2",
        "m elements with R draws each become at most (R+1)^m networks; fewer if only a share of them is kept.",
        PROOFS,
        "proved",
        ("each element is masked or shows one of its draws",),
        names("necessary", "log2_networks", "bits_per_param"),
        test="theory/test_necessary.py",
        short="m elements with R draws become at most (R+1)^m networks",
    ),
    Claim(
        "5.3",
        "m log2(R+1) >= B + log2(1-delta) is necessary: re-sampling divides the necessary parameters by log2(R+1) and "
        "by no more. With l = R = 1 and delta = 1/2 it is the lower bound of pensia2020 as restated.",
        PROOFS,
        "proved",
        ("spectral norms <= 1", _ANY, "every target reached with probability 1-delta on its own"),
        names("necessary", "necessary_params", "necessary_width"),
        test="theory/test_necessary.py",
        figure="3",
        short="m log2(R+1) >= B + log2(1-delta): re-sampling saves a factor log2(R+1) and no more",
    ),
    Claim(
        "5.3 (a)",
        "m >= d^2 log2(1/(2 eps)) - 1 parameters are necessary (restated form; 5.3 proves this form).",
        "pensia2020",
        "read",
        ("W of shape d x d, norm at most 1", "probability 1/2", "the published wording was not checked"),
        names("necessary", "necessary_params_pensia"),
        test="theory/test_necessary.py",
        figure="3",
        short="m >= d^2 log2(1/(2 eps)) - 1 parameters, as restated: our 5.3 at l = R = 1, delta = 1/2",
    ),
    Claim(
        "5.3 (b)",
        "(d^2/2) log2(k/eps)/H2(k/n) parameters are necessary for masks of density k/n.",
        "natale2024",
        "read",
        ("eps < 1/16",),
        names("necessary", "necessary_params_natale"),
        test="theory/test_necessary.py",
        figure="3",
        short="necessary parameters for masks of density k/n, as quoted",
    ),
    Claim(
        "5.4",
        "Storage against sampling: the optimal (n, R) for a price per stored value and a price per draw is found by "
        "looking at finitely many R.",
        PROOFS,
        "proved",
        (UNIFORM, "the optimum is that of the n(R) that is used: exact, proved sufficient, necessary or predicted"),
        names("necessary.trade_off", "iso_success", "optimum"),
        test="theory/test_trade_off.py",
        figure="12",
        short="storage against sampling: the cheapest (n, R) for given prices",
    ),
    Claim(
        "5.5",
        "Widths of neighbouring results; where the constant is unknown, shapes only.",
        "pensia2020",
        "recalled",
        ("each row of theory.necessary.widths.RESULTS names its paper and how sure each part is",),
        names("necessary.widths", "width", "table", "burkholz_constant"),
        test="theory/test_widths.py",
        figure="3",
        short="widths of neighbouring results; shapes only where the constant is unknown",
    ),
)
