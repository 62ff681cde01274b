"""Callbacks of other training loops: each step and epoch told once, and a resumed run is the uninterrupted one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from nets.search import TicketSearch, find_tickets
from nets.search.callbacks.clock import Clock

METHODS: dict[str, dict[str, Any]] = {
    "iterand": {"method": "iterand", "rerand_every": 2, "rerand_frac": 0.5, "init": "kaiming-uniform"},
    "recycle": {"method": "recycle", "recycle_every": 1, "recycle_frac": 0.4, "init": "kaiming-normal"},
    "schedule": {"method": "biprop", "scope": "global", "schedule_epochs": 3},
}
X, Y = torch.randn(24, 6, generator=torch.Generator().manual_seed(1)), torch.arange(24) % 3


def searched(kind: str) -> TicketSearch:
    return find_tickets(
        nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)), density=0.4, seed=2, **METHODS[kind]
    )


def trained(kind: str, epochs: int, batch: int, total: int | None = None) -> TicketSearch:
    """The plain loop that every library has to match."""
    search = searched(kind)
    optimiser, step = torch.optim.SGD(search.parameters(), lr=0.5, momentum=0.9), 0
    for epoch in range(epochs):
        for start in range(0, len(X), batch):
            search.before_step(step)
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(search.model(X[start : start + batch]), Y[start : start + batch])
            loss.backward()
            optimiser.step()
            step += 1
        search.after_epoch(epoch, total or epochs)
    return search


def assert_same(found: TicketSearch, wanted: TicketSearch) -> None:
    assert found.events == wanted.events
    assert found.state_dict() == wanted.state_dict()
    for name, layer in wanted.layers.items():
        torch.testing.assert_close(found.layers[name].scores, layer.scores, rtol=1e-4, atol=1e-6)
        assert torch.equal(found.layers[name].frozen, layer.frozen)


class Recorder:
    """In place of a search."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def before_step(self, step: int) -> None:
        self.calls.append(("step", step))

    def after_epoch(self, epoch: int, epochs: int) -> None:
        self.calls.append(("epoch", epoch))


def test_everything_is_told_once() -> None:
    clock = Clock(Recorder())  # type: ignore[arg-type]
    clock.start(0)
    for step in (0, 0, 1, 1):
        clock.before(step)
    clock.ended(0, 3)
    clock.ended(1, 3)
    clock.ended(1, 3)
    assert clock.search.calls == [("step", 0), ("step", 1), ("epoch", 0)]
    clock.epochs = 1  # a checkpoint from before the events of epoch 1
    clock.start(2)
    clock.ended(2, 3)
    clock.before(1)
    assert clock.search.calls[3:] == [("epoch", 1), ("step", 1)]
    clock.start(0)  # another run from the beginning
    clock.ended(1, 3)
    assert clock.search.calls[5:] == [("epoch", 0)]


@pytest.fixture
def lightning() -> Any:
    found = pytest.importorskip("lightning.pytorch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield found


def module_of(lightning: Any, search: TicketSearch) -> Any:
    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.net = search.model

        def training_step(self, batch: Any, _: int) -> torch.Tensor:
            return nn.functional.cross_entropy(self.net(batch[0]), batch[1])

        validation_step = training_step

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(search.parameters(), lr=0.5, momentum=0.9)

    return Module()


def fit(lightning: Any, search: TicketSearch, epochs: int, *callbacks: Any, batch: int = 8, **options: Any) -> None:
    from nets.search.callbacks.lightning import TicketCallback

    own, resumed = {"max_epochs": epochs}, options.pop("ckpt_path", None)
    own |= {"logger": False, "enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    own |= {"enable_checkpointing": bool(callbacks), **options}
    trainer = lightning.Trainer(callbacks=[TicketCallback(search), *callbacks], **own)
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=batch)
    trainer.fit(module_of(lightning, search), data, data, ckpt_path=resumed, weights_only=False)


@pytest.mark.parametrize("kind", METHODS)
def test_lightning(kind: str, lightning: Any, tmp_path: Path) -> None:
    """Straight through; and resumed from checkpoints written before and after the epoch's events."""
    from lightning.pytorch.callbacks import ModelCheckpoint

    wanted, search = trained(kind, 4, 8), searched(kind)
    fit(lightning, search, 4)
    assert_same(search, wanted)
    for late in (False, True):
        keep = ModelCheckpoint(tmp_path / f"{late}", save_top_k=-1, save_on_train_epoch_end=late, filename="{epoch}")
        whole = searched(kind)
        fit(lightning, whole, 4, keep)
        assert_same(whole, wanted)
        resumed = searched(kind)
        fit(lightning, resumed, 4, ckpt_path=tmp_path / f"{late}" / "epoch=1.ckpt")
        assert_same(resumed, wanted)


def test_lightning_with_accumulated_gradients(lightning: Any) -> None:
    """Two batches of 4 are one of 8."""
    search = searched("iterand")
    fit(lightning, search, 3, batch=4, accumulate_grad_batches=2)
    assert_same(search, trained("iterand", 3, 8))


def test_lightning_refuses(lightning: Any, tmp_path: Path) -> None:
    from lightning.pytorch.callbacks import ModelCheckpoint

    search = searched("iterand")
    module = module_of(lightning, search)
    module.configure_optimizers = lambda: [torch.optim.SGD([p], lr=0.1) for p in search.parameters()]
    module.automatic_optimization = False
    from nets.search.callbacks.lightning import TicketCallback

    trainer = lightning.Trainer(
        max_epochs=1, callbacks=[TicketCallback(search)], logger=False, enable_checkpointing=False, accelerator="cpu",
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    data = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=8)
    with pytest.raises(ValueError, match="steps of one optimiser, the module has 2"):
        trainer.fit(module, data)
    fit(lightning, searched("iterand"), 1, ModelCheckpoint(tmp_path, filename="x"))
    other = find_tickets(nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 3)), density=0.4, seed=3)
    with pytest.raises((ValueError, RuntimeError), match=r"another search|pruned otherwise"):
        fit(lightning, other, 2, ckpt_path=tmp_path / "x.ckpt")


