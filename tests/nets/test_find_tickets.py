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
from nets.search.folding import fold
from nets.search.masked_module import MaskedModule
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
NAMES += ["blocks.1.short", "mix", "heads.a", "line"]


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
    assert model.again is model.mix is model.unregistered[0]
    assert type(model.stem).__name__ == "MaskedConv2d"
    assert isinstance(model.stem, nn.Conv2d)
    assert type(model.heads["a"]).__name__ == "MaskedLinear"
    assert [id(p) for p in search.parameters()] == [id(layer.scores) for layer in search.layers.values()]
    assert [id(p) for p in search.parameters()] == [id(p) for p in search.score_parameters()]
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.standard_normal((12, 2, 6, 6)).astype(np.float32))
    y = torch.from_numpy(rng.integers(0, 3, 12))
    frozen = {name: p.clone() for name, p in model.named_parameters() if not p.requires_grad}
    optimiser = torch.optim.Adam(search.parameters(), lr=0.5 if method == "bernoulli" else 0.05)
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
    assert min(losses) < (0.8 if method == "bernoulli" else 0.7) * losses[0]
    assert len(frozen) == 13
    assert all(torch.equal(dict(model.named_parameters())[name], value) for name, value in frozen.items())
    for name, mask in search.masks().items():
        assert int(mask.sum()) == search.layers[name].n_keep
        assert search.method.samples or int(mask.sum()) == round(mask.numel() / 2)
    kinds = {"iterand": ["rerand"] * 5, "recycle": ["recycle"] * 2, "biprop-recycle": ["recycle"] * 2}
    assert [event.kind for event in search.events] == kinds.get(method, [])


def test_seeds_name_weights_and_scores():
    def made(**options):
        torch.manual_seed(len(options))
        search = find_tickets(two_layers(), init="kaiming-normal", **options)
        return [torch.cat([getattr(layer, part).detach().reshape(-1) for layer in search.layers.values()])
                for part in ("frozen", "scores")]  # fmt: skip

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
    assert not (whole.layers["0"].frozen == whole.layers["1"].frozen).any()
    assert list(part.layers) == ["0", "2"]
    assert torch.equal(whole.layers["2"].frozen, part.layers["2"].frozen)
    assert torch.equal(whole.layers["2"].scores, part.layers["2"].scores)
    assert type(part.model[1]) is nn.Linear
    assert not part.model[1].weight.requires_grad


@pytest.mark.parametrize(
    ("exclude", "left"),
    [
        (("stem",), NAMES[1:]),
        ("stem", NAMES[1:]),
        (("blocks",), ["stem", "mix", "heads.a", "line"]),
        (("blocks.*.body.*", "again"), ["stem", "blocks.0.short", "blocks.1.short", "heads.a", "line"]),
        (("blocks.1", "heads"), ["stem", "blocks.0.body.0", "blocks.0.body.3", "blocks.0.short", "mix", "line"]),
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
    with pytest.raises(
        ValueError, match=r"densities must name converted layers, got 'lines'; they are stem, blocks\.0"
    ):
        find_tickets(Elsewhere(), densities={"lines": 0.5})


@pytest.mark.parametrize(
    ("scale", "factor"),
    [("unscaled", 1), ("paper", 1 / math.sqrt(0.2)), ("reference-code", 1 / math.sqrt(0.8))],
)
def test_weights_have_their_law_and_scale(scale, factor):
    for init in ("signed-constant", "kaiming-uniform", "kaiming-normal"):
        model = nn.Sequential(nn.Conv2d(8, 64, 3, groups=2))
        search = find_tickets(model, init=init, scale=scale, density=0.2)
        weight = search.layers["0"].frozen.double()
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
        assert torch.equal(layer.frozen, before[f"{name}.weight"])
        assert torch.equal(model[int(name)].bias, before[f"{name}.bias"])

    def biases(**options):
        found = find_tickets(two_layers(), **options).model
        return [bool(found[i].bias.any()) for i in (0, 2)]

    assert biases(init="keep", bias="zero") == biases() == [False, False]
    assert biases(bias="keep") == [True, True]
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
    assert {"temperature", "blocks.0.body.1.weight", "stem.masked_weights.weight.scores"} <= trained
    assert len(rest.parameters()) == len(trained) == 10 + 5
    assert len(rest.score_parameters()) == 10
    assert "dense: none; frozen: 8 biases; trained beside scores: 41" in rest.summary()


def test_a_root_layer_and_module_precision():
    search = find_tickets(nn.Linear(4, 3).double(), density=0.5, seed=2, init="kaiming-uniform")
    assert list(search.layers) == [""]
    assert isinstance(search.model, MaskedModule)
    assert search.layers[""].scores.dtype == torch.float64
    single = find_tickets(nn.Linear(4, 3), density=0.5, seed=2, init="kaiming-uniform")
    assert torch.equal(search.layers[""].frozen.float(), single.layers[""].frozen)


def hidden(share):
    """A matrix that a module of its own multiplies by, beside one masked layer; `share` of the weights are in it."""

    class Own(nn.Module):
        def __init__(self):
            super().__init__()
            self.matrix = nn.Parameter(torch.ones(2, share))
            self.fc = nn.Linear(10, 10)

    return Own()


def viewed():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 2))
    model[1].weight = nn.Parameter(model[0].weight.data[:2])
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda: nn.ReLU(), "no weights that can be masked, got ReLU"),
        (lambda: nn.Sequential(nn.LazyLinear(3)), r"weight '0\.weight' of a .*LazyLinear has no shape yet"),
        (viewed, r"parameters 1\.weight and 0\.weight overlap in memory without being the same tensor"),
        (
            lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), nn.Linear(2, 2)),
            r"40 % of the weights would stay dense: 0\.param.* \(the layer's weight is computed from it: .*\); name",
        ),
        (lambda: hidden(50), r"50 % of the weights would stay dense: matrix \(of a .*Own, which is no known layer\)"),
        (lambda: nn.Sequential(nn.Linear(2, 2).to("meta")), r"has no memory \(it is on the meta device\)"),
        (lambda: nn.Sequential(nn.Linear(2, 0)), r"has dtype torch.float32 and shape \(0, 2\)"),
        (lambda: find_tickets(two_layers()).model, "has masked layers already"),
    ],
)
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors:UserWarning")
def test_models_that_are_refused(model, message):
    with pytest.raises(ValueError, match=message):
        find_tickets(model())


