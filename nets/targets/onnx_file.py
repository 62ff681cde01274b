"""Reads an ONNX file as a graph: checked by hand, since files come from anywhere, and no code of theirs is run.

Refused, each with its reason: operators that are not known, with their counts; other domains than ONNX's own;
subgraphs that depend on the input; values that are used before they are made, or made twice; weights outside the
model's folder; versions that were not read. Local functions are put in the place of their calls.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from nets.graph.graph import Array, Attribute, Graph, GraphError, Input, Node, fresh_name, labelled
from nets.graph.operators import FIRST_OPSET, LAST_OPSET, SUPPORTED
from nets.targets.onnx_declared import check_declared, check_same, read_input
from nets.targets.onnx_functions import OWN_DOMAINS, inlined
from nets.targets.onnx_tensor import tensor_array

_LISTED = 8
_FIRST_IR = 3  # from which on a file names the version of its operators


def read_onnx(path: str | Path, *, fixed: Mapping[str, Any] | None = None) -> Graph:
    """Read a model and the data files beside it.

    Parameters
    ----------
    fixed : mapping of str to array, optional
        Inputs that get a constant value, so that what depends on them alone is decided now: {"sr": 16000}.

    Raises
    ------
    GraphError
        With the reason, in one line.
    """
    path = Path(path)
    return model_graph(_parse(path.read_bytes()), folder=path.resolve().parent, fixed=fixed)


def model_graph(model: Any, *, folder: Path | None = None, fixed: Mapping[str, Any] | None = None) -> Graph:
    """The graph of an `onnx.ModelProto`, its constants folded; see `read_onnx`."""
    from nets.targets.folding import folded

    _check_version(model)
    opset = _opset(model)
    if len(model.functions):
        model = inlined(model)
        opset = _opset(model)
    reader = _Reader(folder, opset)
    reader.read(model.graph, dict(fixed or {}))
    return folded(reader.graph())


def _parse(content: bytes) -> Any:
    import onnx

    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's DecodeError, whose home differs between releases
        raise GraphError(f"not a readable ONNX file ({type(error).__name__})") from None
    if not model.HasField("graph") or not len(model.graph.output):
        raise GraphError("not a readable ONNX file (it holds no network)")
    return model


def _check_version(model: Any) -> None:
    """Of the format, which is not that of the operators."""
    from onnx import IR_VERSION

    if not _FIRST_IR <= model.ir_version <= IR_VERSION:
        raise GraphError(f"ir_version {model.ir_version} is not read, only {_FIRST_IR} to {IR_VERSION}")


def _opset(model: Any) -> int:
    found = [one.version for one in model.opset_import if one.domain in OWN_DOMAINS]
    if len(found) != 1:
        raise GraphError(f"must name one version of ONNX's operators, got {found or 'none'}")
    if not FIRST_OPSET <= found[0] <= LAST_OPSET:
        raise GraphError(f"opset {found[0]} is not read, only {FIRST_OPSET} to {LAST_OPSET}")
    return int(found[0])


@dataclass
class _Reader:
    """Collects nodes and constants; values of subgraphs that are put in place get names that nothing else has.

    `scopes` has a dict for the network and one for each branch that is being read, from the names in the file to those
    in the graph.
    """

    folder: Path | None
    opset: int
    nodes: list[Node] = field(default_factory=list)
    constants: dict[str, Array] = field(default_factory=dict)
    inputs: dict[str, Input] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()
    scopes: list[dict[str, str]] = field(default_factory=lambda: [{}])
    taken: set[str] = field(default_factory=set)
    origins: dict[str, int] = field(default_factory=dict)
    decided: dict[str, Array] = field(default_factory=dict)

    def graph(self) -> Graph:
        return Graph(self.opset, tuple(self.inputs.values()), self.outputs, tuple(self.nodes), self.constants)

    def read(self, proto: Any, fixed: dict[str, Any]) -> None:
        """Read the network, inputs with a value in `fixed` as constants."""
        self.taken.update(name for node in proto.node for name in node.output)
        self.taken.update(value.name for value in (*proto.input, *proto.initializer))
        self._initializers(proto, "")
        weights = {tensor.name: tensor for tensor in proto.initializer}
        for value in proto.input:
            if value.name in self.constants:
                check_same(value, weights[value.name])
                continue
            one = read_input(value)
            self._make(one.name, "", "an input")
            if one.name in fixed:
                self.constants[one.name] = _fixed(one, fixed.pop(one.name))
            else:
                self.inputs[one.name] = one
        if fixed:
            raise GraphError(
                f"has no input {sorted(fixed)[0]!r} to fix, its inputs: {', '.join(self.inputs) or 'none'}"
            )
        if not self.inputs:
            raise GraphError("the network has no input")
        _refuse_unknown(proto)
        for value in (*proto.value_info, *proto.output):
            check_declared(value)
        for node in proto.node:
            self._node(node, "")
        for value in proto.output:
            if value.name not in self.scopes[0]:
                raise GraphError(f"the output {value.name!r} is never made")
        self.outputs = tuple(dict.fromkeys(self.scopes[0][value.name] for value in proto.output))

    def _initializers(self, proto: Any, prefix: str) -> None:
        if len(proto.sparse_initializer):
            raise GraphError("sparse weights are not read")
        for tensor in proto.initializer:
            self.constants[self._make(tensor.name, prefix, "a weight")] = tensor_array(tensor, self.folder)

    def _make(self, name: str, prefix: str, what: str) -> str:
        """Enter a name into the scope that is being read; what it is called in the graph."""
        if not name or not isinstance(name, str):  # bytes, where it is not UTF-8
            raise GraphError(
                f"{what} has no name" if not name else f"{what} has the name {name!r:.80}, which is no text"
            )
        if name in self.scopes[-1]:
            raise GraphError(f"{name!r} is made twice")
        found = fresh_name(prefix + name, self.taken) if prefix else name
        self.taken.add(found)
        self.scopes[-1][name] = found
        return found

    def _find(self, name: str, label: str) -> str:
        """What a value in reach is called in the graph."""
        for scope in reversed(self.scopes):
            if name in scope:
                return scope[name]
        raise GraphError(f"{label}: {name!r} is used before it is made, or never made")

    def _node(self, proto: Any, prefix: str) -> None:
        label = labelled(proto.name, proto.op_type)
        inputs = [self._find(name, label) if name else "" for name in proto.input]
        if not any(proto.output):
            raise GraphError(f"{label}: has no output")
        attributes = self._checked(proto, label)
        if proto.op_type == "Constant":
            array = self._constant(proto, label)
            self.constants[self._make(proto.output[0], prefix, label)] = array
        elif proto.op_type == "If":
            self._branch(proto, inputs[0], prefix, label)
        else:
            outputs = tuple(self._make(name, prefix, label) if name else "" for name in proto.output)
            self.origins |= {name: len(self.nodes) for name in outputs if name}
            name = str(proto.name) or next(filter(None, outputs))
            self.nodes.append(Node(proto.op_type, tuple(inputs), outputs, attributes, name))

    def _branch(self, proto: Any, condition: str, prefix: str, label: str) -> None:
        """Put the branch of an If in its place, where its condition hangs on constants alone."""
        if not condition:
            raise GraphError(f"{label}: has no condition")
        value = self._decided(condition, label)
        if value.size != 1:
            raise GraphError(f"{label}: its condition must be one truth value, got shape {value.shape}")
        wanted = "then_branch" if value.any() else "else_branch"
        branch = next((one.g for one in proto.attribute if one.name == wanted), None)
        if branch is None or len(branch.output) != len(proto.output) or len(branch.input):
            raise GraphError(f"{label}: its {wanted} does not fit")
        _refuse_unknown(branch)
        inner = f"{prefix}{proto.name or next(filter(None, proto.output))}/"
        self.scopes.append({})
        self._initializers(branch, inner)
        for node in branch.node:
            self._node(node, inner)
        results = [self._find(one.name, label) for one in branch.output]
        self.scopes.pop()
        for name, result in zip(proto.output, results, strict=True):
            if name in self.scopes[-1]:
                raise GraphError(f"{name!r} is made twice")
            if name:
                self.scopes[-1][name] = result

    def _decided(self, name: str, label: str) -> Array:
        """The value of a condition, from the nodes that lead to it; refused if an input does."""
        from nets.targets.folding import folded

        seen: set[str] = set()
        steps: set[int] = set()
        leaves: dict[str, Array] = {}
        waiting = [name]
        while waiting:
            one = waiting.pop()
            if not one or one in seen:
                continue
            seen.add(one)
            known = self.constants.get(one, self.decided.get(one))
            if known is not None:
                leaves[one] = known
            elif one not in self.inputs:
                steps.add(self.origins[one])
                waiting += self.nodes[self.origins[one]].inputs
        if reached := [one for one in self.inputs if one in seen]:
            raise GraphError(f"{label}: depends on the input {', '.join(reached)}; fix the one that decides it")
        nodes = tuple(self.nodes[i] for i in sorted(steps))
        now = folded(Graph(self.opset, (), (name,), nodes, leaves), outputs_too=True)
        self.decided[name] = now.constants[now.outputs[0]]
        return self.decided[name]

    def _checked(self, proto: Any, label: str) -> dict[str, Attribute]:
        """The attributes, which must be among those of the operator's schema; tensors become plain values."""
        schema = _schema(proto.op_type, self.opset)
        if schema is None:
            raise GraphError(f"{label}: does not exist in opset {self.opset}")
        if schema.deprecated:
            raise GraphError(f"{label}: does not exist any more in opset {self.opset}")
        if not schema.least <= len(proto.input) <= schema.most:
            raise GraphError(f"{label}: takes {schema.least} to {schema.most} inputs, got {len(proto.input)}")
        if len(proto.output) > schema.outputs:
            raise GraphError(f"{label}: has at most {schema.outputs} outputs, got {len(proto.output)}")
        found: dict[str, Attribute] = {}
        names: set[str] = set()
        for one in proto.attribute:
            known = schema.kinds.get(one.name)
            if known is None:
                raise GraphError(f"{label}: has no attribute {one.name!r} in opset {self.opset}")
            if one.name in names:
                raise GraphError(f"{label}: names the attribute {one.name!r} twice")
            if one.type != known:
                raise GraphError(f"{label}: its attribute {one.name!r} has the wrong type")
            if one.ref_attr_name:
                raise GraphError(f"{label}: its attribute {one.name!r} refers to a function that is not there")
            names.add(one.name)
            if proto.op_type not in _SPECIAL:
                found |= self._attribute(one, label)
        return found

    def _attribute(self, one: Any, label: str) -> dict[str, Attribute]:
        from onnx import AttributeProto as Kind

        match one.type:
            case Kind.FLOAT:
                return {one.name: float(one.f)}
            case Kind.INT:
                return {one.name: int(one.i)}
            case Kind.STRING:
                return {one.name: one.s.decode(errors="replace")}
            case Kind.FLOATS:
                return {one.name: tuple(map(float, one.floats))}
            case Kind.INTS:
                return {one.name: tuple(map(int, one.ints))}
            case Kind.STRINGS:
                return {one.name: tuple(text.decode(errors="replace") for text in one.strings)}
            case Kind.TENSOR:
                array = tensor_array(one.t, self.folder)
                if array.size == 1:
                    value = array.reshape(-1)[0].item()
                    return {one.name: value if isinstance(value, float) else int(value), "dtype": str(array.dtype)}
        raise GraphError(f"{label}: its attribute {one.name!r} is of a kind that is not read")

    def _constant(self, proto: Any, label: str) -> Array:
        if len(proto.attribute) != 1:
            raise GraphError(f"{label}: must have one attribute, got {len(proto.attribute)}")
        one = proto.attribute[0]
        if one.name == "value":
            return tensor_array(one.t, self.folder)
        kinds: dict[str, Any] = {
            "value_float": (np.float32, one.f),
            "value_int": (np.int64, one.i),
            "value_floats": (np.float32, list(one.floats)),
            "value_ints": (np.int64, list(one.ints)),
        }
        if one.name not in kinds:
            raise GraphError(f"{label}: its attribute {one.name!r} is not read")
        dtype, value = kinds[one.name]
        return np.array(value, dtype)


