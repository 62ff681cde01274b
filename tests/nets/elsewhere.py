"""Where no compiled kernel works: a GPU, or the CPU with the torch operations that a GPU would run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from nets.device import torch_operations


class Elsewhere:
    """A device that works with torch operations, not with the CPU's kernels; ``with`` it for what is to run there.

    On a machine without a GPU it is the CPU, with the very operations that a GPU would run.
    """

    def __init__(self, device: str) -> None:
        self.device = device
        self._entered: list[AbstractContextManager[None]] = []

    def __enter__(self) -> str:
        self._entered.append(torch_operations() if self.device == "cpu" else nullcontext())
        self._entered[-1].__enter__()
        return self.device

    def __exit__(self, *problem: object) -> None:
        self._entered.pop().__exit__(*problem)

    @contextmanager
    def never_waiting(self) -> Iterator[None]:
        """Inside, a GPU must not make the host wait."""
        if self.device == "cpu":
            yield
            return
        torch.cuda.synchronize()
        torch.cuda.set_sync_debug_mode("error")
        try:
            yield
        finally:
            torch.cuda.set_sync_debug_mode("default")
