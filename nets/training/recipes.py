"""How each paper trains: optimiser, schedule, batch and method options, in one table that every command reads.

A recipe depends on the method, on the kind of architecture and on the data. Each row names where its numbers were
read; "not stated" marks a number that no source gives and that was chosen here. Every value can be set by a flag.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from nets.search import methods
from nets.training.optimisation import Optimisation

METHODS = (*methods.METHODS, "dense")
"""What can be trained: by a method that finds a subnetwork, or densely."""
DATA = ("digits", "mnist", "cifar10", "imagefolder")


@dataclass(frozen=True, kw_only=True)
class Usual(Optimisation):
    """What a recipe settles beside the optimiser and its schedule.

    Attributes
    ----------
    init, scale : str
        Of the frozen weights, as in `nets.search.find`.
    stem_width : int or None
        Channels of a ResNet's stem whatever the width; None: the stem scales too.
    rerand_every, rerand_frac : int, float
        iterand: steps between re-randomisations, and the expected share of the pruned weights that is redrawn.
    rerand_init : str or None
        iterand: law of the new draws; None: that of the first ones.
    recycle_every, recycle_frac, recycle_after : int, float, int
        recycle: epochs between recyclings, the share of all weights that is overwritten, and the last epoch without.
    sources, with_rerand : str, bool
        recycle: where copies come from, and whether half of the share is drawn anew instead.
    score_key, score_init : str
        What is ranked, and the law of the first scores.
    gradient, scope, schedule_epochs, schedule_start : str, str, int, float
        Biprop's, as in `nets.search.methods.biprop.Biprop`.
    evaluation, first_probabilities, final_temperature : str, str, float
        Of sampled masks, as in `nets.search.methods.bernoulli` and `nets.search.methods.probmask`.
    allocation : {"uniform", "erk"}
        How the density is shared among layers, as in `nets.search.densities.allocate`.
    batch_norm_passes : int
        Passes over the training images after the last step in which the running statistics of batch norms are taken
        anew, with the masks as they are then.
    augment, normalise : str or None
        As in `nets.data.load_data`; None: the data set's own.
    validation : float or int
        Training images that are held out and watched, a part below 1 or a number; they choose nothing.
    """

    init: str = "signed-constant"
    scale: str = "unscaled"
    stem_width: int | None = None
    rerand_every: int | None = 300
    rerand_frac: float | None = 0.1
    rerand_init: str | None = None
    recycle_every: int | None = 10
    recycle_frac: float | None = 0.2
    recycle_after: int | None = 0
    sources: str | None = "highest"
    with_rerand: bool | None = False
    score_key: str | None = "abs"
    score_init: str | None = "kaiming-uniform-a5"
    gradient: str | None = "magnitude"
    scope: str | None = "layer"
    schedule_epochs: int | None = 0
    schedule_start: float | None = 0.5
    evaluation: str | None = "sample"
    first_probabilities: str | None = "constant"
    final_temperature: float | None = 0.03
    allocation: str = "uniform"
    batch_norm_passes: int = 0
    augment: str | None = None
    normalise: str | None = None
    validation: float | int = 0.0


@dataclass(frozen=True, kw_only=True)
class Recipe(Usual):
    """The settings of a paper.

    Attributes
    ----------
    source : str
        Where the numbers come from; the key of `theory.bibliography` first.
    """

    source: str


_EP = Recipe(source="ramanujan2020, authors' configs (read)")
_MPT = replace(
    _EP, source="diffenderfer2021multiprize, authors' configs (read)", init="kaiming-normal", scale="reference-code"
)
_MPT11 = replace(
    _MPT, optimiser="adam", momentum=0.0, weight_decay=0.0, batch_norm_passes=1,
    source=f"{_MPT.source}; batch statistics taken anew at the end (not stated)",
)  # fmt: skip
_ITERAND = replace(
    _EP, source="chijiwa2021iterand, authors' configs (read)", lr=0.3,
    score_key="raw", score_init="kaiming-uniform-relu",
)  # fmt: skip
_IWR = replace(
    _EP, source="gorbett2023recycling, authors' configs (read)", epochs=250, recycle_every=3, recycle_frac=0.1
)
_IWR_MPT = replace(_IWR, init="kaiming-normal", recycle_every=10, recycle_frac=0.2)
_DENSE = replace(_EP, source="ramanujan2020, dense MNIST baseline (read)", init="kaiming-normal")
_BERNOULLI = replace(
    _EP, lr=100.0, weight_decay=0.0, batch=250, init="kaiming-normal",
    source="zhou2019supermask, authors' command for MNIST (read; 2000 epochs, Glorot weights); epochs not stated",
)  # fmt: skip
_PROBMASK = replace(
    _EP, optimiser="adam", momentum=0.0, lr=0.006, weight_decay=0.0, batch=256, epochs=300, init="kaiming-normal",
    scope="global",
    source="zhou2021probmask, authors' configs (read), where weights train too and gradients are clipped",
)  # fmt: skip
_SIGNED = replace(
    _EP, lr=0.05, weight_decay=5e-4,
    source="koster2022signed, authors' config for Conv-4 (read; Nesterov, decoupled decay, exponential schedule there)",
)  # fmt: skip
_IMAGENET: dict[str, Any] = {"lr": 0.256, "momentum": 0.875, "weight_decay": 3.0517578e-5, "warmup": 5, "batch": 256}
_IMAGENET |= {"label_smoothing": 0.1, "epochs": 100}

TABLE: Mapping[tuple[str, str], Recipe] = {
    ("edge-popup", "conv"): _EP,
    ("edge-popup", "resnet"): replace(_EP, weight_decay=5e-4, batch=256),
    ("edge-popup", "imagenet"): replace(_EP, **_IMAGENET),
    ("biprop", "conv"): _MPT,
    ("biprop", "resnet"): replace(_MPT, weight_decay=5e-4, batch=256),
    ("biprop", "vgg"): replace(_MPT, optimiser="adam", momentum=0.0, weight_decay=0.0),
    ("biprop", "imagenet"): replace(
        _MPT, **_IMAGENET,
        source="diffenderfer2021multiprize, configs of ResNet-34 and -50 (read); their best, a wide ResNet-50, has "
        "unscaled signed constants",
    ),
    ("mpt-1-1", "conv"): _MPT11,
    ("mpt-1-1", "resnet"): replace(_MPT11, batch=256),
    ("mpt-1-1", "vgg"): replace(_MPT11, lr=2e-4),
    ("mpt-1-1", "imagenet"): replace(
        _MPT11, lr=2e-4, schedule="constant", batch=256, epochs=120, label_smoothing=0.1,
        source="diffenderfer2021multiprize, configs of the wide ResNet-34 (read); label smoothing as MPT-1/32; batch "
        "statistics taken anew at the end (not stated)",
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
        _IWR, **{**_IMAGENET, "lr": 0.1}, scale="reference-code", recycle_every=10,
        source="gorbett2023recycling, authors' configs (read); epochs between recyclings not stated",
    ),
    ("biprop-recycle", "conv"): _IWR_MPT,
    ("biprop-recycle", "resnet"): replace(_IWR_MPT, weight_decay=5e-4, epochs=200),
    ("biprop-recycle", "imagenet"): replace(
        _IWR_MPT, **{**_IMAGENET, "lr": 0.1, "warmup": 10, "epochs": 150}, scale="reference-code", recycle_after=40
    ),
    ("dense", "mlp"): _DENSE,
    ("dense", "conv"): replace(
        _DENSE, source="ramanujan2020, the higher of the two learning rates of its dense Conv nets, 0.1 and 0.01 (read)"
    ),
    ("bernoulli", "conv"): _BERNOULLI,
    ("probmask", "conv"): _PROBMASK,
    ("signed-supermask", "conv"): _SIGNED,
    ("dense", "resnet"): replace(_DENSE, source="chijiwa2021iterand, dense SGD (read)", lr=0.1, weight_decay=5e-4),
    ("dense", "imagenet"): replace(_DENSE, source="ramanujan2020, as its tickets (not stated)", **_IMAGENET),
}  # fmt: skip
"""One recipe for each method and family of architectures; a missing family is covered by "conv" (see `family`)."""

_ITERAND_DATA: dict[str, dict[str, Any]] = {
    "cifar10": {"augment": "iterand", "normalise": "imagenet", "validation": 0.1},
    "imagefolder": {"validation": 0.01},
}
"""IteRand's own treatment of the images; the other papers take the data set's usual one and hold nothing out."""

_DIGITS: dict[str, Any] = {"batch": 64, "epochs": 20, "rerand_every": 20, "recycle_every": 3, "recycle_frac": 0.1}


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
