"""A search in Lightning: ``Trainer(callbacks=[TicketCallback(search)])``.

Needs the package lightning (or pytorch-lightning).
"""

from __future__ import annotations

from typing import Any

try:
    from lightning.pytorch import Callback
except ImportError:
    from pytorch_lightning import Callback

from nets.search.callbacks.clock import NO_END, Clock
from nets.search.search import TicketSearch


class TicketCallback(Callback):
    """Calls ``before_step`` and ``after_epoch`` of a search; its checkpoints hold the search's state.

    Parameters
    ----------
    search : TicketSearch
        Of the module that is trained, or a part of it; its optimiser gets ``search.parameters()``.

    Raises
    ------
    ValueError
        At the start of training with several optimisers, whose steps Lightning counts together; on resuming, if the
        checkpoint is another search's.

    Notes
    -----
    Steps are ``trainer.global_step``, which accumulated gradients do not count. Events after an epoch come before the
    checkpoint that Lightning writes at its end, and after one that it writes at the end of validation; the state says
    which, so that a resumed run catches up.
    """

    def __init__(self, search: TicketSearch) -> None:
        super().__init__()
        self.clock = Clock(search)

    def on_train_start(self, trainer: Any, pl_module: Any) -> None:
        """See `Clock.start`."""
        if len(trainer.optimizers) != 1:
            raise ValueError(
                f"a search counts the steps of one optimiser, the module has {len(trainer.optimizers)}: call "
                "search.before_step(step) in its training_step"
            )
        self.clock.start(trainer.current_epoch)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        """Catch up after a checkpoint that was written before the epoch's events."""
        self.clock.ended(trainer.current_epoch, self._total(trainer))

    def on_train_batch_start(self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int) -> None:
        """See `Clock.before`."""
        self.clock.before(trainer.global_step)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        """See `Clock.ended`."""
        self.clock.ended(trainer.current_epoch + 1, self._total(trainer))

    def state_dict(self) -> dict[str, Any]:
        """See `Clock.state`."""
        return self.clock.state()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """See `Clock.load`."""
        self.clock.load(state_dict)

    @staticmethod
    def _total(trainer: Any) -> int:
        epochs = trainer.max_epochs
        return NO_END if epochs is None or epochs < 0 else int(epochs)
