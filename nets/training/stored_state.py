"""Whether the content of a checkpoint is a state that a run can be in, part by part, before any is taken over."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch

from nets.search.masked_module import HOLDER
from nets.training.run_folder import MAY_MOVE
from nets.training.settings import TrainSettings

if TYPE_CHECKING:
    from nets.training.parts import Parts

_LATER = ("images", "random_cuda")
"""What older checkpoints do not have."""
_ROW = ("epoch", "steps", "lr", "events")
_NULL = ("val_loss", "val_accuracy", "test_loss", "test_accuracy")

_WHEN: dict[str, Callable[[int, TrainSettings], int]] = {
    "rerand": lambda counter, settings: counter * (settings.rerand_every or 1) - 1,
    "recycle": lambda counter, settings: counter * (settings.recycle_every or 1),
    "density": lambda counter, settings: counter - 1,
}
"""Step or epoch of the event of that number, by its kind."""


class StateError(ValueError):
    """A state that no run can be in; the message names the part."""


def check_state(content: Mapping[str, Any], own: Mapping[str, Any], settings: TrainSettings, parts: Parts) -> None:
    """Refuse a state that is none of this run.

    Parameters
    ----------
    content : mapping
        Of a checkpoint.
    own : mapping
        What a checkpoint of the run as it is now would hold.

    Raises
    ------
    StateError
    """
    _keys(content, own, "it", missing=_LATER)
    _check_params(content["params"], settings)
    _check_model(content["model"], own["model"])
    state = content["state"]
    _keys(state, own["state"], "state")
    _check_progress(state, settings, parts.steps)
    _check_rows(state, settings, parts.steps)
    _check_optimiser(content["optimiser"], parts.optimiser, begun=state["step"] > 0)
    _check_search(content["search"], own["search"], state, settings)
    for name in ("random", "random_cuda"):
        if content.get(name) is not None or own[name] is not None:
            _like(content.get(name), own[name], name)
    _need(type(content["torch"]) is str, "torch", content["torch"])
    _need(_whole(content["threads"], 1), "threads", content["threads"])
    images = content.get("images", {})
    _need(isinstance(images, Mapping) and all(isinstance(one, torch.Tensor) for one in images.values()), "images", 0)
    for name, array in images.items():
        _like(array, own["images"].get(name), f"images {name}")


def _check_params(params: Any, settings: TrainSettings) -> None:
    _need(isinstance(params, Mapping), "params", params)
    stored, own = vars(TrainSettings.from_json(params)), vars(settings)
    odd = [name for name, value in own.items() if stored[name] != value and name not in MAY_MOVE]
    if odd:
        raise StateError(f"it was made with another {', '.join(odd)}")


def _check_model(model: Any, own: Mapping[str, torch.Tensor]) -> None:
    """A state from before 0.6 has other names, which PyTorch compares."""
    _need(isinstance(model, Mapping), "model", model)
    if any(HOLDER in str(name) for name in model) or not any(HOLDER in name for name in own):
        _keys(model, own, "model")
    for name, array in model.items():
        _need(isinstance(name, str) and isinstance(array, torch.Tensor), f"model {name}", array)
        if name in own and not name.endswith(".rule"):
            _like(array, own[name], f"model {name}")
        _finite(array, f"model {name}")
        if name.endswith((".draws", ".origins")) and array.numel():
            most = array.numel() - 1 if name.endswith(".origins") else math.inf
            _need(int(array.min()) >= 0 and int(array.max()) <= most, f"model {name}", "numbers of no draw")


def _check_progress(state: Mapping[str, Any], settings: TrainSettings, steps: int) -> None:
    for name, most in (("epoch", settings.epochs), ("batch", steps - 1), ("step", 10**18)):
        _need(_whole(state[name], 0, most), f"state {name}", state[name])
    step = state["epoch"] * steps + state["batch"]
    _need(state["step"] == step, "state step", state["step"])
    due = state["epoch"] > 0 and state["batch"] == 0 and state["epoch"] < settings.epochs
    _need(type(state["hook_due"]) is bool and state["hook_due"] == due, "state hook_due", state["hook_due"])
    for name in ("seconds", "train_seconds"):
        _need(_number(state[name]) and state[name] >= 0, f"state {name}", state[name])
    sums = state["sums"]
    _like(sums, torch.zeros(3, dtype=torch.float64), "state sums")
    _finite(sums, "state sums")
    _, correct, count = sums.tolist()
    good = count == state["batch"] * settings.batch and 0 <= correct <= count and correct == int(correct)
    _need(good, "state sums", sums.tolist())


def _check_rows(state: Mapping[str, Any], settings: TrainSettings, steps: int) -> None:
    rows = state["rows"]
    _need(isinstance(rows, list) and len(rows) == state["epoch"], "state rows", f"{type(rows).__name__}")
    for number, row in enumerate(rows, 1):
        where = f"state rows {number}"
        _keys(row, dict.fromkeys((*_ROW, "train_loss", "train_accuracy", *_NULL)), where)
        same = (row["epoch"], row["steps"], row["lr"]) == (number, number * steps, settings.rate(number - 1))
        _need(same and _whole(row["events"], 0), where, [row[name] for name in _ROW])
        for name in ("train_loss", "train_accuracy", *_NULL):
            good = _number(row[name]) or (row[name] is None and name in _NULL)
            _need(good and (not name.endswith("accuracy") or 0 <= (row[name] or 0) <= 1), f"{where} {name}", row[name])


def _check_optimiser(stored: Any, optimiser: torch.optim.Optimizer, *, begun: bool) -> None:
    own = optimiser.state_dict()
    _keys(stored, own, "optimiser")
    groups, ours = stored["param_groups"], own["param_groups"]
    _need(isinstance(groups, Sequence) and len(groups) == len(ours), "optimiser param_groups", groups)
    for group, mine in zip(groups, ours, strict=True):
        _keys(group, mine, "optimiser param_groups")
        for name, value in group.items():
            good = _number(value) and value >= 0 if name == "lr" else _same(value, mine[name])
            _need(good, f"optimiser {name}", value)
    trained = [one for group in optimiser.param_groups for one in group["params"]]
    state = stored["state"]
    momentum = any(group.get("momentum", 1) for group in ours)
    wanted = set(range(len(trained))) if begun and momentum else set()
    _need(isinstance(state, Mapping), "optimiser state", state)
    _need(wanted <= set(state) <= set(range(len(trained))), "optimiser state", sorted(map(str, state)))
    adam = isinstance(optimiser, torch.optim.Adam)
    names = ("step", "exp_avg", "exp_avg_sq") if adam else ("momentum_buffer",)
    for number, held in state.items():
        where = f"optimiser state {number}"
        _keys(held, dict.fromkeys(names), where)
        for name, array in held.items():
            if array is None and not wanted:
                continue
            _like(array, torch.zeros(()) if name == "step" else trained[number], f"{where} {name}")
            _finite(array, f"{where} {name}")
            _need(name not in ("step", "exp_avg_sq") or bool((array >= 0).all()), f"{where} {name}", "a number below 0")


def _check_search(
    stored: Any, own: Mapping[str, Any] | None, state: Mapping[str, Any], settings: TrainSettings
) -> None:
    if own is None:
        _need(stored is None, "search", "one, but the run has none")
        return
    _keys(stored, own, "search", missing=("progress",))
    _need(isinstance(stored["settings"], Mapping), "search settings", stored["settings"])
    _need(isinstance(stored["settings"].get("options"), Mapping), "search options", stored["settings"])
    _need(isinstance(stored["layers"], Mapping), "search layers", stored["layers"])
    kept, ours = stored["n_keep"], own["n_keep"]
    _need(_whole(kept, 0, 2**62) if ours is not None else kept is None, "search n_keep", kept)
    last = state["hook_due"] or state["epoch"] == settings.epochs
    ended = state["epoch"] - last  # epochs after which the method was asked
    progress = stored.get("progress", ended / settings.epochs)
    _need(_number(progress) and progress == ended / settings.epochs, "search progress", progress)
    _need(isinstance(stored["events"], list), "search events", stored["events"])
    names = ("kind", "counter", "step", "epoch", "changed")
    for number, event in enumerate(stored["events"], 1):
        where = f"search event {number}"
        _keys(event, dict.fromkeys(names), where)
        when, other = (event["step"], event["epoch"])[:: 1 if event["kind"] == "rerand" else -1]
        good = other is None and _whole(when, 0) and _whole(event["counter"], 1) and _whole(event["changed"], 0)
        _need(good and event["kind"] in _WHEN, where, event)
        _need(when == _WHEN[event["kind"]](event["counter"], settings), where, event)
    twice = len({(event["kind"], event["counter"]) for event in stored["events"]}) < len(stored["events"])
    _need(not twice, "search events", "one of them twice")
    kinds = Counter(event["kind"] for event in stored["events"])
    hooks = range((settings.recycle_after or 0) + 1, min(ended, settings.epochs - 1))
    due = {
        "rerand": state["step"] // settings.rerand_every if settings.rerand_every else 0,
        "recycle": sum(epoch % settings.recycle_every == 0 for epoch in hooks) if settings.recycle_every else 0,
    }
    counted = [0, *(row["events"] for row in state["rows"]), len(stored["events"])]
    good = counted == sorted(counted) and all(kinds[name] == count for name, count in due.items())
    _need(good and kinds["density"] <= ended, "search events", f"{len(stored['events'])} of them")


def _keys(content: Any, own: Mapping[Any, Any], where: str, *, missing: Sequence[str] = ()) -> None:
    if not isinstance(content, Mapping):
        raise StateError(f"{where} is no mapping but {type(content).__name__}")
    lacks = [name for name in own if name not in content and name not in missing]
    odd = [name for name in content if name not in own]
    if lacks or odd:
        raise StateError(f"{where} {'lacks' if lacks else 'has an unknown'} {str((lacks or odd)[0])[:100]}")


def _like(array: Any, own: torch.Tensor | None, where: str) -> None:
    if own is None:
        raise StateError(f"{where} belongs to no part of this run")
    if not isinstance(array, torch.Tensor):
        raise StateError(f"{where} is no tensor but {type(array).__name__}")
    if (array.dtype, array.shape) != (own.dtype, own.shape):
        raise StateError(
            f"{where} has type {array.dtype} and shape {tuple(array.shape)}, it must have {own.dtype} and "
            f"{tuple(own.shape)}"
        )


def _finite(array: torch.Tensor, where: str) -> None:
    if array.is_floating_point() and not bool(array.isfinite().all()):
        raise StateError(f"{where} holds NaN or infinity")


def _need(good: bool, where: str, value: Any) -> None:
    if not good:
        raise StateError(f"{where} makes no sense: {' '.join(str(value).split())[:80]}")


def _whole(value: Any, low: int, high: int = 2**62) -> bool:
    return type(value) is int and low <= value <= high


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _same(value: Any, own: Any) -> bool:
    return type(value) is type(own) and bool(value == own)
