"""Loaders of target networks: from files of four formats, and one trained on scikit-learn's digits.

Nothing here runs code from a file: state dicts are read with `weights_only=True`, arrays without pickle, ONNX graphs
without external data. Whatever is not a plain chain of dense layers is refused with one line naming layer and reason.

A bare state dict (or .safetensors, .npz) does not say which activation stands between the layers: **ReLU is assumed**.
"""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from nets.descent import descend
from nets.targets.target import Target, TargetError, with_biases
from nets.threads import few_threads

FORMATS = (".pt", ".pth", ".safetensors", ".npz", ".onnx")
_MAX_UNNUMBERED = 8


def load_target(path_or_name: str | Path, *, seed: int = 0) -> Target:
    """Load a target network from a file, or the built-in one named `digits`.

    Parameters
    ----------
    path_or_name : str or Path
        `digits` (see `from_digits`), or a file ending in .pt or .pth (a PyTorch state dict), .safetensors, .npz
        (arrays named like a state dict, or `numpy.savez(file, F_1, F_2, ...)`) or .onnx (Gemm or MatMul, Add, Relu).
    seed : int
        For `digits` only.

    Returns
    -------
    Target
        Biases, if any, by a constant coordinate (`Target.has_bias`).

    Raises
    ------
    TargetError
        If the file is missing, damaged, or not a chain of dense layers; the message is one line.

    Notes
    -----
    Layers of a state dict or .npz are taken in the file's order if their shapes chain, else in natural order of their
    names (`fc2` before `fc10`). A .safetensors file has no order of its own, so natural order is used, and names
    without numbers are refused if the shapes allow more than one chain.

    Examples
    --------
    >>> load_target("model.h5")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    nets.targets.target.TargetError: model.h5: unknown format '.h5', expected digits or a file .pt ...
    """
    if str(path_or_name) == "digits":
        return from_digits(seed=seed)
    suffix = (path := Path(path_or_name)).suffix.lower()
    if suffix not in FORMATS:
        raise TargetError(f"{path.name}: unknown format {suffix!r}, expected digits or a file {' '.join(FORMATS)}")
    if not path.is_file():
        raise TargetError(f"{path.name}: no such file")
    try:
        if path.stat().st_size == 0:
            raise TargetError("the file is empty")
        if suffix == ".onnx":
            return _from_onnx(_read_onnx(path))
        if suffix == ".safetensors":
            return from_state_dict(_read_safetensors(path), ordered=False)
        return from_state_dict(_read_npz(path) if suffix == ".npz" else _read_pickle(path))
    except TargetError as error:
        raise TargetError(f"{path.name}: {_one_line(error)}") from None


def from_state_dict(state: Mapping[str, Any], *, ordered: bool = True) -> Target:
    """Build a target from a state dict of dense layers, `<name>.weight` and `<name>.bias`; ReLU is assumed between.

    Parameters
    ----------
    state : mapping of str to torch.Tensor
        Shapes (d_i, d_{i-1}) and (d_i,).
    ordered : bool
        Whether the mapping's order may be the order of the layers.

    Raises
    ------
    TargetError
        If a key is unknown, a layer is not dense or not finite, or the shapes do not chain.

    Examples
    --------
    >>> state = {"fc10.weight": torch.ones(1, 3), "fc2.weight": torch.ones(3, 2), "fc2.bias": torch.ones(3)}
    >>> from_state_dict(state).widths
    (3, 4, 1)
    """
    layers: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        layer, _, part = str(key).rpartition(".")
        if part not in ("weight", "bias"):
            raise TargetError(f"unknown key {str(key)!r}, expected names ending in .weight or .bias")
        if not isinstance(value, torch.Tensor):
            raise TargetError(f"{key}: must be a tensor, got {type(value).__name__}")
        layers.setdefault(layer, {})[part] = value
    for layer, parts in layers.items():
        label = layer or "the layer"
        if "weight" not in parts:
            raise TargetError(f"{label}: has a bias but no weight")
        if (ndim := parts["weight"].ndim) != 2:
            reason = "a convolution, only dense layers are supported" if ndim == 4 else "not a dense layer"
            raise TargetError(f"{label}: a {ndim}-D weight is {reason}")
    shapes = {layer: (parts["weight"].shape[0], parts["weight"].shape[1]) for layer, parts in layers.items()}
    order = _layer_order(shapes, ordered=ordered)
    weights = [layers[layer]["weight"] for layer in order]
    biases = [layers[layer].get("bias") for layer in order]
    return with_biases(weights, biases, names=[layer or "the layer" for layer in order])


