"""The settings of a training run: what the user chose, completed by the method's recipe, or taken from an old run."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Annotated

from nets.device import resolve_device
from nets.search.methods import LAWS, METHODS, SCALES, having
from nets.training import recipes
from nets.training.recipes import Recipe, Usual, recipe
from nets.training.run_folder import MAY_MOVE, check_same
from sims.commands import flags
from sims.commands.flags import OptionalFolder, OptionalInteger, OptionalReal, UsageError
from sims.experiment import fresh_seed
from theory.numerics.check import shown

Value = str | int | float | bool | None

MAX_SEED = 2**63 - 1
ARCHS = (
    *("mlp", "conv2", "conv4", "conv6", "conv8", "resnet18", "resnet34", "resnet50"),
    *("resnet18-imagenet", "resnet34-imagenet", "resnet50-imagenet", "vgg-small"),
)
"""Networks that `nets.training.models.make_model` knows."""
BATCH_NORMS = ("non-affine", "affine", "none")
SCORE_KEYS, SCORE_INITS = ("abs", "raw"), ("kaiming-uniform-a5", "kaiming-uniform-relu")
GRADIENTS, SCOPES, SOURCES = ("magnitude", "gain", "sign"), ("layer", "global"), ("highest", "next-lowest")
ALLOCATIONS = ("uniform", "erk")
EVALUATIONS, FIRST_PROBABILITIES = ("sample", "threshold", "expectation", "highest"), ("constant", "normal")
"""What the options of the methods may be; said here once more, so that no flag needs PyTorch."""


def usual_batch_norm(arch: str, *, binary: bool) -> str:
    """The batch norm of an architecture in the reference code: Conv nets and the mlp have none under ReLU.

    Parameters
    ----------
    binary : bool
        Whether activations are signs.
    """
    return "none" if not binary and (arch == "mlp" or arch.startswith("conv")) else "non-affine"


def _choice(*names: str) -> tuple[object, object]:
    def read(tokens: list[str]) -> str:
        if tokens[0] not in names:
            raise ValueError(f"must be one of {', '.join(names)}, got {tokens[0]}")
        return tokens[0]

    found: tuple[object, object] = flags.written("{" + ",".join(names) + "}", read)
    return found


def _held_out(token: str) -> float | int:
    value = flags.real(token)
    if not 0 <= value < math.inf or (value >= 1 and value != int(value)):
        raise ValueError(f"takes a part in [0, 1) or a number of images, got {token}")
    return value if value < 1 else int(value)


Law = Annotated[str | None, *_choice(*LAWS)]
HeldOut = Annotated[float | int | None, *flags.written("FLOAT|INT", lambda tokens: _held_out(tokens[0]))]
Device = Annotated[str | None, *_choice("auto", "cpu", "cuda")]


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a user settles of a run; None leaves it to the recipe, or, on resuming, to the run."""

    method: Annotated[str | None, *_choice(*recipes.METHODS)] = None
    """How the ticket is found. Default: edge-popup. mpt-1-1 is biprop with binary activations."""
    arch: Annotated[str | None, *_choice(*ARCHS)] = None
    """The network. Default: mlp for digits and mnist, else conv4."""
    data: Annotated[str | None, *_choice(*recipes.DATA)] = None
    """Default: digits, which need no files."""
    data_dir: OptionalFolder = None
    """Where the files of the data lie. Default for mnist and cifar10: $STRONGTICKETS_DATA, then the cache folder."""
    density: OptionalReal = None
    """Part of each layer's weights that is kept, in (0, 1]. Default: 0.5."""
    width: OptionalReal = None
    """Factor on every hidden width. Default: 1."""
    init: Law = None
    """Law of the random weights."""
    scale: Annotated[str | None, *_choice(*SCALES)] = None
    """Factor on their size for the pruned part: none, the paper's sqrt(1/density), or its code's sqrt(1/(1-density)).
    Default: the method's, where density 1 does not make it infinite."""
    seed: OptionalInteger = None
    """Seed in [0, 2^63) of weights, image order and events. Default: a fresh one, which is printed."""
    score_seed: OptionalInteger = None
    """Seed of the first scores, so that other tickets are found in the same weights. Default: that of --seed; of the
    first ticket of --multi-prize: 0."""
    epochs: OptionalInteger = None
    """Passes over the training images."""
    batch: OptionalInteger = None
    """Images per step."""
    optimiser: Annotated[str | None, *_choice("sgd", "adam")] = None
    """What trains the scores."""
    lr: OptionalReal = None
    """Learning rate after the warm-up."""
    momentum: OptionalReal = None
    """Momentum of SGD."""
    weight_decay: OptionalReal = None
    """Acts on all that is trained, the scores included."""
    schedule: Annotated[str | None, *_choice("cosine", "constant")] = None
    """Learning rate from epoch to epoch."""
    warmup: OptionalInteger = None
    """Epochs of rising learning rate."""
    cooldown: OptionalInteger = None
    """Epochs at the end that run at --cooldown-lr."""
    cooldown_lr: OptionalReal = None
    """Their learning rate."""
    label_smoothing: OptionalReal = None
    """In [0, 1)."""
    validation: HeldOut = None
    """Training images held out and watched: a part below 1 or a number. They choose nothing."""
    augment: Annotated[str | None, *_choice("none", "crop-flip", "iterand", "resized-crop")] = None
    """What happens to training images. Default: the usual for the data."""
    normalise: Annotated[str | None, *_choice("unit", "mnist", "cifar10", "imagenet")] = None
    """Which mean and spread pixels are brought to. Default: those of the data."""
    allocation: Annotated[str | None, *_choice(*ALLOCATIONS)] = None
    """The same density in every layer, or more in small ones (Erdos-Renyi-Kernel). Default: uniform."""
    batch_norm: Annotated[str | None, *_choice(*BATCH_NORMS)] = None
    """Default: the architecture's own."""
    batch_norm_passes: OptionalInteger = None
    """Passes over the training images after the last step that take the running statistics of batch norms anew.
    Default: 1 for mpt-1-1, else 0."""
    stem_width: OptionalInteger = None
    """ResNets: channels of the stem whatever --width is."""
    rerand_every: OptionalInteger = None
    """iterand: steps between re-randomisations."""
    rerand_frac: OptionalReal = None
    """iterand: probability that a pruned weight is drawn again."""
    rerand_init: Law = None
    """iterand: law of the new draws. Default: that of --init."""
    recycle_every: OptionalInteger = None
    """recycle: epochs between recyclings."""
    recycle_frac: OptionalReal = None
    """recycle: part of a layer's weights that is overwritten."""
    recycle_after: OptionalInteger = None
    """recycle: last epoch without recycling."""
    sources: Annotated[str | None, *_choice(*SOURCES)] = None
    """recycle: which weights are copied, those of the highest scores or those next above the overwritten ones."""
    with_rerand: bool = False
    """recycle: spend half of --recycle-frac on drawing pruned weights anew."""
    score_key: Annotated[str | None, *_choice(*SCORE_KEYS)] = None
    """What is ranked: the scores or their absolute values. Default: raw for iterand, else abs."""
    score_init: Annotated[str | None, *_choice(*SCORE_INITS)] = None
    """Law of the first scores: uniform within 1/sqrt(fan_in) or sqrt(6/fan_in). Default: the method's."""
    gradient: Annotated[str | None, *_choice(*GRADIENTS)] = None
    """biprop: how the gradient G of a binary weight reaches its score: W G, gain sign(W) G, or sign(W) G."""
    scope: Annotated[str | None, *_choice(*SCOPES)] = None
    """Keep the highest of each layer, or of all layers together. Default: layer, but global for probmask."""
    schedule_epochs: OptionalInteger = None
    """With --scope global: epochs in which the part kept falls to --density."""
    schedule_start: OptionalReal = None
    """With --scope global: part that is removed at their start."""
    evaluation: Annotated[str | None, *_choice(*EVALUATIONS)] = None
    """bernoulli, probmask: which network is evaluated and left as the ticket. Default: sample."""
    first_probabilities: Annotated[str | None, *_choice(*FIRST_PROBABILITIES)] = None
    """bernoulli: all equal to --density, or normal around it. Default: constant."""
    final_temperature: OptionalReal = None
    """probmask: part of the first temperature that is left at the end, in (0, 1]."""
    test_each_epoch: bool = False
    """Look at the test images after every epoch, for a curve; the result stays the last epoch's."""
    device: Device = None
    """Default: auto."""
    amp: bool = False
    """Forward passes in bfloat16 (weights, scores and evaluation stay float32)."""
    compile: bool = False
    """Compile the model with torch.compile; the first steps are slow."""

    def given(self) -> dict[str, Value]:
        """What was chosen, by name; the device by its own name, the folder without ``~``."""
        found = {item.name: getattr(self, item.name) for item in fields(Choices)}
        found = {name: value for name, value in found.items() if value is not None and value is not False}
        if self.device is not None:
            found["device"] = resolve_device(self.device)
        if self.data_dir is not None:
            found["data_dir"] = str(Path(self.data_dir).expanduser())
        return found


