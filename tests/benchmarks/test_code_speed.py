"""Speed of the codes of tickets beside a search by NumPy's Philox: ``make bench``. Nothing here asserts a time.

``extra_info["candidates"]`` of a row is how many draws the search has to look at: divided by the time, its speed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nets.tickets.codes import draws
from nets.tickets.codes.part import PartCode

WEIGHTS, WINDOW = 20_000, 2**32 // 1000
CODES = {
    "draw": {"code": "draw", "R": 2**20},
    "draw, independent": {"code": "draw", "R": 2**20, "draws": "independent"},
    "block of 2": {"code": "block", "d": 2},
    "block of 4": {"code": "block", "d": 4},
    "pool": {"code": "pool", "R": 4096},
    "rank": {"code": "rank", "n": 18},
}


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.benchmark(group="first of the private draws in a window of 1/1000, 20,000 weights")
def test_first_private(benchmark: Any, jobs: int) -> None:
    low = np.random.default_rng(1).integers(0, 2**32, WEIGHTS).astype(np.uint32)
    width, names = np.full(WEIGHTS, WINDOW, np.uint32), np.arange(WEIGHTS)
    found = benchmark.pedantic(
        draws.first_private, (1, 0, names, low, width, 2**20), {"jobs": jobs}, rounds=5, warmup_rounds=1
    )
    benchmark.extra_info["candidates"] = int((found + 1).sum())


@pytest.mark.benchmark(group="first of the private draws in a window of 1/1000, 20,000 weights")
def test_numpy(benchmark: Any) -> None:
    low = np.random.default_rng(1).integers(0, 2**32, WEIGHTS).astype(np.uint32)

    def work() -> int:
        seen = 0
        for weight, lo in enumerate(low.tolist()):
            stream = np.random.Philox(key=weight)
            while True:
                near = (stream.random_raw(512).view(np.uint32) - np.uint32(lo)) <= WINDOW
                if near.any():
                    seen += int(near.argmax()) + 1
                    break
                seen += near.size
        return seen

    benchmark.extra_info["candidates"] = benchmark.pedantic(work, rounds=2)


@pytest.mark.parametrize("code", CODES)
@pytest.mark.benchmark(group="coding 400,000 normal weights within 0.01 of the largest, two threads")
def test_encode(benchmark: Any, code: str) -> None:
    weights = np.random.default_rng(2).normal(size=400_000)
    part = PartCode(seed=1, part=0, size=float(np.abs(weights).max()), eta=0.01, **CODES[code])
    part.encode(weights[:100])
    made = benchmark.pedantic(part.encode, (weights,), {"jobs": 2}, rounds=1)
    benchmark.extra_info["bits"] = 8 * len(made.content) / weights.size


@pytest.mark.parametrize("code", CODES)
@pytest.mark.benchmark(group="decoding 400,000 weights")
def test_decode(benchmark: Any, code: str) -> None:
    weights = np.random.default_rng(2).normal(size=400_000)
    part = PartCode(seed=1, part=0, size=float(np.abs(weights).max()), eta=0.01, **CODES[code])
    content = part.encode(weights, jobs=2).content
    benchmark.pedantic(part.decode, (content, weights.size), rounds=3)
