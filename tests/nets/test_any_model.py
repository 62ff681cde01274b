"""Models written by hand, each with one habit that code elsewhere has: right, or refused with the true reason."""

from __future__ import annotations

import copy
import sys
import types
import warnings
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, prune

from nets.search import export_ticket, find_tickets, fold
from nets.search.watch import STILL
from tests.nets.zoo_oracle import verdict


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


SEQUENCE = drawn(2, 5, 8)


def pair(first=None):
    return nn.Sequential(first or nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8))


class Joined(nn.Module):
    """Two weights are read past their layers."""

    def __init__(self):
        super().__init__()
        self.q, self.k = nn.Linear(8, 4), nn.Linear(8, 4)

    def forward(self, x):
        return F.linear(x, torch.cat([self.q.weight, self.k.weight]), torch.cat([self.q.bias, self.k.bias]))


class Transposed(nn.Module):
    """A decoder that multiplies by its encoder's weight."""

    def __init__(self):
        super().__init__()
        self.encode = nn.Linear(8, 6)

    def forward(self, x):
        return F.linear(torch.relu(self.encode(x)), self.encode.weight.t())


class Standardised(nn.Linear):
    """A subclass with a forward of its own."""

    def forward(self, x):
        return F.linear(x, self.weight - self.weight.mean(1, keepdim=True), self.bias)


class LowRank(nn.Linear):
    """An adapter whose parameters are its own."""

    def __init__(self):
        super().__init__(8, 8)
        self.down, self.up = nn.Parameter(drawn(2, 8)), nn.Parameter(drawn(8, 2))

    def forward(self, x):
        return F.linear(x, self.weight + self.up @ self.down, self.bias)


class Recomputed(nn.Module):
    """A checkpointed part, which may be the last."""

    def __init__(self, reentrant, last=False):
        super().__init__()
        self.last = last
        self.parts = nn.ModuleList([nn.Linear(8, 8) for _ in range(3)])
        self.reentrant = reentrant

    def forward(self, x):
        x = self.parts[0](x)
        if torch.is_grad_enabled():
            x = torch.utils.checkpoint.checkpoint(self.parts[1], x, use_reentrant=self.reentrant)
        else:
            x = self.parts[1](x)
        return x if self.last else self.parts[2](x)


def patched():
    model = pair()
    model[0].forward = types.MethodType(lambda self, x: F.linear(x, self.weight / 2, self.bias), model[0])
    return model


def hooked():
    model = pair()
    model[0].register_forward_pre_hook(lambda layer, inputs: (inputs[0] @ layer.weight.T,))
    return model


def pruned(name):
    def build():
        model = pair()
        prune.random_unstructured(model[0], name, amount=0.5)
        return model

    return build


def shared():
    layer = nn.Linear(8, 8)
    return nn.Sequential(layer, nn.ReLU(), layer)


def of_sequence(model):
    return model(SEQUENCE)


def attend(width=8, depth=8):
    return lambda model: model(SEQUENCE, SEQUENCE[..., :width], SEQUENCE[..., :depth])


def encoder():
    return nn.TransformerEncoder(nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 2)


def padded(model):
    return model(SEQUENCE, src_key_padding_mask=torch.tensor([[False] * 5, [False] * 3 + [True] * 2]))


def convolution(name, axes):
    kind = getattr(nn, name)
    call = lambda model: model(drawn(2, 4, *[7] * axes))  # noqa: E731
    return lambda: nn.Sequential(kind(4, 6, 3, stride=2, groups=2), nn.ReLU(), kind(6, 4, 2)), call