_FIRST = ("method", "arch", "data", "data_dir", "density", "width", "batch_norm", "seed", "score_seed")
_LAST = ("device", "amp", "compile", "test_each_epoch")
_WHOLE = {
    **dict.fromkeys(("seed", "score_seed"), (0, MAX_SEED)),
    **dict.fromkeys(("stem_width", "epochs", "batch", "recycle_every"), (1, 10**6)),
    **dict.fromkeys(("warmup", "cooldown", "recycle_after", "schedule_epochs"), (0, 10**6)),
    "batch_norm_passes": (0, 1000),
    "rerand_every": (1, 10**9),
}
_WORDS: dict[str, tuple[str, ...]] = {
    "init": LAWS,
    "rerand_init": LAWS,
    "scale": SCALES,
    "optimiser": ("sgd", "adam"),
    "schedule": ("cosine", "constant"),
    "augment": ("none", "crop-flip", "iterand", "resized-crop"),
    "normalise": ("unit", "mnist", "cifar10", "imagenet"),
    "allocation": ALLOCATIONS,
    "batch_norm": BATCH_NORMS,
    "sources": SOURCES,
    "score_key": SCORE_KEYS,
    "score_init": SCORE_INITS,
    "gradient": GRADIENTS,
    "scope": SCOPES,
    "evaluation": EVALUATIONS,
    "first_probabilities": FIRST_PROBABILITIES,
    "device": ("cpu", "cuda"),
}
_REAL = {  # domain, and whether its ends belong to it
    "density": (0.0, 1.0, "(]"),
    "width": (0.0, 1e6, "()"),
    "momentum": (0.0, 1.0, "[)"),
    "label_smoothing": (0.0, 1.0, "[)"),
    "rerand_frac": (0.0, 1.0, "[]"),
    "recycle_frac": (0.0, 0.5, "[]"),
    "schedule_start": (0.0, 1.0, "[)"),
    "final_temperature": (0.0, 1.0, "(]"),
    **dict.fromkeys(("lr", "weight_decay", "cooldown_lr"), (0.0, 1e30, "[]")),
}


