"""Work in threads: in order, stopped by the first exception, and with one of each thing per thread."""

import threading

import pytest

from sims.threads import each, one_per_thread, ordered


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