@pytest.fixture
def trainers() -> Any:
    pytest.importorskip("accelerate")
    found = pytest.importorskip("transformers")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield found


class WithLoss(nn.Module):
    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: torch.Tensor, labels: torch.Tensor) -> dict[str, torch.Tensor]:
        logits = self.net(x)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


class InOrder(torch.utils.data.Dataset):
    def __len__(self) -> int:
        return len(X)

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        return {"x": X[index], "labels": Y[index]}


def run_trainer(
    library: Any, search: TicketSearch, folder: Path, epochs: int, resume: Any = None, **options: Any
) -> None:
    from nets.search.callbacks.transformers import TicketCallback

    class Ordered(library.Trainer):
        def _get_train_sampler(self, *_: Any) -> Any:
            return torch.utils.data.SequentialSampler(InOrder())

    given = {"per_device_train_batch_size": 8, "num_train_epochs": epochs, "save_strategy": "epoch", "use_cpu": True}
    given |= {"report_to": [], "disable_tqdm": True, "max_grad_norm": 0.0, **options}
    args = library.TrainingArguments(output_dir=str(folder), **given)
    optimiser = torch.optim.SGD(search.parameters(), lr=0.5, momentum=0.9)
    schedule = torch.optim.lr_scheduler.ConstantLR(optimiser, factor=1.0)
    callback = TicketCallback(search)
    trainer = Ordered(
        WithLoss(search.model), args, train_dataset=InOrder(), optimizers=(optimiser, schedule), callbacks=[callback]
    )
    trainer.train(resume_from_checkpoint=resume)


@pytest.mark.parametrize("kind", METHODS)
def test_transformers(kind: str, trainers: Any, tmp_path: Path) -> None:
    """Straight through; and resumed at the end of an epoch and in the middle of one."""
    wanted, search = trained(kind, 4, 8), searched(kind)
    run_trainer(trainers, search, tmp_path / "a", 4)
    assert_same(search, wanted)
    resumed = searched(kind)
    run_trainer(trainers, resumed, tmp_path / "a", 4, resume=str(tmp_path / "a" / "checkpoint-6"))
    assert_same(resumed, wanted)
    run_trainer(trainers, searched(kind), tmp_path / "b", 4, save_strategy="steps", save_steps=5)
    resumed = searched(kind)
    run_trainer(trainers, resumed, tmp_path / "b", 4, resume=str(tmp_path / "b" / "checkpoint-5"))
    assert_same(resumed, wanted)
    (tmp_path / "a" / "checkpoint-6" / "ticket_search.json").unlink()
    with pytest.raises(ValueError, match="holds no state of a search"):
        run_trainer(trainers, searched(kind), tmp_path / "a", 4, resume=str(tmp_path / "a" / "checkpoint-6"))


def test_transformers_with_accumulated_gradients(trainers: Any, tmp_path: Path) -> None:
    search = searched("iterand")
    run_trainer(trainers, search, tmp_path, 3, per_device_train_batch_size=4, gradient_accumulation_steps=2)
    assert_same(search, trained("iterand", 3, 8))
