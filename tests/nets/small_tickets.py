"""The small networks, found in random ones of every kind: ticket files that the tests of tickets share."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nets import approximate
from tests.nets.small_networks import NETWORKS, Small

SEED = 2**63 + 12345
ETA = 0.05
CASES = {
    "chain-layered": ["--source", "layered", "--n", "5"],
    "chain-layered-R": ["--source", "layered", "--n", "4", "--R", "3"],
    "chain-layered-best": ["--source", "layered", "--n", "6", "--construction", "best"],
    "chain-layered-window-R": ["--source", "layered", "--n", "3", "--construction", "window", "--R", "300"],
    "chain-layered-halves": ["--source", "layered", "--n", "6", "--construction", "halves"],
    "chain-layered-thirds-R": ["--source", "layered", "--n", "5", "--construction", "thirds", "--R", "4"],
    "chain-private": ["--source", "private", "--n", "7"],
    "chain-private-R": ["--source", "private", "--n", "3", "--R", "5"],
    "chain-shared": ["--source", "shared", "--n", "9"],
    "chain-shared-R": ["--source", "shared", "--n", "4", "--R", "300"],
    "convolutional-layered": ["--source", "layered", "--n", "4"],
    "convolutional-layered-R": ["--source", "layered", "--n", "3", "--R", "3"],
    "convolutional-layered-halves-R": ["--source", "layered", "--n", "4", "--construction", "halves", "--R", "5"],
    "convolutional-private-R": ["--source", "private", "--n", "3", "--R", "3"],
    "convolutional-shared": ["--source", "shared", "--n", "6"],
    "attention-layered": ["--source", "layered", "--n", "5"],
    "attention-layered-R": ["--source", "layered", "--n", "4", "--R", "3"],
    "attention-layered-quarters-R": ["--source", "layered", "--n", "4", "--construction", "quarters", "--R", "3"],
    "attention-private": ["--source", "private", "--n", "5"],
    "attention-shared-R": ["--source", "shared", "--n", "3", "--R", "4"],
}


class Made:
    """A folder with the networks' files and their tickets, each made when it is first asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def network(self, case: str) -> Small:
        return NETWORKS[case.split("-")[0]]

    def target(self, case: str) -> Path:
        found = sorted(self._folder.glob(f"{self.network(case).name}.*"))
        return found[0] if found else self.network(case).write(self._folder)

    def against(self, case: str) -> list[str]:
        """The arguments of verify that name the target."""
        return ["--target", str(self.target(case)), *self.network(case).flags]

    def path(self, case: str) -> Path:
        out = self._folder / f"ticket-{case}.safetensors"
        if not out.exists():
            flags = [*self.network(case).flags, *CASES[case], "--eta", str(ETA), "--seed", str(SEED), "--radius", "1"]
            assert approximate.main([str(self.target(case)), *flags, "--out", str(out), "--quiet"]) == 0
        return out


def bits(packed: np.ndarray) -> list[int]:
    """Places of the ones, the lowest bit of the first byte being the first."""
    return [place for place in range(8 * len(packed)) if packed[place // 8] >> (place % 8) & 1]
