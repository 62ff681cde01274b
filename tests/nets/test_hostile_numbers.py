"""The numbers and shapes that public functions of nets are given: used as they are, or refused; never other ones."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from nets.arguments import dense, doubles, whole_numbers
from nets.certificate import (
    Domain,
    certify,
    certify_batch,
    certify_network,
    convolution_norm_upper,
    decide,
    exact_bracket,
    first_layer_sup,
    half_split,
    spectral_norm_upper,
)  # fmt: skip
from nets.construction.gadget import Gadget, solve
from nets.construction.mask import Mask
from nets.construction.prune_approx import prune, simulate_trials
from nets.construction.source import Source
from nets.construction.torch_solver import best_subsets_torch
from nets.construction.value_sets import ValueSets
from nets.data import Split, load_data
from nets.search import fold, from_linear
from nets.search.federated import encode_mask, posterior
from nets.search.score_mask import keep_mask
from nets.targets import (
    Target,
    TargetError,
    chain_graph,
    from_sequential,
    from_state_dict,
    random_target,
    with_biases,
)  # fmt: skip
from nets.tickets import ApproximationSettings
from nets.tickets.approximation import as_graph
from nets.training.mlp import train_mlp
from nets.training.models import make_model
from tests.nets.hostile import (
    CLIENT,
    CUBE,
    LABELS,
    ONE,
    PAIRS,
    PIXELS,
    SOURCE,
    TARGET,
    A,
    approximated,
    federated,
    linear,
    searched,
    tasks,
)


def forms(given: torch.Tensor) -> Iterator[tuple[str, Any]]:
    """The same numbers in other clothes."""
    yield "numpy", given.numpy()
    yield "big-endian", given.numpy().astype(given.numpy().dtype.newbyteorder(">"))
    yield "strided", torch.stack([given, given], -1)[..., 0]
    yield "a graph's", given.clone().requires_grad_() if given.is_floating_point() else given
    yield "a list", given.tolist()
    yield "float32", given.float()
    yield "bfloat16", given.bfloat16()


def others(given: torch.Tensor) -> Iterator[tuple[str, Any]]:
    """Other numbers, or none, that could be taken for them."""
    double = given.double()
    yield "complex", torch.complex(double, torch.ones_like(double))
    yield "complex array", double.numpy() + 1j
    yield "masked", np.ma.masked_array(double.numpy(), mask=np.ones(given.shape, bool))
    yield "meta", given.to("meta")
    yield "sparse", given.to_sparse()
    yield "long doubles", double.numpy().astype(np.longdouble) + np.longdouble(2) ** -63
    yield "integers without a float", torch.full_like(given, 2**53 + 1, dtype=torch.int64)
    yield "texts", np.full(given.shape, "1")
    for value in (math.nan, math.inf):
        spoilt = double.clone()
        spoilt.view(-1)[-1] = value
        yield str(value), spoilt
    yield "empty", given[:0]


def ends(found: Any) -> tuple[float, float]:
    return found.lower, found.upper


def graph_ends(**given: Any) -> tuple[float, float]:
    usual = {
        "graph": as_graph(ONE),
        "effective": {"layer1.weight": (NEAR.numpy(), A.numpy())},
        "domain": Domain.ball(1.0),
    }
    return ends(certify_network(**{**usual, "starts": 2, "steps": 2, **given}))


NEAR = A + 0.125
MODELS = {
    ("infer_task", "integers without a float"),
    ("infer_task", "a list"),
    ("train_mlp", "a list"),
    ("train_mlp", "bfloat16"),
    ("infer_task", "bfloat16"),
    ("Federation, inputs", "integers without a float"),
    ("Federation, labels", "integers without a float"),
    ("Federation, inputs", "bfloat16"),
}
"""What the model itself refuses, or has no class for."""
NUMBERS: dict[str, tuple[Callable[[Any], Any], torch.Tensor, str, set[str]]] = {  # the last: what is used as it is
    "Target": (lambda v: Target([v]).weights[0], A, "layer 1", set()),
    "Target()": (ONE, torch.ones(2, 3).double(), "x", {"nan", "inf", "integers without a float", "empty"}),
    "with_biases": (lambda v: with_biases([A], [v]).weights[0], A[:, 0], "layer 1", set()),
    "certify, plus": (lambda v: ends(certify(ONE, [(v, A)], starts=2, steps=2)), NEAR, "effective", set()),
    "certify, minus": (lambda v: ends(certify(ONE, [(A, v)], starts=2, steps=2)), NEAR, "effective", set()),
    "certify_batch": (lambda v: certify_batch(ONE, [(v, CUBE)], starts=2, steps=2).upper, CUBE, "effective", set()),
    "exact_bracket": (lambda v: exact_bracket(ONE, [(v, A)], width=0.1, budget=50), NEAR, "effective", set()),
    "exact_bracket, minus": (lambda v: exact_bracket(ONE, [(A, v)], width=0.1, budget=50), NEAR, "effective", set()),
    "graph, plus": (lambda v: graph_ends(effective={"layer1.weight": (v, A.numpy())}), NEAR, "effective", set()),
    "graph, data": (lambda v: graph_ends(data={"input": v}), torch.ones(2, 1, 3).double(), "data", set()),
    "spectral_norm_upper": (spectral_norm_upper, CUBE, "matrix", {"nan", "inf", "empty"}),
    "first_layer_sup": (lambda v: first_layer_sup(v, CUBE, "l2"), CUBE + 0.5, "plus", {"nan", "inf"}),
    "half_split": (lambda v: half_split(v, CUBE.mT), CUBE + 0.5, "weight", {"nan", "inf"}),
    "convolution": (convolution_norm_upper, CUBE, "kernel", {"nan", "inf", "empty"}),
    "box": (lambda v: Domain.box(v, 9.0).farthest((2, 3)), A, "low|box", set()),
    "ball_of": (lambda v: Domain.ball_of(v).radius, A, "data", set()),
    "contains": (Domain.box(np.full(3, -1.0), np.ones(3)).contains, A, "examples", set()),
    "approximate": (lambda v: ends(approximated(target=ONE, example_inputs=v).certificate), A,
        "input|example_inputs", set()),
    "element": (lambda v: SOURCE.element(1, v), torch.tensor([0, 1, 5]), "index", {"empty"}),
    "pick": (lambda v: SOURCE.pick(1, [0, 1, 2], aim=v)[0], A[0], "aim", set()),
    "Mask": (lambda v: Mask(v).to_tensor(), torch.eye(2).double(), "mask", set()),
    "Mask.apply": (Mask([[1, 0, 1], [0, 1, 1]]).apply, A, "weight", {"nan", "inf", "integers without a float"}),
    "ValueSets": (lambda v: ValueSets("private", 0, 4).solve(1, v, jobs=1).effective, A, "weight", set()),
    "solve": (lambda v: solve(Gadget(0, 1, 2, 3, n=4), v, jobs=1).mask_a, A[None], "weight", set()),
    "prune": (lambda v: prune([v], Source([3, 2], 3, seed=0), construction="best", jobs=1).effective()[0][0], A,
        "target", set()),
    "simulate_trials": (lambda v: simulate_trials([v], 3, R=1, seed=0, trials=2, jobs=1).effective[0][0], A,
        "target", set()),
    "best_subsets_torch": (lambda v: best_subsets_torch(v, torch.tensor([1, 3]))[0], torch.tensor([[1, 2], [0, 5]]),
        "x|targets", {"integers without a float"}),
    "keep_mask": (lambda v: keep_mask(v, 3), A, "key|n_keep", {"nan", "inf", "meta"}),
    "encode_mask": (lambda v: encode_mask(A > 0, v), torch.rand(2, 3,
        generator=torch.Generator().manual_seed(0)).double(), "probability", set()),
    "posterior": (lambda v: posterior([{"a": v}])["a"], A > 0, "uploads", {"empty"}),
    "Federation, inputs": (lambda v: federated(clients=[(v, LABELS)]), torch.ones(4, 4), "clients", set()),
    "Federation, labels": (lambda v: federated(clients=[(CLIENT[0], v)]), LABELS, "clients", set()),
    "infer_task": (lambda v: tasks().infer_task(v), torch.ones(1, 4), "x", set()),
    "from_state_dict": (lambda v: from_state_dict({"0.weight": v}).constants["0.weight"], A, "0.weight", set()),
    "chain_graph": (lambda v: chain_graph([v], [None], names=["a"]).constants["a.weight"], A, "a.weight", set()),
    "Split": (lambda v: next(iter(Split(v, torch.zeros(2, dtype=torch.long)).batches(2)))[0], PIXELS, "images", set()),
    "train_mlp": (lambda v: train_mlp(v, LABELS, widths=(2, 3), seed=0, epochs=1)[0], torch.ones(4, 2), "images",
        set()),
}  # fmt: skip


def refused(call: Callable[[Any], Any], value: Any, says: str) -> str | None:
    """What goes wrong if something is neither used nor refused by its name, and "used" if it is used."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            call(value)
    except (ValueError, TypeError) as refusal:
        return None if re.search(rf"\b({says})\b", str(refusal)) else f"{type(refusal).__name__}: {refusal}"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "used"


