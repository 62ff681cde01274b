"""Slopes of operators by back-propagation, against small steps."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nets.graph.operators import SUPPORTED, run
from tests.nets.graph import standard
from tests.nets.graph.chosen import WITHOUT_CASE, data, known, refusal

# Steps, choices and whole numbers: no slope, or none that says anything. The cases of Trilu are all of whole numbers.
FLAT = {
    "ArgMax", "ArgMin", "Cast", "CastLike", "Ceil", "ConstantOfShape", "DequantizeLinear", "Equal", "EyeLike", "Floor",
    "Greater", "GreaterOrEqual", "Hardmax", "IsInf", "IsNaN", "Less", "LessOrEqual", "Mod", "NonZero", "And", "Or",
    "Not", "OneHot", "QuantizeLinear", "Range", "Round", "Shape", "Sign", "Size", "Trilu", "Xor",
}  # fmt: skip
# Those whose inputs after the first are bounds, sizes or fills, read as plain numbers.
PLAIN = {"Clip", "Dropout", "Pad", "Resize", "TopK", "Upsample"}
# Those that are undefined left of 0 (a variance, a base of a power, a logarithm's argument).
POSITIVE = {"BatchNormalization": 4, "Log": 0, "Pow": 0, "ReduceLogSum": 0, "Sqrt": 0}


@pytest.mark.parametrize("operator", sorted(SUPPORTED - FLAT - WITHOUT_CASE))
def test_slopes_are_those_of_small_steps(operator):
    generator = np.random.default_rng(list(operator.encode()))
    tried = [differentiated(case, generator) for case in known()[0][operator] if has_slope(case)]
    assert any(tried)


def has_slope(case):
    """Whether a case runs on finite real numbers and gives some."""
    if refusal(case):
        return False
    (inputs, outputs), *_ = data(case)
    moved = [array for array in inputs if standard.is_real(array)]
    if not moved or not standard.is_real(outputs[0]) or outputs[0].size == 0:
        return False
    return all(np.isfinite(array).all() for array in [*moved, outputs[0]])


def differentiated(case, generator):
    """Compare the slopes along a random direction; False where no input moves the output."""
    node, opset = standard.as_node(case.model.graph.node[0]), standard.opset_of(case.model)
    arrays = dict(zip([one.name for one in case.model.graph.input], data(case)[0][0], strict=True))
    fixed = {name: standard.as_tensor(array, torch.float64) for name, array in arrays.items()}
    moved, directions = {}, {}
    for place, name in enumerate(node.inputs):
        if name and fixed[name].is_floating_point() and not (place and node.op in PLAIN):
            start = fixed[name] + torch.tensor(1e-3 * generator.random(arrays[name].shape))  # away from kinks
            moved[name] = (start.abs() + 0.1 if POSITIVE.get(node.op) == place else start).requires_grad_()
            directions[name] = torch.tensor(generator.standard_normal(arrays[name].shape))

    def output(step):
        shifted = {name: one + step * directions[name] for name, one in moved.items()}
        values = [(fixed | shifted)[name] if name else None for name in node.inputs]
        return run(node, values, opset=opset, real=torch.float64)[0]

    here = output(0.0)
    if not here.requires_grad:
        return False
    weights = torch.tensor(generator.standard_normal(here.shape))
    slopes = torch.autograd.grad((here * weights).sum(), list(moved.values()), allow_unused=True)
    ours = sum((s * d).sum().item() for s, d in zip(slopes, directions.values(), strict=True) if s is not None)
    step = 1e-6
    with torch.no_grad():
        difference = ((output(step) - output(-step)) * weights).sum().item() / (2 * step)
    assert ours == pytest.approx(difference, rel=1e-5, abs=1e-6 * max(1.0, here.detach().abs().sum().item()))
    return True
