"""Finishing: tables from counts take work in proportion to their rows, once, and the same in processes."""

import contextlib
import itertools
import json
import os
import sqlite3
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sims import coverage, finishing, single_weight
from sims import store as store_cli
from sims.commands.experiment import MOST_TABLES
from sims.counting import Found
from sims.finishing import Finishing
from sims.options import Options, Request
from sims.progress import silent
from sims.registry import experiment
from sims.sweep import cost, count
from sims.sweep.cluster import Pool, Task
from sims.sweep.command import main as sweep
from sims.sweep.packing import packed, unpacked
from sims.sweep.plan import Plan
from sims.sweep.store import Chunk, Store
from theory.bits import DrawCode
from theory.coverage import Coverage
from theory.recycling import Recycling
from theory.single_weight import SingleWeight


def calls(work: Callable[[], object]) -> int:
    """Calls of Python functions that a piece of work makes."""
    count = 0

    def note(frame: FrameType, event: str, what: object) -> None:
        nonlocal count
        count += event == "call"

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def single(cells: int) -> Request:
    questions = tuple(SingleWeight(R=2, eps=0.1, alpha=0.4 * i / cells) for i in range(cells))
    return Request(questions, Options(n=(1, 2), trials=100, seed=1, jobs=1))


def gaps(cells: int) -> Request:
    kind = experiment("coverage")
    questions = tuple(Coverage(R=R, eps=0.3) for R in range(1, cells + 1))
    return Request(questions, kind.options(n=(1,), trials=10, seed=1, jobs=1))


def recycled(cells: int) -> Request:
    questions = tuple(Recycling(eps=0.2 + 0.1 * i / cells) for i in range(cells))
    return Request(questions, experiment("recycling").options(n=(2,), R=(1,), trials=10, seed=1, jobs=1))


@pytest.mark.parametrize(("name", "asked"), [("single_weight", single), ("coverage", gaps), ("recycling", recycled)])
def test_the_work_grows_as_the_cells(
    name: str, asked: Callable[[int], Request], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "_bounds", lambda at, eps: {"lower_bound": 0.0, "upper_bound": 1.0})
    monkeypatch.setattr(coverage, "_sufficient", lambda question, delta: {"required_n": 9, "required_way": "none"})
    kind = experiment(name)

    def work(cells: int) -> int:
        request = asked(cells)
        passes = kind.passes(request)
        found = kind.count(request, passes)
        result = kind.result(request, passes, found, seconds=0.0)  # fills the caches of the bounds
        return calls(lambda: (kind.result(request, passes, found, seconds=0.0), list(kind.tables(result))))

    assert work(80) < 4.5 * work(20)


def test_every_row_is_bounded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    kind = experiment("single_weight")
    request = single(7)
    passes = kind.passes(request)
    asked = []
    bounds = kind.bounds
    monkeypatch.setattr(kind, "bounds", lambda question, n: asked.append((question, n)) or bounds(question, n))
    kind.result(request, passes, kind.count(request, passes), seconds=0.0, tabulated=Finishing(jobs=2))
    assert sorted(asked, key=str) == sorted(((one, n) for one in request.questions for n in (1, 2)), key=str)


REQUESTS = {
    "single_weight": single(9),
    "recycling": recycled(4),
    "coverage": gaps(3),
    "draw_code": Request((DrawCode(eps=0.1), DrawCode(eps=0.2)), Options(trials=50, seed=1, n=(2, 3))),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_processes_make_the_same_tables(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "_FIRST", -1.0)
    monkeypatch.setattr(finishing, "WORTH_PROCESSES", 0.0)
    kind, request = experiment(name), REQUESTS[name]
    passes = kind.passes(request)
    found = kind.count(request, passes)
    expected = kind.tabulate(request, passes, found)
    asked = []
    table = kind.table
    monkeypatch.setattr(kind, "table", lambda options, *rest: asked.append(rest) or table(options, *rest))
    assert kind.tabulate(request, passes, found, Finishing(jobs=2)) == expected
    assert len(asked) == 1  # the first one; the others were made elsewhere


def test_what_fails_in_a_process_fails_as_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "_FIRST", -1.0)
    monkeypatch.setattr(finishing, "WORTH_PROCESSES", 0.0)
    kind, request = experiment("single_weight"), single(4)
    passes = kind.passes(request)
    found = [*kind.count(request, passes)[:3], Found([(5, 4), (1, 4)], [], 0.0)]
    with pytest.raises(ValueError, match=r"successes must be in \[0, 4\], got successes=5"):
        kind.tabulate(request, passes, found, Finishing(jobs=2))