def test_what_stays_dense_is_said():
    with pytest.warns(UserWarning, match=r"^0\.99 % of the weights stay dense: matrix \(of a .*Own"):
        search = find_tickets(small_rest())
    assert "dense: 0.99 % (of no known layer 0.99 %: matrix)" in search.summary()
    search = find_tickets(hidden(50), allow_dense=True)
    assert "dense: 50 % (of no known layer 50 %: matrix)" in search.summary()
    search = find_tickets(hidden(50), exclude=["matrix"])
    assert "dense: 50 % (excluded 50 %: matrix)" in search.summary()
    search = find_tickets(hidden(50), weights={"matr*": 1})
    assert list(search.layers) == ["matrix", "fc"]
    assert search.layers["matrix"].fan_in == 50
    assert "dense: none" in search.summary()
    assert int((search.model.matrix != 0).sum()) == 50
    for wrong in ({"matrix": 2}, {"matrix": (0, -3)}):
        with pytest.raises(ValueError, match=r"weights must give axes of its tensors, got 'matrix'"):
            find_tickets(hidden(50), weights=wrong)
    with pytest.raises(ValueError, match="weights must name layers of the model, got 'nothing'; it has fc"):
        find_tickets(hidden(50), weights={"nothing": 1})


def small_rest():
    model = hidden(1)
    model.matrix = nn.Parameter(torch.ones(2, 2))
    model.fc = nn.Linear(20, 20)
    return model


def test_a_refusal_leaves_the_model_alone():
    model = hidden(50)
    before = {name: (id(p), p.clone(), p.requires_grad) for name, p in model.named_parameters()}
    for options in (
        {},
        {"density": 0},
        {"exclude": ["nothing"]},
        {"method": "iterand", "init": "keep", "exclude": ["matrix"]},
        {"exclude": ["matrix"], "densities": {"other": 0.5}},
    ):
        with pytest.raises(ValueError):
            find_tickets(model, **options)
        now = dict(model.named_parameters())
        assert now.keys() == before.keys()
        assert all(id(p) == before[name][0] and torch.equal(p, before[name][1]) for name, p in now.items())
        assert all(p.requires_grad for p in now.values())
        assert not any(isinstance(module, MaskedModule) for module in model.modules())
    assert list(find_tickets(model, exclude=["matrix"]).layers) == ["fc"]


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
        assert torch.equal(weight, layer.frozen)
        value = weight if part["gain"] is None else torch.sign(weight) * np.float32(part["gain"])
        value = value if part["values"] is None else part["values"]
        assert torch.equal(value * part["mask"], layer.effective_weight())
        assert part["n_keep"] == layer.n_keep == int(part["mask"].sum())
        assert part["weight"] is None
        assert (part["gain"] is not None) == ("biprop" in method or method == "mpt-1-1")
        part["mask"].fill_(False)
        assert layer.mask().any()
    own = {name for name, part in parts["layers"].items() if part["values"] is not None}
    assert bool(own) == (method == "signed-supermask")


