"""Convert any PyTorch model, in place, for one of the four ways to find a ticket in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase

import torch
from torch import nn

from nets.construction.source import check_seed
from nets.search.check import Number, one_of
from nets.search.draws import scale_factor
from nets.search.layers import MASKED_TYPES, MaskedLayer, Plain, convert_layer
from nets.search.methods import LAWS, make_method
from nets.search.methods.method import SCORE_INITS, Method
from nets.search.score_mask import count_to_keep
from nets.search.search import TicketSearch, freeze

INITS = (*LAWS, "keep")
_NORMS = (nn.modules.batchnorm._BatchNorm,)
_READ_DIRECTLY = (nn.MultiheadAttention, nn.TransformerEncoderLayer)


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
    densities: Mapping[str, Number] | None = None,
    bias: str | None = None,
    batch_norm: str = "keep",
    train_rest: bool = False,
    **method_options: object,
) -> TicketSearch:
    """Freeze a model at random weights and give every linear and convolution layer scores to be trained.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place: its `nn.Linear` and `nn.Conv2d` layers, nested or shared, become masked layers under the names
        they had. All else stays as it is and is frozen.
    method : str or Method
        One of `nets.search.methods.METHODS`, or a method with its options set. "mpt-1-1" is Biprop for a model with
        `nets.search.methods.mpt_1_1.SignActivation`.
    density : float, Fraction, Decimal or str
        Part of the weights kept, in (0, 1]: `nets.search.score_mask.count_to_keep` in each layer, first and last
        included (with ``scope="global"`` in all together).
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
        Layers to leave dense: dotted names, patterns such as "features.*", or names of modules that contain them.
    densities : mapping of str to density, optional
        Densities of single layers, by dotted name.
    bias : {"zero", "keep"}, optional
        Biases of masked layers are frozen: at zero (default where weights are drawn; the authors' nets have none or
        zeros) or as given (default with ``init="keep"``).
    batch_norm : {"keep", "non-affine"}
        "non-affine" removes weight and bias of batch normalisation, as the authors' code has it; "keep" leaves them as
        they are, frozen. Running statistics go on in both cases.
    train_rest : bool
        Leave parameters outside masked layers trainable.
    **method_options
        Options of a method given by name.

    Raises
    ------
    ValueError
        If an argument is outside its domain, there is no layer to convert, a name in `exclude` or `densities` fits no
        layer, or a layer cannot be converted safely: a subclass of a layer, a weight that is shared with another
        module or computed from other parameters, a weight that its parent module reads past the layer.

    Notes
    -----
    Weights and scores of layer i, counted over all layers that could be converted, are draws of Philox by (seed, i), so
    excluding a layer does not change the others, and nothing depends on PyTorch's generator or on the device.

    Code of the model that reads ``layer.weight`` itself instead of calling the layer gets the frozen weights without
    the mask: let it use ``layer.effective_weight()``. Code that writes to ``scores.data`` must call ``layer.forget()``
    (see `nets.search.layers.MaskedLayer.mask`).

    Examples
    --------
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 2))
    >>> search = find_tickets(model, method="iterand", density=0.3, densities={"3": 0.5}, rerand_every=10)
    >>> print(search.summary())
    layer  shape    weights  kept  density
    0      8x3x3x3      216    65   0.3009
    3      2x8           16     8      0.5
    all                 232    73   0.3147
    other parameters: 0, of them trained: 0
    """
    if not isinstance(model, nn.Module):
        raise ValueError(f"model must be a torch.nn.Module, got {type(model).__name__}")
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
    score_seed = seed if score_seed is None else check_seed(score_seed)

    plain = _convertible(model, _as_names(exclude))
    own = _own_densities(model, plain, densities or {})
    if own and chosen.across:
        raise ValueError("densities belong to scope='layer': with scope='global' layers have none of their own")
    shares = {name: own.get(name, density) for name in plain}
    counts = {name: count_to_keep(shares[name], layer.weight.numel()) for name, (_, layer) in plain.items()}
    stds = {
        name: (2 / layer.weight[0].numel()) ** 0.5 * scale_factor(scale, shares[name])
        for name, (_, layer) in plain.items()
    }
    if init == "keep":
        _check_finite(plain)

    layers = {
        name: convert_layer(layer, n_keep=counts[name], method=chosen, index=index)
        for name, (index, layer) in plain.items()
    }
    _freeze_rest(model, layers, batch_norm, train_rest)
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
    )
    with torch.no_grad():
        for name, masked in layers.items():
            if init != "keep":
                masked.weight.copy_(search.fresh_weights(name, 0))
            offset = masked._buffers["bias"]
            if bias == "zero" and offset is not None:
                offset.zero_()
            masked.scores.copy_(search.first_scores(masked))
    return search


def _as_names(exclude: Iterable[str]) -> tuple[str, ...]:
    names = (exclude,) if isinstance(exclude, str) else tuple(exclude)
    if not all(isinstance(name, str) for name in names):
        raise ValueError(f"exclude must be names of layers, got {names!r}")
    return names


def _names(model: nn.Module) -> dict[nn.Module, list[str]]:
    """All modules with all their dotted names, in order."""
    found: dict[nn.Module, list[str]] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        found.setdefault(module, []).append(name)
    return found


def _fits(pattern: str, names: list[str]) -> bool:
    """Whether a pattern means one of a layer's names or a module that contains it."""
    for name in names:
        parts = name.split(".")
        if any(fnmatchcase(".".join(parts[:stop]), pattern) for stop in range(1, len(parts) + 1)):
            return True
    return False


