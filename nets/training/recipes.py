"""How each paper trains: optimiser, schedule, batch and method options, in one table that every command reads.

A recipe depends on the method, on the kind of architecture and on the data. Each row names where its numbers were
read; "not stated" marks a number that no source gives and that was chosen here. Every value can be set by a flag.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

METHODS = ("edge-popup", "biprop", "mpt-1-1", "iterand", "recycle", "biprop-recycle", "dense")
DATA = ("digits", "mnist", "cifar10", "imagefolder")


@dataclass(frozen=True)
class Recipe:
    """Training settings; weight decay acts on what is trained, for a ticket on its scores.

    Attributes
    ----------
    source : str
        Where the numbers come from; the key of `theory.bibliography` first.
    optimiser : {"sgd", "adam"}
        SGD without Nesterov's step.
    lr, momentum, weight_decay : float
        Momentum is SGD's only.
    schedule : {"cosine", "constant"}
    warmup, cooldown : int
        Epochs of rising learning rate at the start, and of `cooldown_lr` at the end.
    cooldown_lr : float
    batch, epochs : int
    label_smoothing : float
    init, scale : str
        Of the frozen weights, as in `nets.search.find`.
    stem_width : int or None
        Channels of a ResNet's stem whatever the width; None: the stem scales too.
    rerand_every, rerand_frac : int, float
        iterand: steps between re-randomisations, and the expected share of the pruned weights that is redrawn.
    recycle_every, recycle_frac, recycle_after : int, float, int
        recycle: epochs between recyclings, the share of all weights that is overwritten, and the last epoch without.
    augment, normalise : str or None
        As in `nets.data.load_data`; None: the data set's own.
    validation : float
        Part of the training images that is held out and watched; it chooses nothing.
    """

    source: str
    optimiser: str = "sgd"
    lr: float = 0.1
    momentum: float = 0.9
    weight_decay: float = 1e-4
    schedule: str = "cosine"
    warmup: int = 0
    cooldown: int = 0
    cooldown_lr: float = 0.0
    batch: int = 128
    epochs: int = 100
    label_smoothing: float = 0.0
    init: str = "signed-constant"
    scale: str = "unscaled"
    stem_width: int | None = None
    rerand_every: int = 300
    rerand_frac: float = 0.1
    recycle_every: int = 10
    recycle_frac: float = 0.2
    recycle_after: int = 0
    augment: str | None = None
    normalise: str | None = None
    validation: float = 0.0

    def settings(self) -> dict[str, Any]:
        """All values but the source."""
        content = asdict(self)
        del content["source"]
        return content


_EP = Recipe("ramanujan2020, authors' configs (read)")
_MPT = replace(_EP, source="diffenderfer2021multiprize, authors' configs (read)", init="kaiming-normal")
_MPT11 = replace(_MPT, optimiser="adam", momentum=0.0, weight_decay=0.0)
_ITERAND = replace(_EP, source="chijiwa2021iterand, authors' configs (read)", lr=0.3)
_IWR = replace(
    _EP, source="gorbett2023recycling, authors' configs (read)", epochs=250, recycle_every=3, recycle_frac=0.1
)
_IWR_MPT = replace(_IWR, init="kaiming-normal", recycle_every=10, recycle_frac=0.2)
_DENSE = replace(_EP, source="ramanujan2020, dense baseline (read)", lr=0.01, init="kaiming-normal")
_IMAGENET = {"lr": 0.256, "momentum": 0.875, "weight_decay": 3.0517578e-5, "warmup": 5, "batch": 256}
_IMAGENET |= {"label_smoothing": 0.1, "epochs": 100}

TABLE: Mapping[tuple[str, str], Recipe] = {
    ("edge-popup", "conv"): _EP,
    ("edge-popup", "resnet"): replace(_EP, weight_decay=5e-4, batch=256),
    ("edge-popup", "imagenet"): replace(_EP, **_IMAGENET),
    ("biprop", "conv"): _MPT,
    ("biprop", "resnet"): replace(_MPT, weight_decay=5e-4, batch=256),
    ("biprop", "vgg"): replace(_MPT, optimiser="adam", momentum=0.0, weight_decay=0.0),
    ("biprop", "imagenet"): replace(_MPT, **_IMAGENET),
    ("mpt-1-1", "conv"): _MPT11,
    ("mpt-1-1", "resnet"): replace(_MPT11, batch=256),
    ("mpt-1-1", "vgg"): replace(_MPT11, lr=2e-4),
    ("mpt-1-1", "imagenet"): replace(
        _MPT11, lr=2e-4, schedule="constant", batch=256, epochs=120, label_smoothing=0.1,
        source="diffenderfer2021multiprize, configs of the wide ResNet-34 (read); label smoothing as MPT-1/32",
    ),
    ("iterand", "conv"): _ITERAND,
    ("iterand", "resnet"): replace(_ITERAND, lr=0.1, weight_decay=5e-4, stem_width=64),
    ("iterand", "imagenet"): replace(
        _ITERAND, lr=0.1, stem_width=64, warmup=5, cooldown=5, cooldown_lr=1e-5, epochs=105, rerand_every=1000
    ),
    ("recycle", "conv"): _IWR,
    ("recycle", "conv6"): replace(_IWR, recycle_every=10, recycle_frac=0.2),
    ("recycle", "resnet"): replace(_IWR, weight_decay=5e-4, recycle_every=10, recycle_frac=0.2),
    ("recycle", "imagenet"): replace(
        _IWR, **{**_IMAGENET, "lr": 0.1}, recycle_every=10,
        source="gorbett2023recycling, authors' configs (read); epochs between recyclings not stated",
    ),
    ("biprop-recycle", "conv"): _IWR_MPT,
    ("biprop-recycle", "resnet"): replace(_IWR_MPT, weight_decay=5e-4, epochs=200),
    ("biprop-recycle", "imagenet"): replace(
        _IWR_MPT, **{**_IMAGENET, "lr": 0.1, "warmup": 10, "epochs": 150}, scale="paper", recycle_after=40,
        source="gorbett2023recycling, authors' configs (read); which scaling is meant not stated",
    ),
    ("dense", "conv"): _DENSE,
    ("dense", "resnet"): replace(_DENSE, source="chijiwa2021iterand, dense SGD (read)", lr=0.1, weight_decay=5e-4),
    ("dense", "imagenet"): replace(_DENSE, source="ramanujan2020, as its tickets (not stated)", **_IMAGENET),
}  # fmt: skip
"""One recipe for each method and family of architectures; a missing family is covered by "conv" (see `family`)."""

_ITERAND_DATA = {
    "cifar10": {"augment": "iterand", "normalise": "imagenet", "validation": 0.1},
    "imagefolder": {"validation": 0.01},
}
"""IteRand's own treatment of the images; the other papers take the data set's usual one and hold nothing out."""

_DIGITS = {"batch": 64, "epochs": 20, "rerand_every": 20, "recycle_every": 3, "recycle_frac": 0.1}


def family(arch: str) -> str:
    """Which rows of the table an architecture takes: conv (the mlp too), resnet, vgg or imagenet.

    Examples
    --------
    >>> family("mlp"), family("conv6"), family("resnet18"), family("resnet50-imagenet")
    ('conv', 'conv', 'resnet', 'imagenet')
    """
    if arch.endswith("-imagenet"):
        return "imagenet"
    return "resnet" if arch.startswith("resnet") else "vgg" if arch.startswith("vgg") else "conv"


def recipe(method: str, arch: str, data: str) -> Recipe:
    """The default settings of a run.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    arch : str
        One of `nets.training.models.ARCHS`.
    data : str
        One of `DATA`. digits takes the method's settings with few epochs, small batches and events at every twentieth
        step or third epoch, so that a run ends in seconds; those numbers are ours.

    Returns
    -------
    Recipe

    Raises
    ------
    ValueError
        If the method or the data are unknown.

    Examples
    --------
    >>> recipe("edge-popup", "resnet18", "cifar10").weight_decay, recipe("iterand", "conv6", "cifar10").lr
    (0.0005, 0.3)
    """
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(METHODS)}, got method={method!r}")
    if data not in DATA:
        raise ValueError(f"data must be one of {', '.join(DATA)}, got data={data!r}")
    found = TABLE.get((method, arch)) or TABLE.get((method, family(arch))) or TABLE[method, "conv"]
    if method == "iterand":
        found = replace(found, **_ITERAND_DATA.get(data, {}))
    return replace(found, source=f"{found.source}; shortened for digits", **_DIGITS) if data == "digits" else found


def learning_rate(settings: Mapping[str, Any], epoch: int) -> float:
    """Learning rate of one epoch; it is constant inside the epoch.

    Parameters
    ----------
    settings : mapping
        With ``lr schedule warmup cooldown cooldown_lr epochs``.
    epoch : int
        Counted from 0.

    Returns
    -------
    float
        Warm-up of w epochs: lr (epoch + 1) / w. Then, with E the epochs without the cool-down,
        lr (1 + cos(pi (epoch - w) / (E - w))) / 2, so that the last one is small but not 0. Cool-down: its own rate.

    Source
    ------
    The per-epoch cosine of the reference codes of Edge-Popup, Biprop, IteRand and weight recycling (read).

    Examples
    --------
    >>> settings = recipe("edge-popup", "resnet50-imagenet", "imagefolder").settings()
    >>> [round(learning_rate(settings, epoch), 4) for epoch in (0, 4, 5, 52, 99)]
    [0.0512, 0.256, 0.256, 0.1301, 0.0001]
    """
    warmup, end = settings["warmup"], settings["epochs"] - settings["cooldown"]
    if epoch < warmup:
        return float(settings["lr"] * (epoch + 1) / warmup)
    if epoch >= end:
        return float(settings["cooldown_lr"])
    if settings["schedule"] == "constant":
        return float(settings["lr"])
    return float(settings["lr"] * (1.0 + math.cos(math.pi * (epoch - warmup) / (end - warmup))) / 2.0)
