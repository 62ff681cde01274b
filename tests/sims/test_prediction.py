"""Commands say what they will take, and refuse what would take too long or does not fit."""

import importlib
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sims import coverage, single_weight, subset_sum
from sims.commands import prediction
from sims.commands.prediction import Prediction, announce, foresee, trials_until
from sims.options import Options, Request
from sims.registry import experiment
from sims.run import run
from sims.statistics.intervals import confidence_sequence
from sims.sweep import command as sweep
from theory.single_weight import SingleWeight
from theory.subset_sum import SubsetSum

LONG = ["--R", "1", "--eps", "1e-6", "--trials", "1e12", "--seed", "1"]


def test_what_takes_longer_than_a_day_is_refused(refused: Callable) -> None:
    started = time.monotonic()
    refused(subset_sum.main, LONG, "days, more than a day; --max-time inf goes on")
    assert time.monotonic() - started < 30


def test_what_takes_longer_than_asked_for_is_refused(refused: Callable) -> None:
    refused(subset_sum.main, ["--eps", "1e-6", "--trials", "1e9", "--max-time", "2s"], "more than --max-time, 2 s")
    refused(coverage.main, ["--eps", "1e-4", "--trials", "1e6", "--max-time", "1"], "more than --max-time, 1 s")
    refused(single_weight.main, ["--R", "1e9", "--eps", "1e-9", "--trials", "9", "--max-time", "1s"], "this would take")


@pytest.mark.parametrize("given", ["0", "-1", "soon", "2y", "nan", "h"])
def test_a_time_is_a_time(given: str, refused: Callable) -> None:
    message = f"--max-time takes a time > 0 such as 90, 5m, 2h or inf, got '{given}'"
    refused(subset_sum.main, ["--max-time", given], message)


def test_what_is_allowed_goes_on(capsys: pytest.CaptureFixture) -> None:
    assert subset_sum.main(["--n", "1:3", "--trials", "1000", "--max-time", "1m", "--quiet"]) == 0
    assert capsys.readouterr().err == ""


def test_only_what_takes_seconds_is_announced(capsys: pytest.CaptureFixture) -> None:
    announce(Prediction(4000.0, 2**20))
    assert capsys.readouterr().err == "this takes about 1 h 06 min and 1.0 MiB of memory\n"
    announce(Prediction(4000.0, 2**20, at_most=True))
    assert "at most about 1 h 06 min" in capsys.readouterr().err
    announce(Prediction(4000.0, 2**20), quiet=True)
    announce(Prediction(2.0, 2**20))
    announce(Prediction(4 * 86400.0, 2**20), max_time=5 * 86400.0, quiet=True)
    assert capsys.readouterr().err == ""
    with pytest.raises(ValueError, match=r"this would take about 4\.0 days, more than a day"):
        announce(Prediction(4 * 86400.0, 2**20), quiet=True)


def test_what_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch, refused: Callable) -> None:
    with pytest.raises(ValueError, match=r"this needs about 1 PiB of memory, .* are available"):
        announce(Prediction(1.0, 2**50))
    monkeypatch.setattr(prediction, "available_bytes", lambda: 2**16)
    refused(subset_sum.main, ["--n", "2", "--trials", "10"], "of memory, 64.0 KiB are available")


