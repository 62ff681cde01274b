"""Reads the weights of a plain chain of dense layers: PyTorch state dicts, safetensors, NumPy archives.

Such a file holds no graph. Which activation stands between the layers is the reader's to say, and is recorded as an
assumption, as is the order of the layers; where the names speak of anything but a chain of dense layers the file is
refused: then only an ONNX export says what the network is. No code of a file is run: state dicts are read with
`weights_only=True`, arrays without pickle.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import warnings
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from nets.arguments import flag
from nets.graph.graph import Graph, GraphError
from nets.pickled import PickleError, check_torch
from nets.targets.chain import ACTIVATIONS, chain_graph
from sims.solver.memory import available_bytes, readable

SUFFIXES = (".pt", ".pth", ".safetensors", ".npz")
_MAX_UNNUMBERED = 8
_ALWAYS_BYTES, _MOST_PACKED = 2**28, 200
_KEPT = (torch.float16, torch.float32, torch.float64)
_WRAPPERS = ("state_dict", "model_state_dict")
_EXPORT = "export it with torch.onnx.export and give the .onnx file"
_DOUBTFUL = {
    "attention": r"query|key|value|attn|attention|in_proj|\b(qkv|kv|mhs?a|w[_ ]?[qkvo]|to[_ ][qkvo]|[qkv][_ ]?proj)\b",
    "an embedding": r"embed|\b(embs?|wte|wpe|toks?|tokens?|vocab|pos|positions?|positional|lm)\b",
    "a norm": r"norm|running_(mean|var)|batches_tracked|\b(bn|ln|gn|rms)\b",
    "a recurrent layer": r"lstm|gru|rnn|recurrent|_hh|_ih|\b(w?hh|w?ih|[hix]2h|hidden to hidden|cells?)\b",
    "a convolution": r"conv",
    "a branch": r"downsample|shortcut|residual|gate|expert|router|lora|siamese|\b(skip|moe|adapters?|heads|towers?)\b",
}
"""What names other than those of dense layers speak of; \b also stands between words, at dots, digits and _."""

_TOGETHER = {
    "attention": {"q", "k", "v"},
    "several networks": {"actor", "critic", "policy", "teacher", "student", "generator", "discriminator", "ema"},
    "several outputs": {"mu", "mean", "sigma", "std", "var", "logvar", "logstd", "left", "right"},
}
"""Words that are fine alone, and what two of them speak of."""


def read_chain(path: Path, *, activation: str | None = None) -> Graph:
    """Read a file of one of `SUFFIXES`; see `from_state_dict`."""
    if path.suffix.lower() == ".safetensors":
        return from_state_dict(_read_safetensors(path), activation=activation, ordered=False)
    state = (_read_npz if path.suffix.lower() == ".npz" else _read_pickle)(path)
    check_unpacked(path, sum(one.numel() * one.itemsize for one in state.values() if isinstance(one, torch.Tensor)))
    return from_state_dict(state, activation=activation)


def check_unpacked(path: Path | str, size: int) -> None:
    """Refuse a file that becomes more than the memory, or far more than weights and examples do.

    Zeros pack to a thousandth, numbers hardly at all; a tensor without strides is any number of times itself.

    Raises
    ------
    GraphError
        If `size`, in bytes, is more than half of the memory, or more than 256 MiB and 200 times the file.
    """
    if size > available_bytes() // 2:
        raise GraphError(f"takes {readable(size)}, more than half of the memory")
    if size > max(_ALWAYS_BYTES, _MOST_PACKED * (there := os.path.getsize(path))):
        raise GraphError(f"{readable(there)} become {readable(size)}, more than {_MOST_PACKED} times as much: not read")


def check_archive(path: Path | str) -> None:
    """`check_unpacked` before a zip archive, as NumPy's and PyTorch's are, is unpacked; of other files, nothing.

    Raises
    ------
    GraphError
        Also if two of its members have one name, of which a reader takes either.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception:  # whoever reads the file says what it is
        return
    check_once(one.filename.removesuffix(".npy") for one in members)
    check_unpacked(path, sum(one.file_size for one in members))


def check_once(names: Iterable[str]) -> None:
    """Refuse names that stand in a file twice.

    Examples
    --------
    >>> check_once(["a", "b", "a"])
    Traceback (most recent call last):
        ...
    nets.graph.graph.GraphError: holds 'a' twice
    """
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise GraphError(f"holds {name!r:.80} twice")
        seen.add(name)