@dataclass(frozen=True, kw_only=True)
class TrainSettings(Usual):
    """All settings of a run, checked.

    Attributes
    ----------
    method, arch, data : str
    data_dir : str or None
    density, width : float
    batch_norm : str or None
        None: the architecture's own.
    seed : int
    score_seed : int or None
        None for a dense run, as are the options of methods that are not this one.
    device : {"cpu", "cuda"}
    amp, compile, test_each_epoch : bool

    Raises
    ------
    UsageError
        If a value is outside its domain, or settings do not go together: one line naming the flag.
    """

    method: str
    arch: str
    data: str
    data_dir: str | None = None
    density: float
    width: float = 1.0
    batch_norm: str | None = None
    seed: int
    score_seed: int | None
    device: str
    amp: bool = False
    compile: bool = False
    test_each_epoch: bool = False

    def __post_init__(self) -> None:
        self._check_types()
        for name, (least, most) in _WHOLE.items():
            value = getattr(self, name)
            if value is not None:
                flags.between(_flag(name), value, least, most)
        for name, (low, high, ends) in _REAL.items():
            value = getattr(self, name)
            if value is None:
                continue
            good = low <= value <= high and abs(value) <= sys.float_info.max
            if not good or (ends[0] == "(" and value == low) or (ends[1] == ")" and value == high):
                got = shown(value) if abs(value) > 2**60 else f"{value:g}"
                raise UsageError(f"{_flag(name)} must be a number in {ends[0]}{low:g}, {high:g}{ends[1]}, got {got}")
        for name, names in (("method", recipes.METHODS), ("arch", ARCHS), ("data", recipes.DATA)):
            if getattr(self, name) not in names:
                raise UsageError(f"{_flag(name)} must be one of {', '.join(names)}, got {getattr(self, name)}")
        if self.method == "dense" and self.density != 1.0:
            raise UsageError(f"--method dense keeps every weight, got --density {self.density:g}")
        if self.allocation != "uniform" and (self.scope == "global" or self.method == "dense"):
            what = "--method dense" if self.method == "dense" else "--scope global"
            raise UsageError(f"--allocation shares a density among layers, which {what} does not have")
        if self.schedule_epochs and self.scope != "global":
            raise UsageError(
                f"--schedule-epochs belongs to --scope global, got {self.schedule_epochs} with {self.scope}"
            )
        if self.schedule_epochs and self.schedule_epochs >= self.epochs:
            raise UsageError(
                f"--schedule-epochs must be less than --epochs {self.epochs}, or the part kept never falls to "
                f"--density, got {self.schedule_epochs}"
            )
        if self.stem_width is not None and not self.arch.startswith("resnet"):
            raise UsageError(f"--stem-width belongs to ResNets, not to {self.arch}")
        if self.batch_norm_passes and self.norms == "none":
            raise UsageError(
                f"--batch-norm-passes belongs to networks with batch norm, and {self.arch} for {self.method} has none"
            )
        if self.optimiser == "adam" and self.momentum:
            raise UsageError(f"--momentum belongs to --optimiser sgd, got {self.momentum:g} with adam")
        if self.epochs < self.warmup + self.cooldown:
            raise UsageError(
                f"--epochs {self.epochs} is less than --warmup {self.warmup} and --cooldown {self.cooldown} together"
            )

    def _check_types(self) -> None:
        """Refuse what a file may hold and no flag takes: other types, other words."""
        for item in fields(self):
            value, kinds = getattr(self, item.name), str(item.type).split(" | ")
            if value is None and "None" in kinds:
                continue
            known = _WORDS.get(item.name)
            good = type(value).__name__ in kinds or (type(value) is int and "float" in kinds)
            if not good or (known is not None and value not in known):
                wanted = f"one of {', '.join(known)}" if known else f"of type {' or '.join(kinds)}"
                raise UsageError(f"{_flag(item.name)} must be {wanted}, got {value!r}")
        if not 0 <= self.validation < math.inf or (self.validation >= 1 and self.validation != int(self.validation)):
            raise UsageError(f"--validation takes a part in [0, 1) or a number of images, got {self.validation!r}")

    @property
    def norms(self) -> str:
        """The batch norm of the network, "none" if it has none."""
        return self.batch_norm or usual_batch_norm(self.arch, binary=self.method == "mpt-1-1")

    @property
    def options(self) -> dict[str, Value]:
        """Options of the method."""
        return {name: getattr(self, name) for name in METHODS[self.method].settings}

    def to_json(self) -> dict[str, Value]:
        """Plain values in one order; settings that came later are left out where they ask for what was done before."""
        content, before = asdict(self), _before(self.method)
        usual = [item.name for item in fields(Usual)]
        names = [name for name in (*_FIRST, *usual, *_LAST) if name not in before or content[name] != before[name]]
        return {name: content[name] for name in names}

    @classmethod
    def from_json(cls, content: Mapping[str, Value]) -> TrainSettings:
        """The settings that `to_json` wrote.

        Where a ticket file leaves out what belongs to a machine, defaults; where an older program did not have a
        setting, what it did.
        """
        content = {**_before(str(content.get("method"))), **content}
        missing = [item.name for item in fields(cls) if item.name not in content]
        if missing or len(content) > len(fields(cls)):
            raise ValueError(f"the settings of a run are not complete: {', '.join(missing) or 'there are too many'}")
        plain = {"device": "cpu", "amp": False, "compile": False, "test_each_epoch": False}
        return cls(**{name: plain.get(name) if value is None else value for name, value in content.items()})  # type: ignore[arg-type]