@pytest.mark.parametrize("width", [0.5, 0.2, 0.05, 0.02])
def test_no_row_needs_more_trials_than_predicted(width: float) -> None:
    most = trials_until(width, 10**9)
    lengths = [high - low for low, high in (confidence_sequence(k, most) for k in range(0, most + 1, most // 97))]
    assert max(lengths) < width
    found = run(SubsetSum(R=2, eps=0.05), n=[3, 4, 5], until=width, trials=10**6, seed=1)
    assert max(row["trials"] for row in found.rows) <= most


def test_with_until_the_most_that_may_be_needed_is_predicted() -> None:
    kind = experiment("subset_sum")

    def seconds(**options: object) -> float:
        request = Request((SubsetSum(R=1, eps=1e-6),), Options(n=(20,), jobs=1, seed=1, **options))
        found = foresee(kind, request, kind.passes(request))
        assert found.at_most == ("until" in options)
        return found.seconds

    assert seconds(trials=10**9, until=0.01) < 1e-3 * seconds(trials=10**9)


def test_the_prediction_is_of_the_right_size() -> None:
    kind = experiment("single_weight")
    question = SingleWeight(R=10**7, eps=1e-7)
    request = Request((question,), Options(n=(1,), trials=12, jobs=1, seed=1))
    predicted = foresee(kind, request, kind.passes(request)).seconds
    started = time.process_time()
    run(question, n=1, trials=12, jobs=1, seed=1)
    assert predicted / 6 < time.process_time() - started < 6 * predicted


@pytest.mark.parametrize(
    ("command", "argv"),
    [("subset_sum", ["--R", "1:1000000"]), ("single_weight", ["--R", "1:1000000"]), ("coverage", ["--R", "1:1000000"]),
     ("sweep", ["subset_sum", "--R", "1:1000000", "--store", "s"]), ("single_weight", ["--n", "1:1000000"])],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)  # fmt: skip
def test_the_formulas_of_many_rows_are_foreseen_too(command: str, argv: list[str], refused: Callable) -> None:
    main = importlib.import_module(f"sims.{command}" + (".command" if command == "sweep" else "")).main
    refused(main, [*argv, "--trials", "100", "--max-time", "9s"], " rows, would take about ")


@pytest.mark.parametrize(
    ("command", "argv", "says"),
    [
        ("recycling", ["--n", "1000000"], "n=1000000 is out of reach"),
        ("recycling", ["--n", "1:1000000"], "n=1000000 is out of reach"),
        ("product_sum", ["--eps", "1e-300"], "eps must be at least 2^-40"),
        ("fixed_size", ["--n", "1000000"], "the limit is 2^27"),
        ("subset_sum", ["--delta", "1e-300"], "of memory"), ("draw_code", ["--n", "1e9"], "n must be an integer in"),
        *((name, ["--jobs", "1e6"], "jobs must be an integer in [1, 4096]") for name in ("grid_sum", "vector_sum")),
        *((name, ["--trials", "1e18"], "trials must be an integer in") for name in ("movable_sum", "binary_weights")),
    ],
)  # fmt: skip
def test_absurd_sizes_are_refused_at_once(command: str, argv: list[str], says: str, refused: Callable) -> None:
    refused(importlib.import_module(f"sims.{command}").main, argv, says)


@pytest.mark.parametrize(("options", "expected"), [({}, 80.0), ({"jobs": 4}, 20.0)])
def test_finishing_is_foreseen(options: dict, expected: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock that a bound alone moves, by a second each."""
    kind, now = experiment("single_weight"), [0.0]

    def bounds(question: object, n: int) -> None:
        now[0] += 1.0

    monkeypatch.setattr(prediction.time, "process_time", lambda: now[0])
    monkeypatch.setattr(kind, "bounds", bounds)
    questions = tuple(SingleWeight(R=R, eps=0.1, alpha=a / 9) for R in range(1, 5) for a in range(10))
    request = Request(questions, Options(n=(1, 2), trials=100, seed=1, **{"jobs": 1, **options}))
    assert prediction.finishing_seconds(kind, request) == pytest.approx(expected, rel=0.01)


def test_what_takes_long_to_finish_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Callable, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(prediction, "finishing_seconds", lambda *_: 100.0)
    monkeypatch.setattr(sweep, "finishing_seconds", lambda *_: 100.0)
    monkeypatch.chdir(tmp_path)
    argv = ["--n", "1", "--trials", "10", "--seed", "1", "--max-time", "50s"]
    refused(single_weight.main, argv, "would take about 1 min 40 s, more than --max-time, 50 s")
    assert sweep.main(["single_weight", *argv, "--store", "s"]) == 2
    assert "would take about 1 min 40 s, more than --max-time, 50 s" in capsys.readouterr().err
