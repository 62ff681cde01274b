"""What certificates and settings are given: used, or refused by the argument's name; never a number from nonsense."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from nets.certificate import Domain, certify, certify_batch
from nets.certificate.enumeration import decide, exact_bracket
from nets.targets import Target
from nets.tickets import ApproximationSettings, CodeSettings

FIRST, SECOND = torch.tensor([[0.5, -0.2], [0.1, 0.3]]).double(), torch.tensor([[0.4, 0.1]]).double()
TARGET = Target([FIRST, SECOND])
PAIRS = [(weight.clone(), weight.clone()) for weight in TARGET.weights]
MANY = [(plus[None], minus[None]) for plus, minus in PAIRS]


def coded(**given: Any) -> CodeSettings:
    return CodeSettings(code="draw", **given)


one: dict[str, Any] = {"target": TARGET, "effective": PAIRS, "domain": "l2"}
ascent = {"starts": 2, "steps": 1, "seed": 0}
shared = {"eta": 0.1, "R": 1, "seed": 1, "jobs": 1}
FACES: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {
    "certify": (certify, {**one, **ascent}),
    "certify_batch": (certify_batch, {**one, **ascent, "effective": MANY}),
    "decide": (decide, {**one, "eps": 0.1, "budget": 50}),
    "exact_bracket": (exact_bracket, {**one, "width": 0.5, "budget": 50}),
    "ApproximationSettings": (ApproximationSettings, {**shared, "n": 4, "device": "cpu", "source": "shared"}),
    "CodeSettings": (coded, {**shared, "law": "matched"}),
    "ball": (Domain.ball, {"radius": 1.0}),
}
NEVER = {
    "nan": float("nan"), "infinity": float("inf"), "text": "x", "bytes": b"1", "complex": 1j, "huge": 10**400,
    "negative": -1, "an object": object(), "a list": [1], "an array": np.array([0.5, 0.5]), "a tensor": torch.zeros(3),
}  # fmt: skip
CASES = [
    (face, name, what)
    for face, (_, given) in FACES.items()
    for name, usual in given.items()
    for what in NEVER
    if not (isinstance(usual, str) and what in ("huge", "an array"))  # for a word nobody gives these
]


@pytest.mark.parametrize(("face", "name", "what"), CASES)
def test_nonsense_is_refused_by_the_name_of_the_argument(face: str, name: str, what: str) -> None:
    call, given = FACES[face]
    call(**given)
    with pytest.raises(ValueError, match=rf"\b{name}\b") as refusal:
        call(**{**given, name: NEVER[what]})
    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("face", ["certify", "certify_batch", "decide", "exact_bracket"])
@pytest.mark.parametrize("place", [(0, 0), (0, 1), (1, 0)])
def test_a_weight_that_is_not_finite_certifies_nothing(face: str, place: tuple[int, int], value: float) -> None:
    call, given = FACES[face]
    pairs = [[part.clone() for part in pair] for pair in given["effective"]]
    pairs[place[0]][place[1]].view(-1)[0] = value
    with pytest.raises(ValueError, match=r"effective\[\d\]"):
        call(**{**given, "effective": [tuple(pair) for pair in pairs]})


def test_weights_that_overflow_prove_nothing() -> None:
    large = [(1e308 * torch.ones_like(plus), minus) for plus, minus in PAIRS]
    assert decide(TARGET, large, 0.1) == "undecided"
    low, high = exact_bracket(TARGET, large)
    assert low <= high == float("inf")
