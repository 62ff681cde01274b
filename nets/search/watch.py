"""What a search notices while its model is trained: scores without a gradient, unannounced steps, other ranks.

All of it happens in the first training steps or never, so it costs nothing afterwards.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from nets.search.masked_weight import MaskedWeight
    from nets.search.search import TicketSearch


class Watch:
    """Eyes of a search on its model."""

    def __init__(self, search: TicketSearch) -> None:
        self.search = search
        self.backward_passes = 0
        self.steps_announced = False
        self.agreed = False
        self._reached: set[str] = set()
        self._pending = False
        self._hooks: list[Any] = []
        for name, layer in search.layers.items():
            layer.watch = self
            self._hooks.append(layer.scores.register_post_accumulate_grad_hook(self._hook(name)))

    def _hook(self, name: str) -> Any:
        def reached(_: torch.Tensor) -> None:
            self._reached.add(name)
            if not self._pending:
                self._pending = True
                engine: Any = torch.autograd.Variable._execution_engine
                engine.queue_callback(self._after_backward)

        return reached

    def _after_backward(self) -> None:
        self._pending = False
        self.backward_passes += 1
        if self.backward_passes == 1:
            missed = [name for name in self.search.layers if name not in self._reached]
            if missed:
                more = f" and {len(missed) - 5} more" if len(missed) > 5 else ""
                warnings.warn(
                    f"no gradient reached the scores of {', '.join(missed[:5])}{more}: the network does not use these "
                    "weights, or uses a copy of them that is not pruned",
                    stacklevel=2,
                )
        due = self.search.method.first_event()
        if not self.steps_announced and due is not None and self.backward_passes >= due:
            warnings.warn(
                f"{self.backward_passes} backward passes without search.before_step(step): {self.search.method.name} "
                "needs it before every step",
                stacklevel=2,
            )
            due = None
        if due is None or self.steps_announced:
            self.close()

    def close(self) -> None:
        """Look no longer."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def reading(self, layer: MaskedWeight) -> None:
        """A weight is being read in a forward pass: inside a data-parallel one, all ranks agree first."""
        if self.agreed or not layer.training:
            return
        if not torch.distributed.is_available() or not torch.distributed.is_initialized():
            return
        active = getattr(torch.nn.parallel.DistributedDataParallel, "_active_ddp_module", None)
        if active is not None:
            self.agree(active.process_group)

    def agree(self, group: Any = None) -> None:
        """Give all ranks the weights of the first: equal settings draw equal weights, other ones are replaced.

        Warns
        -----
        UserWarning
            On a rank whose seed was another.

        Raises
        ------
        ValueError
            If the ranks search by different methods, counts or laws.
        """
        from torch import distributed

        self.agreed = True
        search = self.search
        if distributed.get_world_size(group) == 1:
            return
        own = {**search.settings(), "layers": {name: layer.aim for name, layer in search.layers.items()}}
        everyone: list[Any] = [None] * distributed.get_world_size(group)
        distributed.all_gather_object(everyone, own, group=group)
        first = everyone[0]
        odd = sorted(name for name in own if any(one[name] != first[name] for one in everyone))
        seeds = [name for name in odd if name in ("seed", "score_seed")]
        if odd != seeds:
            raise ValueError(f"the ranks search for different tickets: {', '.join(odd)} differ")
        if search.init == "keep":
            source = distributed.get_global_rank(group, 0) if group is not None else 0
            for layer in search.layers.values():
                distributed.broadcast(layer.frozen, source, group=group)
        if own != first:
            told = ", ".join(f"{name} {own[name]}, there {first[name]}" for name in seeds)
            warnings.warn(f"this rank takes the weights of the first one: {told}", stacklevel=2)
            search.seed, search.score_seed = first["seed"], first["score_seed"]
            search.draw_weights()
            if search.method.samples:
                search.draw_noise(0)