RIGHT = {
    "weights joined": (Joined, of_sequence),
    "transposed twin": (Transposed, of_sequence),
    "forward of a subclass": (lambda: nn.Sequential(Standardised(8, 8), Standardised(8, 4)), of_sequence),
    "forward of an instance": (patched, of_sequence),
    "hook that reads the weight": (hooked, of_sequence),
    "shared module": (shared, of_sequence),
    "bias under pruning": (pruned("bias"), of_sequence),
    "checkpoint": (lambda: Recomputed(False), of_sequence),
    "reentrant checkpoint": (lambda: Recomputed(True), of_sequence),
    "recurrent": (lambda: nn.RNN(8, 6), of_sequence),
    "LSTM": (lambda: nn.LSTM(8, 6, num_layers=2, bidirectional=True, proj_size=3), of_sequence),
    "GRU": (lambda: nn.GRU(8, 6, batch_first=True), of_sequence),
    "cell": (lambda: nn.LSTMCell(8, 6), lambda model: model(SEQUENCE[0])),
    "attention": (lambda: nn.MultiheadAttention(8, 2, batch_first=True), attend()),
    "attention of three widths": (lambda: nn.MultiheadAttention(8, 2, kdim=4, vdim=6, batch_first=True), attend(4, 6)),
    "encoder": (encoder, of_sequence),
    "encoder with padding": (encoder, padded),
    "decoder": (lambda: nn.Transformer(8, 2, 1, 1, 16, batch_first=True), lambda model: model(SEQUENCE, SEQUENCE)),
    "bilinear": (lambda: nn.Bilinear(8, 8, 3), lambda model: model(SEQUENCE, SEQUENCE)),
    "Conv1d": convolution("Conv1d", 1),
    "Conv3d": convolution("Conv3d", 3),
    "ConvTranspose1d": convolution("ConvTranspose1d", 1),
    "ConvTranspose2d": convolution("ConvTranspose2d", 2),
    "ConvTranspose3d": convolution("ConvTranspose3d", 3),
    "double": (lambda: pair().double(), lambda model: model(SEQUENCE.double())),
}


@pytest.mark.filterwarnings("ignore:.*nested tensors is in prototype:UserWarning")
@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN:UserWarning")
@pytest.mark.parametrize("name", RIGHT)
def test_habits_that_are_served(name):
    build, call = RIGHT[name]
    assert verdict(build, call) == "right"


def test_what_is_masked_on_request():
    ids = torch.tensor([1, 2, 0, 2])

    def table(**options):
        return lambda: nn.Sequential(nn.Embedding(20, 8, **options), nn.Linear(8, 8))

    for options in ({}, {"padding_idx": 0}, {"sparse": True}):
        assert verdict(table(**options), lambda model: model(ids), embeddings=True) == "right"
    weights = {"*.down": 1, "*.up": 1}
    assert verdict(lambda: pair(LowRank()), of_sequence, weights=weights) == "right"


class Aliased(nn.Module):
    """The weight is held where the module system does not look."""

    def __init__(self, how):
        super().__init__()
        self.fc, self.out = nn.Linear(8, 8), nn.Linear(8, 8)
        weight = self.fc.weight
        if how == "list":
            self.kept = [{"first": (weight,)}]
        elif how == "view":
            self.kept = weight.detach().t()
        elif how == "buffer":
            self.register_buffer("kept", weight.data[:2])
        elif how == "closure":
            self.kept = lambda x: x @ weight
        elif how == "hidden module":
            self.kept = (nn.Linear(8, 8),)
            self.kept[0].weight = weight
        elif how == "optimiser":
            self.kept = torch.optim.SGD(self.parameters(), lr=1.0)

    def forward(self, x):
        return self.out(self.fc(x))


@pytest.mark.parametrize("how", ["list", "view", "buffer", "closure", "hidden module", "optimiser"])
def test_a_weight_that_is_held_elsewhere_is_refused(how):
    place = "_buffers" if how == "buffer" else "kept"
    found = verdict(lambda: Aliased(how), of_sequence)
    assert found.startswith("refused: weights are held outside their layers, where they would stay dense: " + place)
    assert f"{place} holds fc.weight" in found
    with pytest.warns(UserWarning, match=f"held outside their layers, where they stay dense: {place} holds fc.weight"):
        find_tickets(Aliased(how), allow_dense=True)
    model = Aliased("nothing")
    model.kept = [weakref.proxy(model)]  # as trainers are held: it is not followed
    assert list(find_tickets(model).layers) == ["fc", "out"]


class Closed(nn.Linear):
    """No subclass is allowed."""

    def __init_subclass__(cls):
        raise TypeError("closed for good")


class Other(nn.Parameter):
    """A subclass of parameters."""


def with_parameter(made):
    def build():
        model = pair()
        model[0].weight = made(model[0].weight)
        return model

    return build


def with_rest(parameter):
    def build():
        model = pair()
        model.rest = nn.Parameter(parameter, requires_grad=False)
        return model

    return build


@torch.inference_mode()
def in_inference_mode():
    return pair()


def quantised():
    return torch.ao.nn.quantized.dynamic.Linear(8, 8)


