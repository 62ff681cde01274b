"""Every batch path of ``--device cuda``: made, timed, and compared with what the CPU gives.

On the device ``cpu`` the same torch operations run there. Inputs lie where the path begins: on the device for parts of
a path, on the host for what a command does as a whole.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from nets.certificate import certify_batch
from nets.construction.gadget import Gadget, solve
from nets.construction.networks import Networks
from nets.construction.scan import scan_layer
from nets.construction.source import Source, trial_seeds
from nets.construction.torch_solver import best_subsets_torch
from nets.construction.trials import Trials
from nets.construction.value_sets import ValueSets
from nets.data.split import Split
from nets.device import torch_operations
from nets.search import find_tickets
from nets.search.score_mask import keep_mask
from nets.targets.target import random_target
from sims.solver import best_subsets
from sims.solver.philox import GRID_BITS, grid_draws
from tests.benchmarks.test_training_speed import BATCH, conv6, make_step
from theory.network import MainTheorem

SEED = 1


@dataclass(frozen=True)
class Path:
    """One path at one size.

    Attributes
    ----------
    unit : str
        What `size` counts.
    there, here : callable
        The work on the device, and by the CPU's kernels; they return what `same` compares.
    size, cpu_size : int
        How much of it each does.
    same : callable
        Whether two results agree.
    agreement : str
        In words: "equal", or how near.
    """

    unit: str
    there: Callable[[], Any]
    here: Callable[[], Any]
    size: int
    cpu_size: int
    same: Callable[[Any, Any], bool]
    agreement: str = "equal"


def on_device(device: str) -> AbstractContextManager[None]:
    """Inside, work is done as on a GPU."""
    return torch_operations() if device == "cpu" else contextlib.nullcontext()


def _equal(there: Any, here: Any) -> bool:
    """Whether arrays are equal in the first rows, as many as both have."""
    for one, other in zip(there, here, strict=True):
        one, other = (np.asarray(part.cpu() if isinstance(part, torch.Tensor) else part) for part in (one, other))
        count = min(len(one), len(other))
        if not np.array_equal(one[:count], other[:count]):
            return False
    return True


def _subsets(device: str, n: int, rows: int, cpu_rows: int, jobs: int) -> Path:
    keys = grid_draws(SEED, 0, rows, n)
    aims = np.full(rows, 2 ** (GRID_BITS - 1), np.int64)
    x, targets = (torch.from_numpy(part).to(device) for part in (keys, aims))
    few, few_aims = keys[:cpu_rows].astype(float), aims[:cpu_rows].astype(float)
    return Path(
        "instances", lambda: best_subsets_torch(x, targets)[1:],
        lambda: (best_subsets(few, few_aims, jobs=jobs).choice,), rows, cpu_rows, _equal,
    )  # fmt: skip


def _values(device: str, cols: int, rows: int, cpu_rows: int, jobs: int) -> Path:
    weight = np.random.default_rng(SEED).uniform(-0.4, 0.4, (rows, cols))
    sets = ValueSets("private", seed=SEED, n=21, size=0.4)

    def work(place: str, count: int) -> Any:
        found = sets.solve(1, weight[:count], device=place, jobs=jobs)
        return (found.effective,)

    return Path(
        "weights", lambda: work(device, rows), lambda: work("cpu", cpu_rows), 784 * rows, 784 * cpu_rows, _equal
    )


def _gadget(device: str, rows: int, jobs: int) -> Path:
    gadget = Gadget(0, 1, rows, 64, n=18, seed=SEED, halves=1)
    weight = np.random.default_rng(SEED).uniform(-0.4, 0.4, gadget.shape)

    def work(place: str) -> Any:
        found = solve(gadget, weight, device=place, jobs=jobs)
        return found.mask_a, found.mask_b

    return Path("weights", lambda: work(device), lambda: work("cpu"), weight.size, weight.size, _equal)


def _neurons(device: str, trials: int, cpu_trials: int, construction: str, jobs: int) -> Path:
    options: dict[str, Any] = {
        "n": 16, "R": 8, "eta": 0.05, "window": construction == "window", "open_signs": False, "by_law": False,
        "halves": 1, "parts": 2 if construction == "halves" else 1, "jobs": jobs,
    }  # fmt: skip
    weights = torch.stack([random_target((32, 16), seed=k).weights[0] for k in range(8)]).repeat(trials // 8, 1, 1)
    seeds = trial_seeds(SEED, 0, trials=trials)

    def work(place: str, count: int) -> Any:
        return tuple(scan_layer(seeds[:count], 1, weights[:count], device=place, **options).values())

    size = weights[0].numel()
    return Path(
        "weights", lambda: work(device, trials), lambda: work("cpu", cpu_trials), size * trials, size * cpu_trials,
        _equal,
    )  # fmt: skip


def _draws(device: str, width: int) -> Path:
    source = Source([width, width], 8, seed=SEED)
    rows, cols = source.shape(1)

    def work(place: str) -> Any:
        return (source.matrix(1, device=place),)

    return Path("draws", lambda: work(device), lambda: work("cpu"), rows * cols, rows * cols, _equal)


def _certificates(device: str, networks: int, width: int) -> Path:
    target = random_target((width, width, width), seed=SEED)
    rng = torch.Generator().manual_seed(SEED)
    pairs = [
        tuple(w + 0.01 * torch.randn((networks, *w.shape), generator=rng, dtype=torch.float64) for _ in range(2))
        for w in target.weights
    ]

    def work(place: str) -> Any:
        found = certify_batch(target, pairs, starts=16, steps=12, device=place)
        return found.lower.cpu(), found.upper.cpu()

    def near(there: Any, here: Any) -> bool:
        bracketed = bool((there[0] <= here[1]).all() and (here[0] <= there[1]).all())
        return bracketed and torch.allclose(there[1], here[1], rtol=1e-9)

    agreement = "upper ends to 1e-9, brackets overlap"
    return Path("networks", lambda: work(device), lambda: work("cpu"), networks, networks, near, agreement)


def _trials(device: str, trials: int, cpu_trials: int, jobs: int) -> Path:
    question = MainTheorem(widths=(16, 32, 32, 8), eps=0.1, R=8)

    def work(place: str, count: int) -> Any:
        made = Networks(4, "best", "draws", place)
        errors, _ = Trials(question, (16,) * 3, made, SEED, jobs).judged(0, count)
        return errors[1].numpy()

    def near(there: Any, here: Any) -> bool:
        count = min(len(there), len(here))
        return np.allclose(there[:count], here[:count], rtol=1e-9, atol=0)

    return Path(
        "trials", lambda: work(device, trials), lambda: work("cpu", cpu_trials), trials, cpu_trials, near,
        "upper ends to 1e-9",
    )  # fmt: skip


def _masks(device: str, scores: int) -> Path:
    key = torch.rand(scores, generator=torch.Generator().manual_seed(SEED))
    moved = key.to(device)
    return Path(
        "scores", lambda: (keep_mask(moved, scores // 2),), lambda: (keep_mask(key, scores // 2),), scores, scores,
        _equal,
    )  # fmt: skip


def _images(device: str, images: int, cpu_images: int) -> Path:
    rng = np.random.default_rng(SEED)
    pixels = torch.from_numpy(rng.integers(0, 256, (images, 3, 32, 32), np.uint8))
    split = Split(pixels, torch.zeros(images, dtype=torch.int64), augmentation="crop-flip", mean=(0.5,), std=(0.25,))

    def work(place: str, count: int) -> Any:
        found = torch.zeros(3, 32, 32, dtype=torch.float64, device=place)
        for number, (x, _) in enumerate(split.batches(128, device=place, order=(SEED, 0))):
            found += x.double().sum(0)
            if (number + 1) * 128 >= count:
                break
        return found.cpu()

    def first(there: Any, here: Any) -> bool:
        one, other = (work(place, 128) for place in (device, "cpu"))
        return torch.allclose(one, other, rtol=1e-6, atol=1e-3)

    return Path(
        "images", lambda: work(device, images), lambda: work("cpu", cpu_images), images, cpu_images, first,
        "sums of a batch to 1e-6",
    )  # fmt: skip


def _steps(device: str, kind: str, steps: int, batch: int) -> Path:
    there, here = make_step(kind, device, batch), make_step(kind, "cpu", batch)

    def run(step: Callable[[], None], count: int) -> Callable[[], Any]:
        def work() -> None:
            for _ in range(count):
                step()

        return work

    def outputs(place: str) -> torch.Tensor:
        torch.manual_seed(SEED)
        model, x = conv6(), torch.randn(4, 3, 32, 32)
        model = model.to(place)
        if kind != "dense":
            find_tickets(model, method=kind, seed=SEED)
        with torch.no_grad():
            found: torch.Tensor = model(x.to(place)).cpu()
        return found

    def near(*_: Any) -> bool:
        one, other = outputs(device), outputs("cpu")
        return bool((one - other).norm() <= 0.01 * other.norm())

    return Path("steps", run(there, steps), run(here, 1), steps, 1, near, "outputs before the first step to 1 %")


def paths(device: str, *, quick: bool, jobs: int) -> Iterator[tuple[str, Callable[[], Path]]]:
    """Names of all paths, as in docs/speed.md, and what makes each.

    Parameters
    ----------
    quick : bool
        Sizes that a CPU does in seconds.
    """
    for n, rows, cpu_rows in ((16, 2**19, 2**17), (21, 2**17, 2**16), (30, 2**13, 2**11), (40, 2**8, 2**6)):
        if not quick or n <= 21:
            few = 2**3 if quick else rows
            yield f"best subset, n = {n}", partial(_subsets, device, n, few, min(few, cpu_rows), jobs)
    yield (
        "397,000 weights, private values, n = 21",
        lambda: _values(device, *((64, 1, 1) if quick else (784, 507, 60)), jobs),
    )
    yield "gadget, subset sums, n = 18", partial(_gadget, device, 2 if quick else 512, jobs)
    for word in ("window", "best", "halves"):
        sizes = (8, 8) if quick else (1024, 64) if word == "halves" else (4096, 256)
        yield f"nearest neurons, {word}, n = 16, R = 8", partial(_neurons, device, *sizes, word, jobs)
    yield "draws of a source", partial(_draws, device, 64 if quick else 2048)
    yield "certificates, widths 64 64 64", partial(_certificates, device, *((2, 16) if quick else (256, 64)))
    yield (
        "trials of the main theorem, widths 16 32 32 8",
        lambda: _trials(device, *((4, 4) if quick else (1024, 64)), jobs),
    )
    yield "a mask of 2.3 M scores", partial(_masks, device, 2**14 if quick else 2_261_184)
    yield "augmented batches of 128 images", partial(_images, device, *((256, 256) if quick else (50_000, 10_000)))
    for kind in ("dense", "edge-popup", "biprop", "iterand"):
        yield f"training step of Conv-6, {kind}", partial(_steps, device, kind, *((1, 2) if quick else (50, BATCH)))