@pytest.mark.parametrize("face", NUMBERS)
def test_other_numbers_are_refused(face: str) -> None:
    call, given, says, fine = NUMBERS[face]
    wrong = {what: refused(call, value, says) for what, value in others(given) if (face, what) not in MODELS}
    assert {what: found for what, found in wrong.items() if found and not (found == "used" and what in fine)} == {}


@pytest.mark.parametrize("face", NUMBERS)
def test_the_same_numbers_give_the_same_or_are_refused(face: str) -> None:
    call, given, says, _ = NUMBERS[face]
    plain = torch.as_tensor(call(given) if face != "infer_task" else 0.0).double()
    for what, value in forms(given):
        if (face, what) in MODELS or (found := refused(call, value, says)) is None:
            continue
        assert found == "used", what
        again = torch.as_tensor(call(value) if face != "infer_task" else 0.0).double()
        assert torch.allclose(again, plain, rtol=1e-5 if face == "train_mlp" else 1e-12, atol=0), what


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: half_split(CUBE, CUBE.mT[:, :1]), "weight, plus and minus"),
        (lambda: first_layer_sup(CUBE, CUBE[:, :1], "l2"), "plus and minus"),
        (lambda: first_layer_sup(A, A, "l2"), "plus must have 3 axes"),
        (lambda: Domain.box(np.zeros(3), 1.0).contains(np.zeros((5, 1))), r"the box has shape \(3,\)"),
        (lambda: graph_ends(domain=Domain.box(np.zeros((2, 3)), 1.0)), r"the box has shape \(2, 3\)"),
        (lambda: graph_ends(effective={"layer1.weight": (A[:1], A[:1])}), r"effective\['layer1.weight'\]"),
        (lambda: graph_ends(effective={"other": (A, A)}), "effective must name constants"),
        (lambda: encode_mask(torch.ones(5, dtype=torch.bool), torch.full((3,), 0.5)), "mask must have the shape"),
        (lambda: encode_mask(A > 0, A), "probability must be numbers in"),
        (lambda: posterior([{"a": A > 0}, {"a": A[:1] > 0}]), "uploads must have masks of one shape"),
        (lambda: posterior([{"a": A > 0}, {"b": A > 0}]), "uploads must be masks by name"),
        (lambda: federated(clients=[(CLIENT[0], LABELS[:3])]), "labels must be int64, one for each input"),
        (lambda: federated(clients=[(CLIENT[0], LABELS - 100)]), "labels must be >= 0"),
        (lambda: train_mlp(torch.ones(4, 2), LABELS - 100, widths=(2, 3), seed=0), "labels must be int64 >= 0"),
        (lambda: SOURCE.flat(1, 0, 5), r"col must be in \[0, 2\)"),
        (lambda: SOURCE.element(1, 2.5), "index must be integers"),
        (lambda: SOURCE.element(1, [0, 1], draw=[0, 1, 2]), "index, draw must have shapes"),
        (lambda: SOURCE.matrix(1, dtype=torch.int64), "dtype must be a floating one"),
        (lambda: ONE(torch.ones(3), dtype=torch.int64), "dtype must be a floating one"),
        (lambda: Mask([1e-50, 1.0]), "mask values must be 0 or 1"),
        (lambda: Mask.unpack(b"\1", (2.5,)), "shape must be an integer"),
        (lambda: random_target((2.5, 3), seed=1), "widths must be an integer"),
        (lambda: Domain.ball(2**53 + 1), "radius must be a finite number"),
        (lambda: searched(seed=True), "seed must be an integer"),
        (lambda: searched(train_rest="no"), "train_rest must be True or False"),
        (lambda: fold(searched().model, "keep"), "batch_norm must be True or False"),
        (lambda: from_linear(linear(torch.full((2, 3), math.nan))), "layer must have finite weights"),
        (lambda: Split(PIXELS, torch.zeros(3, dtype=torch.long)), "images must be uint8"),
        (lambda: load_data("digits", normalise=((math.nan,), (1.0,))), "normalise must be a finite number"),
        (lambda: make_model("mlp", width=1e9), "width, shape, hidden and classes make a network that takes"),
        (lambda: Target([torch.zeros(1, 1).expand(10**6, 10**6)]), "layer 1: the weight takes"),
        (lambda: ApproximationSettings(device=torch.device("cpu")), "device must be auto, cpu or cuda"),
         # type: ignore[arg-type]
    ],
)  # fmt: skip
def test_what_would_fit_by_accident_is_refused(call: Callable[[], Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        call()


def test_single_precision_is_no_leak() -> None:
    """(P + N)/2 was rounded to 24 bits, the bound's allowance for rounding is that of 53."""
    plus, minus = torch.tensor([[[1.0]]]), torch.tensor([[[1.0 + 2.0**-23]]])
    assert float(first_layer_sup(plus, minus, "l2")) >= 1 + 2.0**-23
    assert torch.equal(first_layer_sup(plus, minus, "l2"), first_layer_sup(plus.double(), minus.double(), "l2"))


def test_norms_are_right_where_squares_have_no_float() -> None:
    for size in (1e-200, 1e200):
        assert Target([size * torch.tensor([[3.0, 4.0]], dtype=torch.float64)]).frobenius_norms()[0] == pytest.approx(
            5 * size, rel=1e-15
        )
    with pytest.raises(TargetError, match="product of the layers' norms is inf"):
        Target([torch.tensor([[1e200]], dtype=torch.float64)] * 2).normalised()
    with pytest.raises(TargetError, match=r"product of the layers' norms is 0\.0"):
        Target([torch.tensor([[1e-200]], dtype=torch.float64)] * 2).normalised()


def test_a_sequential_that_computes_something_else_is_no_target() -> None:
    class Twice(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 2 * super().forward(x)

    with pytest.raises(TargetError, match="has its own forward"):
        from_sequential(Twice(nn.Linear(2, 2)))
    hooked = nn.Sequential(nn.Linear(2, 2))
    hooked[0].register_forward_hook(lambda module, inputs, output: 2 * output)
    with pytest.raises(TargetError, match="0: has hooks"):
        from_sequential(hooked)


def test_weights_that_overflow_prove_nothing() -> None:
    large = [(1e308 * torch.ones_like(plus), minus) for plus, minus in PAIRS]
    assert decide(TARGET, large, 0.1) == "undecided"
    low, high = exact_bracket(TARGET, large)
    assert low <= high == float("inf")


def test_tasks_are_not_told_from_outputs_that_are_no_numbers() -> None:
    found = tasks()
    for value in (math.nan, math.inf, 3e38):
        with pytest.raises(ValueError, match="x must"):
            found.infer_task(torch.full((1, 4), value))


def test_helpers_take_what_they_say() -> None:
    assert doubles("x", [1, 0.1]).tolist() == [1.0, 0.1]  # torch.as_tensor makes them float32
    assert whole_numbers("x", torch.tensor([2**62])).tolist() == [2**62]
    assert dense("x", np.array([1, 2], ">i4")).tolist() == [1, 2]
    with pytest.raises(ValueError, match="x must be integers"):
        whole_numbers("x", np.array([2**64 - 1], np.uint64))
