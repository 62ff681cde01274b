"""Examples of a network's inputs: given ones, checked, or made up where the shapes allow it."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch

from nets.arguments import dense, of_type
from nets.graph.graph import Graph, GraphError, Input
from nets.graph.module import readable_shape
from sims.solver.memory import available_bytes, readable


def checked_examples(
    graph: Graph, given: torch.Tensor | Sequence[torch.Tensor] | Mapping[str, torch.Tensor] | None
) -> dict[str, torch.Tensor] | None:
    """A batch for every input, by name; None where none is given.

    Raises
    ------
    GraphError
        If their number, types or shapes are not those of the inputs, or a value is NaN or infinite.
    """
    if given is None:
        return None
    names = [one.name for one in graph.inputs]
    if isinstance(given, Mapping):
        found = dict(given)
    else:
        kinds = (torch.Tensor, list, tuple)
        of_type("example_inputs", given, kinds, "a tensor, a list of them or a mapping from the inputs' names")
        listed = [given] if isinstance(given, torch.Tensor) else list(given)
        if len(listed) != len(names):
            raise GraphError(f"the network takes the inputs {', '.join(names)}, got {len(listed)} arrays")
        found = dict(zip(names, listed, strict=True))
    if set(found) != set(names):
        raise GraphError(f"the network takes the inputs {', '.join(names)}, got {', '.join(sorted(found))}")
    return {one.name: _checked(one, found[one.name]) for one in graph.inputs}


def read_examples(graph: Graph, path: str) -> dict[str, torch.Tensor]:
    """The examples of a file: .npy for one input, .npz with an array for each input, by name or in order.

    Raises
    ------
    GraphError
        If the file is missing, damaged, or does not fit; the message is one line.
    """
    from nets.targets.state_dict import check_archive

    if os.path.exists(path) and not os.path.isfile(path):  # a pipe would be waited for
        raise GraphError(f"{path}: is no file")
    try:
        check_archive(path)
    except GraphError as error:
        raise GraphError(f"{path}: {error}") from None
    try:
        with open(path, "rb") as file, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of NumPy's about headers: what it cannot read is an error of ours
            held = np.load(file, allow_pickle=False)
            arrays = {name: held[name] for name in held.files} if hasattr(held, "files") else {"": held}
    except FileNotFoundError:
        raise GraphError(f"{path}: no such file") from None
    except Exception as error:  # a damaged file can raise almost anything
        raise GraphError(f"{path}: not a readable NumPy file ({type(error).__name__})") from None
    tensors = {}
    for name, array in arrays.items():
        if not isinstance(array, np.ndarray):
            raise GraphError(f"{path}: {name!r} is no array")
        if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
            raise GraphError(f"{path}: {name or 'the array'} must hold numbers, got {array.dtype}")
        tensors[name] = torch.from_numpy(np.array(array.astype(array.dtype.newbyteorder("="))))
    named = any(one.name in tensors for one in graph.inputs)
    try:
        found = checked_examples(graph, tensors if named else list(tensors.values()))
    except GraphError as error:
        raise GraphError(f"{path}: {error}") from None
    assert found is not None
    return found


def one_example(graph: Graph, examples: Mapping[str, torch.Tensor] | None) -> dict[str, torch.Tensor]:
    """The first example of a batch, or one of zeros, each with a batch axis of length 1 where the network has one.

    Raises
    ------
    GraphError
        If there are no examples and an input has a free side besides the first.
    """
    if examples is not None:
        first = next(batches(graph, examples, size=1))
        return {one.name: value for one, value in zip(graph.inputs, first, strict=True)}
    found = {}
    for one in graph.inputs:
        if one.shape is None or any(isinstance(side, str) for side in one.shape[1:]):
            raise GraphError(f"the input {one.name} has the shape {readable_shape(one.shape)}: give examples of it")
        sides = [1 if isinstance(side, str) else side for side in one.shape]
        if (size := 8 * math.prod(sides)) > available_bytes() // 4:
            raise GraphError(f"the input {one.name} takes {readable(size)}, more than a quarter of the memory")
        found[one.name] = torch.zeros(sides, dtype=getattr(torch, one.dtype))
    return found


def batches(
    graph: Graph, examples: Mapping[str, torch.Tensor], *, size: int = 64
) -> Iterator[tuple[torch.Tensor, ...]]:
    """The examples in batches, as the network's inputs in order; of the size that it demands, where it demands one."""
    lengths = [len(examples[one.name]) for one in graph.inputs if examples[one.name].ndim and one.shape != ()]
    demanded = [one.shape[0] for one in graph.inputs if one.shape and isinstance(one.shape[0], int)]
    step = demanded[0] if demanded else size
    if len(set(lengths)) > 1 or len(set(demanded)) > 1 or not lengths:
        yield tuple(examples[one.name] for one in graph.inputs)
        return
    for start in range(0, lengths[0], step):
        yield tuple(examples[one.name][start : start + step] for one in graph.inputs)


def _checked(one: Input, given: Any) -> torch.Tensor:
    if not isinstance(given, torch.Tensor):
        raise GraphError(f"{one.name}: must be a tensor, got {type(given).__name__}")
    wanted: torch.dtype = getattr(torch, one.dtype)
    try:
        value = dense(one.name, given).cpu()
    except ValueError as error:
        raise GraphError(str(error)) from None
    value = value.float() if value.dtype == torch.bfloat16 else value  # which NumPy does not have
    kept = value if wanted.is_floating_point else value.to(wanted)
    if value.is_floating_point() != wanted.is_floating_point or not (
        kept is value or torch.equal(kept.to(value.dtype), value)
    ):
        raise GraphError(f"{one.name}: must be {one.dtype}, got {str(value.dtype).removeprefix('torch.')}")
    if one.shape is not None and len(one.shape) == kept.ndim + 1 and isinstance(one.shape[0], str):
        kept = kept[None]
    fits = one.shape is None or (
        len(one.shape) == kept.ndim
        and all(isinstance(a, str) or a == b for a, b in zip(one.shape[1:], kept.shape[1:], strict=True))
        and (not one.shape or isinstance(one.shape[0], str) or (one.shape[0] > 0 and not len(kept) % one.shape[0]))
    )
    if not fits or not kept.numel():
        raise GraphError(f"{one.name}: must have shape {readable_shape(one.shape)}, got {tuple(given.shape)}")
    if kept.is_floating_point() and not bool(torch.isfinite(kept).all()):
        raise GraphError(f"{one.name}: holds NaN or infinity")
    return kept
