"""Many tasks in one frozen network, a mask for each (SupSup, Wortsman et al. 2020)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from nets.arguments import as_input, of_type
from nets.construction.source import check_seed
from nets.search import fold
from nets.search.masked_module import MaskedModule
from nets.search.search import TicketSearch
from theory.numerics.check import shown

_NORMS = (nn.modules.batchnorm._NormBase,)


class TaskMasks:
    """Scores of several tasks for one search; those of one task at a time are in the model.

    Parameters
    ----------
    search : TicketSearch
        By a method that leaves weights alone, with nothing trained but scores.

    Attributes
    ----------
    current : str or None
        The task whose scores are in the model.

    Raises
    ------
    ValueError
        If tasks would share what one of them trains or changes.

    Notes
    -----
    Every task has a parameter of its own for each tensor: give ``search.parameters()`` to a new optimiser after
    `set_task`. Running statistics of batch norms are kept for each task too.

    Source
    ------
    Wortsman et al., NeurIPS 2020; rules read in the authors' code: scores as in Edge-Popup, or kept where they are
    positive; batch norms without learned parameters.

    Examples
    --------
    >>> from nets.search import find_tickets
    >>> search = find_tickets(nn.Sequential(nn.Linear(4, 3)), seed=1)
    >>> tasks = TaskMasks(search)
    >>> tasks.add_task("left"), tasks.add_task("right"), tasks.current, tasks.names
    (None, None, 'right', ('left', 'right'))
    >>> right = search.masks()["0"]
    >>> tasks.set_task("left")
    >>> bool((search.masks()["0"] == right).all())
    False
    """

    def __init__(self, search: TicketSearch) -> None:
        of_type("search", search, TicketSearch)
        scores = {id(parameter) for parameter in search.score_parameters()}
        rest = [name for name, one in search.model.named_parameters() if one.requires_grad and id(one) not in scores]
        if rest:
            raise ValueError(f"search must train nothing but scores, or tasks would share it: {', '.join(rest[:4])}")
        if search.method.keeps_draws or search.method.keeps_origins:
            raise ValueError(f"method {search.method.name} changes the weights, which all tasks share")
        self.search = search
        self.current: str | None = None
        self._scores: dict[str, dict[str, nn.Parameter]] = {}
        self._statistics: dict[str, dict[str, torch.Tensor]] = {}
        self._first_statistics = running_statistics(self.search.model)

    @property
    def names(self) -> tuple[str, ...]:
        """The tasks in the order in which they were added."""
        return tuple(self._scores)

    @torch.no_grad()
    def add_task(self, name: str, *, score_seed: int | None = None) -> None:
        """Add a task with first scores of its own, and make it the current one.

        Parameters
        ----------
        score_seed : int in [0, 2^64), optional
            Of its first scores; by default that of the search plus the number of tasks so far.

        Raises
        ------
        ValueError
            If there is a task of this name.
        """
        if of_type("name", name, str, "a text") in self._scores:
            raise ValueError(f"name must be new, got {name!r}; the tasks are {', '.join(self._scores)}")
        search, own = self.search, self.search.score_seed
        search.score_seed = (
            (own + len(self._scores)) % 2**64 if score_seed is None else check_seed(score_seed, "score_seed")
        )
        try:
            self._scores[name] = {
                key: nn.Parameter(torch.empty_like(layer.scores).copy_(search.first_scores(layer)))
                for key, layer in search.layers.items()
            }
        finally:
            search.score_seed = own
        self._statistics[name] = {key: value.clone() for key, value in self._first_statistics.items()}
        self.set_task(name)

    @torch.no_grad()
    def set_task(self, name: str) -> None:
        """Put the scores and statistics of a task into the model.

        Raises
        ------
        ValueError
            If there is no task of this name.
        """
        self._check(name)
        if self.current is not None:
            self._statistics[self.current] = running_statistics(self.search.model)
        self.current = name
        self.search.watch.last_step = -1  # its training counts steps of its own
        for key, layer in self.search.layers.items():
            scores = self._scores[name][key]
            if scores.device != layer.frozen.device or scores.dtype != layer.scores.dtype:
                scores.data = scores.data.to(layer.frozen.device, layer.scores.dtype)
            layer.scores = scores
        buffers = dict(self.search.model.named_buffers())
        for key, value in self._statistics[name].items():
            buffers[key].copy_(value)

    def infer_task(self, x: torch.Tensor) -> str:
        """The task to which inputs without a label belong, told from one gradient ("oneshot").

        All tasks' effective weights are mixed in equal parts a_1 = ... = a_k = 1/k; the task whose part would lower the
        entropy of the outputs fastest is chosen.

        Parameters
        ----------
        x : torch.Tensor
            Inputs of one task; the model's outputs for them are logits, shape (inputs, classes).

        Returns
        -------
        str
            The mode and the current task stay as they are.

        Raises
        ------
        ValueError
            If there is no task yet.
        """
        if not self._scores:
            raise ValueError("there is no task to choose from: add_task first")
        x = as_input("x", x)
        if not x.numel() or not bool(torch.isfinite(x).all()):
            raise ValueError(f"x must hold finite inputs, one at least, got shape {tuple(x.shape)} or NaN or infinity")
        before, weights = self.current, []
        for name in self._scores:
            self.set_task(name)
            weights.append(self._effective())
        assert before is not None
        self.set_task(before)
        parts = torch.full((len(weights),), 1 / len(weights), requires_grad=True)
        mixed = {}
        for key in weights[0]:
            own = parts.to(weights[0][key])
            mixed[key] = torch.stack([weight[key] for weight in weights], -1) @ own
        plain = fold(self.search.model)
        for module in plain.modules():
            if isinstance(module, _NORMS):  # no task's statistics are those of the mixture
                module.train()
        logits = torch.func.functional_call(plain, mixed, (x,))
        entropy = -(logits.softmax(-1) * logits.log_softmax(-1)).sum(-1).mean()
        (slope,) = torch.autograd.grad(entropy, parts)
        if not bool(torch.isfinite(slope).all()):
            raise ValueError("x must give finite outputs, or no task can be told from another")
        return self.names[int(slope.argmin())]

    def state_dict(self) -> dict[str, Any]:
        """Scores and statistics of all tasks, in their order, and which is current; weights follow from the search."""
        if self.current is not None:
            self._statistics[self.current] = running_statistics(self.search.model)
        scores = {name: {key: one.detach().clone() for key, one in own.items()} for name, own in self._scores.items()}
        statistics = {name: {key: one.clone() for key, one in own.items()} for name, own in self._statistics.items()}
        return {"current": self.current, "scores": scores, "statistics": statistics}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take up the tasks of a search with the same settings; tasks that are here already are forgotten.

        Raises
        ------
        ValueError
            If the layers are others.
        """
        for part in ("scores", "statistics"):
            if not isinstance(of_type("state", state, Mapping, "what state_dict() gives").get(part), Mapping):
                raise ValueError(f"state must be what state_dict() gives, and has no {part}")
        own = {key: tuple(layer.scores.shape) for key, layer in self.search.layers.items()}
        norms = {key: tuple(value.shape) for key, value in self._first_statistics.items()}
        for name, scores in state["scores"].items():
            if {key: tuple(one.shape) for key, one in scores.items()} != own:
                raise ValueError(f"the scores of task {name!r} are those of another network")
        for name, found in state["statistics"].items():
            if name not in state["scores"] or {key: tuple(one.shape) for key, one in found.items()} != norms:
                raise ValueError(f"the statistics of task {name!r} in state are those of another network")
        if state.get("current") not in (None, *state["scores"]) or set(state["scores"]) != set(state["statistics"]):
            raise ValueError("state must have scores and statistics of the same tasks, the current one among them")
        self.current = None
        self._scores = {
            name: {key: nn.Parameter(one.clone()) for key, one in scores.items()}
            for name, scores in state["scores"].items()
        }
        self._statistics = {name: dict(found) for name, found in state["statistics"].items()}
        if state.get("current") is not None:
            self.set_task(state["current"])

    def _check(self, name: str) -> None:
        if not isinstance(name, str) or name not in self._scores:
            raise ValueError(f"name must be one of {', '.join(self._scores) or 'no tasks'}, got {shown(name)}")

    def _effective(self) -> dict[str, torch.Tensor]:
        """The ticket's weights by the names of the plain model's parameters."""
        return {
            f"{path}.{name}".lstrip("."): module.masked_weight(name).ticket_weight()
            for path, module in self.search.model.named_modules()
            if isinstance(module, MaskedModule)
            for name in module.masked_names
        }


def running_statistics(model: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of the running statistics of all norms, by the names of the buffers."""
    return {
        f"{path}.{key}".lstrip("."): value.detach().clone()
        for path, module in model.named_modules()
        if isinstance(module, _NORMS)
        for key, value in module.named_buffers(recurse=False)
    }
