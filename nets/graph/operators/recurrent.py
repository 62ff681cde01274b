"""Recurrent layers: LSTM, GRU and the plain one, forwards, backwards and both."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from nets.graph.operators.call import Call, Operator

_Activation = Callable[[Tensor], Tensor]
_ACTIVATIONS: dict[str, _Activation] = {"sigmoid": torch.sigmoid, "tanh": torch.tanh, "relu": torch.relu}
# One step of one direction: gates of the input, states, recurrent weights and biases, activations -> states.
_Step = Callable[[Tensor, tuple[Tensor, ...], Tensor, Tensor, list[_Activation]], tuple[Tensor, ...]]


def _activations(call: Call, defaults: list[str], directions: int) -> list[list[_Activation]]:
    for name in ("activation_alpha", "activation_beta"):
        if call.given(name):
            call.refuse(f"{name} is not supported")
    names = call.words("activations") or defaults * directions
    if len(names) != len(defaults) * directions:
        call.refuse(f"activations={tuple(names)} for {directions} directions")
    for name in names:
        if name.lower() not in _ACTIVATIONS:
            call.refuse(f"activation {name!r} is not supported")
    found = [_ACTIVATIONS[name.lower()] for name in names]
    return [found[len(defaults) * one : len(defaults) * (one + 1)] for one in range(directions)]


def _directions(call: Call) -> list[bool]:
    """Whether each direction runs backwards."""
    name = call.text("direction", "forward")
    found = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}.get(name)
    if found is None:
        call.refuse(f"direction={name!r} is not supported")
    return found


def _run(call: Call, step: _Step, gates: int, states: tuple[int, ...], defaults: list[str]) -> tuple[Tensor, ...]:
    """A recurrent layer; `states` are the places of the inputs that hold its first states."""
    if call.given("clip"):
        call.refuse(f"clip={call.node.attributes['clip']} is not supported")
    batch_first = call.flag("layout")
    value, weights, recurrent = (call.value(place) for place in range(3))
    value = value.transpose(0, 1) if batch_first else value
    steps, batch, _ = value.shape
    lengths = call.integers(4)
    if lengths is not None and any(one != steps for one in lengths):
        call.refuse(f"sequence_lens={tuple(lengths)} of {steps} steps are not supported")
    backwards = _directions(call)
    hidden = recurrent.shape[-1]
    if call.integer("hidden_size", hidden) != hidden or weights.shape[0] != len(backwards):
        call.refuse(f"weights of shape={tuple(weights.shape)} do not fit hidden_size or direction")
    functions = _activations(call, defaults, len(backwards))
    bias = call.optional(3)
    if bias is None:
        bias = value.new_zeros(len(backwards), 2 * gates * hidden)
    first = []
    for place in states:
        given = call.optional(place)
        if given is None:
            given = value.new_zeros(len(backwards), batch, hidden)
        elif batch_first:
            given = given.transpose(0, 1)
        first.append(given)
    outputs, lasts = [], []
    for one, back in enumerate(backwards):
        fed = value @ weights[one].T + bias[one, : gates * hidden]
        state = tuple(given[one] for given in first)
        seen = []
        for time in reversed(range(steps)) if back else range(steps):
            state = step(fed[time], state, recurrent[one], bias[one, gates * hidden :], functions[one])
            seen.append(state[0])
        outputs.append(torch.stack(seen[::-1] if back else seen))
        lasts.append(state)
    whole = torch.stack(outputs, 1)  # steps, directions, batch, hidden
    ends = [torch.stack(end) for end in zip(*lasts, strict=True)]
    if batch_first:
        return whole.permute(2, 0, 1, 3), *(end.transpose(0, 1) for end in ends)
    return whole, *ends


def _rnn_step(
    fed: Tensor, state: tuple[Tensor, ...], recurrent: Tensor, bias: Tensor, functions: list[_Activation]
) -> tuple[Tensor, ...]:
    return (functions[0](fed + state[0] @ recurrent.T + bias),)


def _lstm_step(
    fed: Tensor, state: tuple[Tensor, ...], recurrent: Tensor, bias: Tensor, functions: list[_Activation]
) -> tuple[Tensor, ...]:
    gate, inner, outer = functions
    put, out, forget, new = (fed + state[0] @ recurrent.T + bias).chunk(4, -1)
    cell = gate(forget) * state[1] + gate(put) * inner(new)
    return gate(out) * outer(cell), cell


def _gru_step(after: bool) -> _Step:
    """A step whose reset gate acts after (or before) the recurrent product."""

    def step(
        fed: Tensor, state: tuple[Tensor, ...], recurrent: Tensor, bias: Tensor, functions: list[_Activation]
    ) -> tuple[Tensor, ...]:
        gate, inner = functions
        hidden = state[0].shape[-1]
        both = fed[..., : 2 * hidden] + state[0] @ recurrent[: 2 * hidden].T + bias[: 2 * hidden]
        update, reset = gate(both).chunk(2, -1)
        rows, shift = recurrent[2 * hidden :], bias[2 * hidden :]
        if after:
            back = reset * (state[0] @ rows.T + shift)
        else:
            back = (reset * state[0]) @ rows.T + shift
        new = inner(fed[..., 2 * hidden :] + back)
        return ((1 - update) * new + update * state[0],)

    return step


def _rnn(call: Call) -> tuple[Tensor, ...]:
    return _run(call, _rnn_step, 1, (5,), ["Tanh"])


def _gru(call: Call) -> tuple[Tensor, ...]:
    return _run(call, _gru_step(call.flag("linear_before_reset")), 3, (5,), ["Sigmoid", "Tanh"])


def _lstm(call: Call) -> tuple[Tensor, ...]:
    if call.has(7):
        call.refuse("peepholes (input P) are not supported")
    call.only("input_forget", 0)
    return _run(call, _lstm_step, 4, (5, 6), ["Sigmoid", "Tanh", "Tanh"])


_COMMON = "activation_alpha activation_beta activations clip direction hidden_size layout"

OPERATORS: dict[str, Operator] = {
    "RNN": Operator(_rnn, _COMMON, 3, 6, outputs=2),
    "GRU": Operator(_gru, f"{_COMMON} linear_before_reset", 3, 6, outputs=2),
    "LSTM": Operator(_lstm, f"{_COMMON} input_forget", 3, 8, outputs=3),
}
