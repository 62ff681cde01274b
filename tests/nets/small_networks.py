"""Three small networks as files, and each of them run on given weights by code that shares nothing with nets.

A weight is a pair: what acts on the positive and on the negative part of its input. `parts` says in which order a
ticket holds them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch.nn import functional

Pairs = Mapping[str, tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class Small:
    """A network: its file, further arguments to read it, its parts in float64, its input and its other evaluation."""

    name: str
    write: Callable[[Path], Path]
    flags: tuple[str, ...]
    parts: dict[str, np.ndarray]
    shape: tuple[int, ...]
    run: Callable[[Pairs, np.ndarray], np.ndarray]

    def examples(self, count: int = 4) -> np.ndarray:
        return np.random.default_rng(9).normal(size=(count, *self.shape)).astype(np.float32)


def _uniform(rng: np.random.Generator, size: float, *shape: int) -> np.ndarray:
    return (size * rng.uniform(-1, 1, shape)).astype(np.float32)


def _halves(pair: tuple[np.ndarray, np.ndarray], x: torch.Tensor, apply: Callable[[Any, Any], Any]) -> torch.Tensor:
    plus, minus = map(torch.from_numpy, pair)
    return apply(x.clamp(min=0), plus) - apply((-x).clamp(min=0), minus)


def _bias(pair: tuple[np.ndarray, np.ndarray], *after: int) -> torch.Tensor:
    return torch.from_numpy(pair[0]).reshape(-1, *after)


def _save(path: Path, nodes: list, constants: Mapping[str, np.ndarray], x: list, y: list) -> Path:
    held = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sides) for name, sides in (("x", x), ("y", y))]
    graph = helper.make_graph(nodes, "g", ends[:1], ends[1:], held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def chain() -> Small:
    """Two dense layers with biases and a ReLU, as a file of weights."""
    rng = np.random.default_rng(4)
    weights = {
        "0.weight": _uniform(rng, 0.7, 5, 3),
        "0.bias": _uniform(rng, 0.4, 5),
        "1.weight": _uniform(rng, 1.5, 2, 5),
        "1.bias": _uniform(rng, 3.0, 2),
    }

    def write(folder: Path) -> Path:
        torch.save({name: torch.from_numpy(array) for name, array in weights.items()}, folder / "chain.pt")
        return folder / "chain.pt"

    def run(pairs: Pairs, x: np.ndarray) -> np.ndarray:
        (plus, minus), (second, _) = pairs["0.weight"], pairs["1.weight"]
        hidden = np.maximum(x, 0) @ plus.T - np.maximum(-x, 0) @ minus.T + pairs["0.bias"][0]
        return np.maximum(hidden, 0) @ second.T + pairs["1.bias"][0]

    wide = {name: array.astype(np.float64) for name, array in weights.items()}
    return Small("chain", write, ("--activation", "relu"), wide, (3,), run)


def convolutional() -> Small:
    """Grouped and depthwise convolutions, a batch norm behind an activation, a sum of two ways, a dense end."""
    rng = np.random.default_rng(5)
    held = {
        "first": _uniform(rng, 0.6, 4, 2, 3, 3),
        "first.bias": _uniform(rng, 0.3, 4),
        "gamma": rng.uniform(0.5, 1.5, 4).astype(np.float32),
        "beta": _uniform(rng, 0.5, 4),
        "mean": _uniform(rng, 0.2, 4),
        "var": rng.uniform(0.5, 2.0, 4).astype(np.float32),
        "deep": _uniform(rng, 0.9, 4, 1, 3, 2),
        "last": _uniform(rng, 1.2, 2, 4),
        "last.bias": _uniform(rng, 0.1, 2),
    }
    nodes = [
        helper.make_node("Conv", ["x", "first", "first.bias"], ["c"], group=2, strides=[2, 2], pads=[1, 1, 1, 1]),
        helper.make_node("LeakyRelu", ["c"], ["a"], alpha=0.125),
        helper.make_node("BatchNormalization", ["a", "gamma", "beta", "mean", "var"], ["b"], epsilon=0.0009765625),
        helper.make_node("Conv", ["b", "deep"], ["d"], group=4, pads=[1, 0, 1, 1]),
        helper.make_node("Add", ["d", "a"], ["s"]),
        helper.make_node("Relu", ["s"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "last", "last.bias"], ["y"], transB=1),
    ]
    wide = {name: array.astype(np.float64) for name, array in held.items()}
    scale = wide["gamma"] / np.sqrt(wide["var"] + 0.0009765625)
    parts = {"first": wide["first"], "first.bias": wide["first.bias"], "scale": scale}
    parts |= {"shift": wide["beta"] - wide["mean"] * scale, "deep": wide["deep"]}
    parts |= {"last": wide["last"], "last.bias": wide["last.bias"]}

    def run(pairs: Pairs, x: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(x).double()
        first = _halves(pairs["first"], given, lambda h, w: functional.conv2d(h, w, None, 2, 1, 1, 2))
        a = functional.leaky_relu(first + _bias(pairs["first.bias"], 1, 1), 0.125)
        b = _halves(pairs["scale"], a, lambda h, w: h * w.reshape(-1, 1, 1)) + _bias(pairs["shift"], 1, 1)
        deep = _halves(pairs["deep"], functional.pad(b, (0, 1, 1, 1)), lambda h, w: functional.conv2d(h, w, groups=4))
        pooled = (deep + a).relu().mean((2, 3))
        return (pooled @ torch.from_numpy(pairs["last"][0]).T + _bias(pairs["last.bias"])).numpy()

    return Small(
        "convolutional",
        lambda folder: _save(folder / "convolutional.onnx", nodes, held, ["batch", 4, 6, 5], ["batch", 2]),
        (),
        parts,
        (4, 6, 5),
        run,
    )


def attention() -> Small:
    """A head of attention, query and key without a ReLU between their random layers; its end has no proved bound."""
    rng = np.random.default_rng(6)
    parts = {
        "query": _uniform(rng, 0.8, 3, 2),
        "key": _uniform(rng, 0.8, 3, 2),
        "key.bias": _uniform(rng, 0.5, 2),
        "value": _uniform(rng, 0.8, 3, 3),
        "out": _uniform(rng, 0.4, 3, 2),
    }
    gamma = rng.uniform(0.5, 1.5, 3).astype(np.float32)
    nodes = [
        helper.make_node("LayerNormalization", ["x", "gamma"], ["h"], axis=-1, epsilon=0.0009765625),
        helper.make_node("MatMul", ["h", "query"], ["q"]),
        helper.make_node("MatMul", ["h", "key"], ["k0"]),
        helper.make_node("Add", ["k0", "key.bias"], ["k"]),
        helper.make_node("Transpose", ["k"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["q", "t"], ["logits"]),
        helper.make_node("Mul", ["logits", "root"], ["scaled"]),
        helper.make_node("Softmax", ["scaled"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["h", "value"], ["v0"]),
        helper.make_node("LpNormalization", ["v0"], ["v"], axis=-1, p=2),
        helper.make_node("MatMul", ["weights", "v"], ["mixed"]),
        helper.make_node("MatMul", ["mixed", "out"], ["y"]),
    ]
    wide = {name: array.astype(np.float64) for name, array in parts.items()}

    def run(pairs: Pairs, x: np.ndarray) -> np.ndarray:
        given = torch.from_numpy(x).double()
        h = functional.layer_norm(given, (3,), torch.from_numpy(gamma).double(), eps=0.0009765625)
        q, k, v0 = (_halves(pairs[name], h, torch.matmul) for name in ("query", "key", "value"))
        k = k + _bias(pairs["key.bias"])
        weights = torch.softmax(q @ k.mT * float(np.float32(0.7)), -1)
        return _halves(pairs["out"], weights @ functional.normalize(v0, dim=-1), torch.matmul).numpy()

    held = {**parts, "root": np.array(0.7, np.float32), "gamma": gamma}
    return Small(
        "attention",
        lambda folder: _save(folder / "attention.onnx", nodes, held, ["batch", 4, 3], ["batch", 4, 2]),
        (),
        wide,
        (4, 3),
        run,
    )


NETWORKS = {one.name: one for one in (chain(), convolutional(), attention())}
