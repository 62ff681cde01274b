"""A search in the Trainer of Hugging Face's transformers: ``Trainer(..., callbacks=[TicketCallback(search)])``.

Needs the package transformers.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from nets.search.callbacks.clock import Clock
from nets.search.search import TicketSearch
from sims.files import write_text

FILE = "ticket_search.json"
"""Name of the search's state in every checkpoint folder."""


class TicketCallback(TrainerCallback):
    """Calls ``before_step`` and ``after_epoch`` of a search, and writes its state into every checkpoint.

    Parameters
    ----------
    search : TicketSearch
        Of the Trainer's model, made before the Trainer: it gives its optimiser what can be trained, the scores.
    checkpoint : str or Path, optional
        Folder from which a run is resumed, where it is not in the output folder.

    Raises
    ------
    ValueError
        On resuming, if the checkpoint has no state of a search, or another search's.

    Notes
    -----
    Events after an epoch come when the next one begins, so that evaluation and checkpoint at its end come first.
    """

    def __init__(self, search: TicketSearch, *, checkpoint: str | Path | None = None) -> None:
        self.clock = Clock(search)
        self.checkpoint = None if checkpoint is None else Path(checkpoint)

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take up the state of the search where a run is resumed."""
        if state.global_step:
            folder = self.checkpoint or _folder(args, state)
            try:
                stored = json.loads((folder / FILE).read_text(encoding="utf-8"))
            except (OSError, ValueError):
                raise ValueError(
                    f"{folder} holds no state of a search ({FILE}); checkpoint= names another folder"
                ) from None
            self.clock.load(stored)
        self.clock.start(_epochs(state))

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See `Clock.ended`."""
        self.clock.ended(_epochs(state), int(state.num_train_epochs))

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See `Clock.before`."""
        self.clock.before(state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """See `Clock.ended`."""
        self.clock.ended(_epochs(state), int(state.num_train_epochs))

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Write the search's state into the checkpoint that was just written."""
        if state.is_world_process_zero:
            write_text(_folder(args, state) / FILE, json.dumps(self.clock.state()))


def _folder(args: Any, state: Any) -> Path:
    return Path(args.output_dir) / f"checkpoint-{state.global_step}"


def _epochs(state: Any) -> int:
    """Epochs that have ended."""
    return math.floor(round(state.epoch or 0.0, 6))
