"""One tensor of random weights that is frozen, with scores beside it that are trained: the unit of every search.

The effective weight is what the network computes with. `nets.search.masked_module` puts it where the plain parameter
was, so that every piece of code that reads it sees the pruned weight.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn

from nets.search.copied import Copied
from nets.search.fused import Threshold
from nets.search.methods.method import Method
from nets.search.score_mask import count_to_keep, inside_functorch
from theory.numerics.check import shown

_TENSORS = ("frozen", "draws", "origins")
_NOISE = ("step_noise", "ticket_noise", "sharpness")


class MaskedWeight(nn.Module):
    """Frozen weights, scores, and the rules of a method that make the effective weight of them.

    Parameters
    ----------
    weight : torch.Tensor, at least one element, real floating dtype
        The weights to freeze: taken over, not copied.
    n_keep : int, optional
        Number of weights kept, in [0, numel]; half of them by default.
    method : Method, optional
        Edge-Popup's rules by default.
    index : int
        Number of the tensor in its model: the stream of its random numbers.
    fan_in : float, optional
        Inputs of one output; by default the weights of one row.

    Attributes
    ----------
    frozen : torch.Tensor
        The frozen weights W. No buffer, so that data-parallel training does not send it around before every step.
    scores : torch.nn.Parameter, shape of `frozen`
    method, index, fan_in
        As given.
    aim : int
        Number of weights to keep in this tensor, where it is not compared with others.
    draws, origins : torch.Tensor of int32 or None, shape of `frozen`
        Where a method changes weights: which draw each weight is, and which element's draw (row-major number). The
        weights are a function of these and the seed.
    sharpness : torch.Tensor of float64, shape (), or None
        How nearly binary a relaxed mask is; the method sets it. A tensor, so that a compiled model need not be compiled
        again when it changes.
    step_noise, ticket_noise : torch.Tensor or None, shape of `frozen`
        Where a method samples masks: uniform numbers in [0, 1) of the current step and of the ticket, which
        `nets.search.search.TicketSearch.draw_noise` draws. They follow from the seed and are in no state.

    Raises
    ------
    ValueError
        If `n_keep` is outside its range.

    Examples
    --------
    >>> masked = MaskedWeight(torch.ones(2, 3), n_keep=4)
    >>> int(masked.mask().sum()), masked.effective_weight().shape, [name for name, _ in masked.named_parameters()]
    (4, torch.Size([2, 3]), ['scores'])
    """

    def __init__(
        self,
        weight: torch.Tensor,
        *,
        n_keep: int | None = None,
        method: Method | None = None,
        index: int = 0,
        fan_in: float | None = None,
    ) -> None:
        super().__init__()
        self.frozen = weight.detach()
        self.scores = nn.Parameter(torch.empty_like(self.frozen).zero_())
        self.method = Method() if method is None else method
        self.index = index
        self.fan_in = weight[0].numel() if fan_in is None else fan_in
        self.group: GlobalMasks | None = None
        self.held: tuple[torch.Tensor, torch.Tensor] | None = None
        self.watch: Any = None
        self.threshold = Threshold()
        self.copied: Copied | None = None
        self.aim = count_to_keep("1/2", weight.numel()) if n_keep is None else n_keep
        if isinstance(self.aim, bool) or not isinstance(self.aim, int) or not 0 <= self.aim <= weight.numel():
            raise ValueError(f"n_keep must be in [0, {weight.numel()}], got n_keep={shown(n_keep)}")
        empty = torch.zeros_like(self.frozen, dtype=torch.int32)
        self.draws: torch.Tensor | None = empty if self.method.keeps_draws else None
        self.origins: torch.Tensor | None = None
        if self.method.keeps_origins:
            numbers = torch.arange(weight.numel(), dtype=torch.int32, device=weight.device)
            self.origins = torch.empty_like(empty).copy_(numbers.reshape(weight.shape))
        self.sharpness: torch.Tensor | None = None
        self.step_noise: torch.Tensor | None = None
        self.ticket_noise: torch.Tensor | None = None
        self.noise_seed: int | None = None

    @property
    def n_keep(self) -> int:
        """Number of weights kept in this tensor; counted from the current mask where it is not settled beforehand."""
        if self.group is None and self.method.exact_count:
            return self.aim
        return int(self.mask().sum())

    @torch.no_grad()
    def mask(self) -> torch.Tensor:
        """Which weights the ticket keeps now; where training samples masks, not the one of a step.

        Returns
        -------
        torch.Tensor of bool, shape and memory format of `scores`
            Made from the scores as they are, at every call but inside `hold_masks`.
        """
        if self.held is not None:
            return self.held[0]
        if self._sharded():
            with self.whole():
                return self.mask()
        if self.group is not None:
            return self.group.mask_of(self)
        return self.method.mask(self)

    def gain(self) -> torch.Tensor | None:
        """Scale of the binarised weights, float64 of shape (), or None where weights keep their values."""
        mask = self.mask()
        return self.method.gain(self.frozen, mask, self.count(mask))

    def count(self, mask: torch.Tensor) -> int | torch.Tensor:
        """How many weights a mask of this tensor keeps."""
        return self.aim if self.group is None and self.method.exact_count else mask.sum()

    def effective_weight(self) -> torch.Tensor:
        """What the network multiplies by: 0 where pruned; its gradient goes straight through to `scores`.

        Returns
        -------
        torch.Tensor, shape and dtype of `frozen`
        """
        if self.held is not None and not torch.is_grad_enabled():
            return self.held[1]
        if torch._C._get_tracing_state() is not None:
            return self._traced_constant()
        if self._sharded():
            with self.whole():
                return self.method.effective(self)
        if torch.compiler.is_compiling():
            return self.method.effective(self)
        if self.copied is not None:
            self.copied.check(self)
        if self.watch is None:
            return self.method.effective(self)
        self.watch.reading(self)
        weight = self.method.effective(self)
        self.watch.was_read(self, weight)
        return weight

    forward = effective_weight

    @torch.no_grad()
    def ticket_weight(self) -> torch.Tensor:
        """The effective weight of the ticket as it stands: that of evaluation, whether the module trains or not."""
        was, self.training = self.training, False
        try:
            with self.whole():
                return self.method.effective(self).detach()
        finally:
            self.training = was

    def _sharded(self) -> bool:
        """Whether this process has a part of the scores only, as outside the forward pass under FSDP."""
        return self.scores.shape != self.frozen.shape or hasattr(self.scores, "full_tensor")

    @contextmanager
    def whole(self) -> Iterator[None]:
        """Inside, the scores are gathered from all processes, each of which must come here.

        Raises
        ------
        RuntimeError
            If a gradient is wanted, or the scores lie in a flat parameter.
        """
        part = self.scores
        if not self._sharded():
            yield
            return
        if torch.is_grad_enabled() or not hasattr(part, "full_tensor"):
            raise RuntimeError(
                "the scores are sharded here and the weight cannot be computed: apply fully_shard to the module whose "
                "forward reads the weight; with FullyShardedDataParallel read it in the forward pass or inside "
                "FullyShardedDataParallel.summon_full_params"
            )
        self._parameters["scores"] = nn.Parameter(part.full_tensor(), requires_grad=False)
        try:
            yield
        finally:
            self._parameters["scores"] = part

    def _traced_constant(self) -> torch.Tensor:
        """In a traced module the effective weight is a constant."""
        native: Any = torch._C
        tracing = native._get_tracing_state()
        native._set_tracing_state(None)
        try:
            return self.ticket_weight()
        finally:
            native._set_tracing_state(tracing)

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        result = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name in _TENSORS:
            tensor = getattr(self, name)
            setattr(self, name, None if tensor is None else fn(tensor))
        for name in _NOISE:  # dtypes stay: half precision would bias the samples
            tensor = getattr(self, name)
            setattr(self, name, None if tensor is None else tensor.to(self.scores.device))
        return result

    def rule(self) -> dict[str, Any]:
        """What must be equal for a state to mean the same network here; where tensors are compared, their total."""
        noise = {} if self.noise_seed is None else {"score_seed": self.noise_seed, "index": self.index}
        together = {"scope": self.method.scope, "n_keep": self.aim if self.group is None else self.group.aim}
        return {**self.method.rule(self), **together, **noise}

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in _TENSORS:
            tensor = getattr(self, name)
            if tensor is not None:
                destination[prefix + name] = tensor
        text = json.dumps(self.rule()).encode()
        destination[prefix + "rule"] = torch.tensor(list(text), dtype=torch.uint8)

    @torch.no_grad()
    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        here = prefix.removesuffix(".").replace(".masked_weights.", ".").removeprefix("masked_weights.")
        own = {name: state_dict.get(prefix + name) for name in (*_TENSORS, "rule")}
        if own["rule"] is not None and own["rule"].device.type != "meta":
            stored = json.loads(bytes(own["rule"].tolist()))
            odd = [name for name, value in self.rule().items() if stored.get(name, value) != value]
            if odd:
                told = ", ".join(f"{name} {stored.get(name)!r}, here {self.rule()[name]!r}" for name in odd)
                error_msgs.append(f"{here} was pruned otherwise: {told}")
                return
        others: list[str] = []
        plain = {key: value for key, value in state_dict.items() if key.startswith(prefix)}
        super()._load_from_state_dict(plain, prefix, local_metadata, strict, missing_keys, others, error_msgs)
        for name in _TENSORS:
            here_tensor, there = getattr(self, name), own[name]
            if there is None:
                if here_tensor is not None:
                    missing_keys.append(prefix + name)
            elif here_tensor is None:
                unexpected_keys.append(prefix + name)
            elif here_tensor.shape != there.shape:
                error_msgs.append(f"{here}.{name} has shape {tuple(there.shape)}, here {tuple(here_tensor.shape)}")
            elif local_metadata.get("assign_to_params_buffers", False):
                setattr(self, name, there.detach())
            else:
                here_tensor.copy_(there)
        known = {prefix + name for name in (*_TENSORS, "rule")}
        unexpected_keys.extend(key for key in others if key not in known)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "held": None, "watch": None, "copied": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__({"copied": None, **state})  # type: ignore[no-untyped-call]

    def __deepcopy__(self, memo: dict[int, Any]) -> MaskedWeight:
        made = self.__class__.__new__(self.__class__)
        memo[id(self)] = made
        made.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        if self.method.keeps_draws or self.method.keeps_origins:
            made.copied = Copied(self, made)
        return made

    def extra_repr(self) -> str:
        kept = f"n_keep={self.aim}" if self.group is None else "global n_keep"
        return f"{kept} of {self.frozen.numel()}, method={self.method.name}"


class GlobalMasks:
    """Masks of several tensors whose keys are compared with each other.

    Parameters
    ----------
    n_keep : int
        Weights kept in all of them together: at the end, in `aim`; the attribute `n_keep` is the number now.
    """

    def __init__(self, layers: list[MaskedWeight], n_keep: int) -> None:
        self.layers = layers
        self.n_keep = self.aim = n_keep
        self._ready: dict[int, torch.Tensor] = {}
        self._state: tuple[Any, ...] = ()
        for layer in layers:
            layer.group = self

    def mask_of(self, layer: MaskedWeight) -> torch.Tensor:
        """The mask of one of the tensors.

        All are made together and each is handed out once: whoever asks again, as the next forward pass does, gets new
        ones. Changes in between are seen by PyTorch's counters, and on the CPU, where they were made through ``.data``,
        in a sample of the scores.
        """
        with whole_scores(self.layers):
            return self._mask_of(layer)

    def _mask_of(self, layer: MaskedWeight) -> torch.Tensor:
        place = next(i for i, other in enumerate(self.layers) if other is layer)
        scores = [one.scores for one in self.layers]
        blind = torch.compiler.is_compiling() or any(one.is_inference() or inside_functorch(one) for one in scores)
        state = () if blind else (self.n_keep, *map(_fingerprint, scores))
        if blind or place not in self._ready or state != self._state:
            self._ready = dict(enumerate(layer.method.masks_together(self.layers, self.n_keep)))
            self._state = state
        return self._ready.pop(place)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_ready": {}, "_state": ()}


def _fingerprint(scores: torch.Tensor) -> tuple[Any, ...]:
    """Where scores lie, how often they were changed, and some of them."""
    sample: list[float] = []
    if scores.device.type == "cpu":  # elsewhere a look would wait
        flat = scores.detach().reshape(-1)  # a copy where channels come last
        sample = flat[:: max(1, len(flat) // 64)].tolist()
    return scores.data_ptr(), scores._version, sample


@contextmanager
def whole_scores(layers: Iterable[MaskedWeight]) -> Iterator[None]:
    """Inside, the scores of these are whole in every process, see `MaskedWeight.whole`."""
    with ExitStack() as stack:
        for layer in layers:
            stack.enter_context(layer.whole())
        yield


@contextmanager
def hold_masks(layers: list[MaskedWeight]) -> Iterator[None]:
    """Inside, masks and effective weights are made once, for evaluation; scores must not change meanwhile.

    Examples
    --------
    >>> masked = MaskedWeight(torch.ones(2, 3))
    >>> with hold_masks([masked]):
    ...     same = masked.mask() is masked.mask()
    >>> same, masked.mask() is masked.mask()
    (True, False)
    """
    try:
        with torch.no_grad():
            for layer in layers:
                layer.held = (layer.mask(), layer.ticket_weight())
        yield
    finally:
        for layer in layers:
            layer.held = None