REFUSED = {
    "parametrised": (
        lambda: pair(parametrizations.weight_norm(nn.Linear(8, 8))),
        r"47\.1 % .*0\.parametrizations\.weight\.original1 \(the layer's weight is computed from it: to mask it, rem",
    ),
    "pruned": (pruned("weight"), r"50 % .*0\.weight_orig \(the layer's weight is computed from it: to mask it"),
    "adapter": (lambda: pair(LowRank()), r"20 % .*0\.down"),
    "closed class": (lambda: pair(Closed(8, 8)), r"weight of a .*Closed cannot be masked: .*closed for good\); to le"),
    "eight bits": (
        with_parameter(lambda p: nn.Parameter(p.data.to(torch.float8_e4m3fn), requires_grad=False)),
        "has dtype torch.float8_e4m3fn",
    ),
    "complex": (lambda: pair(nn.Linear(8, 8, dtype=torch.cfloat)), "has dtype torch.complex64"),
    "subclass of tensors": (with_parameter(lambda p: Other(p.data)), "is a Other and not a plain tensor"),
    "one row many times": (
        with_parameter(lambda p: nn.Parameter(torch.ones(1, 8).expand(8, 8))), "has elements that share memory",
    ),
    "inference mode": (in_inference_mode, r"weight '0\.weight' of a .* was made in inference mode"),
    "sparse rest": (with_rest(torch.eye(8).to_sparse()), r"33\.3 % .*rest \(of a "),
    "integers": (with_rest(torch.ones(8, 8, dtype=torch.int32)), r"33\.3 % .*rest \(of a "),
    "quantised": (lambda: pair(quantised()), r"50 % .*0\.weight \(its weights are quantised\)"),
    "scripted": (lambda: pair(torch.jit.script(nn.Linear(8, 8))), r"50 % .*RecursiveScriptModule"),
    "tables only": (lambda: nn.Embedding(4, 4), r"weight \(an embedding: embeddings=True masks it\)"),
    "matrix with one in front": (with_rest(torch.ones(1, 8, 8)), r"33\.3 % .*rest \(of a "),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:torch.quantize_per_tensor.* are deprecated:UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_is_left_alone(name):
    build, message = REFUSED[name]
    found = verdict(build, of_sequence)
    assert found.startswith("refused: ")
    with pytest.raises(ValueError, match=message):
        find_tickets(build())


def test_what_is_added_is_said():
    model = pair()
    model.pos_embed = nn.Parameter(drawn(1, 5, 8))
    message = (
        r"^23\.8 % of the weights stay dense: single rows, positions and biases pos_embed; allow_dense=True leaves"
    )
    with pytest.warns(UserWarning, match=message):
        search = find_tickets(model)
    assert "dense: 23.8 % (single rows, positions and biases 23.8 %: pos_embed)" in search.summary()
    again = pair()
    again.pos_embed = nn.Parameter(drawn(1, 5, 8))
    find_tickets(again, allow_dense=True)


def told(act):
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        act()
    return [str(one.message) for one in seen]


WRITES = {
    "initialised": lambda layer: nn.init.normal_(layer.weight),
    "reset": lambda layer: layer.reset_parameters(),
    "through data": lambda layer: layer.weight.data.normal_(),
    "other data": lambda layer: setattr(layer.weight, "data", torch.ones(8, 8)),
}


@pytest.mark.parametrize("name", WRITES)
def test_a_write_that_is_lost_is_said(name):
    model = pair()
    find_tickets(model)
    before = model[0].weight.detach().clone()
    assert told(lambda: model(SEQUENCE)) == []
    found = told(lambda: (WRITES[name](model[0]), model(SEQUENCE), WRITES[name](model[0]), model(SEQUENCE)))
    assert [message[:58] for message in found] == ["the weight of 0 was written to in place, which is lost: it"]
    assert torch.equal(model[0].weight, before)


def test_only_what_got_no_gradient_is_named():
    model = Recomputed(True)
    find_tickets(model)
    assert told(lambda: model(SEQUENCE).sum().backward()) == []
    model = Recomputed(True, last=True)
    find_tickets(model, exclude="parts.2", allow_dense=True)
    assert told(lambda: model(SEQUENCE).sum().backward()) == []
    model = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, 8)])
    search = find_tickets(model)
    search.layers["2"].scores.requires_grad_(False)  # not trained, so not missed
    found = told(lambda: model[0](SEQUENCE).sum().backward())
    assert [message.split(" in the first")[0] for message in found] == ["no gradient reached the scores of 1"]
    assert told(lambda: model[0](SEQUENCE).sum().backward()) == []


def trained_by(parameters, model, passes=STILL):
    optimiser = torch.optim.SGD(parameters, lr=0.1)
    for _ in range(passes):
        optimiser.zero_grad()
        model(torch.ones(2, 6)).square().sum().backward()
        optimiser.step()


def test_an_optimiser_without_the_scores_is_said():
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    before = list(model.parameters())
    find_tickets(model)
    with pytest.warns(UserWarning, match="the scores have not changed in 64 backward passes"):
        trained_by(before, model)
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    search = find_tickets(model)
    trained_by(search.parameters(), model, passes=STILL + 2)
    assert not search.watch._hooks