_SPECIAL = frozenset({"Constant", "If"})
"""Operators that are gone once a model is read."""


def _refuse_unknown(proto: Any) -> None:
    """Refuse with all the operators of a network or branch that are not known, each with its count."""
    unknown: Counter[str] = Counter()
    for node in proto.node:
        if node.domain not in OWN_DOMAINS:
            unknown[f"{node.domain}.{node.op_type}"] += 1
        elif node.op_type not in SUPPORTED and node.op_type not in _SPECIAL:
            unknown[node.op_type] += 1
    if unknown:
        listed = [f"{count} x {name}" for name, count in unknown.most_common(_LISTED)]
        more = ", ..." if len(unknown) > _LISTED else ""
        raise GraphError(f"operators that are not supported: {', '.join(listed)}{more}")


@dataclass(frozen=True)
class _Schema:
    """What an operator takes in one version: numbers of inputs and outputs, and the kinds of its attributes."""

    deprecated: bool
    least: int
    most: int
    outputs: int
    kinds: dict[str, int]


@cache
def _schema(op: str, opset: int) -> _Schema | None:
    """None if the operator does not exist."""
    from onnx import defs

    try:
        found = defs.get_schema(op, opset, "")
    except Exception:  # SchemaError, which the library does not export everywhere
        return None
    described: Any = found.attributes  # the stubs know no number of a type
    kinds = {name: int(one.type.value) for name, one in described.items()}
    return _Schema(found.deprecated, found.min_input, found.max_input, found.max_output, kinds)


def _fixed(one: Input, value: Any) -> Array:
    """The value of an input that is fixed, in its type and, where that says more, its shape."""
    try:
        given = np.asarray(value)
        with np.errstate(all="ignore"):
            array = given.astype(one.dtype)
        same = np.dtype(one.dtype).kind == "f" or np.array_equal(array, given)
    except (ValueError, TypeError, OverflowError):
        same = False
    if not same:
        raise GraphError(f"the input {one.name!r} has the type {one.dtype}, got {value!r:.60}")
    if one.shape is None:
        return array
    wanted = tuple(side if isinstance(side, int) else 1 for side in one.shape)
    fits = array.ndim == len(wanted) and all(
        isinstance(side, str) or side == have for side, have in zip(one.shape, array.shape, strict=True)
    )
    if fits:
        return array
    try:
        return np.ascontiguousarray(np.broadcast_to(array, wanted)).reshape(wanted)
    except ValueError:
        raise GraphError(f"the input {one.name!r} has shape {wanted}, got a value of shape {array.shape}") from None