def from_state_dict(state: Mapping[str, Any], *, activation: str | None = None, ordered: bool = True) -> Graph:
    """Build a network from a state dict of dense layers, `<name>.weight` and `<name>.bias`.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        Shapes (d_i, d_{i-1}) and (d_i,).
    activation : str, optional
        What stands between the layers: a key of `nets.targets.chain.ACTIVATIONS`. One layer needs none.
    ordered : bool
        Whether the mapping's order may be the order of the layers; else it is that of their names (`fc2` before
        `fc10`).

    Raises
    ------
    GraphError
        If the activation is not said, a name speaks of something else than a chain of dense layers, a layer is not
        dense or not finite, the shapes do not chain, or they chain in more than one order.

    Examples
    --------
    >>> state = {"fc10.weight": torch.ones(1, 3), "fc2.weight": torch.ones(3, 2), "fc2.bias": torch.ones(3)}
    >>> from_state_dict(state, activation="relu").assumptions
    ('layers in this order: fc2, fc10; relu between them',)
    """
    flag("ordered", ordered)
    if not isinstance(state, Mapping):
        raise GraphError(f"must be a state dict, got {type(state).__name__}")
    layers = _layers(state)
    shapes = {layer: (parts["weight"].shape[0], parts["weight"].shape[1]) for layer, parts in layers.items()}
    order = _layer_order(shapes, ordered=ordered)
    if not order:
        raise GraphError("the file holds no layer")
    listed = ", ".join(name or "the layer" for name in order)
    if activation is not None and not (isinstance(activation, str) and activation in ACTIVATIONS):
        raise GraphError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
    if activation is None and len(order) > 1:
        raise GraphError(
            f"weights alone do not say what stands between the layers ({listed}): say --activation relu, or {_EXPORT}"
        )
    if activation not in (None, "none"):
        _check_steps(order)
    return chain_graph(
        [layers[layer]["weight"] for layer in order],
        [layers[layer].get("bias") for layer in order],
        names=[layer or "the layer" for layer in order],
        activation=activation or "none",
        assumptions=[f"layers in this order: {listed}; {activation} between them"] if len(order) > 1 else [],
    )


def _layers(state: Mapping[str, Any]) -> dict[str, dict[str, torch.Tensor]]:
    """Weight and bias of every layer, each a clean tensor."""
    for key in state:
        if not isinstance(key, str):
            raise GraphError(f"its keys must be names of weights, got {key!r:.80}; {_EXPORT}")
        if (doubt := _doubt(key)) is not None:
            raise GraphError(f"{key!r:.80} speaks of {doubt[0]!r}, {doubt[1]}, no chain of dense layers: {_EXPORT}")
    words = {word for key in state for word in _words(key)}
    for what, group in _TOGETHER.items():
        if len(found := sorted(group & words)) > 1:
            raise GraphError(f"its names speak of {', '.join(found)}, {what}, no chain of dense layers: {_EXPORT}")
    layers: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        layer, _, part = key.rpartition(".")
        if part not in ("weight", "bias"):
            raise GraphError(f"unknown key {key!r:.80}, expected names ending in .weight or .bias; {_EXPORT}")
        if not isinstance(value, torch.Tensor):
            raise GraphError(f"{key}: must be a tensor, got {type(value).__name__}")
        if value.layout != torch.strided or not value.dtype.is_floating_point or value.is_meta or value.is_nested:
            kind = "without numbers (meta)" if value.is_meta else "nested" if value.is_nested else value.layout
            raise GraphError(f"{key}: must be a dense floating-point tensor, got {kind}, {value.dtype}")
        if value.numel() * 8 > available_bytes() // 2:  # a few bytes of a file can say that they are a large matrix
            raise GraphError(f"{key}: takes {readable(value.numel() * 8)}, more than half of the memory")
        value = (value if value.dtype in _KEPT else value.float()).detach().resolve_neg()
        if not value.numel() or not bool(torch.isfinite(value).all()):
            raise GraphError(f"{key}: is empty or holds NaN or infinity")
        layers.setdefault(layer, {})[part] = value
    for layer, parts in layers.items():
        label = layer or "the layer"
        if "weight" not in parts:
            raise GraphError(f"{label}: has a bias but no weight")
        if (ndim := parts["weight"].ndim) != 2:
            raise GraphError(f"{label}: a {ndim}-D weight is no dense layer: {_EXPORT}")
    return layers


