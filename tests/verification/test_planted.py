"""Errors planted in the source of theory, one at a time: the facts about rounding or other facts must notice each.

Each is a plausible slip: a rounding dropped or turned round, an index off by one, < for <=, a wrong constant. It is put
into a copy of the package, where the facts of ``sims.verify`` are asked in a process of their own.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.verification

ROOT = Path(__file__).parents[2]

FACTS = """
import sys
from sims.checks import run
from sims.checks.check import Fact
from sims.verify import chosen
facts = [check for check in run.collect(1, chosen(sys.argv[1:])) if isinstance(check, Fact)]
assert facts
sys.exit(any(outcome.failed for outcome in run.run(facts, 1, 5.0, 1, lambda *_: None)))
"""

PLANTED = [
    (
        "single_weight",
        "1",
        "single_weight/bound.py",
        "Fraction(raised(-math.log(delta)))",
        "Fraction(-math.log(delta))",
    ),
    (
        "single_weight",
        "1",
        "single_weight/bound.py",
        "Fraction(raised(-math.log(delta)))",
        "Fraction(math.nextafter(-math.log(delta), 0.0))",
    ),
    ("single_weight", "1", "single_weight/bound.py", "math.ceil(2 *", "math.floor(2 *"),
    ("single_weight", "1", "single_weight/bound.py", "Fraction(asked.eps) / 2)", "Fraction(asked.eps))"),
    ("single_weight", "1", "single_weight/law.py", "exact(Fraction(2, draws + 1))", "exact(Fraction(2, draws))"),
    ("single_weight", "1", "single_weight/law.py", "width + min(width, 1 -", "width + max(width, 1 -"),
    (
        "single_weight",
        "1",
        "single_weight/law.py",
        "return bool(gap < 0)",
        "return bool(gap < 0 or gap < exact(1e-12))",
    ),
    ("single_weight", "1", "single_weight/question.py", "return complement_below(", "return 1e-15 + complement_below("),
    ("single_weight", "1", "single_weight/question.py", "up(-(draws", "-up((draws"),
    (
        "single_weight",
        "1",
        "numerics/rounding.py",
        "return math.nextafter(math.nextafter(x, math.inf), math.inf)",
        "return x",
    ),
    (
        "recycling",
        "6",
        "numerics/rounding.py",
        "return math.nextafter(math.nextafter(x, -math.inf), -math.inf)",
        "return x",
    ),
    (
        "recycling",
        "6",
        "numerics/rounding.py",
        "Fraction(value) >= exact else math.nextafter(value, math.inf)",
        "Fraction(value) >= exact else value",
    ),
    (
        "recycling",
        "6",
        "numerics/rounding.py",
        "Fraction(value) <= exact else math.nextafter(value, -math.inf)",
        "Fraction(value) <= exact else value",
    ),
    ("single_weight", "1", "numerics/logspace.py", "else value + 2 * math.ulp(0.0)", "else value"),
    (
        "subset_sum",
        "2",
        "numerics/rounding.py",
        "exp_up(log_bound) * (1.0 + 4 * UNIT)",
        "exp_up(log_bound) * (1.0 - 4 * UNIT)",
    ),
    (
        "subset_sum",
        "2",
        "numerics/rounding.py",
        "-math.expm1(min(0.0, log_bound)) * (1.0 - 4 * UNIT)",
        "-math.expm1(min(0.0, log_bound)) * (1.0 + 4 * UNIT)",
    ),
    ("subset_sum", "2", "numerics/irwin_hall.py", "return 1.01 * (11 * k + 2) * UNIT", "return 0.1 * UNIT"),
    ("single_weight", "1 2 4.4", "numerics/invert.py", "while good - bad > 1:", "while good - bad > 2:"),
    (
        "subset_sum",
        "2",
        "numerics/irwin_hall.py",
        "1.0 if abs(alpha) <= eps else 0.0",
        "1.0 if abs(alpha) < eps else 0.0",
    ),
    (
        "subset_sum",
        "2",
        "subset_sum/first_moment.py",
        "(1 + Fraction(window_error(order)))",
        "(1 - Fraction(window_error(order)))",
    ),
    (
        "subset_sum",
        "2",
        "subset_sum/first_moment.py",
        "math.nextafter(float(total), math.inf)",
        "math.nextafter(float(total), 0.0)",
    ),
    ("subset_sum", "2", "subset_sum/first_moment.py", "for k in range(n + 1):", "for k in range(n):"),
    ("subset_sum", "2", "subset_sum/first_moment.py", "while power < wanted:", "while power <= wanted:"),
    (
        "subset_sum",
        "2",
        "subset_sum/blocks.py",
        "any_of(single, case.vectors) * (1.0 - 8 * UNIT)",
        "any_of(single, case.vectors) * (1.0 + 8 * UNIT)",
    ),
    ("subset_sum", "2", "subset_sum/blocks.py", "_SHRINK = 1.0 - 128 * UNIT", "_SHRINK = 1.0 + 128 * UNIT"),
    ("subset_sum", "2", "subset_sum/blocks.py", "n * math.log(0.75)", "n * math.log(0.74)"),
    ("subset_sum", "2", "subset_sum/blocks.py", "math.log1p(-eps) - math.log(eps)", "-math.log(2 * eps)"),
    (
        "subset_sum",
        "2",
        "subset_sum/required.py",
        "Fraction(-log * (1.0 - 4 * UNIT))",
        "Fraction(-log * (1.0 + 4 * UNIT))",
    ),
    (
        "subset_sum",
        "2",
        "subset_sum/second_moment.py",
        "top * top / bottom * (1.0 - 16 * UNIT)",
        "top * top / bottom * (1.0 + 16 * UNIT)",
    ),
    (
        "subset_sum",
        "2",
        "subset_sum/second_moment.py",
        "float(c @ moments @ c) + slack",
        "float(c @ moments @ c) - slack",
    ),
    ("subset_sum", "2", "subset_sum/second_moment.py", "(rest <= n - k)", "(rest < n - k)"),
    ("subset_sum", "2", "subset_sum/second_moment.py", "- float(held @ v_off)", "+ float(held @ v_off)"),
    ("subset_sum", "2", "subset_sum/second_moment.py", "bottom += float(held", "bottom -= float(held"),
    ("subset_sum", "2", "subset_sum/weighted.py", "2 / 3 * eps**3 * law.rise", "1 / 3 * eps**3 * law.rise"),
    ("subset_sum", "2", "subset_sum/cells.py", "float(steps.sum()) / 4", "float(steps.sum()) / 8"),
    ("subset_sum", "2", "subset_sum/cells.py", "max(self.weights) / 2", "max(self.weights) / 4"),
    ("subset_sum", "2", "subset_sum/cells.py", "sign * moved + k * (CELLS - 1)", "sign * moved + k * CELLS"),
    ("subset_sum", "2", "subset_sum/last_variable.py", "(more * (R - 1))", "(more * R)"),
    ("subset_sum", "2", "subset_sum/last_variable.py", "power[others]", "power[others // 2]"),
    (
        "subset_sum",
        "2",
        "subset_sum/second_moment.py",
        "(vectors - 1) / vectors * inner[0]",
        "(vectors - 2) / vectors * inner[0]",
    ),
    (
        "subset_sum",
        "2",
        "subset_sum/first_moment.py",
        "return lowered(math.log(lower)), min(0.0, raised(math.log(upper)))",
        "return lowered(math.log(lower)), min(0.0, lowered(math.log(upper)))",
    ),
    ("coverage", "3", "coverage/tail.py", "missing * gained) * (1.0 - _SLACK)", "missing * gained) * (1.0 + _SLACK)"),
    ("coverage", "3", "coverage/tail.py", "(j < i) | (begins", "(j <= i) | (begins"),
    (
        "coverage",
        "3",
        "coverage/lower_bound.py",
        "math.nextafter(1.0 - failure, 0.0)",
        "math.nextafter(1.0 - failure, 2.0)",
    ),
    ("coverage", "3", "coverage/windows.py", "min(2 * slack, slack + margin)", "2 * slack"),
    ("coverage", "3", "coverage/windows.py", "math.nextafter(1.0 - self.missing, 2.0)", "1.0 - 1.001 * self.missing"),
    ("coverage", "3", "coverage/windows.py", "min(near, -left) + min(near, right)", "2 * near"),
    ("coverage", "3", "coverage/windows.py", "else math.nextafter(value, 0.0)", "else value"),
    ("coverage", "3", "coverage/tail.py", "c - moves\n", "c - moves + 1\n"),
    ("coverage", "3", "coverage/tail.py", "x * (1.0 - end) * (1.0 - 2.0**-48)", "x * (1.0 - start) * (1.0 - 2.0**-48)"),
    ("coverage", "3", "coverage/tail.py", "np.minimum(0.5 / x, missing)", "np.maximum(0.5 / x, missing)"),
    (
        "coverage",
        "3",
        "coverage/tail.py",
        "np.maximum(0.0, level[:-1] - level[1:])",
        "np.maximum(0.0, level[:-1] - 1.0)",
    ),
    ("coverage", "3", "coverage/tail.py", "new = self._idle * level", "new = 0.0 * level"),
    ("coverage", "3", "coverage/targets.py", "Fraction(1 - 2**-20))) + 1", "Fraction(1 - 2**-20))) - 1"),
    ("coverage", "3", "coverage/targets.py", "eps=asked.eps / 2, alpha", "eps=asked.eps, alpha"),
    ("coverage", "3", "coverage/targets.py", "2 if folded and", "1 if folded and"),
    ("coverage", "3", "coverage/potential.py", "x) * (1.0 + 2.0**-50)", "x) * (1.0 - 2.0**-50)"),
    ("coverage", "3", "coverage/potential.py", "_SAFE * (1.0 + sum(abs", "-_SAFE * (1.0 + sum(abs"),
    ("coverage", "3", "coverage/targets.py", "(R + 1) ** n * 2 * Fraction(eps)", "(R + 1) ** n * Fraction(eps)"),
    (
        "coverage",
        "3",
        "coverage/tail.py",
        "* (1.0 + _SLACK) + slope * (2 * _SLACK)",
        "* (1.0 - _SLACK) - slope * (2 * _SLACK)",
    ),
    ("coverage", "3", "coverage/tail.py", "(R + 1.0) * grid[1:]", "(R + 0.0) * grid[1:]"),
    ("product_sum", "4.7", "product_sum/steps.py", "np.minimum(hit[1:], hit[:-1])", "np.maximum(hit[1:], hit[:-1])"),
    ("product_sum", "4.7", "product_sum/steps.py", "@ tail) * (1.0 - SAFE)", "@ tail) * (1.0 + SAFE)"),
    (
        "product_sum",
        "4.7",
        "product_sum/bounds.py",
        "return math.nextafter(eta / reach, 0.0)",
        "return math.nextafter(eta / reach, 1.0)",
    ),
    ("product_sum", "4.7", "product_sum/bounds.py", "(1.0 + 1e-13)", "(1.0 - 1e-13)"),
    (
        "product_sum",
        "4.7",
        "product_sum/bounds.py",
        "0.5 * unit, math.nextafter(1.0 - 0.25 * unit, 2.0)",
        "0.5 * unit, math.nextafter(1.0 - 0.5 * unit, 2.0)",
    ),
    ("product_sum", "4.7", "product_sum/steps.py", "less * (1.0 - 1e-12)", "less * (1.0 + 1e-12)"),
    ("product_sum", "4.7", "product_sum/steps.py", "(k + 1.0) / parts", "(k + 0.0) / parts"),
    ("product_sum", "4.7", "product_sum/steps.py", "Step(usable * (between", "Step(1.2 * usable * (between"),
    (
        "product_sum",
        "4.7",
        "product_sum/first_moment.py",
        "contribution_hit_prob(w, eps, R) + _ROUNDING",
        "contribution_hit_prob(w, eps, R) - _ROUNDING",
    ),
    (
        "product_sum",
        "4.7",
        "product_sum/steps.py",
        "math.log(neuron_factor(reach, R, usable=usable)) * (1.0 - 1e-13)",
        "math.log(neuron_factor(reach, R, usable=usable)) * (1.0 + 1e-11)",
    ),
    ("product_sum", "4.7", "product_sum/bounds.py", "(1.0 - 1e-15)", "(1.0 + 1e-15)"),
    (
        "product_sum",
        "4.7",
        "product_sum/steps.py",
        "_log_laplace(reach, R)) + SAFE)",
        "_log_laplace(reach, R)) - SAFE)",
    ),
    (
        "product_sum",
        "4.7",
        "product_sum/steps.py",
        "(math.log(12.0) - math.log(delta))) * (1.0 + 1e-12))",
        "(math.log(12.0) - math.log(delta))) * (1.0 - 1e-12))",
    ),
    ("network", "4.4", "network/width.py", "return value + 16 * UNIT", "return value + 0 * UNIT"),
    ("network", "4.5", "network/width.py", "Fraction(1602, 640)", "Fraction(1601, 640)"),
    (
        "network",
        "4.4",
        "network/convolution.py",
        "down((exact(eps).log1p() / taps).expm1())",
        "down((exact(eps).log1p() / taps).expm1()) * (1 + 1e-15)",
    ),
    (
        "network",
        "4.4",
        "network/convolution.py",
        "lowered(log_delta - raised(2.0 * math.log",
        "lowered(log_delta - raised(1.0 * math.log",
    ),
    ("network", "4.4", "network/question.py", "return complement_below(", "return 1e-15 + complement_below("),
    (
        "network",
        "4.5",
        "network/width.py",
        "K * (2 * l * into * out * exact(2 / Fraction(delta))).log() <= R",
        "K * log_share <= R",
    ),
    ("network", "4.3", "network/gadget.py", "min(half, 1 - abs", "max(half, 1 - abs"),
    ("network", "4.5", "network/corner.py", "/ exact(eps)).upper().ceil()", "/ exact(eps)).lower().floor()"),
    (
        "network",
        "4.3",
        "network/gadget.py",
        "return log_mb + (-(log_ma - log_mb).exp() * log_mb.expm1()).log1p()",
        "return log_mb + (-(log_ma - log_mb).exp() * log_mb.expm1() / 2).log1p()",
    ),
    ("network", "4.2", "network/layers.py", "exact(Fraction(d[0])).sqrt()", "exact(Fraction(d[0]))"),
    (
        "network",
        "4.4",
        "network/convolution.py",
        "return log_bound if kernel == 1 else raised(log_bound + raised(2.0",
        "return log_bound if kernel == 1 else raised(log_bound + raised(1.0",
    ),
    ("necessary", "5", "necessary/bounds.py", "max(0.0, down(_packing(d, eps)))", "max(0.0, up(_packing(d, eps)))"),
    ("necessary", "5", "necessary/bounds.py", "return up(_bits(R, density))", "return down(_bits(R, density))"),
    ("necessary", "5", "necessary/bounds.py", "ratio.lower().ceil()", "ratio.upper().ceil()"),
    ("necessary", "5", "necessary/bounds.py", "_log2(8 * Fraction(eps) ** 2) / 2", "_log2(4 * Fraction(eps) ** 2) / 2"),
    ("necessary", "5", "necessary/bounds.py", "if kept * (R + 1) >= R:", "if kept * (R + 2) >= R:"),
    ("necessary", "5", "necessary/bounds.py", "return up(m * _bits", "return down(m * _bits"),
    ("recycling", "6", "recycling/tail.py", "(1.0 - (8 * n + 32) * UNIT)", "(1.0 + (8 * n + 32) * UNIT)"),
    ("recycling", "6", "recycling/tail.py", "(1.0 - 2 * UNIT)", "(1.0 + 2 * UNIT)"),
    (
        "recycling",
        "6",
        "recycling/upper_bound.py",
        "math.nextafter(1.0 - certain_failure(n, eps=eps, alpha=alpha), 1.0)",
        "math.nextafter(1.0 - certain_failure(n, eps=eps, alpha=alpha), 0.0)",
    ),
    ("recycling", "6", "recycling/lower_bound.py", "best * (1.0 - 256 * UNIT)", "best * (1.0 + 256 * UNIT)"),
    (
        "recycling",
        "6",
        "recycling/upper_bound.py",
        "wanted = math.nextafter(1.0 - delta, 0.0)",
        "wanted = math.nextafter(1.0 - delta, 1.0)",
    ),
    ("recycling", "6", "recycling/tail.py", "return value if value >= SMALLEST_NORMAL else 0.0", "return value"),
    ("recycling", "6", "recycling/tail.py", "total - slack", "total + slack"),
    (
        "recycling",
        "6",
        "recycling/lower_bound.py",
        "wanted = lowered(math.log(delta))",
        "wanted = -lowered(-math.log(delta))",
    ),
    (
        "binary_weights",
        "7",
        "binary_weights/question.py",
        "math.nextafter(self.success_exact(n) * (1.0 - _ROUNDING), 0.0)",
        "math.nextafter(self.success_exact(n) * (1.0 + _ROUNDING), 1.0)",
    ),
    ("binary_weights", "7", "binary_weights/bounds.py", "(1.0 + 1e-14)", "(1.0 - 1e-14)"),
    ("binary_weights", "7", "binary_weights/gain.py", ".lower().ceil()", ".upper().ceil()"),
    ("binary_weights", "7", "binary_weights/error.py", "else math.nextafter(eps, 1.0)", "else eps"),
    ("binary_weights", "7", "binary_weights/depth.py", "((depth - 3) * carriers + 1)", "((depth - 3) * carriers)"),
    (
        "binary_weights",
        "7",
        "binary_weights/depth.py",
        "users, used = (depth - 2) * carriers + 1, spent(carriers)",
        "users, used = (depth - 2) * carriers, spent(carriers)",
    ),
    ("binary_weights", "7", "binary_weights/law.py", "return delta >= 0.5", "return delta > 0.5"),
    (
        "binary_weights",
        "7",
        "binary_weights/law.py",
        "return total + arb(rest.upper() / 2, (rest.upper() / 2).upper())",
        "return total",
    ),
    (
        "single_weight",
        "1",
        "single_weight/bound.py",
        "return above(",
        "return (lambda x: math.nextafter(above(x), -math.inf))(",
    ),
    (
        "single_weight",
        "1",
        "single_weight/law.py",
        "PRECISION + max(0, -math.frexp(eps)[1])",
        "PRECISION // 2 + max(0, 0)",
    ),
    (
        "single_weight",
        "1",
        "single_weight/law.py",
        "return small**draws <= Fraction(delta)",
        "return small**draws < Fraction(delta)",
    ),
    ("single_weight", "1", "numerics/balls.py", "while arb(value) < top:", "while False:"),
    ("network", "4.4", "numerics/balls.py", "return -up(-ball)", "return up(ball)"),
    ("network", "4.2", "network/layers.py", "down(whole / exact", "-down(-whole / exact"),
    ("network", "4.4", "network/width.py", "16 * UNIT * (abs(value)", "-16 * UNIT * (abs(value)"),
    ("network", "4.3", "network/gadget.py", "return min(0.0, up(at_most", "return min(0.0, -up(-at_most"),
    (
        "network",
        "4.4",
        "network/convolution.py",
        "raised(log_bound + raised(2.0 * math.log(kernel)))",
        "log_bound + 2.0 * math.log(kernel) * (1 - 1e-15)",
    ),
    (
        "network",
        "4.4",
        "network/convolution.py",
        "lowered(log_delta - raised(2.0 * math.log(kernel)))",
        "log_delta - 2.0 * math.log(kernel) * (1 - 1e-14)",
    ),
]
"""Package, claims, file, what stands there and what is planted instead."""


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree with a theory of its own."""
    tree = tmp_path_factory.mktemp("planted")
    shutil.copytree(ROOT / "theory", tree / "theory", ignore=shutil.ignore_patterns("__pycache__"))
    (tree / "sims").symlink_to(ROOT / "sims")
    return tree


def exit_code(tree: Path, claims: str) -> int:
    """0 if no fact of these claims fails."""
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", FACTS, *claims.split()]
    return subprocess.run(command, cwd=tree, env=environment, capture_output=True, check=False).returncode


def test_nothing_is_noticed_where_nothing_is_planted(copy: Path) -> None:
    for claims in sorted({claims for _, claims, *_ in PLANTED}):
        assert exit_code(copy, claims) == 0


@pytest.mark.parametrize(
    ("claims", "file", "right", "wrong"),
    [pytest.param(*rest, id=f"{package}-{i}") for i, (package, *rest) in enumerate(PLANTED)],
)
def test_a_planted_error_is_noticed(copy: Path, claims: str, file: str, right: str, wrong: str) -> None:
    path = copy / "theory" / file
    source = path.read_text(encoding="utf-8")
    assert source.count(right) == 1, "the planted error has lost its place"
    path.write_text(source.replace(right, wrong), encoding="utf-8")
    try:
        assert exit_code(copy, claims) == 1
    finally:
        path.write_text(source, encoding="utf-8")
