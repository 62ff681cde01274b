"""A running search for a ticket: its layers, its events, its state, and what must be stored to ship the ticket."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

from nets.arguments import of_type
from nets.search.check import Number, index
from nets.search.dense_part import dense_line, frozen_line
from nets.search.draws import COINS, MASKS, SCORES, WEIGHTS, coin_limit, shaped, uniform_draws
from nets.search.masked_weight import GlobalMasks, MaskedWeight, hold_masks, whole_scores
from nets.search.methods.method import Event, Method
from nets.search.score_mask import count_to_keep
from nets.search.watch import Watch
from sims.solver.limits import between


class TicketSearch:
    """What `find_tickets` returns; use that to make one.

    Attributes
    ----------
    model : torch.nn.Module
        The model, whose weights are masked now.
    method : Method
    layers : dict of str to MaskedWeight
        By the dotted name of the layer, with that of the tensor where it is not "weight"; a tensor that occurs under
        several names under its first one.
    seed, score_seed : int
        Seeds of the weights (and of re-randomisations) and of the first scores.
    init, score_init : str
        Laws of the weights ("keep": those that the model had) and of the first scores.
    stds : dict of str to float
        Standard deviation of each layer's weights.
    numel, n_keep : int
        Weights in all tensors, and how many are kept at the end of the search.
    progress : float
        Part of the run's epochs that is over, as `after_epoch` was told.
    events : list of Event
        What the method did so far.
    dense : dict of str to dict of str to int
        What was not masked, as `nets.search.plan.Plan.dense`.
    arguments : dict
        The other arguments of `find_tickets`, as plain values.
    """

    def __init__(
        self,
        model: nn.Module,
        method: Method,
        layers: dict[str, MaskedWeight],
        *,
        seed: int,
        score_seed: int,
        init: str,
        scale: str,
        score_init: str,
        stds: dict[str, float],
        density: Number,
        dense: Mapping[str, Mapping[str, int]] | None = None,
        arguments: Mapping[str, Any] | None = None,
    ) -> None:
        self.model, self.method, self.layers = model, method, layers
        self.seed, self.score_seed = seed, score_seed
        self.init, self.scale, self.score_init, self.stds = init, scale, score_init, stds
        self.progress = 0.0
        self.events: list[Event] = []
        self.dense = {group: dict(found) for group, found in (dense or {}).items()}
        self.arguments = dict(arguments or {})
        self.numel = sum(layer.frozen.numel() for layer in layers.values())
        self.group: GlobalMasks | None = None
        self.n_keep = sum(layer.aim for layer in layers.values())
        if method.across:
            self.n_keep = count_to_keep(density, self.numel)
            self.group = GlobalMasks(list(layers.values()), self.n_keep)
            now = method.n_keep_at(self, 0)
            assert now is not None
            self.set_n_keep(now)
        self.watch = Watch(self)

    def __repr__(self) -> str:
        return (
            f"<TicketSearch by {self.method.name} in {type(self.model).__name__}: {self._kept} of {self.numel} weights "
            f"kept in {len(self.layers)} layers; seed {self.seed}, score seed {self.score_seed}>"
        )

    @property
    def density(self) -> float:
        """Part of the weights that is kept now, of all layers together."""
        return self._kept / self.numel

    @property
    def _kept(self) -> int:
        if not self.method.exact_count:
            return sum(int(mask.sum()) for mask in self.masks().values())
        return self.n_keep if self.budget is None else self.budget

    @property
    def budget(self) -> int | None:
        """Weights to keep now in all layers together, or None where each has its own number."""
        return None if self.group is None else self.group.n_keep

    def parameters(self) -> list[nn.Parameter]:
        """What to give to the optimiser: the scores, and with ``train_rest`` the model's other trainable parameters."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def score_parameters(self) -> list[nn.Parameter]:
        """The scores alone, in the order of `layers`."""
        return [layer.scores for layer in self.layers.values()]

    def before_step(self, step: int) -> Event | None:
        """Call before the forward pass of every training step.

        Parameters
        ----------
        step : int >= 0
            Number of the step, counted from 0 across epochs and resumed runs.

        Returns
        -------
        Event or None
            What the method did to the weights.
        """
        step = index("step", step, 0)
        self.watch.announced(step)
        if not self.watch.agreed and torch.distributed.is_available() and torch.distributed.is_initialized():
            self.watch.agree()
        return self._log(self.method.before_step(self, step))

    def after_epoch(self, epoch: int, epochs: int) -> Event | None:
        """Call after every epoch, once its validation is done and its checkpoint is written.

        A run resumed from the checkpoint of an epoch calls this for that epoch first: what it does is not in the
        checkpoint.

        Parameters
        ----------
        epoch : int >= 0
            Number of the epoch that has ended, counted from 0.
        epochs : int
            Number of epochs of the whole run.

        Returns
        -------
        Event or None
            What the method did to the weights or to the number kept.
        """
        epoch, epochs = index("epoch", epoch, 0), index("epochs", epochs, 1)
        if epoch >= epochs:
            raise ValueError(f"epoch must be less than epochs, got epoch={epoch} and epochs={epochs}")
        self.progress = (epoch + 1) / epochs
        looks = type(self.method).after_epoch is not Method.after_epoch  # at scores, which may be sharded
        with torch.no_grad(), whole_scores(self.layers.values() if looks else ()):
            return self._log(self.method.after_epoch(self, epoch, epochs))

    def _log(self, event: Event | None) -> Event | None:
        if event is not None:
            self.events.append(event)
        return event

    def set_n_keep(self, n_keep: int) -> None:
        """Keep this many weights in all layers together (global scope only)."""
        if self.group is None:
            raise ValueError("the number kept can be changed with scope='global' only")
        self.group.n_keep = between("n_keep", n_keep, 0, self.numel)

    def masks(self) -> dict[str, torch.Tensor]:
        """The ticket's masks by layer name, as bool tensors of the weights' shapes; do not write to them."""
        return {name: layer.mask() for name, layer in self.layers.items()}

    def hold_masks(self) -> AbstractContextManager[None]:
        """A context in which masks are made once, for evaluation: scores must not change inside."""
        return hold_masks(list(self.layers.values()))

    @torch.no_grad()
    def draw_weights(self) -> None:
        """Give every tensor the weights with which the search starts; nothing with ``init="keep"``."""
        if self.init == "keep":
            return
        for name, layer in self.layers.items():
            layer.frozen.copy_(self.fresh_weights(name, 0))

    def fresh_weights(self, name: str, draw: int) -> torch.Tensor:
        """Draw `draw` of all weights of a layer, in the layer's dtype and on its device; 0 is the initial one."""
        law, layer = (draw and self.method.later_law) or self.init, self.layers[name]
        uniform = uniform_draws(self.seed, WEIGHTS + layer.index, draw, layer.frozen.shape, layer.frozen.device)
        return shaped(law, uniform, self.stds[name]).to(layer.frozen.dtype)

    def first_scores(self, layer: MaskedWeight) -> torch.Tensor:
        """The scores with which a layer starts."""
        uniform = uniform_draws(self.score_seed, SCORES + layer.index, 0, layer.frozen.shape, layer.frozen.device)
        found = self.method.first_scores(uniform, layer, self, self.score_init)
        return found.to(layer.scores.dtype)

    @torch.no_grad()
    def draw_noise(self, draw: int) -> None:
        """Give every layer the noise from which its mask is sampled: draw 0 is the ticket's, draw t + 1 that of step t.

        It is drawn by (score seed, layer, element, draw), on every device and data-parallel rank the same, and small
        where the draw is large.
        """
        for layer in self.layers.values():
            dtype = torch.float64 if layer.scores.dtype == torch.float64 else torch.float32
            uniform = uniform_draws(self.score_seed, MASKS + layer.index, draw, layer.frozen.shape, layer.frozen.device)
            noise = ((1 - uniform) / 2 - 2.0**-53).to(dtype).clamp_(max=1 - torch.finfo(dtype).eps / 2)
            if draw == 0:
                layer.ticket_noise, layer.noise_seed = noise, self.score_seed
                layer.sharpness = torch.ones((), dtype=torch.float64, device=noise.device)
            if layer.step_noise is None or draw == 0:
                layer.step_noise = noise.clone()
            else:
                layer.step_noise.copy_(noise)

    def coin(self, name: str, draw: int, frac: Number) -> torch.Tensor:
        """An independent True with probability `frac` for each weight of a layer."""
        layer = self.layers[name]
        uniform = uniform_draws(self.seed, COINS + layer.index, draw, layer.frozen.shape, layer.frozen.device)
        return uniform < coin_limit(frac)

    def summary(self) -> str:
        """A table of the tensors: shape, weights, kept, density; and what stays dense, is frozen, or is trained too."""
        rows = [("layer", "shape", "weights", "kept", "density")]
        for name, layer in self.layers.items():
            kept, numel = int(layer.mask().sum()), layer.frozen.numel()
            rows.append((name, "x".join(map(str, layer.frozen.shape)), f"{numel}", f"{kept}", f"{kept / numel:.4g}"))
        kept = sum(int(mask.sum()) for mask in self.masks().values())
        rows.append(("all", "", f"{self.numel}", f"{kept}", f"{kept / self.numel:.4g}"))
        widths = [max(len(row[i]) for row in rows) for i in range(5)]
        lines = ["  ".join((row[i].ljust if i < 2 else row[i].rjust)(widths[i]) for i in range(5)) for row in rows]
        return "\n".join([*lines, f"{dense_line(self.dense, self.numel)}; {frozen_line(self.model)}"])

    def settings(self) -> dict[str, Any]:
        """What identifies the search: method, options, seeds and laws, as plain values."""
        options = {name: plain_value(value) for name, value in self.method.options().items()}
        same = ("seed", "score_seed", "init", "scale", "score_init")
        return {"method": self.method.name, "options": options, **{name: getattr(self, name) for name in same}}

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on that is not in ``model.state_dict()``, as plain values.

        Weights, scores and the history of re-randomised and recycled weights are in the model's own state; random
        numbers are functions of the settings, so no generator is stored.
        """
        return {
            "settings": self.settings(),
            "events": [dataclasses.asdict(event) for event in self.events],
            "progress": self.progress,
            "n_keep": self.budget,
            "layers": {name: layer.aim for name, layer in self.layers.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the state of a search with the same settings.

        Raises
        ------
        ValueError
            If the state is that of a search with other settings.
        """
        own = self.state_dict()
        missing = [name for name in own if name not in of_type("state", state, Mapping, "what state_dict() gives")]
        if set(missing) - {"progress"} or not all(isinstance(state[name], Mapping) for name in ("settings", "layers")):
            raise ValueError(f"state must be what state_dict() gives, and has no {', '.join(missing) or 'settings'}")
        defaults = type(self.method)().options()  # what older versions did not have yet
        state = {
            **state,
            "settings": {**state["settings"], "options": {**defaults, **state["settings"].get("options", {})}},
        }
        for part in ("settings", "layers"):
            if state[part] != own[part]:
                names = [name for name in {**own[part], **state[part]} if own[part].get(name) != state[part].get(name)]
                raise ValueError(
                    f"the state belongs to another search: {part} differ in "
                    + ", ".join(f"{name} ({state[part].get(name)!r}, here {own[part].get(name)!r})" for name in names)
                )
        self.watch.last_step = -1
        self.events = [Event(**event) for event in state["events"]]
        self.progress = state.get("progress", 0.0)
        if self.group is not None:
            self.set_n_keep(state["n_keep"])

    @torch.no_grad()
    def export_parts(self) -> dict[str, Any]:
        """What a ticket file needs, all tensors on the CPU.

        Returns
        -------
        dict
            The items of `settings`, `density`, `events` (list of dict) and `layers`: for each layer name its `index`,
            `shape`, `numel`, `n_keep`, `mask` (bool), `law` ("keep" if the weights were given), `later_law`, `std`,
            `gain` (float, or None where weights keep their sizes), `draws`, `origins` (int32 or None), `weight` (only
            where the law is "keep", else None) and `values` (the effective weights, only where they follow neither from
            the weights nor from the gain: signs are turned, or weights are weakened).
            ``nets.search.draws.rebuild_weight`` makes the weights again from `index`, `shape`, `law`, `std`, `draws`,
            `origins`, `later_law` and the seed.
        """
        layers = {}
        for name, layer in self.layers.items():
            mask, gain = layer.mask(), layer.gain()
            keep, values = self.init == "keep", layer.ticket_weight()
            same = gain is not None or torch.equal(values[mask], layer.frozen[mask])
            layers[name] = {
                "index": layer.index,
                "shape": tuple(layer.frozen.shape),
                "numel": layer.frozen.numel(),
                "n_keep": int(mask.sum()),
                "mask": _on_cpu(mask),
                "law": self.init,
                "later_law": self.method.later_law or self.init,
                "std": self.stds[name],
                "gain": None if gain is None else float(gain),
                "draws": _on_cpu(layer.draws),
                "origins": _on_cpu(layer.origins),
                "weight": _on_cpu(layer.frozen) if keep else None,
                "values": None if same else _on_cpu(values),
            }
        events = [dataclasses.asdict(event) for event in self.events]
        return {**self.settings(), "density": self.density, "events": events, "layers": layers}


def _on_cpu(tensor: torch.Tensor | None) -> torch.Tensor | None:
    """A row-major copy on the CPU."""
    return None if tensor is None else tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def plain_value(value: Any) -> Any:
    """A number, truth value or text as it is, anything else as its text."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def freeze(parameters: Iterable[nn.Parameter]) -> None:
    """Take parameters out of training."""
    for parameter in parameters:
        parameter.requires_grad_(False)
        parameter.grad = None