def _layer_order(shapes: Mapping[str, tuple[int, int]], *, ordered: bool) -> list[str]:
    """Put the layers in the order that the file or their names give; what does not chain is refused by the caller."""
    given, natural = list(shapes), sorted(shapes, key=_natural)
    if ordered and _chains([shapes[name] for name in given]):
        return given
    if not ordered and len({re.sub(r"\d+", "#", name) for name in natural}) > 1:
        if len(natural) > _MAX_UNNUMBERED:
            raise TargetError(f"layer order is unclear: rename {natural[0]!r}, ... to 0, 1, 2, ...")
        found = [p for p in itertools.permutations(natural) if _chains([shapes[name] for name in p])]
        if len(found) == 1:
            return list(found[0])
        if found:
            raise TargetError(f"layer order is unclear: {natural} chain in more than one order, rename them 0, 1, ...")
    return natural if _chains([shapes[name] for name in natural]) or not ordered else given


def _chains(shapes: Sequence[tuple[int, int]]) -> bool:
    return all(later[1] == earlier[0] for earlier, later in itertools.pairwise(shapes))


def _natural(name: str) -> list[tuple[int, int, str]]:
    """Sort key in which numbers inside names count as numbers."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in re.split(r"(\d+)", name) if part]


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= 300 else text[:297] + "..."


def _read_pickle(path: Path) -> Mapping[str, Any]:
    """Read a state dict; only tensors and plain containers are unpickled, never code."""
    try:
        with warnings.catch_warnings():  # about the protocol of files that we refuse or read anyway
            warnings.simplefilter("ignore")
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged pickle can raise almost anything
        if re.search("Unsupported (global|class)|unrecognized function", str(error)):
            raise TargetError("refused: the pickle holds more than tensors, and its code is never run") from None
        raise TargetError(f"not a readable PyTorch file ({type(error).__name__})") from None
    for key in ("state_dict", "model_state_dict"):
        if isinstance(state, Mapping) and isinstance(state.get(key), Mapping):
            state = state[key]
    if not isinstance(state, Mapping):
        raise TargetError(f"must hold a state dict, got {type(state).__name__}")
    return state


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError, RuntimeError) as error:
        raise TargetError(f"not a readable safetensors file ({_one_line(error)})") from None


def _read_npz(path: Path) -> Mapping[str, Any]:
    """Read named arrays, or `arr_0`, `arr_1`, ... as weights; object arrays (pickles) are refused."""
    import zipfile
    import zlib

    import numpy as np

    state = {}
    try:
        with open(path, "rb") as file, np.lib.npyio.NpzFile(file, allow_pickle=False) as archive:
            for key in archive.files:
                array = archive[key]
                if array.dtype.kind not in "fiub":
                    raise TargetError(f"{key}: must be floating point, got dtype {array.dtype}")
                array = array.astype(array.dtype.newbyteorder("="))
                state[f"{key}.weight" if re.fullmatch(r"arr_\d+", key) else key] = torch.from_numpy(array)
    except TargetError:
        raise
    except (OSError, ValueError, EOFError, KeyError, TypeError, MemoryError, zipfile.BadZipFile, zlib.error) as error:
        if "allow_pickle" in str(error) and "Object arrays" in str(error):
            raise TargetError("refused: holds object arrays (a pickle), which are never loaded") from None
        raise TargetError(f"not a readable npz file ({type(error).__name__})") from None
    return state


def _read_onnx(path: Path) -> Any:
    import onnx

    try:
        return onnx.load_model_from_string(path.read_bytes())
    except Exception as error:  # protobuf's DecodeError, whose home differs between releases
        raise TargetError(f"not a readable ONNX file ({type(error).__name__})") from None


class _OnnxChain:
    """Walks an ONNX graph that is one chain, collecting layers; `column` tells if the data are columns (d, batch)."""

    def __init__(self, graph: Any) -> None:
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        inputs = [value.name for value in graph.input if value.name not in self.constants]
        if len(inputs) != 1 or len(graph.output) != 1:
            raise TargetError(f"the graph must have one input and one output, got {len(inputs)}, {len(graph.output)}")
        self.current = inputs[0]
        self.column: bool | None = None
        self.after_linear = False
        self.weights: list[torch.Tensor] = []
        self.biases: list[torch.Tensor | None] = []
        self.names: list[str] = []

    def array(self, name: str, node_name: str) -> torch.Tensor:
        """Read a constant as float64; integers and data outside the file are refused."""
        from onnx import TensorProto, numpy_helper

        tensor = self.constants[name]
        if tensor.data_location == TensorProto.EXTERNAL or tensor.external_data:
            raise TargetError(f"{node_name}: {name!r} keeps its data outside the file, which is not read")
        if tensor.data_type not in (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.FLOAT16, TensorProto.BFLOAT16):
            kind = TensorProto.DataType.Name(tensor.data_type)
            raise TargetError(f"{node_name}: {name!r} must be floating point, got {kind}")
        try:
            return torch.from_numpy(numpy_helper.to_array(tensor).astype("float64"))
        except (ValueError, TypeError, OverflowError, MemoryError):
            raise TargetError(f"{node_name}: the data of {name!r} do not fit its shape") from None

    def visit(self, node: Any) -> None:
        """Take one node, or say why not."""
        name = node.name or node.op_type
        if node.op_type == "Constant" and len(node.attribute) == 1 and node.attribute[0].name == "value":
            self.constants[node.output[0]] = node.attribute[0].t
            return
        known = {"Gemm", "MatMul", "Add", "Relu", "Flatten", "Identity"}
        if node.op_type not in known or node.domain not in ("", "ai.onnx"):
            raise TargetError(f"{name}: {node.op_type} is not supported, only {', '.join(sorted(known))}")
        data = [i for i, value in enumerate(node.input) if value == self.current]
        others = [value for value in node.input if value not in (self.current, "")]
        if len(data) != 1 or len(node.output) != 1 or any(value not in self.constants for value in others):
            raise TargetError(f"{name}: the graph is not one chain of layers")
        options = {a.name: a for a in node.attribute}
        arrays = [self.array(value, name) for value in others]
        if len(arrays) not in {"Gemm": (1, 2), "MatMul": (1,), "Add": (1,)}.get(node.op_type, (0,)):
            raise TargetError(f"{name}: {node.op_type} has {len(arrays)} constant inputs")
        if node.op_type in ("Gemm", "MatMul"):
            self._linear(name, data[0], arrays, options)
        elif node.op_type == "Add":
            if not self.after_linear:
                raise TargetError(f"{name}: Add is a bias and must follow Gemm or MatMul")
            self._add_bias(name, arrays[0])
        elif node.op_type == "Relu" and not self.weights:
            raise TargetError(f"{name}: a Relu before the first layer is not supported")
        elif node.op_type == "Relu":
            self.after_linear = False
        elif node.op_type == "Flatten":
            if self.weights or ("axis" in options and options["axis"].i != 1):
                raise TargetError(f"{name}: Flatten is supported only before the first layer, with axis=1")
            self.column = False
        self.current = node.output[0]

    def _linear(self, name: str, position: int, arrays: list[torch.Tensor], options: dict[str, Any]) -> None:
        """Read Gemm, alpha A' B' + beta C, or MatMul, A B, with the data on either side."""
        if self.after_linear:
            raise TargetError(f"{name}: follows layer {self.names[-1]} without a Relu between them")
        if position > 1:
            raise TargetError(f"{name}: the graph is not one chain of layers")
        if arrays[0].ndim != 2:
            raise TargetError(f"{name}: a weight of shape {tuple(arrays[0].shape)} is not a dense layer")
        flips = tuple(bool(options[key].i) if key in options else False for key in ("transA", "transB"))
        factors = {key: options[key].f if key in options else 1.0 for key in ("alpha", "beta")}
        if self.column is not None and self.column != (flips[position] != (position == 1)):
            raise TargetError(f"{name}: takes the batch along the other axis than the layers before it")
        # x' W^T with the data first makes rows, W x' with the data second makes columns
        self.column = position == 1
        matrix = arrays[0].T if flips[1 - position] != (position == 0) else arrays[0]
        self.weights.append(matrix * factors["alpha"])
        self.biases.append(None)
        self.names.append(name)
        self.after_linear = True
        if len(arrays) == 2:
            self._add_bias(name, arrays[1] * factors["beta"])

    def _add_bias(self, name: str, bias: torch.Tensor) -> None:
        """Add a bias that is the same for every input of the batch."""
        d_out = self.weights[-1].shape[0]
        wanted = (d_out, 1) if self.column else (1, d_out)
        try:
            spread = torch.broadcast_to(bias, wanted).reshape(-1)
        except RuntimeError:
            raise TargetError(f"{name}: a bias of shape {tuple(bias.shape)} does not fit {d_out} outputs") from None
        before = self.biases[-1]
        self.biases[-1] = spread if before is None else before + spread


def _from_onnx(model: Any) -> Target:
    """Turn a chain of Gemm or MatMul, Add and Relu into a target."""
    chain = _OnnxChain(model.graph)
    for node in model.graph.node:
        chain.visit(node)
    if chain.current != model.graph.output[0].name:
        raise TargetError("the graph is not one chain of layers from its input to its output")
    if not chain.weights:
        raise TargetError("the graph holds no layer")
    if not chain.after_linear:
        raise TargetError("the graph ends with a Relu, a target ends with a dense layer")
    return with_biases(chain.weights, chain.biases, names=chain.names)


class Digits(NamedTuple):
    """Images (n, 64) with pixels in [0, 1], float64, and labels (n,) of scikit-learn's digits, in two parts."""

    x_train: torch.Tensor
    y_train: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor

    def accuracy(self, target: Target) -> float:
        """Part of the test images that `target` classifies correctly."""
        return float((target(target.lift(self.x_test)).argmax(-1) == self.y_test).double().mean())