def statements(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """SQL statements that a piece of work makes."""
    seen: list[str] = []
    connect = sqlite3.connect

    def traced(*args: object, **options: object) -> sqlite3.Connection:
        db = connect(*args, **options)
        db.set_trace_callback(seen.append)
        return db

    with monkeypatch.context() as patch:
        patch.setattr(sqlite3, "connect", traced)
        work()
    return len(seen)


def test_a_store_is_read_in_as_many_statements_whatever_its_cells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(cells: int) -> list[int]:
        alphas = [f"{0.4 * i / cells:.3f}" for i in range(cells)]
        argv = ["single_weight", "--alpha", *alphas, "--n", "1", "--trials", "10", "--seed", "1", "--quiet"]
        store = str(tmp_path / f"s{cells}")
        assert sweep([*argv, "--store", store]) == 0
        verbs = (["export", store, "--quiet"], ["info", store], ["merge", f"{store}m", store])
        found = [statements(monkeypatch, lambda given=given: store_cli.main(given)) for given in verbs[:2]]
        return [*found, statements(monkeypatch, lambda: sweep([*argv, "--store", store, "--resume"]))]

    assert read(3) == read(30)


def test_a_chunk_takes_few_bytes(tmp_path: Path) -> None:
    sizes = list(range(1, 32))
    cells = [
        (f'{{"R": 5, "eps": 0.01, "alpha": {i / 2000}, "kind": "choice", "n": {sizes}}}', 2**20) for i in range(2000)
    ]
    header = {
        "settings": {"experiment": "subset_sum", "seed": 3}, "options": {"seed": 3, "first_trial": 0},
        "trials": 2**20, "made": {},
    }  # fmt: skip
    counts = [round(2**20 * (1.0 - 0.7**n)) for n in sizes]
    with Store(str(tmp_path / "s"), create=(header, cells)) as store:
        store.add(Chunk(i, 0, 2**20, tuple(count - i for count in counts), b"", 0.1) for i in range(len(cells)))
    with Store(str(tmp_path / "s")) as store:
        assert store.cells == cells
        assert store.chunks(7)[0].counts == tuple(count - 7 for count in counts)
    assert os.path.getsize(tmp_path / "s") < 200 * len(cells)


@given(st.lists(st.integers(0, 2**62), max_size=40))
def test_packed_counts_are_read_as_they_were(counts: list[int]) -> None:
    assert unpacked(packed(counts)) == tuple(counts)


def counted(task: Task) -> Chunk:
    return Chunk(task.number, task.first, task.trials, (1, 1))


def until_interrupted(chunks: int) -> Pool:
    """A worker that counts at once, and is interrupted after so many chunks."""
    left = itertools.count(chunks, -1)

    def submit(task: Task) -> Future[Chunk]:
        if next(left) == 0:
            raise KeyboardInterrupt
        done: Future[Chunk] = Future()
        done.set_result(counted(task))
        return done

    return Pool(submit, lambda: 1)


@pytest.mark.parametrize("until", [60, 30])
def test_small_chunks_are_written_together_and_none_is_lost(
    until: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(count, "WRITE_EVERY", 1e9)
    kind, request = experiment("single_weight"), single(60)
    plan = Plan(kind, request, tuple(kind.passes(request)))
    header = {**plan.header, "made": {}}
    with Store(str(tmp_path / "s"), create=(header, [(text, 100) for text in plan.cells])) as store:
        written: list[int] = []
        add = store.add
        monkeypatch.setattr(store, "add", lambda chunks: written.append(add(chunks)))
        counting = count.Sweep(plan, store, (0, 1))
        assert counting.chunks_left == 60
        with contextlib.nullcontext() if until == 60 else pytest.raises(KeyboardInterrupt):
            counting.run(until_interrupted(until), silent)
        assert sum(written) == store.done()[0] == until
        assert len(written) == 2
        assert count.Sweep(plan, store, (0, 1)).chunks_left == 60 - until


def test_a_chunk_does_not_wait_for_the_next_one_to_be_written(tmp_path: Path) -> None:
    """Long chunks: what is counted is written soon, while the others still run."""
    kind, request = experiment("single_weight"), single(3)
    plan = Plan(kind, request, tuple(kind.passes(request)))
    header = {**plan.header, "made": {}}
    chunks: list[Future[Chunk]] = [Future(), Future(), Future()]
    tasks: list[Task] = []
    late = threading.Event()
    with Store(str(tmp_path / "s"), create=(header, [(text, 100) for text in plan.cells])) as store:
        add, seen = store.add, [0]

        def end(number: int) -> None:
            if not chunks[number].done():
                chunks[number].set_result(counted(tasks[number]))

        def add_and_see(found: list[Chunk]) -> int:
            """Each chunk ends once the one before is written."""
            seen.append(seen[-1] + add(found))
            if seen[-1] < 3:
                end(seen[-1])
            return seen[-1] - seen[-2]

        def give_up() -> None:
            late.set()
            end(2)

        def submit(task: Task) -> Future[Chunk]:
            tasks.append(task)
            if len(tasks) == 3:
                end(0)
            return chunks[len(tasks) - 1]

        store.add = add_and_see  # type: ignore[method-assign]
        timer = threading.Timer(10, give_up)
        timer.start()
        count.Sweep(plan, store, (0, 1)).run(Pool(submit, lambda: 1, ahead=3), silent)
        timer.cancel()
        assert seen[-1] == 3
    assert not late.is_set()


def test_a_dry_run_of_many_cells_is_short(capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "MOST_CELLS", 70)
    tried = []
    monkeypatch.setattr(cost, "probe", lambda plan, work, *_: tried.append(work) or 2.0 * plan.experiment.cost(work))
    alphas = [f"{0.4 * i / 90:.4f}" for i in range(90)]
    argv = ["single_weight", "--alpha", *alphas, "--n", "1", "--trials", "10", "--seed", "1", "--dry-run"]
    assert sweep(argv) == 0
    printed = capsys.readouterr().out
    assert "The 10 longest of 90 cells:" in printed
    assert printed.count("alpha=") == 10
    assert "90 cells, 90 chunks" in printed
    assert sweep([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["cell_count"], len(found["cells"]), found["chunks"]) == (90, 70, 90)
    assert found["worker_seconds"] == pytest.approx(90 / 70 * sum(cell["worker_seconds"] for cell in found["cells"]))
    assert len(tried) < 2 * 40


def test_people_are_shown_the_first_tables(capsys: pytest.CaptureFixture) -> None:
    alphas = [f"{0.4 * i / 103:.3f}" for i in range(103)]
    argv = ["--alpha", *alphas, "--n", "1", "--trials", "10", "--seed", "1"]
    assert single_weight.main(argv) == 0
    printed = capsys.readouterr().out
    assert printed.count("For success >=") == MOST_TABLES
    assert "3 further tables in --json and --csv; of all 103 rows, 0 are refuted." in printed