def _convertible(model: nn.Module, exclude: tuple[str, ...]) -> dict[str, tuple[int, Plain]]:
    """Layers to convert by first name, with their numbers; refuses what cannot be converted safely."""
    names = _names(model)
    if any(isinstance(module, MaskedLayer) for module in names):
        raise ValueError("the model has masked layers already: convert a fresh copy of it")
    layers = {module: own for module, own in names.items() if isinstance(module, tuple(MASKED_TYPES))}
    for pattern in exclude:
        if not any(_fits(pattern, own) for own in layers.values()):
            raise ValueError(f"exclude must name layers of the model, got {pattern!r}; it has {_listed(layers)}")
    users: dict[int, list[str]] = {}
    for module, own in names.items():
        for parameter in module._parameters.values():
            if parameter is not None:
                users.setdefault(_place(parameter), []).append(own[0])
    parents = {child: module for module in names for child in module.children() if isinstance(module, _READ_DIRECTLY)}
    found: dict[str, tuple[int, Plain]] = {}
    for index, (module, own) in enumerate(layers.items()):
        if any(_fits(pattern, own) for pattern in exclude):
            continue
        reason = _unsafe(module, own[0], users, parents)
        if reason:
            raise ValueError(f"layer {own[0]!r} {reason}; to leave it dense, name it in exclude")
        assert isinstance(module, Plain)
        found[own[0]] = index, module
    if not found:
        raise ValueError(f"the model has no Linear or Conv2d layer to convert, got {type(model).__name__}")
    return found


def _place(parameter: nn.Parameter) -> int:
    """Where the numbers lie: two parameters over one memory are one."""
    if nn.parameter.is_lazy(parameter):
        return id(parameter)
    return parameter.data_ptr() or id(parameter)  # 0 without memory, as on the meta device


def _unsafe(layer: nn.Module, name: str, users: dict[int, list[str]], parents: Mapping[nn.Module, nn.Module]) -> str:
    """Why a layer cannot be converted, or nothing."""
    if layer in parents:
        return f"has a weight that {type(parents[layer]).__name__} reads past the layer"
    if type(layer) not in MASKED_TYPES or not isinstance(layer, Plain):
        return f"is a {type(layer).__name__}, not a plain Linear or Conv2d"
    if layer._parameters.get("weight") is None:
        return "has a weight computed from other parameters"
    for part in ("weight", "bias"):
        parameter = layer._parameters[part]
        if parameter is not None and len(users[_place(parameter)]) > 1:
            others = ", ".join(other or "the model itself" for other in users[_place(parameter)] if other != name)
            return f"shares its {part} with {others}"
    if not layer.weight.is_floating_point() or layer.weight.numel() == 0:
        return f"has weights of dtype {layer.weight.dtype} and shape {tuple(layer.weight.shape)}"
    return ""


def _own_densities(
    model: nn.Module, plain: dict[str, tuple[int, Plain]], densities: Mapping[str, Number]
) -> dict[str, Number]:
    """Densities by first name."""
    names = _names(model)
    first = {alias: name for name, (_, layer) in plain.items() for alias in names[layer]}
    for name in densities:
        if name not in first:
            raise ValueError(f"densities must name converted layers, got {name!r}; they are {', '.join(plain)}")
    return {first[name]: density for name, density in densities.items()}


def _check_finite(plain: dict[str, tuple[int, Plain]]) -> None:
    for name, (_, layer) in plain.items():
        if not bool(torch.isfinite(layer.weight).all()):
            raise ValueError(f"weights must be finite, those of layer {name!r} are not")


def _freeze_rest(model: nn.Module, layers: dict[str, MaskedLayer], batch_norm: str, train_rest: bool) -> None:
    if batch_norm == "non-affine":
        for module in model.modules():
            if isinstance(module, _NORMS):
                module.affine = False
                module.register_parameter("weight", None)
                module.register_parameter("bias", None)
    if not train_rest:
        scores = {id(layer.scores) for layer in layers.values()}
        freeze(parameter for parameter in model.parameters() if id(parameter) not in scores)


def _listed(layers: dict[nn.Module, list[str]]) -> str:
    return ", ".join(own[0] or "itself" for own in layers.values()) or "none"
