"""Work in threads: in order, stopped by the first exception, and with one of each thing per thread."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sims import threads
from sims.threads import each, one_per_thread, ordered

ROOT = Path(threads.__file__).parents[1]


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_results_come_in_the_order_of_the_parts(jobs: int) -> None:
    assert list(ordered(lambda k: k * k, ((k,) for k in range(50)), jobs=jobs)) == [k * k for k in range(50)]


@pytest.mark.parametrize("jobs", [1, 3])
def test_an_exception_stops_the_parts_that_have_not_begun(jobs: int) -> None:
    begun = []

    def task(k: int) -> None:
        begun.append(k)
        if k == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        each(task, ((k,) for k in range(10_000)), jobs=jobs)
    assert len(begun) < 100


def test_every_thread_keeps_its_own() -> None:
    own = one_per_thread(list)
    barrier = threading.Barrier(3)  # all three at once, so that no thread does the work of another

    def task(k: int) -> tuple[int, int]:
        mine = own()
        barrier.wait()
        return id(mine), id(own())

    found = list(ordered(task, ((k,) for k in range(3)), jobs=3))
    assert len({first for first, _ in found}) == 3
    assert all(first == again for first, again in found)


@pytest.fixture
def hearing() -> Iterator[None]:
    """Ctrl-C is heard, also where the tests run in the background, which a shell makes deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hearing")
def test_ctrl_c_does_not_wait_for_what_is_running() -> None:
    """The main thread is interrupted while a piece, and one inside it, run: it returns, and they begin nothing more."""
    go_on, begun, ended = threading.Event(), [], threading.Event()

    def inner(k: int) -> None:
        begun.append(k)
        if k == 0:
            os.kill(os.getpid(), signal.SIGINT)
            assert go_on.wait(30)

    def outer() -> None:
        try:
            each(inner, ((k,) for k in range(1000)), jobs=1)
        finally:
            ended.set()

    with pytest.raises(KeyboardInterrupt):
        each(outer, [(), ()], jobs=1)
    assert begun == [0]
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(30)
    assert begun == [0]


def test_other_exceptions_wait_for_what_is_running() -> None:
    waiting, done = threading.Event(), []

    def task(k: int) -> None:
        if k == 0:
            assert waiting.wait(30)
            raise ValueError("first")
        waiting.set()
        time.sleep(0.2)
        done.append(k)

    with pytest.raises(ValueError, match="first"):
        each(task, [(0,), (1,)], jobs=2)
    assert done == [1]


@pytest.mark.parametrize(("seconds", "code"), [(60, 130), (0, 7)])
def test_python_does_not_wait_for_what_was_left_behind(seconds: int, code: int) -> None:
    """The exit code is the program's own, unless threads that were left behind still run."""
    program = f"""
import sys, time
from sims.threads import Threads, leave_behind
pool = Threads(2)
pool.submit(time.sleep, {seconds})
time.sleep(0.3)
leave_behind(130)
time.sleep(0.3)
print("last words")
sys.exit(7)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=False, timeout=50
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, "last words\n", "")


def test_one_thread_begins_no_part_before_the_last_was_taken() -> None:
    started: list[int] = []
    found = ordered(lambda k: started.append(k) or k, zip(range(5)), jobs=1)
    for k in range(5):
        assert next(found) == k
        time.sleep(0.02)
        assert started == list(range(k + 1))
