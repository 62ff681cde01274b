"""What a search notices: scores without a gradient, unannounced steps, other ranks, writes that are lost.

Most of it happens in the first training steps or never; a look for lost writes costs microseconds a weight.
"""

from __future__ import annotations

import ctypes
import sys
import warnings
from typing import TYPE_CHECKING, Any

import torch

from nets.search.score_mask import inside_functorch

if TYPE_CHECKING:
    from nets.search.masked_weight import MaskedWeight
    from nets.search.search import TicketSearch

_SAMPLE = 64


STILL = 64
"""Backward passes after which scores that have not changed are remarked upon."""


class Watch:
    """Eyes of a search on its model."""

    def __init__(self, search: TicketSearch) -> None:
        self.search = search
        self.backward_passes = 0
        self._sums: list[torch.Tensor] = []
        self._forgetting_told = False
        self.steps_announced = False
        self.last_step = -1
        self._restart_told = False
        self.agreed = False
        self._reached: set[str] = set()
        self._read: set[str] = set()
        self._names = {id(layer): name for name, layer in search.layers.items()}
        self._open: set[int] = set()
        self._hooks: list[Any] = []
        self._last: _Read | None = None
        self._told: set[str] = set()
        for name, layer in search.layers.items():
            layer.watch = self
            self._hooks.append(layer.scores.register_post_accumulate_grad_hook(self._hook(name)))

    def _hook(self, name: str) -> Any:
        def reached(_: torch.Tensor) -> None:
            self._reached.add(name)
            self._note(torch._C._current_graph_task_id())

        return reached

    def _note(self, task: int) -> None:
        """Hear of the end of a backward pass: a reentrant checkpoint has one of its own in another."""
        if task not in self._open:
            self._open.add(task)
            engine: Any = torch.autograd.Variable._execution_engine
            engine.queue_callback(self._after_backward)

    def _after_backward(self) -> None:
        task = torch._C._current_graph_task_id()
        self._open.discard(task)
        if any(other < task for other in self._open):
            return
        self.backward_passes += 1
        if self.backward_passes == 1:
            trained = [name for name, layer in self.search.layers.items() if layer.scores.requires_grad]
            missed = [name for name in trained if name not in self._reached]
            if missed:
                more = f" and {len(missed) - 5} more" if len(missed) > 5 else ""
                warnings.warn(
                    f"no gradient reached the scores of {', '.join(missed[:5])}{more} in the first backward pass: the "
                    "network does not use these weights, or uses a copy of them that is not pruned, or this loss does "
                    "not depend on them",
                    stacklevel=2,
                )
            self._tell_unread()
            self._sums = self._score_sums()
        if self.backward_passes == STILL and self._sums and all(map(torch.equal, self._sums, self._score_sums())):
            warnings.warn(
                f"the scores have not changed in {STILL} backward passes: does the optimiser have search.parameters()?",
                stacklevel=2,
            )
        due = self.search.method.first_event()
        told = self.steps_announced or self._forgetting_told
        if not told and due is not None and self.backward_passes >= due:
            self._forgetting_told = True
            warnings.warn(
                f"no search.before_step(step) in {self.backward_passes} backward pass"
                f"{'es' * (self.backward_passes > 1)}: {self.search.method.name} needs it before every step",
                stacklevel=2,
            )
        settled = due is None or self.steps_announced or self._forgetting_told
        if settled and self.backward_passes >= STILL:
            self.close()

    def _tell_unread(self) -> None:
        """Scores that got a gradient past their effective weight; a compiled forward pass reads unseen."""
        unread = [name for name in self.search.layers if name in self._reached - self._read]
        if unread and "torch._dynamo" not in sys.modules:
            warnings.warn(
                f"the scores of {', '.join(unread[:5])} got a gradient, but no effective weight of theirs was read: "
                "code takes the scores for the weights, as layer.parameters() gives them, and nothing is pruned there",
                stacklevel=3,
            )

    def _score_sums(self) -> list[torch.Tensor]:
        """None where each process has a part of the scores only."""
        scores = [layer.scores.detach() for layer in self.search.layers.values()]
        return (
            []
            if any(hasattr(one, "full_tensor") for one in scores)
            else [one.sum(dtype=torch.float64) for one in scores]
        )

    def announced(self, step: int) -> None:
        """A step is about to be taken.

        Warns
        -----
        UserWarning
            Once, if the numbers of steps begin anew and the method counts them: it would do the same things again.
        """
        self.steps_announced = True
        counts = self.search.method.first_event() is not None
        if counts and step < self.last_step and not self._restart_told:
            self._restart_told = True
            warnings.warn(
                f"step {step} comes after step {self.last_step}: before_step counts steps across epochs",
                stacklevel=3,
            )
        self.last_step = step

    def close(self) -> None:
        """Look no longer."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()

    def reading(self, layer: MaskedWeight) -> None:
        """A weight is being read in a forward pass: inside a data-parallel one, all ranks agree first."""
        if self._hooks:
            self._read.add(self._names.get(id(layer), ""))
            task = torch._C._current_graph_task_id()
            if task == -1:
                self._open.clear()
            else:
                self._note(task)
        if self.agreed or not layer.training:
            return
        if not torch.distributed.is_available() or not torch.distributed.is_initialized():
            return
        active = getattr(torch.nn.parallel.DistributedDataParallel, "_active_ddp_module", None)
        if active is not None:
            self.agree(active.process_group)

    def was_read(self, layer: MaskedWeight, weight: torch.Tensor) -> None:
        """Keep an eye on a weight that was handed out until the next one is: is it written to?

        Warns
        -----
        UserWarning
            Once for each tensor, if its last reader wrote to it.
        """
        last, self._last = self._last, _Read.of(layer, weight)
        if last is None or not last.written():
            return
        name = self._names.get(id(last.layer), "")
        if name not in self._told:
            self._told.add(name)
            warnings.warn(
                f"the weight of {name or 'the model'} was written to in place, which is lost: it is computed from "
                "frozen weights and scores; change the model before find_tickets, or search.layers[...].frozen",
                stacklevel=4,
            )

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_hooks": [], "_last": None}

    @torch.no_grad()
    def agree(self, group: Any = None) -> None:
        """Give all ranks the weights of the first, once: later events draw the same on all of them.

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
        source = distributed.get_global_rank(group, 0) if group is not None else 0
        for layer in search.layers.values():
            for tensor in (layer.frozen, layer.draws, layer.origins):
                if tensor is not None:
                    sent = tensor.contiguous()
                    distributed.broadcast(sent, source, group=group)
                    tensor.copy_(sent)
        if own != first:
            told = ", ".join(f"{name} {own[name]}, there {first[name]}" for name in seeds)
            warnings.warn(f"this rank takes the weights of the first one: {told}", stacklevel=2)
            search.seed, search.score_seed = first["seed"], first["score_seed"]
            search.draw_weights()
            if search.method.samples:
                search.draw_noise(0)


class _Read:
    """A weight as it was handed out."""

    def __init__(self, layer: MaskedWeight, weight: torch.Tensor) -> None:
        self.layer, self.weight = layer, weight
        self.version, self.address = weight._version, weight.data_ptr()
        self.sample = self._sample()

    @classmethod
    def of(cls, layer: MaskedWeight, weight: torch.Tensor) -> _Read | None:
        """None where a tensor has no memory of its own to look at."""
        plain = type(weight) is torch.Tensor and not weight.is_inference() and not inside_functorch(weight)
        return cls(layer, weight) if plain and weight.data_ptr() else None

    def _sample(self) -> bytes:
        """The first bytes, where the processor can read them."""
        if not self.weight.is_cpu:
            return b""
        return ctypes.string_at(self.address, min(_SAMPLE, self.weight.numel() * self.weight.element_size()))

    def written(self) -> bool:
        """Whether its numbers have changed: by an operation in place, by new data, or through its data."""
        if self.weight._version != self.version or self.weight.data_ptr() != self.address:
            return True
        return self._sample() != self.sample
