"""Put a masked weight where a module has a plain parameter, so that all code that reads it gets the effective weight.

The module keeps its identity, hooks and options; its class becomes a subclass in which the parameter's name is a
property. Layers of any kind, the tensors of attention and of recurrent layers, code that reads ``layer.weight`` past
the layer's forward: all see the pruned weight, with its gradient.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from nets.search.masked_weight import MaskedWeight

HOLDER = "masked_weights"
"""Name of the submodule that holds a module's masked weights by parameter name."""


class MaskedModule(nn.Module):
    """Mixed into the class of every module that has masked weights; not made directly."""

    masked_names: tuple[str, ...] = ()
    plain_class: type[nn.Module] = nn.Module

    def masked_weight(self, name: str) -> MaskedWeight:
        """The masked weight behind a parameter's name."""
        held = self._modules[HOLDER]
        assert isinstance(held, _Holder)
        return held.get(name)

    def register_parameter(self, name: str, param: nn.Parameter | None) -> None:
        if name in self.masked_names:
            _refuse_to_set(self, name)
        super().register_parameter(name, param)

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        for name in self.masked_names:
            destination[prefix + name] = self.masked_weight(name).ticket_weight()

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
        effective = {prefix + name for name in self.masked_names}
        held = self._modules[HOLDER]
        assert isinstance(held, _Holder)
        for name in self.masked_names:
            _from_older_state(state_dict, prefix, name)
            inside = f"{prefix}{HOLDER}.{name}."
            there = any(key.startswith(inside) for key in state_dict)
            if not there and prefix + name in state_dict and name in held._modules:
                error_msgs.append(f"{prefix}{name} is a plain weight there and masked here: it has no scores")
        others: list[str] = []
        super()._load_from_state_dict(state_dict, prefix, local_metadata, strict, missing_keys, others, error_msgs)
        unexpected_keys.extend(key for key in others if key not in effective)

    def __prepare_scriptable__(self) -> nn.Module:
        """Refuse `torch.jit.script`, which would otherwise put plain modules into the model itself."""
        raise RuntimeError(f"{type(self).__name__} cannot be scripted: make the model plain first (nets.search.fold)")

    def __reduce__(self) -> tuple[Any, ...]:
        return _blank, (self.plain_class, self.masked_names), self.__getstate__()  # type: ignore[no-untyped-call]


class _Holder(nn.Module):
    """Masked weights by parameter name; one that belongs to another module too is kept by reference only."""

    def __init__(self) -> None:
        super().__init__()
        self.lent: dict[str, MaskedWeight] = {}

    def put(self, name: str, masked: MaskedWeight, lent: bool) -> None:
        if lent:
            self.lent[name] = masked
        else:
            self.add_module(name, masked)

    def get(self, name: str) -> MaskedWeight:
        found = self.lent.get(name)
        if found is None:
            found = self._modules[name]  # type: ignore[assignment]
        assert isinstance(found, MaskedWeight)
        return found


class _MaskedRecurrent(MaskedModule):
    """Recurrent layers read a list of their tensors, which is made anew at every reading here."""

    _flat_weights_names: list[str]

    @property
    def _flat_weights(self) -> list[Any]:
        return [getattr(self, name) for name in self._flat_weights_names if hasattr(self, name)]

    @_flat_weights.setter
    def _flat_weights(self, value: Any) -> None:
        pass

    def flatten_parameters(self) -> None:
        """Nothing to do: effective weights never lie together."""


_CLASSES: dict[tuple[Any, tuple[str, ...]], type[MaskedModule]] = {}


def _masked_class(plain: type[nn.Module], names: tuple[str, ...]) -> type[MaskedModule]:
    if (plain, names) in _CLASSES:
        return _CLASSES[plain, names]
    mixed = _MaskedRecurrent if issubclass(plain, nn.RNNBase) else MaskedModule
    content: dict[str, Any] = {name: _property(name) for name in names}
    content |= {"masked_names": names, "plain_class": plain, "__module__": plain.__module__}
    made: type[MaskedModule] = type(f"Masked{plain.__name__}", (mixed, plain), content)
    _CLASSES[plain, names] = made
    return made