def test_parts_of_kept_weights_hold_the_weights():
    search = find_tickets(two_layers(), init="keep")
    for name, part in search.export_parts()["layers"].items():
        assert part["law"] == "keep"
        assert torch.equal(part["weight"], search.layers[name].frozen)


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
    assert lines[4] == "dense: none; frozen: 2 biases; trained beside scores: 0"
    assert search.score_init == "kaiming-uniform-relu"


@pytest.mark.parametrize("init", ["signed-constant", "kaiming-uniform", "kaiming-normal"])
def test_the_same_numbers_elsewhere(init, elsewhere):
    here = find_tickets(Elsewhere(), init=init, seed=1)
    with elsewhere as device:
        there = find_tickets(Elsewhere().to(device), init=init, seed=1)
        masks = [other.mask().cpu() for other in there.layers.values()]
    for one, other, mask in zip(here.layers.values(), there.layers.values(), masks, strict=True):
        assert other.scores.device.type == device
        assert torch.equal(one.frozen, other.frozen.cpu())
        assert torch.equal(one.scores, other.scores.cpu())
        assert torch.equal(one.mask(), mask)


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match=r"model must be a torch\.nn\.Module, got str"):
        find_tickets("conv4")
    with pytest.raises(ValueError, match=r"exclude must be names of layers, got \[3\]"):
        find_tickets(two_layers(), exclude=[3])


class Tied(nn.Module):
    """A language model's ends: a table, and a head that multiplies by the same tensor."""

    def __init__(self):
        super().__init__()
        self.table = nn.Embedding(20, 8)
        self.mix = nn.Linear(8, 8)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.table.weight

    def forward(self, x):
        return self.head(torch.relu(self.mix(self.table(x))))


def test_tied_weights_are_one_tensor():
    two = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    two[1].weight = two[0].weight
    search = find_tickets(two)
    assert list(search.layers) == ["0"]
    assert torch.equal(two[0].weight, two[1].weight)
    assert two[1].masked_weight("weight") is two[0].masked_weight("weight")
    two(torch.ones(1, 3)).sum().backward()
    over = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    over[1].weight = nn.Parameter(over[0].weight.data)
    assert list(find_tickets(over).layers) == ["0"]

    with pytest.warns(
        UserWarning, match=r"^71\.4 % of the weights stay dense: embeddings table\.weight; embeddings=True"
    ):
        find_tickets(Tied())
    assert list(find_tickets(Tied(), embeddings=False).layers) == ["mix"]
    model = Tied()
    before = model.head.weight.detach().clone()
    search = find_tickets(model, embeddings=True, init="keep")
    assert list(search.layers) == ["table", "mix"]
    assert search.layers["table"].fan_in == 8
    assert torch.equal(model.table.weight, model.head.weight)
    assert torch.equal(search.layers["table"].frozen, before)
    model(torch.arange(5)).sum().backward()
    state = model.state_dict()
    assert [key for key in state if key.endswith("scores")] == [
        f"{name}.masked_weights.weight.scores" for name in ("table", "mix")
    ]
    again = Tied()
    find_tickets(again, embeddings=True, init="keep")
    again.load_state_dict(state)
    assert torch.equal(again(torch.arange(5)), model(torch.arange(5)))
    copied = copy.deepcopy(model)
    assert copied.head.masked_weight("weight") is copied.table.masked_weight("weight")
    plain = fold(model)
    assert plain.head.weight is plain.table.weight
    assert torch.equal(plain(torch.arange(5)), model(torch.arange(5)))


def test_binary_activations_are_missed():
    with pytest.warns(
        UserWarning, match="mpt-1-1 is Biprop where no activation is .*SignActivation, and this model has"
    ):
        find_tickets(two_layers(), method="mpt-1-1")


def test_steps_and_epochs_are_checked():
    search = find_tickets(two_layers(), method="iterand", rerand_every=5)
    search.before_step(np.int64(3))
    search.before_step(3)  # the parts of an accumulated gradient
    with pytest.warns(UserWarning, match="step 0 comes after step 3: before_step counts steps across epochs"):
        search.before_step(0)
    search.before_step(4)
    search.before_step(1)  # once is enough
    for wrong in (-1, 1.5, "a", None, True):
        with pytest.raises(ValueError, match="step must be an integer >= 0, got step="):
            search.before_step(wrong)
    for wrong, message in (
        ((4, 1), "epoch must be less than epochs, got epoch=4 and epochs=1"),
        ((-1, 3), "epoch must be an integer >= 0, got epoch=-1"),
        ((0, 0), "epochs must be an integer >= 1, got epochs=0"),
    ):
        with pytest.raises(ValueError, match=message):
            search.after_epoch(*wrong)
    assert [event.step for event in search.events] == [4]
