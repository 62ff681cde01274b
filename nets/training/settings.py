"""The settings of a training run: read from text, completed by the method's recipe, or taken from an old run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from nets.device import resolve_device
from nets.training.recipes import Recipe, recipe
from nets.training.run_folder import check_same
from sims.commands import cli

MAX_SEED = 2**63 - 1
BATCH_NORMS = ("non-affine", "affine", "none")
INITS = ("signed-constant", "kaiming-normal", "kaiming-uniform")
SCALES = ("unscaled", "paper", "reference-code")

Reader = Callable[[str, str], Any]


def _whole(low: int, high: int) -> Reader:
    return lambda flag, text: cli.between(flag, cli.integer(flag, text), low, high)


def _number(low: float, high: float, *, open_low: bool = False, open_high: bool = False) -> Reader:
    domain = f"{'(' if open_low else '['}{low:g}, {high:g}{')' if open_high or math.isinf(high) else ']'}"

    def read(flag: str, text: str) -> float:
        value = cli.real(flag, text)
        good = low <= value <= high and math.isfinite(value)
        if not good or (open_low and value == low) or (open_high and value == high):
            raise cli.UsageError(f"{flag} must be a number in {domain}, got {text}")
        return value

    return read


def _held_out(flag: str, text: str) -> float | int:
    value = cli.real(flag, text)
    if not 0 <= value < math.inf or (value >= 1 and value != int(value)):
        raise cli.UsageError(f"{flag} takes a part in [0, 1) or a number of images, got {text}")
    return value if value < 1 else int(value)


READERS: Mapping[str, Reader] = {
    "density": _number(0, 1, open_low=True),
    "width": _number(0, math.inf, open_low=True),
    "seed": _whole(0, MAX_SEED),
    "score_seed": _whole(0, MAX_SEED),
    "stem_width": _whole(1, 10**6),
    "epochs": _whole(1, 10**6),
    "batch": _whole(1, 10**6),
    "lr": _number(0, 1e30),
    "momentum": _number(0, 1, open_high=True),
    "weight_decay": _number(0, 1e30),
    "warmup": _whole(0, 10**6),
    "cooldown": _whole(0, 10**6),
    "cooldown_lr": _number(0, 1e30),
    "label_smoothing": _number(0, 1, open_high=True),
    "validation": _held_out,
    "rerand_every": _whole(1, 10**9),
    "rerand_frac": _number(0, 1),
    "recycle_every": _whole(1, 10**6),
    "recycle_frac": _number(0, 0.5),
    "recycle_after": _whole(0, 10**6),
}
"""How the text of a flag becomes its value; flags that are not here are taken as they are."""

BELONGS = {
    "rerand_every": ("iterand",),
    "rerand_frac": ("iterand",),
    "recycle_every": ("recycle", "biprop-recycle"),
    "recycle_frac": ("recycle", "biprop-recycle"),
    "recycle_after": ("recycle", "biprop-recycle"),
    "score_seed": ("edge-popup", "biprop", "mpt-1-1", "iterand", "recycle", "biprop-recycle"),
}
"""Settings that only these methods have; they are None for the others."""


def read(flags: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that the user gave, as values.

    Parameters
    ----------
    flags : mapping
        Text, or None for a flag that was not given.

    Raises
    ------
    UsageError
        One line naming the flag.

    Examples
    --------
    >>> read({"lr": "1e-1", "batch": "64", "epochs": None, "method": "biprop"})
    {'lr': 0.1, 'batch': 64, 'method': 'biprop'}
    """
    given = {name: value for name, value in flags.items() if value is not None}
    for name, reader in READERS.items():
        if name in given:
            given[name] = reader(f"--{name.replace('_', '-')}", given[name])
    if "device" in given:
        given["device"] = resolve_device(given["device"])
    if "data_dir" in given:
        given["data_dir"] = str(Path(given["data_dir"]).expanduser())
    return given


def resolve(given: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of a new run: what was given, the recipe for the rest.

    Parameters
    ----------
    given : mapping
        From `read`.

    Returns
    -------
    dict
        Plain values, the same keys in the same order for every run.

    Raises
    ------
    UsageError
        If settings do not go together.

    Examples
    --------
    >>> found = resolve({"method": "iterand", "arch": "conv6", "data": "cifar10", "seed": 1, "device": "cpu"})
    >>> found["lr"], found["rerand_every"], found["recycle_every"], found["density"]
    (0.3, 300, None, 0.5)
    """
    method, data = given.get("method", "edge-popup"), given.get("data", "digits")
    arch = given.get("arch", "mlp" if data in ("digits", "mnist") else "conv4")
    usual = recipe(method, arch, data)
    for name, methods in BELONGS.items():
        if name in given and method not in methods:
            raise cli.UsageError(f"--{name.replace('_', '-')} belongs to {', '.join(methods)}, not to {method}")
    if method == "dense" and given.get("density", 1.0) != 1.0:
        raise cli.UsageError(f"--method dense keeps every weight, got --density {given['density']:g}")
    if "stem_width" in given and not arch.startswith("resnet"):
        raise cli.UsageError(f"--stem-width belongs to ResNets, not to {arch}")
    params = {
        "method": method,
        "arch": arch,
        "data": data,
        "data_dir": None,
        "density": 1.0 if method == "dense" else 0.5,
        "width": 1.0,
        "batch_norm": None,
        "seed": None,
        "score_seed": None,
        **usual.settings(),
        "device": None,
        "amp": False,
        "compile": False,
        "test_each_epoch": False,
    }
    params |= _optimiser(usual, given)
    params |= {name: None for name, methods in BELONGS.items() if method not in methods}
    if not arch.startswith("resnet"):
        params["stem_width"] = None
    params |= given
    if params["seed"] is None:
        params["seed"] = cli.fresh_seed()
    if params["score_seed"] is None and method != "dense":
        params["score_seed"] = params["seed"]
    if params["device"] is None:
        params["device"] = resolve_device("auto")
    if params["epochs"] < params["warmup"] + params["cooldown"]:
        raise cli.UsageError(
            f"--epochs {params['epochs']} is less than --warmup {params['warmup']} and "
            f"--cooldown {params['cooldown']} together"
        )
    return params


def resumed(stored: Mapping[str, Any], given: Mapping[str, Any], where: Path) -> dict[str, Any]:
    """The settings of an old run, if nothing that was given contradicts them.

    Raises
    ------
    RunError
        One line naming every difference.
    UsageError
        If the run needs a device that this machine has not.
    """
    check_same(stored, given, where)
    resolve_device(stored["device"])
    return dict(stored)


def _optimiser(usual: Recipe, given: Mapping[str, Any]) -> dict[str, Any]:
    """Momentum belongs to SGD; a recipe of Adam has none to offer to it."""
    kind = given.get("optimiser", usual.optimiser)
    if kind == "adam" and given.get("momentum"):
        raise cli.UsageError(f"--momentum belongs to --optimiser sgd, got {given['momentum']:g} with adam")
    if kind == usual.optimiser:
        return {}
    return {"momentum": 0.9 if kind == "sgd" else 0.0}
