"""Converting models written elsewhere: what becomes a ticket layer, what is refused, what is drawn and stored."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from nets.search import TicketSearch, find_tickets
from nets.search.draws import rebuild_weight
from nets.search.layers import MaskedConv2d, MaskedLayer, MaskedLinear
from nets.search.methods import METHODS, make_method
from nets.search.methods.method import Event


class Block(nn.Module):
    """A residual block with groups, dilation and a projection."""

    def __init__(self, inside, outside):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(inside, outside, 3, padding=2, dilation=2, bias=False),
            nn.BatchNorm2d(outside),
            nn.ReLU(),
            nn.Conv2d(outside, outside, 3, padding=1, groups=2, padding_mode="circular"),
        )
        self.short = nn.Conv2d(inside, outside, 1)

    def forward(self, x):
        return torch.relu(self.body(x) + self.short(x))


class Elsewhere(nn.Module):
    """A network with nested, shared and listed layers, an embedding-like parameter and a 1-d convolution."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(2, 8, 3, padding=1)
        self.blocks = nn.ModuleList([Block(8, 8), Block(8, 12)])
        self.mix = nn.Linear(12, 12)
        self.heads = nn.ModuleDict({"a": nn.Linear(12, 3)})
        self.again = self.mix
        self.temperature = nn.Parameter(torch.ones(()))
        self.line = nn.Conv1d(1, 1, 3, padding=1)
        self.unregistered = [self.mix]

    def forward(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        x = torch.relu(self.again(torch.relu(self.unregistered[0](x.mean((2, 3))))))
        return self.heads["a"](self.line(x[:, None])[:, 0]) * self.temperature


NAMES = ["stem", "blocks.0.body.0", "blocks.0.body.3", "blocks.0.short", "blocks.1.body.0", "blocks.1.body.3"]
NAMES += ["blocks.1.short", "mix", "heads.a"]


def two_layers():
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 6))


@pytest.mark.parametrize("method", METHODS)
def test_a_model_written_elsewhere_converts_and_trains(method):
    torch.manual_seed(1)
    model = Elsewhere()
    options = {"rerand_every": 7} if method == "iterand" else {"recycle_every": 1} if "recycle" in method else {}
    search = find_tickets(model, method=method, density=0.5, seed=1, init="kaiming-normal", **options)
    assert list(search.layers) == NAMES
    assert search.model is model
    assert model.again is model.mix is search.layers["mix"] is model.unregistered[0]
    assert type(model.stem) is MaskedConv2d
    assert type(model.heads["a"]) is MaskedLinear
    assert [id(p) for p in search.parameters()] == [id(layer.scores) for layer in search.layers.values()]
    assert [id(p) for p in search.parameters()] == [id(p) for p in search.score_parameters()]
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((12, 2, 6, 6)).astype(np.float32))
    y = torch.from_numpy(rng.integers(0, 3, 12))
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    optimiser = torch.optim.Adam(search.parameters(), lr=0.05)
    losses = []
    for epoch in range(4):
        for step in range(10):
            search.before_step(10 * epoch + step)
            optimiser.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            optimiser.step()
            losses.append(float(loss.detach()))
        search.after_epoch(epoch, 4)
    assert min(losses) < 0.7 * losses[0]
    assert len(frozen) == 7
    assert all(torch.equal(dict(model.named_parameters())[name], value) for name, value in frozen.items())
    for name, mask in search.masks().items():
        assert int(mask.sum()) == search.layers[name].n_keep == round(mask.numel() / 2)
    kinds = {"iterand": ["rerand"] * 5, "recycle": ["recycle"] * 2, "biprop-recycle": ["recycle"] * 2}
    assert [event.kind for event in search.events] == kinds.get(method, [])


def test_seeds_name_weights_and_scores():
    def made(**options):
        torch.manual_seed(len(options))
        search = find_tickets(two_layers(), init="kaiming-normal", **options)
        return [torch.cat([getattr(layer, part).detach().reshape(-1) for layer in search.layers.values()])
                for part in ("weight", "scores")]  # fmt: skip

    base, same, other = made(seed=3), made(seed=3, score_seed=3), made(seed=3, score_seed=4)
    assert all(map(torch.equal, base, same))
    assert torch.equal(base[0], other[0])
    assert not (base[1] == other[1]).any()
    for part, changed in zip(base, made(seed=4), strict=True):
        assert not (part == changed).any()
    weight, scores = base[0][:24] / math.sqrt(2 / 6), base[1][:24] * math.sqrt(6)
    assert not np.allclose(weight, scores)
    assert not (base[0][:24] == base[0][24:]).any()  # equal numbers of weights, layers of their own
    assert float(scores.abs().max()) <= 1
    assert float((made(score_init="kaiming-uniform-relu")[1] / made()[1]).mean()) == pytest.approx(math.sqrt(6))