def digits_split(*, seed: int = 0) -> Digits:
    """Return scikit-learn's digits (shipped with it, no download), shuffled and split 80 to 20 by `seed`."""
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
    x, y = torch.from_numpy(images)[order] / 16, torch.from_numpy(labels).long()[order]
    cut = len(labels) * 4 // 5
    return Digits(x[:cut], y[:cut], x[cut:], y[cut:])


def from_digits(hidden: Sequence[int] = (32,), *, seed: int = 0, bias: bool = False, steps: int = 200) -> Target:
    """Train a small network on scikit-learn's digits, in about a second.

    Parameters
    ----------
    hidden : sequence of int, each >= 1
        Hidden widths; empty for a linear classifier.
    seed : int
        Seed of the split and of the initial weights. The result is the same on every run on one machine.
    bias : bool
        Train biases too.
    steps : int >= 0
        Full-batch Adam steps.

    Returns
    -------
    Target
        With 64 inputs (pixels in [0, 1]) and 10 outputs; its norms are what training gives, above 1 as a rule.

    Raises
    ------
    ValueError
        If a hidden width is < 1 or steps < 0.

    See Also
    --------
    digits_split : the data with its test part.
    """
    widths = (64, *(int(width) for width in hidden), 10)
    if min(widths) < 1:
        raise ValueError(f"hidden must be integers >= 1, got hidden={tuple(hidden)}")
    if steps < 0:
        raise ValueError(f"steps must be >= 0, got steps={steps}")
    data, generator = digits_split(seed=seed), torch.Generator().manual_seed(seed)
    weights, biases = [], []
    for d_in, d_out in itertools.pairwise(widths):
        draw = torch.randn(d_out, d_in, generator=generator, dtype=torch.float64) * (2 / d_in) ** 0.5
        weights.append(draw.requires_grad_())
        biases.append(torch.zeros(d_out, dtype=torch.float64, requires_grad=bias))

    def forward(state: torch.Tensor) -> torch.Tensor:
        for i, (weight, offset) in enumerate(zip(weights, biases, strict=True)):
            state = torch.nn.functional.linear(torch.relu(state) if i else state, weight, offset)
        return state

    optimiser = torch.optim.Adam([*weights, *(biases if bias else [])], lr=0.01)
    with few_threads(0):  # also so that the weights do not depend on the number of cores
        descend(forward, itertools.repeat((data.x_train, data.y_train), steps), optimiser)
    return with_biases(weights, biases if bias else [None] * len(weights))
