"""The training loop: it finds a ticket (or trains a dense network), and it can be killed and resumed bit for bit.

What a step does depends on the settings, the state of a checkpoint and the step's number alone: the order of the images
and their augmentation are functions of (seed, epoch, batch), the methods draw from (seed, layer, event), and PyTorch's
own generator travels in the checkpoint. At the end of an epoch come validation, checkpoint, and then the method's
``after_epoch``, except after the last epoch, so that what was measured is what is kept.

Source: order and schedules as read in the reference codes (`nets.training.recipes`); none of them resumes exactly.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import torch

from nets.descent import descend
from nets.threads import few_threads
from nets.training.batch_norms import settle_batch_norms
from nets.training.checkpoint import load_checkpoint, save_checkpoint
from nets.training.parts import Parts
from nets.training.run_folder import RunError, RunFolder, append_metrics, write_metrics
from nets.training.settings import TrainSettings
from nets.training.stored_state import check_state
from nets.training.tally import Tally, evaluate

if TYPE_CHECKING:
    from sims.progress import Advance

EVAL_BATCH = 500
"""Images per step of validation and test; no result depends on it but through the order of summation."""
LOST = "{what} not finite in epoch {epoch}: --lr {lr:g} is too large"


@dataclass
class State:
    """Where a run is.

    Attributes
    ----------
    epoch, batch : int
        Epochs done, and batches done in the one after them.
    step : int
        Steps done in all.
    hook_due : bool
        The method's ``after_epoch`` of epoch - 1 is still to come.
    sums : torch.Tensor of float64, shape (3,)
        Of the epoch's tally.
    rows : list of dict
        Lines of metrics.jsonl.
    seconds, train_seconds : float
        Spent so far, in all and on training steps; the only numbers that differ from run to run.
    """

    epoch: int = 0
    batch: int = 0
    step: int = 0
    hook_due: bool = False
    sums: torch.Tensor = field(default_factory=lambda: torch.zeros(3, dtype=torch.float64))
    rows: list[dict[str, Any]] = field(default_factory=list)
    seconds: float = 0.0
    train_seconds: float = 0.0


class Training:
    """One run: its parts, its state, and the loop.

    Parameters
    ----------
    parts : Parts
        Data, model, method, optimiser (`nets.training.parts.build`).
    folder : RunFolder, optional
        Without it nothing is written.
    checkpoint_every : int
        Steps between checkpoints inside an epoch; 0 for none but at its end.
    """

    def __init__(
        self, settings: TrainSettings, parts: Parts, *, folder: RunFolder | None = None, checkpoint_every: int = 0
    ) -> None:
        self.settings, self.parts, self.folder, self.checkpoint_every = settings, parts, folder, checkpoint_every
        self.state = State()
        self.forward: Callable[[torch.Tensor], torch.Tensor] = parts.model
        if settings.compile:
            self.forward = torch.compile(parts.model)
        self._started = time.monotonic()

    @property
    def events(self) -> int:
        """What the method did to the weights so far, counted."""
        return 0 if self.parts.search is None else len(self.parts.search.events)

    def content(self) -> dict[str, Any]:
        """All that a checkpoint holds."""
        parts, state = self.parts, self.state
        return {
            "params": self.settings.to_json(),
            "model": parts.model.state_dict(),
            "optimiser": parts.optimiser.state_dict(),
            "search": None if parts.search is None else parts.search.state_dict(),
            "random": torch.get_rng_state(),
            "random_cuda": torch.cuda.get_rng_state() if parts.device == "cuda" else None,
            "images": parts.data.digests(),
            "state": {**vars(state), "seconds": state.seconds + time.monotonic() - self._started},
            "torch": str(torch.__version__),
            "threads": torch.get_num_threads(),
        }

    def restore(self, content: Mapping[str, Any]) -> None:
        """Take over the content of a checkpoint.

        Raises
        ------
        StateError
            If it is no state of this run.
        """
        check_state(content, self.content(), self.settings, self.parts)
        parts = self.parts
        parts.data.expect(content.get("images", {}))
        parts.model.load_state_dict(content["model"])
        if parts.search is not None:
            parts.search.load_state_dict(content["search"])
        parts.optimiser.load_state_dict(content["optimiser"])
        torch.set_rng_state(content["random"])
        if parts.device == "cuda":
            torch.cuda.set_rng_state(content["random_cuda"])
        self.state = State(**content["state"])

    def save(self) -> None:
        """Write a checkpoint, if there is a folder."""
        if self.folder is not None:
            save_checkpoint(self.folder.checkpoint, self.content())

    def resume(self) -> str | None:
        """Continue from the folder's checkpoint, or from nothing if there is none yet.

        Returns
        -------
        str or None
            One line if the continuation may differ in the last bits: another PyTorch or number of threads.
        """
        assert self.folder is not None
        self.folder.sweep()
        if not self.folder.checkpoint.is_file():
            write_metrics(self.folder.metrics, [])
            return None
        content = load_checkpoint(self.folder.checkpoint)
        try:
            self.restore(content)
        except (ValueError, RuntimeError, TypeError, LookupError, AttributeError, OverflowError) as error:
            reason = " ".join(str(error).split())[:300]
            raise RunError(f"{self.folder.checkpoint} cannot be resumed: {reason}") from None
        write_metrics(self.folder.metrics, self.state.rows)
        now = {"torch": str(torch.__version__), "threads": torch.get_num_threads()}
        odd = [f"{name} {content[name]} there, {value} here" for name, value in now.items() if content[name] != value]
        return f"the rest may differ in the last bits: {'; '.join(odd)}" if odd else None

    def run(self, advance: Advance | None = None) -> State:
        """Train to the end.

        Parameters
        ----------
        advance : callable, optional
            Called with 1 after every step.

        Raises
        ------
        ValueError
            If the loss is not finite.
        """
        state, epochs = self.state, self.settings.epochs
        if advance is not None:
            advance(state.step, self._label())
        while state.epoch < epochs:
            if state.hook_due:
                self._after_epoch(state.epoch - 1)
            self._train_epoch(advance)
            if state.epoch + 1 == epochs:
                self._settle_batch_norms()
            row = self._row()
            state.epoch, state.batch, state.sums = state.epoch + 1, 0, torch.zeros(3, dtype=torch.float64)
            state.rows.append(row)
            state.hook_due = state.epoch < epochs
            self.save()
            if self.folder is not None:
                append_metrics(self.folder.metrics, row)
            if advance is not None:
                advance(0, self._label())
        state.seconds += time.monotonic() - self._started
        self._started = time.monotonic()
        return state

    def _after_epoch(self, epoch: int) -> None:
        search = self.parts.search
        if search is not None:
            search.after_epoch(epoch, self.settings.epochs)
        self.state.hook_due = False

    def _train_epoch(self, advance: Advance | None) -> None:
        parts, state, settings = self.parts, self.state, self.settings
        settings.set_rate(parts.optimiser, state.epoch)
        order = (settings.seed, state.epoch)
        batches = parts.data.train.batches(
            settings.batch, device=parts.device, channels_last=parts.channels_last, order=order, augment=True,
            first_batch=state.batch,
        )  # fmt: skip
        parts.model.train()
        tally = Tally(parts.device, state.sums)
        begun = time.monotonic()

        def before() -> None:
            if parts.search is not None:
                parts.search.before_step(state.step)

        def after(loss: torch.Tensor, logits: torch.Tensor, y: torch.Tensor) -> None:
            nonlocal begun
            tally.add(loss, logits, y)
            state.batch, state.step = state.batch + 1, state.step + 1
            if self.checkpoint_every and state.step % self.checkpoint_every == 0 and state.batch < parts.steps:
                state.sums = tally.sums.cpu()
                state.train_seconds, begun = state.train_seconds + time.monotonic() - begun, time.monotonic()
                self.save()
            if advance is not None:
                advance(1)

        smoothing = settings.label_smoothing
        descend(self._logits, batches, parts.optimiser, label_smoothing=smoothing, before=before, after=after)
        state.sums = tally.sums.cpu()  # waits for the device
        state.train_seconds += time.monotonic() - begun

    def _settle_batch_norms(self) -> None:
        """Take the running statistics of batch norms anew, from training images in the orders of further epochs."""
        parts, settings = self.parts, self.settings
        if settings.batch_norm_passes:
            orders = ((settings.seed, settings.epochs + i) for i in range(settings.batch_norm_passes))
            passes = (
                parts.data.train.batches(
                    settings.batch, device=parts.device, channels_last=parts.channels_last, order=order, augment=True
                )
                for order in orders
            )
            settle_batch_norms(parts.model, itertools.chain.from_iterable(passes))

    def _logits(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast(self.parts.device, torch.bfloat16, enabled=self.settings.amp):
            logits = self.forward(x)
        return logits.float()

    def _row(self) -> dict[str, Any]:
        """The epoch's line of metrics.jsonl; images of the test set are looked at after the last epoch only."""
        state, settings, data = self.state, self.settings, self.parts.data
        train = Tally("cpu", state.sums).read()
        for what, good in (("the loss is", math.isfinite(train.loss)), ("scores or weights are", self._finite())):
            if not good:
                raise ValueError(LOST.format(what=what, epoch=state.epoch + 1, lr=settings.lr))
        last = state.epoch + 1 == settings.epochs
        wanted = {"val": data.validation, "test": data.test if last or settings.test_each_epoch else None}
        found = {name: None if split is None else self.score(split) for name, split in wanted.items()}
        row: dict[str, Any] = {
            "epoch": state.epoch + 1,
            "steps": state.step,
            "lr": settings.rate(state.epoch),
            "events": self.events,
            "train_loss": train.loss,
            "train_accuracy": train.accuracy,
        }
        for name, score in found.items():
            row[f"{name}_loss"] = None if score is None else score.loss
            row[f"{name}_accuracy"] = None if score is None else score.accuracy
        return row

    def _finite(self) -> bool:
        """Whether all that is trained is finite; masks, and so the loss, stay finite when scores no longer are."""
        trained = [one for group in self.parts.optimiser.param_groups for one in group["params"]]
        return bool(torch.stack([one.detach().isfinite().all() for one in trained]).all())

    def score(self, split: Any) -> Any:
        """Loss and accuracy of the model as it is on a split."""
        parts = self.parts
        batches = split.batches(
            EVAL_BATCH, device=parts.device, channels_last=parts.channels_last, order=None, augment=False
        )
        held = contextlib.nullcontext() if parts.search is None else parts.search.hold_masks()
        with held:
            return evaluate(parts.model, batches, parts.device)

    def _label(self) -> str:
        state, settings = self.state, self.settings
        loss = f", loss {state.rows[-1]['train_loss']:.3f}" if state.rows else ""
        return f"{settings.method} epoch {state.epoch}/{settings.epochs}{loss}"