def test_layers_of_equal_shape_differ_and_exclusion_changes_nothing_else():
    def model():
        return nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 5))

    whole = find_tickets(model(), init="kaiming-normal", seed=1)
    part = find_tickets(model(), init="kaiming-normal", seed=1, exclude=("1",))
    assert not (whole.layers["0"].weight == whole.layers["1"].weight).any()
    assert list(part.layers) == ["0", "2"]
    assert torch.equal(whole.layers["2"].weight, part.layers["2"].weight)
    assert torch.equal(whole.layers["2"].scores, part.layers["2"].scores)
    assert type(part.model[1]) is nn.Linear
    assert not part.model[1].weight.requires_grad


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (("stem",), NAMES[1:]),
        ("stem", NAMES[1:]),
        (("blocks",), ["stem", "mix", "heads.a"]),
        (("blocks.*.body.*", "again"), ["stem", "blocks.0.short", "blocks.1.short", "heads.a"]),
        (("blocks.1", "heads"), ["stem", "blocks.0.body.0", "blocks.0.body.3", "blocks.0.short", "mix"]),
    ],
)  # fmt: skip
def test_exclusion_by_name_pattern_and_parent(exclude, left):
    assert list(find_tickets(Elsewhere(), exclude=exclude).layers) == left


def test_densities_of_single_layers():
    search = find_tickets(Elsewhere(), density=0.3, densities={"again": 0.75, "stem": "1/3"})
    counts = {name: int(mask.sum()) for name, mask in search.masks().items()}
    assert counts["mix"] == 108
    assert counts["stem"] == 48
    assert counts["heads.a"] == 11  # round(10.8)
    assert search.n_keep == sum(counts.values())
    assert search.density == search.n_keep / search.numel
    with pytest.raises(ValueError, match=r"densities must name converted layers, got 'line'; they are stem, blocks\.0"):
        find_tickets(Elsewhere(), densities={"line": 0.5})


@pytest.mark.parametrize(
    ("scale", "factor"),
    [("unscaled", 1), ("paper", 1 / math.sqrt(0.2)), ("reference-code", 1 / math.sqrt(0.8))],
)
def test_weights_have_their_law_and_scale(scale, factor):
    for init in ("signed-constant", "kaiming-uniform", "kaiming-normal"):
        model = nn.Sequential(nn.Conv2d(8, 64, 3, groups=2))
        search = find_tickets(model, init=init, scale=scale, density=0.2)
        weight = search.layers["0"].weight.double()
        std = factor * math.sqrt(2 / 36)
        if init == "signed-constant":
            assert set(weight.abs().unique().tolist()) == {float(np.float32(std))}
        assert float(weight.std()) == pytest.approx(std, rel=0.06)
        assert abs(float(weight.mean())) < 6 * std / math.sqrt(weight.numel())
        if init == "kaiming-uniform":
            assert std * math.sqrt(3) * 0.98 < float(weight.abs().max()) <= std * math.sqrt(3) * (1 + 1e-6)
    with pytest.raises(ValueError, match="infinite at density=1"):
        find_tickets(two_layers(), scale="reference-code", density=1)


def test_own_weights_and_biases_can_be_kept():
    model = two_layers()
    before = copy.deepcopy(model.state_dict())
    search = find_tickets(model, init="keep")
    for name, layer in search.layers.items():
        assert torch.equal(layer.weight, before[f"{name}.weight"])
        assert torch.equal(layer.bias, before[f"{name}.bias"])
    zero = find_tickets(two_layers(), init="keep", bias="zero")
    assert not any(layer.bias.any() for layer in zero.layers.values())
    assert not any(layer.bias.any() for layer in find_tickets(two_layers()).layers.values())
    assert all(layer.bias.any() for layer in find_tickets(two_layers(), bias="keep").layers.values())
    bad = two_layers()
    with torch.no_grad():
        bad[2].weight[0, 0] = float("nan")
    with pytest.raises(ValueError, match="those of layer '2' are not"):
        find_tickets(bad, init="keep")
    with pytest.raises(ValueError, match='scale must be "unscaled" with init="keep"'):
        find_tickets(two_layers(), init="keep", scale="paper")


