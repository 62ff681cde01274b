"""What a search will mask in a model, and what it will leave dense; everything is checked before anything is changed.

A parameter is one tensor in memory under one or several names. Where all its users are modules of a kind that can be
masked, it is one weight of the search, tied or not. A table of which rows are read is left dense unless it is asked
for. What is left of the larger parameters is the rest: it may multiply inputs in code that nobody knows here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

import torch
from torch import nn

from nets.search.kinds import Kind, kind_of, weights_of
from nets.search.masked_module import MaskedModule
from nets.search.safety import check_classes, check_memory, check_one, packed, place, references

SMALL_REST = 0.01
"""Part of the larger parameters that may stay dense with no more than a warning."""
_ADDED = re.compile(r"bias|(^|_)tokens?$|(^|_)pos(_|$|emb|enc|ition)")
"""Last names of tensors that are added: relative position biases, positions, class tokens."""


@dataclass(frozen=True)
class Use:
    """A place where a model has a parameter.

    Attributes
    ----------
    module : torch.nn.Module
    name : str
        Of the parameter in it.
    path : str
        Dotted name of the parameter in the model.
    layer : str
        What the search calls it: the module's name, with the parameter's where that is not "weight".
    aliases : tuple of str
        All dotted names of the module.
    """

    module: nn.Module
    name: str
    path: str
    layer: str
    aliases: tuple[str, ...]


@dataclass
class Candidate:
    """A tensor that will be masked.

    Attributes
    ----------
    index : int
        Number among all tensors of two axes or more, masked or not: the stream of its random numbers.
    uses : list of Use
        The first names it.
    fan_in : float
    """

    index: int
    uses: list[Use]
    fan_in: float

    @property
    def weight(self) -> torch.Tensor:
        """The tensor."""
        found = self.uses[0].module._parameters[self.uses[0].name]
        assert found is not None
        return found


@dataclass
class Plan:
    """What is masked and what is not.

    Attributes
    ----------
    masked : dict of str to Candidate
    held : dict of str to str
        Other places that hold a masked tensor, as `nets.search.safety.references` finds them.
    dense : dict of str to dict of str to int
        Weights of what stays dense, by group and name: "excluded", "lookup", "offset", "rest".
    reasons : dict of str to str
        Why something belongs to the rest.
    """

    masked: dict[str, Candidate] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    dense: dict[str, dict[str, int]] = field(default_factory=dict)
    reasons: dict[str, str] = field(default_factory=dict)

    @property
    def larger(self) -> int:
        """Weights of all parameters with two axes or more."""
        return sum(c.weight.numel() for c in self.masked.values()) + sum(sum(g.values()) for g in self.dense.values())

    @property
    def modules(self) -> dict[nn.Module, tuple[str, ...]]:
        """Modules of masked tensors, with these tensors' names in them, in the order in which they are replaced."""
        out: dict[nn.Module, tuple[str, ...]] = {}
        for one in self.masked.values():
            for use in one.uses:
                out[use.module] = (*out.get(use.module, ()), use.name)
        return out

    def leave(self, group: str, path: str, numel: int, reason: str = "") -> None:
        """Note a parameter that stays dense."""
        self.dense.setdefault(group, {})[path] = numel
        if reason:
            self.reasons[path] = reason

    def share(self, group: str) -> float:
        """Part of the larger parameters that one group of dense ones makes up."""
        return sum(self.dense.get(group, {}).values()) / max(1, self.larger)


def plan(
    model: nn.Module,
    *,
    exclude: tuple[str, ...] = (),
    weights: Mapping[str, int | tuple[int, ...]] | None = None,
    embeddings: bool = False,
) -> Plan:
    """Look at every parameter of a model; nothing is changed.

    Parameters
    ----------
    exclude : tuple of str
        Dotted names, patterns, or modules that contain them.
    weights : mapping of str to int or tuple of int
        Further parameters to mask by dotted name or pattern, with the axes over which inputs are summed.
    embeddings : bool
        Mask tables of which rows are read, too.

    Raises
    ------
    ValueError
        If a name fits nothing, nothing can be masked, or a tensor cannot be masked safely.
    """
    weights = weights or {}
    names = _names(model)
    if any(isinstance(module, MaskedModule) for module in names):
        raise ValueError("the model has masked layers already: convert a fresh copy of it")
    users = _users(names)
    check_memory([(uses[0].path, _tensor(uses[0])) for uses in users.values()])
    asked = dict.fromkeys((*exclude, *weights), False)
    found = Plan()
    index = 0
    for uses in users.values():
        parameter = uses[0].module._parameters[uses[0].name]
        assert parameter is not None
        hits = [pattern for pattern in exclude if any(_fits(pattern, use) for use in uses)]
        own = [pattern for pattern in weights if any(_fits_exactly(pattern, use) for use in uses)]
        asked |= dict.fromkeys((*hits, *own), True)
        kinds = [_kind(use) for use in uses]
        path, numel, lazy = uses[0].path, _numel(parameter), nn.parameter.is_lazy(parameter)
        if not lazy and parameter.dim() < 2:
            if own:
                raise ValueError(f"weights must name tensors of two axes or more, got {path!r}")
            continue
        number, index = index, index + 1
        if hits:
            found.leave("excluded", path, numel)
        elif not own and not all(kinds):
            small = numel == max(parameter.shape) or _ADDED.search(uses[0].name)
            found.leave("offset" if small else "rest", path, numel, "" if small else _why_not(uses, kinds))
        elif not own and not embeddings and any(kind is not None and kind.lookup for kind in kinds):
            found.leave("lookup", path, numel)
        else:
            check_one(path, parameter, [use.module for use in uses])
            fan_in = _own_fan_in(parameter, own[0], weights[own[0]]) if own else _fan_in(uses, kinds, parameter)
            found.masked[uses[0].layer] = Candidate(number, uses, fan_in)
    _leave_packed(found, names, exclude, asked)
    for pattern, hit in asked.items():
        if not hit:
            what = "exclude" if pattern in exclude else "weights"
            known = ", ".join(
                dict.fromkeys(use.layer or "itself" for uses in users.values() for use in uses[:1] if _kind(use))
            )
            raise ValueError(f"{what} must name layers of the model, got {pattern!r}; it has {known or 'none'}")
    if not found.masked:
        left = [f"{name} ({found.reasons[name]})" for name in list(found.dense.get("rest", {}))[:3]]
        left += [f"{name} (an embedding: embeddings=True masks it)" for name in list(found.dense.get("lookup", {}))[:3]]
        raise ValueError(
            f"the model has no weights that can be masked, got {type(model).__name__}"
            + f": {'; '.join(left)}" * bool(left)
        )
    check_classes(found.modules)
    found.held = references(names, {one.uses[0].path: one.weight for one in found.masked.values()})
    return found