@contextlib.contextmanager
def own_random_state(seed: int, device: str, work: int) -> Iterator[None]:
    """PyTorch's generators seeded inside and as before outside, exact algorithms on the GPU, few threads if small.

    Parameters
    ----------
    device : {"cpu", "cuda"}
    work : int
        Multiplications of the largest matrix product (`largest_product`).
    """
    devices = [torch.cuda.current_device()] if device == "cuda" else []
    threads = few_threads(work) if device == "cpu" else contextlib.nullcontext()
    with torch.random.fork_rng(devices=devices), _exact_convolutions(), threads:
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def _exact_convolutions() -> Iterator[None]:
    """The same algorithm of cuDNN every time; `torch.backends.cudnn.flags` would touch what else is set there."""
    cudnn = torch.backends.cudnn
    before = cudnn.benchmark, cudnn.deterministic
    cudnn.benchmark, cudnn.deterministic = False, True
    try:
        yield
    finally:
        cudnn.benchmark, cudnn.deterministic = before


def mask_milliseconds(parts: Parts, repeats: int = 5) -> float | None:
    """Median time of making all masks once; None for a dense run."""
    if parts.search is None:
        return None
    layers, times = list(parts.search.layers.values()), []
    for _ in range(repeats):
        _wait(parts.device)
        begun = time.perf_counter()
        for layer in layers:
            layer.mask()
        _wait(parts.device)
        times.append(time.perf_counter() - begun)
    return 1000.0 * sorted(times)[repeats // 2]


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