def _words(key: str) -> list[str]:
    """The words of a name, in small letters.

    Examples
    --------
    >>> _words("tokEmb.layer_2.W_q.weight")
    ['tok', 'emb', 'layer', 'w', 'q', 'weight']
    """
    return [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+", key)]


def _doubt(key: str) -> tuple[str, str] | None:
    """The letters of a name that no dense layer of a chain has, and what they speak of."""
    for what, pattern in _DOUBTFUL.items():
        for text in (key, " ".join(_words(key))):
            if (found := re.search(pattern, text, re.IGNORECASE)) is not None:
                return found[0], what
    return None


def _layer_order(shapes: Mapping[str, tuple[int, int]], *, ordered: bool) -> list[str]:
    """Put the layers in the order that the file or their names give; what does not chain is refused by the caller."""
    given, natural = list(shapes), sorted(shapes, key=_natural)
    numbered = len({re.sub(r"\d+", "#", name) for name in natural}) == 1
    both = [_chains([shapes[name] for name in order]) for order in (given, natural)]
    if ordered and all(both) and given != natural and numbered:
        raise GraphError(f"the layers chain in the file's order, {given}, and in that of their names: {_EXPORT}")
    if ordered and both[0]:
        return given
    if not ordered and not numbered:
        if len(natural) > _MAX_UNNUMBERED:
            raise GraphError(f"layer order is unclear: rename {natural[0]!r}, ... to 0, 1, 2, ...")
        found = [p for p in itertools.permutations(natural) if _chains([shapes[name] for name in p])]
        if len(found) == 1:
            return list(found[0])
        if found:
            raise GraphError(f"layer order is unclear: {natural} chain in more than one order, rename them 0, 1, ...")
    return natural if both[1] or not ordered else given


def _check_steps(order: Sequence[str]) -> None:
    """Refuse the numbers of a `torch.nn.Sequential` that leave room for an activation in some places only: 0, 1, 3."""
    names = [re.fullmatch(r"(.*\.|)(\d{1,9})", name) for name in order]
    steps = [(int(b[2]) - int(a[2]), a[0], b[0]) for a, b in itertools.pairwise(names) if a and b and a[1] == b[1]]
    close = next((step for step in steps if step[0] == 1), None)
    wide = next((step for step in steps if step[0] > 1), None)
    if close and wide:
        raise GraphError(
            f"between {close[1]} and {close[2]} there is no room for what stands between {wide[1]} and {wide[2]}: "
            f"which activations there are is unclear: {_EXPORT}"
        )


def _chains(shapes: Sequence[tuple[int, int]]) -> bool:
    return all(later[1] == earlier[0] for earlier, later in itertools.pairwise(shapes))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key in which numbers inside names count as numbers."""
    parts = [part.lstrip("0") if part.isdecimal() else part for part in re.split(r"([0-9]+)", name) if part]
    return [(0, len(part), part) if part.isdecimal() or not part else (1, 0, part) for part in parts]


def _read_pickle(path: Path) -> Mapping[str, Any]:
    """Read a state dict; only tensors and plain containers are unpickled, never code."""
    check_archive(path)
    try:
        check_torch(path)
    except PickleError as error:
        raise GraphError(f"not a readable PyTorch file (its pickle {error})") from None
    try:
        with warnings.catch_warnings():  # about the protocol of files that we refuse or read anyway
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise almost anything
        if re.search("Unsupported (global|class)|unrecognized function", str(error)):
            raise GraphError("refused: the pickle holds more than tensors, and its code is never run") from None
        raise GraphError(f"not a readable PyTorch file ({type(error).__name__})") from None
    for key in _WRAPPERS:
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            others = [name for name in _WRAPPERS if name != key and isinstance(state.get(name), Mapping)]
            if others:
                raise GraphError(f"holds the weights of several networks, {key!r} and {others[0]!r}: save one of them")
            state = state[key]
    if not isinstance(state, Mapping):
        raise GraphError(f"must hold a state dict, got {type(state).__name__}")
    return state


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(path)
        with path.open("rb") as file:  # of a name that stands there twice the library takes the last
            json.loads(file.read(int.from_bytes(file.read(8), "little")), object_pairs_hook=_once)
    except GraphError:
        raise
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise GraphError(f"not a readable safetensors file ({error})") from None
    return state


def _once(pairs: Sequence[tuple[str, Any]]) -> None:
    check_once(name for name, _ in pairs)


def _read_npz(path: Path) -> Mapping[str, Any]:
    """Read named arrays, or `arr_0`, `arr_1`, ... as weights; object arrays (pickles) are refused."""
    import numpy as np

    state: dict[str, Any] = {}
    check_archive(path)
    try:
        with open(path, "rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            for key in archive.files:
                array = archive[key]
                if not isinstance(array, np.ndarray):
                    raise GraphError(f"{key!r:.80} is no array")
                if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
                    raise GraphError(f"{key}: must be floating point, got dtype {array.dtype}")
                array = array.astype(array.dtype.newbyteorder("="))
                name = f"{key}.weight" if re.fullmatch(r"arr_\d+", key) else key
                check_once([*state, name])
                state[name] = torch.from_numpy(array)
    except GraphError:
        raise
    except Exception as error:  # a damaged archive can raise almost anything
        if "allow_pickle" in str(error) and "Object arrays" in str(error):
            raise GraphError("refused: holds object arrays (a pickle), which are never loaded") from None
        raise GraphError(f"not a readable npz file ({type(error).__name__})") from None
    return state