def _before(method: str) -> dict[str, Value]:
    """Settings that came later, at what a run did before: the method's own options, and no batch norm taken anew."""
    raw = method == "iterand"
    own: dict[str, Value] = {
        "rerand_init": None,
        "sources": "highest",
        "with_rerand": False,
        "score_key": "raw" if raw else "abs",
        "score_init": "kaiming-uniform-relu" if raw else "kaiming-uniform-a5",
        "gradient": "magnitude",
        "scope": "layer",
        "schedule_epochs": 0,
        "schedule_start": 0.5,
        "evaluation": "sample",
        "first_probabilities": "constant",
        "final_temperature": 0.03,
    }
    return {name: value if method in having(name) else None for name, value in own.items()} | {
        "allocation": "uniform",
        "batch_norm_passes": 0,
    }


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def resolve(choices: Choices, *, plain_images: bool = False) -> TrainSettings:
    """All settings of a new run: what was chosen, the recipe for the rest.

    Parameters
    ----------
    plain_images : bool
        Images as the data set has them, none held out, whatever the recipe says.

    Raises
    ------
    UsageError
        If settings do not go together.

    Examples
    --------
    >>> found = resolve(Choices(method="iterand", arch="conv6", data="cifar10", seed=1, device="cpu"))
    >>> found.lr, found.rerand_every, found.recycle_every, found.density
    (0.3, 300, None, 0.5)
    """
    given = choices.given()
    method, data = choices.method or "edge-popup", choices.data or "digits"
    arch = choices.arch or ("mlp" if data in ("digits", "mnist") else "conv4")
    for name, value, names in (
        ("method", method, recipes.METHODS),
        ("arch", arch, ARCHS),
        ("data", data, recipes.DATA),
    ):
        if not isinstance(value, str) or value not in names:
            raise UsageError(f"{_flag(name)} must be one of {', '.join(names)}, got {shown(value)}")
    usual = recipe(method, arch, data)
    seed = fresh_seed() if choices.seed is None else choices.seed
    foreign = {
        name: having(name) for entry in METHODS.values() for name in entry.settings if method not in having(name)
    }
    if method == "dense":
        foreign["score_seed"] = tuple(METHODS)
    for name, methods in foreign.items():
        if name in given:
            raise UsageError(f"{_flag(name)} belongs to {', '.join(methods)}, not to {method}")
    values: dict[str, Value] = {item.name: getattr(usual, item.name) for item in fields(Usual)}
    values |= {"momentum": _momentum(usual, choices), **dict.fromkeys(foreign)}
    if not arch.startswith("resnet"):
        values["stem_width"] = None
    if (choices.batch_norm or usual_batch_norm(arch, binary=method == "mpt-1-1")) == "none":
        values["batch_norm_passes"] = 0
    if plain_images:
        values |= {"augment": None, "normalise": None, "validation": 0.0}
    values |= {"density": 1.0 if method == "dense" else 0.5, "score_seed": None if method == "dense" else seed}
    values["scale"] = usual_scale(usual, values["density"] if choices.density is None else choices.density)
    if choices.device is None:
        values["device"] = resolve_device("auto")
    return TrainSettings(**{**values, **given, "method": method, "arch": arch, "data": data, "seed": seed})  # type: ignore[arg-type]


def usual_scale(usual: Usual, density: Value) -> str:
    """A recipe's scale; at density 1, where reference-code's is infinite, unscaled."""
    return "unscaled" if density == 1 and usual.scale == "reference-code" else usual.scale


def resumed(stored: Mapping[str, Value], choices: Choices, where: Path) -> TrainSettings:
    """The settings of an old run, if nothing that was chosen contradicts them; the folder of the data may be another.

    Raises
    ------
    RunError
        One line naming every difference.
    UsageError
        If the run needs a device that this machine has not.
    """
    found = TrainSettings.from_json(stored)
    given = choices.given()
    moved = {name: given.pop(name) for name in MAY_MOVE if name in given}
    check_same(asdict(found), given, where)
    resolve_device(found.device)
    return replace(found, **moved)  # type: ignore[arg-type]


def _momentum(usual: Recipe, choices: Choices) -> float:
    """Momentum belongs to SGD; a recipe of Adam has none to offer to it."""
    kind = choices.optimiser or usual.optimiser
    return usual.momentum if kind == usual.optimiser else 0.9 if kind == "sgd" else 0.0
