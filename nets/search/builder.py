"""What builds a model: a function, or its name "module:function", and the arguments that a file can hold."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

import torch
from torch import nn

Build = Callable[..., nn.Module] | str


def builder_name(build: Build) -> str | None:
    """The name "module:function" of a builder, or None if it has none.

    Examples
    --------
    >>> builder_name("pkg.models:small"), builder_name(builder_name)
    ('pkg.models:small', 'nets.search.builder:builder_name')
    """
    if isinstance(build, str):
        return build
    module, name = getattr(build, "__module__", None), getattr(build, "__qualname__", None)
    return f"{module}:{name}" if module and name else None


def as_function(build: Build) -> Callable[..., nn.Module]:
    """The builder itself; a name is imported.

    Raises
    ------
    ValueError
        If it is neither a function nor the name of one that can be imported.
    """
    if not isinstance(build, str):
        if not callable(build):
            raise ValueError(f"build must be a function or its name module:function, got {type(build).__name__}")
        return build
    if not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*", build):
        raise ValueError(f"build must be a function or its name module:function, got build={build!r}")
    module, _, name = build.partition(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except Exception as error:  # whatever the module's own code raises
        raise ValueError(f"build={build!r} cannot be imported: {_line(error)}") from None
    if not callable(found):
        raise ValueError(f"build={build!r} is no function")
    return found  # type: ignore[no-any-return]


def as_arguments(arguments: Mapping[str, Any] | None) -> dict[str, Any]:
    """Keyword arguments as they are when they come back from a file: lists in place of tuples.

    Raises
    ------
    ValueError
        If they are not what JSON can hold.

    Examples
    --------
    >>> as_arguments({"sizes": (1, 2)}), as_arguments(None)
    ({'sizes': [1, 2]}, {})
    """
    try:
        if arguments is not None and not (
            isinstance(arguments, Mapping) and all(isinstance(name, str) for name in arguments)
        ):
            raise TypeError("they must be a dict of arguments by name")
        found: dict[str, Any] = json.loads(json.dumps(dict(arguments or {}), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"arguments must be a dict that JSON can hold: {_line(error)}") from None
    return found


def build_model(build: Build, arguments: Mapping[str, Any], *, sketch: bool = False) -> nn.Module:
    """Call a builder; PyTorch's random numbers are afterwards as they were.

    Parameters
    ----------
    sketch : bool
        On the meta device, without memory for its tensors.

    Raises
    ------
    ValueError
        If it fails or makes no model.
    """
    function = as_function(build)
    try:
        with (
            torch.random.fork_rng(devices=[]),
            torch.device("meta" if sketch else "cpu"),
            warnings.catch_warnings(),
        ):
            if sketch:
                warnings.simplefilter("ignore")
            made = function(**arguments)
    except Exception as error:  # whatever the builder raises
        raise ValueError(f"the builder {builder_name(build)} fails with its arguments: {_line(error)}") from None
    if not isinstance(made, nn.Module):
        raise ValueError(f"the builder {builder_name(build)} must return a torch.nn.Module, got {type(made).__name__}")
    return made


def _line(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]
