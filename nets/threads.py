"""How many threads PyTorch should use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

PARALLEL_WORK = 2**26
"""Multiplications in one matrix product from which PyTorch's threads pay."""


@contextmanager
def few_threads(work: int) -> Iterator[None]:
    """One PyTorch thread inside, if the largest matrix product there takes few multiplications.

    PyTorch's threads wait for each other actively, which on a busy machine costs many times the work of small tensors.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1 if work < PARALLEL_WORK else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
