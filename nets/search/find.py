"""Convert any PyTorch model, in place, for one of the ways to find a ticket in it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping

import torch
from torch import nn

from nets.arguments import flag, of_type
from nets.construction.source import check_seed
from nets.search.check import Number, one_of
from nets.search.dense_part import other_vectors
from nets.search.densities import ALLOCATIONS, allocate
from nets.search.draws import scale_factor
from nets.search.masked_module import mask_parameter
from nets.search.masked_weight import MaskedWeight
from nets.search.methods import LAWS, make_method
from nets.search.methods.method import SCORE_INITS, Method
from nets.search.methods.mpt_1_1 import SignActivation
from nets.search.plan import SMALL_REST, Candidate, Plan, plan
from nets.search.safety import check_references
from nets.search.score_mask import count_to_keep
from nets.search.search import TicketSearch, freeze, plain_value
from theory.numerics.check import shown

INITS = (*LAWS, "keep")
SMALL_VECTOR = 0.01
"""Mean size of a frozen vector of which a user is warned."""
_NORMS = (nn.modules.batchnorm._BatchNorm,)


def find_tickets(
    model: nn.Module,
    *,
    method: str | Method = "edge-popup",
    density: Number = 0.5,
    seed: int = 0,
    score_seed: int | None = None,
    init: str = "signed-constant",
    scale: str = "unscaled",
    score_init: str | None = None,
    exclude: Iterable[str] = (),
    weights: Mapping[str, int | tuple[int, ...]] | None = None,
    embeddings: bool | None = None,
    allow_dense: bool = False,
    densities: Mapping[str, Number] | None = None,
    allocation: str = "uniform",
    bias: str | None = None,
    batch_norm: str = "keep",
    train_rest: bool = False,
    **method_options: object,
) -> TicketSearch:
    """Freeze a model at random weights and give every weight tensor scores to be trained.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place: the weights of linear, convolution (also transposed), attention and recurrent layers, their
        subclasses and GPT-2's Conv1D, nested, shared or tied, become `nets.search.masked_weight.MaskedWeight`, and
        where they were stands the effective weight for all code that reads them. All else stays as it is and is frozen.
    method : str or Method
        One of `nets.search.methods.METHODS`, or a method with its options set. "mpt-1-1" is Biprop for a model with
        `nets.search.methods.mpt_1_1.SignActivation`.
    density : float, Fraction, Decimal or str
        Part of the weights kept, in (0, 1]: `nets.search.score_mask.count_to_keep` in each tensor, first and last
        included (with ``scope="global"`` in all together). Methods that sample masks keep about that part, "bernoulli"
        at first only.
    seed, score_seed : int in [0, 2^64)
        Of weights and of scores; `score_seed` is `seed` by default and draws from streams of its own. Searches that
        differ in `score_seed` alone look for different tickets in the same random network.
    init : str
        Law of the weights, one of `nets.search.methods.LAWS`, with standard deviation sqrt(2/fan_in); "keep" takes the
        model's own weights. Authors' code: signed constants and Kaiming normal in Edge-Popup and Biprop, signed
        constants and Kaiming uniform in IteRand.
    scale : {"unscaled", "paper", "reference-code"}
        Factor on the weights, see `nets.search.draws.scale_factor`.
    score_init : {"kaiming-uniform-a5", "kaiming-uniform-relu"}, optional
        Law of the first scores; the method's own by default.
    exclude : iterable of str
        What to leave dense: dotted names, patterns such as "features.*", or names of modules that contain it.
    weights : mapping of str to int or tuple of int, optional
        Further parameters to mask, of modules that are not known here, by dotted name or pattern; the value is the axis
        (or axes) over which inputs are summed, which gives the fan-in: ``{"experts.*": 1}``.
    embeddings : bool, optional
        Mask embedding tables too, and weights tied with one. By default they stay dense, with a warning if they are
        more than a hundredth of the weights; False leaves out the warning.
    allow_dense : bool
        Go on although weights stay dense that no one asked to leave so.
    densities : mapping of str to density, optional
        Densities of single tensors, by dotted name.
    allocation : {"uniform", "erk"}
        How the density is shared among tensors, see `nets.search.densities.allocate`.
    bias : {"zero", "keep"}, optional
        Biases of modules with masked weights are frozen: at zero (default where weights are drawn; the authors' nets
        have none or zeros) or as given (default with ``init="keep"``).
    batch_norm : {"keep", "non-affine"}
        "non-affine" removes weight and bias of batch normalisation, as the authors' code has it; "keep" leaves them as
        they are, frozen. Running statistics go on in both cases.
    train_rest : bool
        Leave parameters that are neither masked nor such biases trainable.
    **method_options
        Options of a method given by name.

    Raises
    ------
    ValueError
        If an argument is outside its domain, there is nothing to mask, a name fits nothing, a tensor cannot be masked
        safely or is held outside its layer too (in a list, a closure, an optimiser), or more than a hundredth of the
        weights (parameters of two axes or more) would stay dense in modules that are not known here: it names them and
        their share. The model is then as it was.

    Warns
    -----
    UserWarning
        If less than that stays dense, if large embedding tables or positions do, or if frozen vectors such as layer
        scales are so small that what they multiply hardly counts; after the first backward pass, if scores got no
        gradient; after 64 of them, if no score has changed; if an effective weight was written to.

    Notes
    -----
    Weights and scores of tensor i, counted over all parameters of two axes or more, are draws of Philox by (seed, i),
    so excluding a tensor does not change the others, and nothing depends on PyTorch's generator, on the device or on
    the rank of a data-parallel process.

    Masks are made from the scores as they are whenever a weight is read; inside ``search.hold_masks()`` once. Writing
    to ``layer.weight`` is refused or, in place, without effect: it is computed. ``model.parameters()`` are scores and
    what is not masked; the classes of masked modules are subclasses of their own, so code that compares exact types
    takes them for others.

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    >>> search = find_tickets(model, method="iterand", density=0.3, densities={"3": 0.5}, rerand_every=10)
    >>> print(search.summary())
    layer  shape    weights  kept  density
    0      8x3x3x3      216    65   0.3009
    3      2x8           16     8      0.5
    all                 232    73   0.3147
    dense: none; frozen: 2 biases; trained beside scores: 0
    """
    of_type("model", model, nn.Module, "a torch.nn.Module")
    for name, switch in (
        ("embeddings", False if embeddings is None else embeddings),
        ("allow_dense", allow_dense),
        ("train_rest", train_rest),
    ):
        flag(name, switch)
    for name, table in (("weights", weights), ("densities", densities)):
        of_type(name, {} if table is None else table, Mapping, "a mapping from names")
    chosen = make_method(method, **method_options)
    one_of("init", init, INITS)
    chosen.check(init)
    score_init = chosen.score_init if score_init is None else score_init
    one_of("score_init", score_init, SCORE_INITS)
    bias = ("keep" if init == "keep" else "zero") if bias is None else bias
    one_of("bias", bias, ("zero", "keep"))
    one_of("batch_norm", batch_norm, ("keep", "non-affine"))
    if init == "keep" and scale != "unscaled":
        raise ValueError(f'scale must be "unscaled" with init="keep", got scale={scale!r}')
    seed = check_seed(seed)
    score_seed = seed if score_seed is None else check_seed(score_seed, "score_seed")

    exclude = _as_names(exclude)
    found = plan(model, exclude=exclude, weights=weights, embeddings=bool(embeddings))
    _check_dense(found, embeddings, allow_dense)
    shares = _shares(found.masked, density, densities or {}, allocation, chosen.across)
    counts = {name: count_to_keep(shares[name], one.weight.numel()) for name, one in found.masked.items()}
    for name, share in shares.items():
        chosen.check_density(name, share)
    stds = {name: (2 / one.fan_in) ** 0.5 * scale_factor(scale, shares[name]) for name, one in found.masked.items()}
    if init == "keep":
        _check_finite(found.masked)

    layers = {
        name: MaskedWeight(one.weight, n_keep=counts[name], method=chosen, index=one.index, fan_in=one.fan_in)
        for name, one in found.masked.items()
    }
    for name, one in found.masked.items():
        for number, use in enumerate(one.uses):
            mask_parameter(use.module, use.name, layers[name], lent=number > 0)
    biases = _biases(found)
    _freeze_rest(model, layers, biases, batch_norm, train_rest)
    search = TicketSearch(
        model,
        chosen,
        layers,
        seed=seed,
        score_seed=score_seed,
        init=init,
        scale=scale,
        score_init=score_init,
        stds=stds,
        density=density,
        dense=found.dense,
        arguments={
            "density": plain_value(density),
            "densities": {name: plain_value(value) for name, value in (densities or {}).items()},
            "allocation": allocation,
            "exclude": list(exclude),
            "weights": {name: axes if isinstance(axes, int) else list(axes) for name, axes in (weights or {}).items()},
            "embeddings": embeddings,
            "bias": bias,
            "batch_norm": batch_norm,
            "train_rest": train_rest,
        },
    )
    with torch.no_grad():
        if bias == "zero":
            for offset in biases:
                offset.zero_()
        search.draw_weights()
        if chosen.samples:
            search.draw_noise(0)
        for masked in layers.values():
            masked.scores.copy_(search.first_scores(masked))
    if chosen.activation == "sign" and not any(isinstance(module, SignActivation) for module in model.modules()):
        warnings.warn(
            f"{chosen.name} is Biprop where no activation is nets.search.methods.mpt_1_1.SignActivation, and this "
            "model has none",
            stacklevel=2,
        )
    if not train_rest:
        _warn_of_small_vectors(model)
    return search


def _as_names(exclude: Iterable[str]) -> tuple[str, ...]:
    names = (exclude,) if isinstance(exclude, str) else tuple(exclude) if isinstance(exclude, Iterable) else (exclude,)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"exclude must be names of layers, got {shown(exclude)}")
    return names


def _check_dense(found: Plan, embeddings: bool | None, allow_dense: bool) -> None:
    """Refuse, or warn of, weights that would stay dense without anybody having said so."""
    if allow_dense and found.held:
        told = ", ".join(f"{where} holds {name}" for where, name in list(found.held.items())[:3])
        warnings.warn(f"weights are held outside their layers, where they stay dense: {told}", stacklevel=3)
    elif found.held:
        check_references(found.held)
    rest, share = found.dense.get("rest", {}), found.share("rest")
    if rest and not allow_dense:
        told = ", ".join(f"{name} ({found.reasons[name]})" for name in list(rest)[:4])
        told += f" and {len(rest) - 4} more" if len(rest) > 4 else ""
        if share > SMALL_REST:
            raise ValueError(
                f"{100 * share:.3g} % of the weights would stay dense: {told}; name them in weights to mask them or in "
                "exclude to leave them, or pass allow_dense=True"
            )
        warnings.warn(f"{100 * share:.2g} % of the weights stay dense: {told}", stacklevel=3)
    added, share = found.dense.get("offset", {}), found.share("offset")
    if share > SMALL_REST and not allow_dense:
        warnings.warn(
            f"{100 * share:.3g} % of the weights stay dense: single rows, positions and biases "
            f"{', '.join(list(added)[:4])}{' and more' * (len(added) > 4)}; allow_dense=True leaves them without this "
            "warning",
            stacklevel=3,
        )
    tables, share = found.dense.get("lookup", {}), found.share("lookup")
    if tables and embeddings is None and share > SMALL_REST:
        warnings.warn(
            f"{100 * share:.3g} % of the weights stay dense: embeddings {', '.join(tables)}; embeddings=True masks "
            "them, embeddings=False leaves them without this warning",
            stacklevel=3,
        )


def _shares(
    masked: Mapping[str, Candidate],
    density: Number,
    densities: Mapping[str, Number],
    allocation: str,
    across: bool,
) -> dict[str, Number]:
    """The density of every tensor."""
    one_of("allocation", allocation, ALLOCATIONS)
    first = {alias: name for name, one in masked.items() for use in one.uses for alias in (*use.aliases, use.path)}
    for name in densities:
        if name not in first:
            raise ValueError(f"densities must name converted layers, got {name!r}; they are {', '.join(masked)}")
    if across and (densities or allocation != "uniform"):
        what = "densities" if densities else "allocation"
        raise ValueError(f"{what} cannot be given with scope='global', where layers have no densities of their own")
    own = {first[name]: value for name, value in densities.items()}
    shared = {name: tuple(one.weight.shape) for name, one in masked.items() if name not in own}
    return {**allocate(allocation, density, shared), **own}


def _biases(found: Plan) -> list[nn.Parameter]:
    """Bias vectors of all modules that have masked weights."""
    modules = {use.module: None for one in found.masked.values() for use in one.uses}
    return [
        parameter
        for module in modules
        for name, parameter in module._parameters.items()
        if parameter is not None and parameter.dim() == 1 and "bias" in name
    ]


def _check_finite(masked: Mapping[str, Candidate]) -> None:
    for name, one in masked.items():
        if not bool(torch.isfinite(one.weight).all()):
            raise ValueError(f"weights must be finite, those of layer {name!r} are not")


def _freeze_rest(
    model: nn.Module, layers: Mapping[str, MaskedWeight], biases: list[nn.Parameter], batch_norm: str, train_rest: bool
) -> None:
    if batch_norm == "non-affine":
        remove_affine(model)
    scores = {id(layer.scores) for layer in layers.values()}
    freeze(biases if train_rest else [p for p in model.parameters() if id(p) not in scores])


def remove_affine(model: nn.Module) -> None:
    """Take weight and bias from all batch norms, in place."""
    for module in model.modules():
        if isinstance(module, _NORMS):
            module.affine = False
            module.register_parameter("weight", None)
            module.register_parameter("bias", None)


def _warn_of_small_vectors(model: nn.Module) -> None:
    """Layer scales are often set near 0 and trained from there; frozen they switch their block off."""
    small = {
        name: float(vector.detach().abs().mean())
        for name, vector in other_vectors(model).items()
        if vector.numel() and 0 < float(vector.detach().abs().mean()) < SMALL_VECTOR
    }
    if small:
        told = ", ".join(f"{name} (mean {value:.2g})" for name, value in list(small.items())[:3])
        more = f" and {len(small) - 3} more" if len(small) > 3 else ""
        warnings.warn(
            f"frozen vectors are so small that what they multiply hardly counts: {told}{more}; "
            "train_rest=True trains them",
            stacklevel=3,
        )
