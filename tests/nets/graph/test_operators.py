"""Operators against the standard's own cases, in 32 and 64 bits: numbers, shapes, types and refusals."""

from __future__ import annotations

from fnmatch import fnmatch

import onnx
import pytest
import torch

from nets.graph.graph import GraphError, Node
from nets.graph.operators import SUPPORTED, run
from tests.nets.graph import standard
from tests.nets.graph.chosen import ACCEPTED, ON_AN_EDGE, REFUSED, ROUNDED_DATA, WITHOUT_CASE, data, known, refusal


def check(case, real):
    """A case runs and agrees, or is refused for the reason that is known; True if it ran."""
    reason = refusal(case)
    for inputs, outputs in data(case):
        if reason is not None:
            with pytest.raises(GraphError, match=reason) as caught:
                standard.run_model(case.model, inputs, real)
            assert "\n" not in str(caught.value)
            continue
        halves = any(array.dtype.name in ("float16", "bfloat16") for array in inputs + outputs)
        tolerance = 1e-2 if halves else 1e-4 if case.name in ROUNDED_DATA else 2e-5
        for ours, theirs in zip(standard.run_model(case.model, inputs, real), outputs, strict=True):
            standard.compare(ours, theirs, real, tolerance)
    return reason is None


@pytest.mark.parametrize("real", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("operator", sorted(SUPPORTED))
def test_an_operator_agrees_with_its_standard_cases(operator, real):
    cases = known()[0][operator]
    ran = sum(check(case, real) for case in cases)
    assert (ran > 0) != (operator in WITHOUT_CASE)


@pytest.mark.parametrize("real", [torch.float32, torch.float64], ids=str)
def test_functions_written_out_in_operators_agree(real):
    cases = [case for case in known()[1] if not (real == torch.float64 and case.name in ON_AN_EDGE)]
    assert sum(check(case, real) for case in cases) > 300


def test_so_many_cases_run_and_each_refusal_is_listed():
    single = [case for cases in known()[0].values() for case in cases]
    ran = [case for case in single if refusal(case) is None]
    assert len(ran) > 700
    names = [case.name.removeprefix("test_") for case in single]
    idle = [pattern for pattern in [*REFUSED, *ACCEPTED] if not any(fnmatch(name, pattern) for name in names)]
    assert not idle


def node(operator, inputs=1, **attributes):
    return Node(operator, tuple(f"x{place}" for place in range(inputs)), ("y",), attributes, "layer7")


def test_an_unknown_operator_and_an_unknown_attribute_are_named():
    with pytest.raises(GraphError, match=r"^layer7 \(MatMulInteger\): operator MatMulInteger is not supported$"):
        run(node("MatMulInteger", 2), [torch.ones(2), torch.ones(2)], opset=13, real=torch.float32)
    with pytest.raises(GraphError, match=r"^layer7 \(Relu\): attribute slope=0\.5 is not supported$"):
        run(node("Relu", slope=0.5), [torch.ones(2)], opset=13, real=torch.float32)


def test_inputs_too_few_too_many_and_left_out_are_refused():
    for values, message in [([], "0 inputs"), ([torch.ones(2)] * 2, "2 inputs"), ([None], "input 0 is missing")]:
        with pytest.raises(GraphError, match=message):
            run(node("Relu", len(values)), values, opset=13, real=torch.float32)


def test_shapes_that_do_not_fit_are_one_line_with_the_shapes():
    with pytest.raises(GraphError, match=r"^layer7 \(MatMul\): inputs of shapes \(2, 3\), \(4, 5\): .+$") as caught:
        run(node("MatMul", 2), [torch.ones(2, 3), torch.ones(4, 5)], opset=13, real=torch.float32)
    assert "\n" not in str(caught.value)


def test_the_real_type_is_what_casts_and_new_tensors_get():
    for real in (torch.float32, torch.float64):
        for kind in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE):
            (cast,) = run(node("Cast", to=kind), [torch.arange(3)], opset=13, real=real)
            assert cast.dtype == real
        (zeros,) = run(node("ConstantOfShape"), [torch.tensor([2])], opset=13, real=real)
        assert zeros.dtype == real
