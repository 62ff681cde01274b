"""Which of the standard's cases our operators must pass, and which they must refuse, and why."""

from __future__ import annotations

from fnmatch import fnmatch
from functools import cache

from nets.graph.operators import SUPPORTED
from tests.nets.graph import standard

# Operators that ONNX has no case for; tests/nets/graph/test_operators_by_opset.py compares them with onnxruntime.
WITHOUT_CASE = {"GlobalLpPool", "Not"}  # the cases of Not are of opset 1

# Cases of one operator that must be refused, and what the message must name.
REFUSED = {
    "attention_*_qk_matmul*": "output 3",
    "attention_local_window_gqa_rank4_mask": "output 3",
    "attention_*_window_ext_cache_*": "nonpad_kv_seqlen",
    "attention_*_window*": "window_size",
    "attention_*nonpad*": "nonpad_kv_seqlen",
    "attention_*padded_kv*": "nonpad_kv_seqlen",
    "batchnorm_*_training_mode": "training_mode",
    "lstm_with_peepholes": "peepholes",
    "maxpool_with_argmax_*": "output 1",
    "not_[234]d": "opset=1",
    "resize_downsample_scales_*_align_corners": "align_corners",
    "resize_*_antialias": "antialias",
    "resize_tf_crop_and_resize*": "tf_crop_and_resize",
    "training_dropout*": "training_mode",
}
ACCEPTED = {
    "attention_local_window_default",  # whose sizes say that there is no window
    "training_dropout_zero_ratio",
    "training_dropout_zero_ratio_mask",
}
UNSIGNED = {"Add", "Div", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Sub"}
WIDE = {"uint16", "uint32", "uint64"}  # with which PyTorch does no arithmetic
TYPES = standard.REALS | WIDE | {"bool", "int8", "int16", "int32", "int64", "uint8"}
ROUNDED_DATA = {"test_averagepool_2d_ceil_last_window_starts_on_pad"}  # four digits
ON_AN_EDGE = {"test_dynamicquantizelinear_expanded"}  # a half is rounded: 64 bits fall on the other side


def data(case):
    """Inputs and outputs of each set of data as arrays; None if one is no tensor of a type that PyTorch has."""
    sets = []
    for pair in case.data_sets:
        if any(one is None or isinstance(one, list) for part in pair for one in part):
            return None
        sets.append(tuple([standard.as_array(one) for one in part] for part in pair))
    return None if any(array.dtype.name not in TYPES for inputs, _ in sets for array in inputs) else sets


@cache
def known():
    """Cases of which we have all operators and all types of input: those of one operator by its name, and the rest."""
    single, many = {name: [] for name in SUPPORTED}, []
    for case in standard.cases().values():
        nodes = case.model.graph.node
        if any(node.op_type not in SUPPORTED | {"Constant"} or node.domain not in standard.DOMAINS for node in nodes):
            continue
        if data(case) is None:
            continue
        if len(nodes) == 1 and nodes[0].op_type in SUPPORTED:
            single[nodes[0].op_type].append(case)
        else:
            many.append(case)
    return single, many


def refusal(case):
    """What the refusal of a case must name; None if it must run."""
    name = case.name.removeprefix("test_")
    types = {array.dtype.name for inputs, outputs in data(case) for array in inputs + outputs}
    operators = {node.op_type for node in case.model.graph.node}
    if not types <= TYPES:
        return "type"
    if operators & UNSIGNED and types & WIDE:
        return "not implemented for 'UInt"
    if name in ACCEPTED or len(operators) > 1:
        return None
    return next((reason for pattern, reason in REFUSED.items() if fnmatch(name, pattern)), None)