def test_batch_norm_and_the_rest():
    frozen = find_tickets(Elsewhere())
    assert all(not p.requires_grad for name, p in frozen.model.named_parameters() if not name.endswith("scores"))
    assert frozen.model.blocks[0].body[1].weight is not None
    plain = find_tickets(Elsewhere(), batch_norm="non-affine")
    norm = plain.model.blocks[0].body[1]
    assert (norm.weight, norm.bias, norm.affine) == (None, None, False)
    plain.model(torch.randn(3, 2, 6, 6, generator=torch.Generator().manual_seed(1)))
    assert norm.running_mean.any()
    rest = find_tickets(Elsewhere(), train_rest=True)
    trained = {name for name, p in rest.model.named_parameters() if p.requires_grad}
    assert {"temperature", "line.weight", "blocks.0.body.1.weight", "stem.scores"} <= trained
    assert len(rest.parameters()) == len(trained) == 9 + 7
    assert len(rest.score_parameters()) == 9
    assert "other parameters: 45, of them trained: 45" in rest.summary()


def test_a_root_layer_and_module_precision():
    search = find_tickets(nn.Linear(4, 3).double(), density=0.5, seed=2, init="kaiming-uniform")
    assert list(search.layers) == [""]
    assert isinstance(search.model, MaskedLinear)
    assert search.layers[""].scores.dtype == torch.float64
    single = find_tickets(nn.Linear(4, 3), density=0.5, seed=2, init="kaiming-uniform")
    assert torch.equal(search.layers[""].weight.float(), single.layers[""].weight)


class Subclass(nn.Linear):
    pass


def tied():
    model = two_layers()
    model[2].weight = nn.Parameter(torch.zeros(6, 4))
    model.other = nn.Linear(4, 6)
    model.other.weight = model[2].weight
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: nn.ReLU(), "no Linear or Conv2d layer to convert, got ReLU"),
        (lambda: nn.Sequential(nn.Conv1d(1, 1, 1)), "no Linear or Conv2d layer"),
        (
            lambda: nn.Sequential(Subclass(2, 2)),
            "layer '0' is a Subclass, not a plain Linear or Conv2d; to leave it dense",
        ),
        (lambda: nn.Sequential(nn.LazyLinear(3)), "layer '0' is a LazyLinear"),
        (tied, "layer '2' shares its weight with other"),
        (
            lambda: nn.MultiheadAttention(4, 2),
            "layer 'out_proj' has a weight that MultiheadAttention reads past the layer",
        ),
        (lambda: nn.TransformerEncoderLayer(4, 2), "reads past the layer"),
        (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "is a ParametrizedLinear"),
        (lambda: find_tickets(two_layers()).model, "has masked layers already"),
    ],
)
def test_models_that_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        find_tickets(model())