def _property(name: str) -> property:
    def read(self: MaskedModule) -> torch.Tensor:
        return self.masked_weight(name).effective_weight()

    def write(self: MaskedModule, value: Any) -> None:
        _refuse_to_set(self, name)

    return property(read, write, doc="The effective weight.")


def _refuse_to_set(module: MaskedModule, name: str) -> None:
    raise RuntimeError(
        f"{name} of {type(module).__name__} is an effective weight and cannot be set; make the layer plain first "
        "(nets.search.fold)"
    )


def _blank(plain: type[nn.Module], names: tuple[str, ...]) -> MaskedModule:
    kind = _masked_class(plain, names)
    made: MaskedModule = kind.__new__(kind)
    return made


def mask_parameter(module: nn.Module, name: str, masked: MaskedWeight, *, lent: bool = False) -> None:
    """Replace a parameter of a module by a masked weight, in place.

    Parameters
    ----------
    module : torch.nn.Module
        Its class changes to a subclass; it must have a parameter of this name.
    lent : bool
        The masked weight belongs to another module (a tied weight): states hold it there only.

    Examples
    --------
    >>> layer = nn.Linear(3, 2)
    >>> mask_parameter(layer, "weight", MaskedWeight(torch.ones(2, 3), n_keep=1))
    >>> layer.weight.tolist(), isinstance(layer, nn.Linear), sorted(name for name, _ in layer.named_parameters())
    ([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], True, ['bias', 'masked_weights.weight.scores'])
    """
    del module._parameters[name]
    holder = module._modules.get(HOLDER)
    if holder is None:
        holder = _Holder()
        module.add_module(HOLDER, holder)
    assert isinstance(holder, _Holder)
    holder.put(name, masked, lent)
    holder.train(module.training)
    plain: type[nn.Module] = type(module)
    names = [name]
    if isinstance(module, MaskedModule):
        plain, names = module.plain_class, [*module.masked_names, name]
    module.__class__ = _masked_class(plain, tuple(names))


def check_class(module: nn.Module, names: tuple[str, ...]) -> None:
    """Let a module have its masked class for a moment; whatever its class says against it is raised."""
    plain, masked = type(module), _masked_class(type(module), names)
    module.__class__ = masked
    module.__class__ = plain


def make_plain(module: nn.Module, made: dict[MaskedWeight, nn.Parameter] | None = None) -> None:
    """Give a module its own class back, with its effective weights as parameters, in place; nothing if it is plain.

    Parameters
    ----------
    made : dict of MaskedWeight to Parameter, optional
        Parameters made so far, so that tied weights stay tied.

    Examples
    --------
    >>> layer = nn.Linear(3, 2)
    >>> mask_parameter(layer, "weight", MaskedWeight(torch.ones(2, 3), n_keep=1))
    >>> make_plain(layer)
    >>> type(layer).__name__, type(layer.weight).__name__, int(layer.weight.sum())
    ('Linear', 'Parameter', 1)
    """
    if not isinstance(module, MaskedModule):
        return
    made = {} if made is None else made
    own = {name: module.masked_weight(name) for name in module.masked_names}
    for masked in own.values():
        if masked not in made:
            made[masked] = nn.Parameter(masked.ticket_weight().clone())
    del module._modules[HOLDER]
    module.__class__ = module.plain_class  # type: ignore[assignment]
    for name, masked in own.items():
        module.register_parameter(name, made[masked])
    if isinstance(module, nn.RNNBase):
        module._init_flat_weights()


def _from_older_state(state: dict[str, Any], prefix: str, name: str) -> None:
    """Rename what states held before version 0.6: weight, scores, draws and origins of a layer, side by side."""
    if name != "weight" or prefix + "scores" not in state:
        return
    for old, new in (("weight", "frozen"), ("scores", "scores"), ("draws", "draws"), ("origins", "origins")):
        if prefix + old in state:
            state[f"{prefix}{HOLDER}.{name}.{new}"] = state.pop(prefix + old)