def _names(model: nn.Module) -> dict[nn.Module, list[str]]:
    """All modules with all their dotted names, in order."""
    found: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        found.setdefault(module, []).append(name)
    return found


def _users(names: Mapping[nn.Module, list[str]]) -> dict[tuple[object, ...], list[Use]]:
    """Uses of every tensor, by its place in memory, in the model's order."""
    found: dict[tuple[object, ...], list[Use]] = {}
    for module, own in names.items():
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            path = f"{own[0]}.{name}" if own[0] else name
            layer = own[0] if name == "weight" else path
            aliases = tuple(other if name == "weight" else f"{other}.{name}".lstrip(".") for other in own)
            found.setdefault(place(parameter), []).append(Use(module, name, path, layer, aliases))
    return found


def _leave_packed(
    found: Plan, names: Mapping[nn.Module, list[str]], exclude: tuple[str, ...], asked: dict[str, bool]
) -> None:
    """Note modules of which the weights are no parameters."""
    for module, own in names.items():
        count = packed(module)
        if count is None:
            continue
        use = Use(module, "weight", f"{own[0]}.weight".lstrip("."), own[0], tuple(own))
        hits = [pattern for pattern in exclude if _fits(pattern, use)]
        asked |= dict.fromkeys(hits, True)
        found.leave("excluded" if hits else "rest", use.path, count, "" if hits else "its weights are quantised")


def _numel(parameter: torch.Tensor) -> int:
    return 0 if nn.parameter.is_lazy(parameter) else parameter.numel()


def _tensor(use: Use) -> torch.Tensor:
    found = use.module._parameters[use.name]
    assert found is not None
    return found


def _kind(use: Use) -> Kind | None:
    return kind_of(use.module) if use.name in weights_of(use.module) else None


def _fits(pattern: str, use: Use) -> bool:
    """Whether a pattern means one of a tensor's names or a module that contains it."""
    for name in (*use.aliases, use.path):
        parts = name.split(".")
        if any(fnmatchcase(".".join(parts[:stop]), pattern) for stop in range(1, len(parts) + 1)):
            return True
    return False


def _fits_exactly(pattern: str, use: Use) -> bool:
    return any(fnmatchcase(name, pattern) for name in (*use.aliases, use.path))


def _fan_in(uses: Iterable[Use], kinds: Iterable[Kind | None], parameter: torch.Tensor) -> float:
    """Of several uses the largest: a table tied with a linear layer has the size that the layer needs."""
    return max(kind.fan_in(use.module, parameter) for use, kind in zip(uses, kinds, strict=True) if kind is not None)


def _own_fan_in(parameter: torch.Tensor, pattern: str, axes: int | tuple[int, ...]) -> float:
    axes = tuple(axes) if isinstance(axes, tuple | list) else (axes,)
    if not all(
        isinstance(axis, int) and not isinstance(axis, bool) and -parameter.dim() <= axis < parameter.dim()
        for axis in axes
    ):
        raise ValueError(
            f"weights must give axes of its tensors, got {pattern!r}: {axes!r} for shape {tuple(parameter.shape)}"
        )
    product = 1
    for axis in {axis % parameter.dim() for axis in axes}:
        product *= parameter.shape[axis]
    return product


def _why_not(uses: list[Use], kinds: list[Kind | None]) -> str:
    """Why a parameter cannot be masked of itself."""
    use = next(use for use, kind in zip(uses, kinds, strict=True) if kind is None)
    owner = type(use.module)
    if kind_of(use.module) is not None or owner.__name__ == "ParametrizationList":
        return "the layer's weight is computed from it: to mask it, remove its parametrization or pruning first"
    where = f"of a {owner.__module__}.{owner.__qualname__}, which is no known layer"
    return f"shared with {use.path}, {where}" if any(kinds) else where