def test_an_average_that_misses_new_weights_is_said():
    model = pair()
    search = find_tickets(model, method="iterand", rerand_every=1, init="kaiming-normal")
    copied, snapshot = torch.optim.swa_utils.AveragedModel(model), copy.deepcopy(model)
    search.before_step(0)
    with torch.no_grad():
        search.layers["0"].scores.mul_(2)
    copied.update_parameters(model)
    copied.update_parameters(model)
    assert told(lambda: snapshot(SEQUENCE)) == []
    found = told(lambda: (copied(SEQUENCE), copied(SEQUENCE)))
    assert [message[:44] for message in found] == ["scores of a copied model are written to, as "] * 2
    copied, plain = torch.optim.swa_utils.AveragedModel(model), pair()
    find_tickets(plain)
    steady = torch.optim.swa_utils.AveragedModel(plain)
    steady.update_parameters(plain)
    steady.update_parameters(plain)
    copied.update_parameters(model)
    copied.update_parameters(model)
    assert told(lambda: (copied(SEQUENCE), steady(SEQUENCE))) == []


def test_states_of_other_scopes_and_counts_are_refused():
    def made(**options):
        return find_tickets(pair(), method="biprop", **options).model

    whole = made(scope="global", density=0.25)
    for other, message in (
        (made(scope="global", density=0.5), "0.weight was pruned otherwise: n_keep 32, here 64"),
        (made(density=0.25), "0.weight was pruned otherwise: n_keep 32, here 16, scope 'global', here 'layer'"),
    ):
        with pytest.raises(RuntimeError, match=message):
            other.load_state_dict(whole.state_dict())
        with pytest.raises(RuntimeError, match=message):
            other.load_state_dict(whole.state_dict(), strict=False)
    again = made(scope="global", density=0.25)
    again.load_state_dict(whole.state_dict())


@pytest.mark.filterwarnings("ignore:.*torch.jit.script.* is deprecated:DeprecationWarning")
def test_scripting_is_refused_and_leaves_the_model_alone():
    model = pair().eval()
    find_tickets(model)
    types_before = [type(module) for module in model.modules()]
    with pytest.raises(RuntimeError, match=r"MaskedLinear cannot be scripted: make the model plain first"):
        torch.jit.script(model)
    assert [type(module) for module in model.modules()] == types_before
    assert torch.equal(torch.jit.script(fold(model))(SEQUENCE), model(SEQUENCE))


def test_folding_leaves_integers_alone():
    model = with_rest(torch.ones(8, 8, dtype=torch.int32))()
    find_tickets(model, allow_dense=True)
    plain = fold(model)
    assert [name for name, p in plain.named_parameters() if not p.requires_grad] == ["rest"]


class TakesScores(nn.Module):
    """Reads its first weight as the first of the layer's parameters: they are scores by then."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 6, bias=False), nn.Linear(6, 4)

    def forward(self, x):
        return self.b((x @ next(self.a.parameters()).T).relu())


def test_scores_taken_for_weights_are_said(tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "torch._dynamo", raising=False)  # as in a program that compiles nothing
    search = find_tickets(TakesScores())
    with pytest.warns(UserWarning, match="the scores of a got a gradient, but no effective weight of theirs was read"):
        search.model(torch.ones(2, 6)).sum().backward()
    with pytest.raises(ValueError, match="the searched model computes something else than its effective weights do"):
        export_ticket(search, tmp_path / "t.safetensors", build=TakesScores, example=drawn(2, 6))
    assert not list(tmp_path.iterdir())


class TwoHeads(nn.Module):
    """A forward pass reads one of its layers."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(6, 4, bias=False), nn.Linear(6, 4, bias=False)

    def forward(self, x, first):
        return (self.a if first else self.b)(x)


@pytest.mark.filterwarnings("ignore:no gradient reached the scores of b:UserWarning")
def test_no_change_through_data_is_missed_where_layers_are_compared():
    def trained(through_data):
        torch.manual_seed(0)
        search = find_tickets(TwoHeads(), scope="global", density=0.3, seed=1)
        for step in range(6):
            for one in search.score_parameters():
                one.grad = None
            search.model(drawn(3, 6), step % 2 == 0).square().sum().backward()
            for one in search.score_parameters():
                if one.grad is not None:
                    (one.data if through_data else one.detach()).sub_(one.grad, alpha=0.05)
        return [one.detach() for one in search.score_parameters()]

    assert all(map(torch.equal, trained(True), trained(False)))
