"""One call simulates: the same rows as the command, a result that reads well, and one experiment for every question."""

import dataclasses
import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from sims import (
    binary_weights,
    coverage,
    draw_code,
    fixed_size,
    grid_sum,
    movable_sum,
    recycling,
    single_weight,
    subset_sum,
)
from sims.experiment import Options, Request
from sims.registry import EXPERIMENTS, NAMES, experiment, experiment_of, figure_of
from sims.run import run
from sims.statistics.result import Result
from theory.binary_weights import BinaryWeights
from theory.bits import DrawCode
from theory.coverage import Coverage
from theory.fixed_size import FixedSize
from theory.grid_sum import GridSum
from theory.movable_sum import MovableSum
from theory.recycling import Recycling
from theory.single_weight import SingleWeight
from theory.subset_sum import SubsetSum

CASES = [
    (
        [SubsetSum(R=R, eps=eps) for R in (1, 2) for eps in (0.05, 0.2)],
        {"n": range(1, 6), "trials": 2e3, "seed": 3},
        (subset_sum, "--R 1 2 --eps 0.05 0.2 --n 1:5 --trials 2e3 --seed 3"),
    ),
    (
        SingleWeight(R=5, eps=0.1, sampler="nearest"),
        {"trials": 1000, "seed": 1, "first_trial": 70, "delta": 0.1},
        (single_weight, "--R 5 --eps 0.1 --sampler nearest --trials 1000 --seed 1 --first-trial 70 --delta 0.1"),
    ),
    (
        Coverage(eps=0.1, low=-0.25),
        {"n": [5, 7], "trials": 300, "seed": 2, "method": "bitmap", "bits": 9},
        (coverage, "--eps 0.1 --interval -0.25 0.5 --n 5 7 --trials 300 --seed 2 --method bitmap --bits 9"),
    ),
    (
        Recycling(eps=0.05),
        {"n": range(1, 5), "trials": 1000, "seed": 4, "R": (1, 3)},
        (recycling, "--eps 0.05 --n 1:4 --trials 1000 --seed 4 --R 1 3"),
    ),
    (
        FixedSize(eps=0.05, size=3),
        {"n": 4, "trials": 1000, "seed": 5},
        (fixed_size, "--eps 0.05 --size 3 --n 4 --trials 1000 --seed 5"),
    ),
    (
        DrawCode(eps=0.1, d=2),
        {"n": [4, 7], "trials": 1000, "seed": 5},
        (draw_code, "--eps 0.1 --d 2 --n 4 7 --trials 1000 --seed 5"),
    ),
    (
        GridSum(grid=20, tolerance=1),
        {"n": 4, "trials": 1000, "seed": 5},
        (grid_sum, "--grid 20 --tolerance 1 --n 4 --trials 1000 --seed 5"),
    ),
    (
        MovableSum(eps=0.05, move=0.01),
        {"n": 4, "trials": 1000, "seed": 5},
        (movable_sum, "--eps 0.05 --move 0.01 --n 4 --trials 1000 --seed 5"),
    ),
    (
        BinaryWeights(eps=0.05, kind="two-stage", inner=2, gain=0.15),
        {"n": 4, "trials": 1000, "seed": 5, "until": 0.05},
        (binary_weights, "--eps 0.05 --kind two-stage --inner 2 --gain 0.15 --n 4 --trials 1000 --seed 5 --until 0.05"),
    ),
]


@pytest.mark.parametrize(("question", "options", "command"), CASES, ids=[case[2][0].__name__ for case in CASES])
def test_the_call_and_the_command_find_the_same(
    question: object, options: dict, command: tuple, capsys: pytest.CaptureFixture
) -> None:
    module, line = command
    result = run(question, **options)
    assert module.main([*line.split(), "--json"]) == 0
    printed, called = json.loads(capsys.readouterr().out), json.loads(result.to_json())
    for content in (printed, called):
        del content["provenance"], content["params"]["jobs"]
    assert called == printed


