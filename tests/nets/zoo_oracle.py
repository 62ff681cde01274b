"""What a model under search must compute, found without the package: by sorting scores and writing into a plain twin.

Nothing here calls the package but `find_tickets` and `fold`, which are under test.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from nets.search import find_tickets, fold

Build = Callable[[], nn.Module]
Call = Callable[[nn.Module], Any]
DENSITY, SEED = 0.5, 3


def verdict(build: Build, call: Call, **options: Any) -> str:
    """ "right", or "refused: ..." with the message.

    Parameters
    ----------
    build : callable
        Gives the same model at the same state of PyTorch's generator.
    call : callable
        Runs a model on the same input.

    Raises
    ------
    AssertionError
        If the model is neither.
    """
    model, twin, fresh = (_seeded(build) for _ in range(3))
    before = _picture(model)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        try:
            search = find_tickets(model, density=DENSITY, seed=SEED, **options)
        except ValueError as error:
            assert _picture(model) == before, "a refused model was changed"
            return f"refused: {error}"
    slopes = write_effective(model.state_dict(), twin)
    dense = dense_share(twin, slopes)
    said = [str(one.message) for one in seen]
    assert dense <= 0.01 or options or any("stay dense" in one for one in said), f"{dense:.1%} dense, unsaid"

    plain = fold(model)
    assert [type(module) for module in plain.modules()] == [type(module) for module in fresh.modules()]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fresh.load_state_dict(model.state_dict(), strict=False)
    for training in (False, True):
        for one in (model, twin, plain, fresh):
            one.train(training)
        with torch.no_grad():
            expected = outputs(twin, call)
            for name, one in (("model", model), ("folded", plain), ("from the state", fresh)):
                _same(outputs(one, call), expected, f"{name}, training {training}")
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        loss(model, call).backward()
    loss(twin, call).backward()
    told = " ".join(str(one.message) for one in seen)
    parameters = dict(twin.named_parameters(remove_duplicate=False))
    for path, (key, slope) in slopes.items():
        grad, own = parameters[path].grad, model.get_parameter(key + ".scores").grad
        assert (grad is None) == (own is None), path
        assert own is not None or "no gradient reached" in told, path
        if grad is not None:
            wanted = slope * _dense(grad)
            assert float((_dense(own) - wanted).abs().max()) <= 1e-4 * float(wanted.abs().max()) + 1e-30, path
    assert len({id(parameters[path]) for path in slopes}) == len(search.layers)
    return "right"


def write_effective(state: dict[str, torch.Tensor], twin: nn.Module) -> dict[str, tuple[str, torch.Tensor]]:
    """Put frozen weights times masks into a plain model, zero the biases beside them; what gradients are scaled by."""
    parameters = dict(twin.named_parameters(remove_duplicate=False))
    slopes = {}
    for key in [name.removesuffix(".frozen") for name in state if name.endswith(".frozen")]:
        path = re.sub(r"(^|\.)masked_weights\.", r"\1", key)
        scores, frozen = (state[f"{key}.{name}"].double().numpy() for name in ("scores", "frozen"))
        order = np.argsort(-np.abs(scores).reshape(-1), kind="stable")
        mask = np.zeros(scores.size)
        mask[order[: max(1, round(DENSITY * scores.size))]] = 1
        with torch.no_grad():
            parameters[path].copy_(torch.from_numpy(frozen * mask.reshape(frozen.shape)))
        slopes[path] = (key, torch.from_numpy(frozen * np.sign(scores)))
    masked = {id(parameters[path]) for path in slopes}
    for module in twin.modules():
        own = {name: one for name, one in module._parameters.items() if one is not None}
        if any(id(one) in masked for one in own.values()):
            for name, one in own.items():
                if one.dim() == 1 and "bias" in name:
                    one.data.zero_()
    return slopes


def dense_share(twin: nn.Module, slopes: dict[str, Any]) -> float:
    """Part of all parameters with two axes or more that is not masked."""
    parameters = dict(twin.named_parameters(remove_duplicate=False))
    masked = {id(parameters[path]) for path in slopes}
    larger = {id(one): one.numel() for one in parameters.values() if one.dim() >= 2}
    return sum(count for key, count in larger.items() if key not in masked) / sum(larger.values())


def outputs(model: nn.Module, call: Call) -> list[torch.Tensor]:
    """All floating tensors that a model gives, dropout drawn alike."""
    torch.manual_seed(0)
    return _floats(call(model))


def loss(model: nn.Module, call: Call) -> torch.Tensor:
    """A number that depends on all of them."""
    total = sum(one.square().mean() for one in outputs(model, call) if one.requires_grad)
    assert isinstance(total, torch.Tensor)
    return total


def _seeded(build: Build) -> nn.Module:
    torch.manual_seed(1)
    return build()


def _floats(out: Any) -> list[torch.Tensor]:
    if isinstance(out, torch.Tensor):
        return [out] if out.is_floating_point() else []
    if hasattr(out, "to_tuple"):
        out = out.to_tuple()
    parts = out.values() if isinstance(out, dict) else out if isinstance(out, list | tuple) else ()
    return [tensor for part in parts for tensor in _floats(part)]


def _picture(model: nn.Module) -> list[Any]:
    tensors = [(name, id(p), p.requires_grad, _bytes(p)) for name, p in model.named_parameters()]
    return [*tensors, *((name, _bytes(b)) for name, b in model.named_buffers()), [type(m) for m in model.modules()]]


def _bytes(tensor: torch.Tensor) -> Any:
    if tensor.layout != torch.strided or tensor.device.type == "meta" or nn.parameter.is_lazy(tensor):
        return None
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    return (tensor.to_dense() if tensor.is_sparse else tensor).double()


def _same(found: list[torch.Tensor], expected: list[torch.Tensor], where: str) -> None:
    assert len(found) == len(expected), where
    for one, other in zip(found, expected, strict=True):
        assert torch.isfinite(other).all(), where
        scale = float(other.abs().max()) if other.numel() else 0.0
        assert one.shape == other.shape, where
        assert one.numel() == 0 or float((one - other).abs().max()) <= 1e-5 * scale, where