def test_a_refusal_leaves_the_model_alone():
    model = tied()
    before = {name: id(p) for name, p in model.named_parameters()}
    for options in (
        {},
        {"density": 0},
        {"exclude": ["nothing"]},
        {"method": "iterand", "init": "keep", "exclude": ["2", "other"]},
    ):
        with pytest.raises(ValueError):
            find_tickets(model, **options)
        assert {name: id(p) for name, p in model.named_parameters()} == before
        assert not any(isinstance(module, MaskedLayer) for module in model.modules())
    assert list(find_tickets(model, exclude=["2", "other"]).layers) == ["0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"density": 0}, r"density must be in \(0, 1\], got density=0"),
        ({"density": 1.5}, "got density=1.5"),
        ({"seed": -1}, "seed must be an integer"),
        ({"score_seed": 2**64}, "seed must be an integer"),
        ({"init": "xavier"}, "init must be one of signed-constant, kaiming-uniform, kaiming-normal, keep"),
        ({"scale": "big"}, "scale must be one of"),
        ({"score_init": "zeros"}, "score_init must be one of"),
        ({"bias": "train"}, "bias must be one of zero, keep"),
        ({"batch_norm": "off"}, "batch_norm must be one of keep, non-affine"),
        ({"exclude": ("fc",)}, "exclude must name layers of the model, got 'fc'; it has 0, 2"),
        ({"method": "magic"}, "method must be one of edge-popup"),
        ({"method": "biprop", "rerand_every": 3}, "method biprop has no option rerand_every"),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        find_tickets(two_layers(), **options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("init", ["signed-constant", "kaiming-uniform", "kaiming-normal"])
def test_a_ticket_is_made_again_from_its_parts(method, init):
    model = Elsewhere().eval()
    search = find_tickets(model, method=method, density=0.4, seed=11, score_seed=12, init=init, scale="paper")
    parts = search.export_parts()
    assert parts["method"] == method
    assert parts["options"] == make_method(method).options()
    assert (parts["seed"], parts["score_seed"], parts["init"], parts["events"]) == (11, 12, init, [])
    assert parts["density"] == search.density
    for name, layer in search.layers.items():
        part = parts["layers"][name]
        weight = rebuild_weight(
            seed=11, index=part["index"], shape=part["shape"], law=part["law"], std=part["std"],
            draws=part["draws"], origins=part["origins"],
        ).float()  # fmt: skip
        assert torch.equal(weight, layer.weight)
        value = weight if part["gain"] is None else torch.sign(weight) * np.float32(part["gain"])
        assert torch.equal(value * part["mask"], layer.effective_weight())
        assert part["n_keep"] == layer.n_keep == int(part["mask"].sum())
        assert part["weight"] is None
        assert (part["gain"] is not None) == ("biprop" in method or method == "mpt-1-1")
        part["mask"].fill_(False)
        assert layer.mask().any()


def test_parts_of_kept_weights_hold_the_weights():
    search = find_tickets(two_layers(), init="keep")
    for name, part in search.export_parts()["layers"].items():
        assert part["law"] == "keep"
        assert torch.equal(part["weight"], search.layers[name].weight)
        assert torch.equal(part["bias"], search.layers[name].bias)


def test_state_round_trip_and_foreign_states():
    search = find_tickets(two_layers(), method="recycle", recycle_every=1, seed=5)
    search.after_epoch(1, 9)
    state = search.state_dict()
    again = find_tickets(two_layers(), method="recycle", recycle_every=1, seed=5)
    again.load_state_dict(state)
    assert again.events == search.events == [Event("recycle", 1, epoch=1, changed=8)]
    other = find_tickets(two_layers(), method="recycle", recycle_every=2, seed=6)
    with pytest.raises(ValueError, match=r"another search: settings differ in options .*seed \(5, here 6\)"):
        other.load_state_dict(state)
    sparser = find_tickets(two_layers(), method="recycle", recycle_every=1, seed=5, density=0.25)
    with pytest.raises(ValueError, match=r"layers differ in 0 \(12, here 6\), 2 \(12, here 6\)"):
        sparser.load_state_dict(state)
    with pytest.raises(ValueError, match="with scope='global' only"):
        search.set_n_keep(3)


def test_the_search_is_what_it_says():
    search = find_tickets(two_layers(), method=make_method("iterand", rerand_every=2), density=0.25)
    assert isinstance(search, TicketSearch)
    lines = search.summary().splitlines()
    assert lines[0].split() == ["layer", "shape", "weights", "kept", "density"]
    assert lines[1].split() == ["0", "4x6", "24", "6", "0.25"]
    assert lines[3].split() == ["all", "48", "12", "0.25"]
    assert lines[4] == "other parameters: 0, of them trained: 0"
    assert search.score_init == "kaiming-uniform-relu"


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("init", ["signed-constant", "kaiming-uniform", "kaiming-normal"])
def test_the_same_numbers_on_cuda(init):
    here, there = find_tickets(Elsewhere(), init=init, seed=1), find_tickets(Elsewhere().cuda(), init=init, seed=1)
    for one, other in zip(here.layers.values(), there.layers.values(), strict=True):
        assert other.scores.is_cuda
        assert torch.equal(one.weight, other.weight.cpu())
        assert torch.equal(one.scores, other.scores.cpu())
        assert torch.equal(one.mask(), other.mask().cpu())


def test_two_parameters_over_one_memory_and_what_is_no_model_are_refused():
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = nn.Parameter(model[0].weight.data)
    with pytest.raises(ValueError, match="layer '0' shares its weight with 1"):
        find_tickets(model)
    with pytest.raises(ValueError, match=r"model must be a torch\.nn\.Module, got str"):
        find_tickets("conv4")
    with pytest.raises(ValueError, match=r"exclude must be names of layers, got \(3,\)"):
        find_tickets(two_layers(), exclude=[3])