def test_none_means_the_default() -> None:
    question = SubsetSum(eps=0.1)
    rows = run(question, n=3, trials=100, seed=1, jobs=None, until=None, delta=None).rows
    assert rows == run(question, n=3, trials=100, seed=1).rows


def test_threads_change_nothing() -> None:
    rows = [run(SubsetSum(eps=0.05), n=6, trials=50_000, seed=1, jobs=jobs).rows for jobs in (1, 3)]
    assert rows[0] == rows[1]


@pytest.mark.parametrize(
    ("asked", "options", "message"),
    [
        ([], {}, "one question, or several of one kind, got none"),
        ([SubsetSum(), Coverage()], {}, "got Coverage, SubsetSum"),
        (3, {}, "a question must be one of SubsetSum"),
        ([Coverage(eps=0.1), Coverage(eps=0.1, low=-1.0)], {}, "differ in R, eps and in nothing else"),
        ([SubsetSum(), SubsetSum(model="vector")], {}, "differ in R, eps, alpha and in nothing else"),
        ([SubsetSum(), SubsetSum()], {}, "none stands twice"),
        (SubsetSum(), {"trials": 0}, "trials must be an integer in [1, 1000000000000], got 0"),
        (SubsetSum(), {"trials": 2.5}, "trials must be an integer"),
        (SubsetSum(), {"trials": "many"}, "trials must be an integer"),
        (SubsetSum(), {"jobs": 0}, "jobs must be an integer in [1, 4096], got 0"),
        (SubsetSum(), {"seed": -1}, "seed must be an integer in [0,"),
        (SubsetSum(), {"n": []}, "n needs at least one value"),
        (SubsetSum(), {"n": [2, 2]}, "none twice"),
        (SubsetSum(), {"n": 0}, "n must be an integer in [1,"),
        (SubsetSum(), {"delta": 1}, "delta must be in (0, 1)"),
        (SubsetSum(), {"until": 2.0}, "until must be in (0, 1)"),
        (Coverage(), {"method": "guess"}, 'method must be "auto"'),
        (SubsetSum(), {"n": 90}, "n=90 with R=1 needs"),
        (SubsetSum(), {"seed": True}, "seed must be an integer in [0,"),
        (SubsetSum(), {"trials": True}, "trials must be an integer in [1,"),
        (SubsetSum(), {"trials": "many"}, "trials must be an integer in [1, 1000000000000], got 'many'"),
        (SubsetSum(), {"n": "x"}, "n must be an integer in [1, 1000000], got 'x'"),
        (SubsetSum(), {"until": "x"}, "until must be in (0, 1), got 'x'"),
        (SubsetSum(), {"until": True}, "until must be in (0, 1), got True"),
        (Recycling(), {"R": 2.5}, "R must be an integer in [1,"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(asked: object, options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\n]+$") as problem:
        run(asked, **options)
    assert message in str(problem.value)


def test_an_option_of_another_experiment_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^run has no option bits for SubsetSum: it takes n, delta, trials, until"):
        run(SubsetSum(), bits=9)


def test_one_R_need_not_be_a_sequence() -> None:
    one, same = (run(Recycling(), R=R, n=[2], trials=100, seed=1) for R in (2, [2]))
    assert one.rows == same.rows
    assert one.params["R"] == (2,)


def test_a_result_reads_well_and_leaves_in_many_forms(tmp_path: Path) -> None:
    result = run(SubsetSum(R=5), n=range(1, 4), trials=1000, seed=1)
    assert repr(result) == "<Result of sims.subset_sum: 3 rows, 3 consistent; seed 1>"
    page = result._repr_html_()
    assert page.count("<tr>") == 4
    assert "<th>lower_bound</th>" in page
    content = json.loads(result.to_json())
    assert Result.from_dict(content) == result
    assert result.to_csv().splitlines()[0].startswith("n,R,eps,alpha,model,trials")
    result.plot(tmp_path / "a.png")
    assert (tmp_path / "a.png").stat().st_size > 5000
    assert result.plot().axes


def test_a_data_frame_has_the_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    result = run(SubsetSum(R=5), n=range(1, 4), trials=1000, seed=1)
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    assert result.to_dataframe().to_dict("records") == list(result.rows)
    assert isinstance(result.to_dataframe(), pandas.DataFrame)


def test_without_pandas_the_frame_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ImportError, match="pip install pandas"):
        Result("sims.test", {}, [], {}).to_dataframe()


def test_a_picture_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^path must be a \.png, \.pdf or \.svg file, got .*x\.jpg'$"):
        run(SubsetSum(R=5), n=[2], trials=100, seed=1).plot(tmp_path / "x.jpg")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [({"schema": "strong-tickets/sims.test/x"}, "its schema is 'strong-tickets/sims.test/x'"),
     ({"rows": None}, "without rows")],
)  # fmt: skip
def test_what_is_no_result_is_not_read(change: dict, message: str) -> None:
    content = {**Result("sims.test", {}, [], {}).to_dict(), **change}
    content = {name: value for name, value in content.items() if value is not None}
    with pytest.raises(ValueError, match=f"^this is no result: {message}$"):
        Result.from_dict(content)


def test_a_missing_figure_is_noticed_before_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(type(experiment("subset_sum")), "name", "poem")
    assert experiment("subset_sum").config is not None
    from sims import subset_sum

    assert subset_sum.main(["--n", "2", "--plot", str(tmp_path / "a.png")]) == 2
    captured = capsys.readouterr()
    assert captured.err == "error: there is no figure of poem\n"
    assert captured.out == ""


def test_a_result_without_a_figure_says_so(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no figure of test"):
        Result("sims.test", {}, [], {}).plot(tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


# -- the registry --


@pytest.mark.parametrize("name", [name for name in NAMES if name != "main_theorem"])
def test_every_experiment_is_whole(name: str) -> None:
    found = experiment(name)
    assert found.name == name
    assert experiment_of(found.question()) is found
    assert EXPERIMENTS[found.question.__name__] == found.command
    assert importlib.import_module(found.command).main is not None
    assert figure_of(name).plot is not None
    assert {"n", "trials", "seed", "jobs"} <= {field.name for field in dataclasses.fields(found.config)}
    assert found.config.examples


@pytest.mark.parametrize("name", [name for name in NAMES if name != "main_theorem"])
def test_a_pass_survives_its_description(name: str) -> None:
    """What a worker elsewhere reads is the same pass, with the same counts, cost and memory."""
    found = experiment(name)
    request = Request((found.question(),), found.options(seed=1, trials=50, jobs=1))
    passes = found.passes(request)
    for work in passes[:3]:
        again = found.decode(json.loads(json.dumps(found.encode(work))))
        assert again == work
        assert 0 < found.cost(work) < 10
        assert found.memory(work) > 0
        counts = [found.counter_of(one, 1).chunk(3, 20, lambda _: None) for one in (work, again)]
        assert np.array_equal(counts[0][0], counts[1][0])
        assert counts[0][1] == counts[1][1]
    stored = json.loads(json.dumps(found.stored(request)))
    restored = found.restored(stored)
    assert restored.questions == request.questions
    assert restored.options == request.options


def test_an_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="the experiment must be one of subset_sum"):
        experiment("lottery")
    with pytest.raises(ValueError, match="there is no figure of lottery"):
        figure_of("lottery")


def test_options_are_values() -> None:
    assert Options(n=3, trials=1e5, seed=1, jobs=1) == Options(n=[3], trials=10**5, seed=1, jobs=1)
    with pytest.raises(dataclasses.FrozenInstanceError):
        Options().seed = 3
