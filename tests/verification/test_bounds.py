"""The proved bounds of sections 1 and 2 against large simulations: ``make verify``, a few minutes.

Every table is judged at a false-alarm rate of 1e-6 (``sims.statistics.verdict``); the controls show that an exact
formula wrong
by five per cent, or a bound wrong by half, would not pass.
"""

import json

import pytest

import sims.single_weight
import sims.subset_sum
from sims.statistics.verdict import CONSISTENT, REFUTED, verdicts

pytestmark = pytest.mark.verification

ALPHAS = ["0.5", "0", "-1", "0.97", "uniform"]


def rows(command: object, capsys: pytest.CaptureFixture, *argv: str) -> list[dict]:
    assert command.main([*argv, "--json", "--check"]) == 0
    return json.loads(capsys.readouterr().out)["rows"]


@pytest.mark.parametrize("model", ["choice", "vector"])
@pytest.mark.parametrize("R", ["1", "2", "5"])
@pytest.mark.parametrize("eps", ["1e-1", "1e-2", "1e-3", "1e-4", "1e-5", "1e-6"])
def test_subset_sum_band(capsys: pytest.CaptureFixture, eps: str, R: str, model: str) -> None:
    found = rows(
        sims.subset_sum, capsys, "--R", R, "--eps", eps, "--alpha", *ALPHAS, "--trials", "1e5", "--seed", "2026",
        "--model", model,
    )  # fmt: skip
    assert REFUTED not in {row["verdict"] for row in found}
    # controls: each band moved past its own data by half
    steep = [row for row in found if 0.05 < row["success"] < 0.6]
    assert steep
    counts = [(row["successes"], row["trials"]) for row in steep]
    raised = verdicts(counts, [(1.5 * row["success"], 1.0) for row in steep])
    lowered = verdicts(counts, [(0.0, row["success"] / 1.5) for row in steep])
    assert {*raised, *lowered} == {REFUTED}


@pytest.mark.parametrize("sampler", ["draws", "nearest"])
@pytest.mark.parametrize("eps", ["1e-1", "1e-3"])
def test_single_weight_exact(capsys: pytest.CaptureFixture, eps: str, sampler: str) -> None:
    trials, n = ("1e6", "1:40:13") if eps == "1e-1" else ("2e5", "100:2000:950")
    alphas = ALPHAS if sampler == "draws" else ALPHAS[:-1]
    found = rows(
        sims.single_weight, capsys, "--R", "1", "3", "--eps", eps, "--n", n, "--alpha", *alphas, "--trials", trials,
        "--seed", "2026", "--sampler", sampler,
    )  # fmt: skip
    assert {row["verdict"] for row in found} == {CONSISTENT}
    middle = [row for row in found if 0.05 < row["exact"] < 0.95]
    assert middle
    counts = [(row["successes"], row["trials"]) for row in middle]
    wrong = verdicts(counts, [(min(1.0, 1.05 * row["exact"]),) * 2 for row in middle])
    assert set(wrong) == {REFUTED}
