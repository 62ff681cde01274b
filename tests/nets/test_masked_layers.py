"""Ticket layers: what they compute, what reaches the scores, and when the mask is made again."""

from __future__ import annotations

import copy
import io

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nets.search import find_tickets
from nets.search.layer import from_linear, masked_weight_of, to_linear
from nets.search.masked_weight import MaskedWeight, hold_masks
from nets.search.methods.biprop import Biprop
from nets.search.methods.edge_popup import EdgePopup
from nets.search.methods.method import Method

METHODS = [EdgePopup(), EdgePopup(score_key="raw"), Biprop(), Biprop(score_key="raw")]


def filled(layer, seed=1):
    """Random weights and scores of both signs."""
    rng = np.random.default_rng(seed)
    masked = masked_weight_of(layer)
    with torch.no_grad():
        for tensor in (masked.frozen, masked.scores):
            tensor.copy_(torch.from_numpy(rng.standard_normal(tuple(tensor.shape))))
    return layer


def linear(n_keep=12, method=None, dtype=torch.float32, seed=1):
    return filled(from_linear(nn.Linear(6, 5).to(dtype), n_keep=n_keep, method=method), seed)


def masked(*args, **options):
    return masked_weight_of(linear(*args, **options))


def conv(n_keep=30, method=None, **options):
    return filled(from_linear(nn.Conv2d(4, 6, 3, **options), n_keep=n_keep, method=method))


def kept_by_hand(layer):
    """The mask by sorting pairs."""
    scores = layer.scores.detach().double().reshape(-1).numpy()
    key = np.abs(scores) if layer.method.score_key == "abs" else scores
    order = sorted(range(len(key)), key=lambda i: (-key[i], i))
    mask = np.zeros(len(key), bool)
    mask[order[: layer.n_keep]] = True
    return mask.reshape(layer.scores.shape)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_value_and_gradient_are_exact(method, dtype):
    """dL/dS = sign(S) * W * G for absolute values, W * G for raw scores; also where pruned; without the gain."""
    layer = linear(method=method, dtype=dtype)
    own = masked_weight_of(layer)
    x = torch.randn(7, 6, dtype=dtype, generator=torch.Generator().manual_seed(2))
    mask = kept_by_hand(own)
    weight, scores = own.frozen.double().numpy(), own.scores.detach().double().numpy()
    value = weight * mask
    if isinstance(method, Biprop):
        value = np.abs(weight[mask]).mean() * np.sign(weight) * mask
    effective = layer.weight
    assert torch.equal(own.mask(), torch.from_numpy(mask))
    assert np.allclose(effective.detach().numpy(), value, rtol=2 * torch.finfo(dtype).eps, atol=0)
    grad = torch.randn(5, 6, dtype=dtype, generator=torch.Generator().manual_seed(3))
    effective.backward(grad)
    slope = np.sign(scores) if method.score_key == "abs" else 1.0
    expected = (grad * own.frozen).numpy() * slope
    assert np.array_equal(own.scores.grad.numpy(), expected.astype(own.scores.grad.numpy().dtype))
    assert (own.scores.grad[~own.mask()] != 0).all()
    assert own.frozen.grad is None
    assert torch.equal(layer(x), F.linear(x, layer.weight, layer.bias))


def test_the_gradient_at_a_zero_score_is_that_of_abs():
    own = masked()
    with torch.no_grad():
        own.scores[0, 0] = 0
    own.effective_weight().sum().backward()
    assert own.scores.grad[0, 0] == 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"bias": False},
        {"groups": 2, "padding": 2, "stride": 2},
        {"dilation": 2, "padding": "same"},
        {"padding": 1, "padding_mode": "circular"},
        {"padding": 1, "padding_mode": "reflect", "groups": 2},
    ],
)
@pytest.mark.parametrize("channels_last", [False, True])
def test_convolutions_of_every_kind(options, channels_last):
    plain = nn.Conv2d(4, 6, 3, **options)
    layer = filled(from_linear(plain, n_keep=30))
    own = masked_weight_of(layer)
    if channels_last:
        layer = layer.to(memory_format=torch.channels_last)
        assert own.mask().stride() == own.scores.stride() == own.frozen.stride()
        assert own.scores.is_contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        plain.weight.copy_(own.frozen * torch.from_numpy(kept_by_hand(own)))
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(layer(x), plain(x), atol=1e-6)
    assert own.fan_in == 4 * 9 // options.get("groups", 1)
    assert int(own.mask().sum()) == 30


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_counts_exactly(dtype):
    own = masked(n_keep=11).to(dtype)
    assert own.scores.dtype == own.frozen.dtype == dtype
    assert np.array_equal(own.mask().numpy(), kept_by_hand(own))
    assert int(own.mask().sum()) == 11
    with torch.no_grad():
        own.scores.fill_(0.5)
    assert own.mask().reshape(-1).tolist() == [True] * 11 + [False] * 19
    own.effective_weight().sum().backward()
    assert own.scores.grad.dtype == dtype


def test_autocast_gives_full_precision_gradients():
    layer = linear()
    own = masked_weight_of(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(torch.ones(3, 6))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert own.scores.grad.dtype == torch.float32
    expected = 3 * own.frozen * torch.sign(own.scores.detach())
    assert torch.allclose(own.scores.grad, expected, rtol=2**-6)


def test_scores_and_weights_of_different_dtypes():
    own = masked()
    own.frozen = own.frozen.bfloat16()
    assert own.effective_weight().dtype == torch.bfloat16
    own.effective_weight().sum().backward()
    assert own.scores.grad.dtype == torch.float32


def test_only_scores_are_trained_and_a_state_has_the_effective_weight_too():
    layer = linear()
    assert [name for name, p in layer.named_parameters() if p.requires_grad] == ["masked_weights.weight.scores"]
    state = layer.state_dict()
    assert sorted(state) == [
        "bias",
        *(f"masked_weights.weight.{name}" for name in ("frozen", "rule", "scores")),
        "weight",
    ]
    assert torch.equal(state["weight"], layer.weight)
    assert not list(layer.buffers())  # nothing that data-parallel training would send around
    plain = nn.Linear(6, 5)
    plain.load_state_dict(state, strict=False)
    assert torch.equal(plain.weight, layer.weight)


def test_all_or_nothing():
    assert torch.equal(linear(n_keep=30).weight, masked().frozen)
    assert not linear(n_keep=0).weight.any()
    for n_keep in (-1, 31):
        with pytest.raises(ValueError, match=rf"n_keep must be in \[0, 30\], got n_keep={n_keep!r}"):
            linear(n_keep=n_keep)
    for n_keep in (0.5, True, "5"):
        with pytest.raises(ValueError, match=rf"n_keep must be in \[0, 30\], got n_keep={n_keep!r}"):
            linear(n_keep=n_keep)
    with pytest.raises(ValueError, match="must have weights that can be masked, got ReLU"):
        from_linear(nn.ReLU())
    with pytest.raises(ValueError, match="layer must be masked, got Linear"):
        to_linear(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="masked weight called name='bias', got MaskedLinear"):
        masked_weight_of(linear(), "bias")


def test_hooks_training_flag_and_attributes_are_taken_over():
    plain = nn.Linear(6, 5).eval()
    seen = []
    plain.register_forward_hook(lambda *_: seen.append(1))
    layer = from_linear(plain, n_keep=3)
    layer(torch.zeros(1, 6))
    assert seen == [1]
    assert not layer.training
    assert isinstance(layer, nn.Linear)
    assert "in_features=6" in repr(layer)
    assert "n_keep=3 of 30, method=method" in repr(layer)


def test_a_weight_is_never_set():
    layer = linear()
    for write in (
        lambda: setattr(layer, "weight", nn.Parameter(torch.ones(5, 6))),
        lambda: setattr(layer, "weight", torch.ones(5, 6)),
        lambda: nn.utils.fusion.fuse_linear_bn_eval(layer.eval(), nn.BatchNorm1d(5).eval()),
    ):
        with pytest.raises(RuntimeError, match="weight of MaskedLinear is an effective weight and cannot be set"):
            write()


def test_there_and_back():
    layer = linear(n_keep=7)
    plain = to_linear(layer)
    assert type(plain) is nn.Linear
    assert [name for name, _ in plain.named_parameters()] == ["bias", "weight"]
    assert torch.equal(plain.weight, layer.weight)
    assert type(layer).__name__ == "MaskedLinear"


def changes():
    def step(optimiser):
        def change(own):
            own.effective_weight().sum().backward()
            optimiser([own.scores]).step()

        return change

    def other():
        return {name: value for name, value in masked(seed=9).state_dict().items() if name != "rule"}

    def load(own):
        own.load_state_dict(other())

    def assign(own):
        own.load_state_dict(other(), assign=True)

    def replace(own):
        own.scores = nn.Parameter(masked(seed=9).scores.detach().clone())

    def in_place(own):
        with torch.no_grad():
            own.scores[2] *= 50

    def set_data(own):
        own.scores.data = masked(seed=9).scores.detach().clone()

    def through_data(own):
        own.scores.data.copy_(masked(seed=9).scores.detach())

    def coarse_and_back(own):
        with torch.no_grad():
            own.scores.copy_(torch.linspace(1, 1.0001, 30).reshape(5, 6))
        own.mask()
        own.half()
        own.float()

    sgd = torch.optim.SGD
    return {
        "sgd": step(lambda p: sgd(p, lr=100.0)),
        "sgd foreach": step(lambda p: sgd(p, lr=100.0, foreach=True)),
        "sgd fused": step(lambda p: sgd(p, lr=100.0, fused=True)),
        "adam fused": step(lambda p: torch.optim.Adam(p, lr=100.0, fused=True)),
        "load": load,
        "load by assignment": assign,
        "new parameter": replace,
        "in place": in_place,
        "new data": set_data,
        "through data": through_data,
        "to half and back": coarse_and_back,
        "to float64": lambda own: own.double(),
        "vector to parameters": lambda own: nn.utils.vector_to_parameters(torch.arange(30.0), [own.scores]),
    }


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", changes())
def test_no_change_of_the_scores_is_missed(name, training):
    own = masked().train(training)
    own.mask()
    changes()[name](own)
    assert np.array_equal(own.mask().numpy(), kept_by_hand(own))
    copied = copy.deepcopy(own)
    with torch.no_grad():
        copied.scores.neg_().add_(0.3)
    assert np.array_equal(copied.mask().numpy(), kept_by_hand(copied))
    assert np.array_equal(own.mask().numpy(), kept_by_hand(own))


@pytest.mark.filterwarnings("ignore:no gradient reached the scores of 1:UserWarning")
@pytest.mark.parametrize("name", changes())
def test_no_change_is_missed_where_layers_are_compared(name):
    model = nn.Sequential(nn.Linear(6, 5, bias=False), nn.Linear(5, 6, bias=False))
    search = find_tickets(model, method=Method(scope="global"), init="kaiming-normal")
    one, other = search.layers.values()
    for own in (one, other):
        own.mask()
    changes()[name](one)
    with torch.no_grad():
        value = one.effective_weight(), other.effective_weight()
        key = torch.cat([own.scores.double().abs().reshape(-1) for own in (one, other)])
    cut = key.sort().values[30]
    assert [int((v != 0).sum()) for v in value] == [
        int((own.scores.double().abs() >= cut).sum()) for own in (one, other)
    ]
    assert all(
        torch.equal(v != 0, own.scores.abs().double() >= cut) for v, own in zip(value, (one, other), strict=True)
    )


def test_masks_are_made_once_while_they_are_held():
    own = masked()
    with hold_masks([own]):
        assert own.mask() is own.mask()
        with torch.no_grad():
            assert own.effective_weight() is own.effective_weight()
        own.effective_weight().sum().backward()
    assert own.scores.grad is not None
    assert own.mask() is not own.mask()


def test_pickling_and_inference_mode():
    layer = linear()
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    assert type(again) is type(layer)
    assert torch.equal(again.weight, layer.weight)
    with torch.inference_mode():
        frozen = copy.deepcopy(layer)
        own = masked_weight_of(frozen)
        assert own.scores.is_inference()
        assert torch.equal(frozen(torch.ones(1, 6)), layer(torch.ones(1, 6)))
        own.scores.neg_().add_(0.3)
        assert np.array_equal(own.mask().numpy(), kept_by_hand(own))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.* is deprecated:DeprecationWarning")
def test_traced_and_exported_with_the_same_results():
    layer, x = linear().eval(), torch.randn(3, 6, generator=torch.Generator().manual_seed(1))
    assert torch.equal(torch.jit.trace(layer, x)(x), layer(x))
    assert torch.equal(torch.export.export(layer, (x,)).module()(x), layer(x))


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("method", METHODS)
def test_compiled_whole_with_the_same_results(method):
    torch._dynamo.reset()
    model = nn.Sequential(conv(method=method, padding=1), nn.ReLU())
    twin = copy.deepcopy(model)
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    x = torch.randn(2, 4, 5, 5, generator=torch.Generator().manual_seed(1))
    for _ in range(2):
        for run, net in ((compiled, model), (twin, twin)):
            net.zero_grad()
            run(x).square().sum().backward()
            own = masked_weight_of(net[0])
            with torch.no_grad():
                own.scores -= 0.1 * own.scores.grad
        assert torch.equal(masked_weight_of(model[0]).scores, masked_weight_of(twin[0]).scores)
    with torch.no_grad():
        assert torch.equal(compiled(x), twin(x))


def test_functional_call_and_vmap_over_inputs():
    layer = linear()
    other, own = masked(seed=4), masked_weight_of(layer)
    name = "masked_weights.weight.scores"
    swapped = torch.func.functional_call(layer, {name: other.scores}, (torch.ones(1, 6),))
    mask = torch.from_numpy(kept_by_hand(other))
    assert torch.allclose(swapped, F.linear(torch.ones(1, 6), own.frozen * mask, layer.bias))
    assert np.array_equal(own.mask().numpy(), kept_by_hand(own))
    assert torch.func.vmap(layer)(torch.ones(4, 6)).shape == (4, 5)


def test_the_base_method_is_edge_popups_rule():
    assert MaskedWeight(torch.ones(2, 2)).method == Method()
    assert Method().options() == EdgePopup().options()


@pytest.mark.parametrize("method", METHODS)
def test_a_training_step_elsewhere_is_the_same_and_never_waits(method, elsewhere):
    layer = conv(method=method, padding=1)
    twin = copy.deepcopy(layer).to(elsewhere.device)
    own = masked_weight_of(twin)
    x = torch.randn(2, 4, 5, 5)
    on_device = x.to(elsewhere.device)
    optimiser = torch.optim.SGD([own.scores], lr=0.1, momentum=0.9)
    with elsewhere:
        twin(on_device).sum().backward()
        with elsewhere.never_waiting():
            twin(on_device).sum().backward()
            optimiser.step()
    layer(x).sum().backward()
    assert torch.allclose(own.scores.grad.cpu() / 2, masked_weight_of(layer).scores.grad, atol=1e-4)
    assert np.array_equal(own.mask().cpu().numpy(), kept_by_hand(copy.deepcopy(own).cpu()))


@pytest.mark.parametrize(
    "options",
    [{}, {"method": "biprop", "init": "kaiming-normal", "scope": "global"}, {"method": "iterand", "density": 0.3}],
)
def test_many_tickets_at_once_and_gradients_by_torch_func(options):
    def made(score_seed):
        model = nn.Sequential(nn.Conv2d(2, 3, 3, bias=False), nn.Flatten(), nn.Linear(12, 4))
        find_tickets(model, seed=1, score_seed=score_seed, **options)
        return model

    models = [made(score_seed) for score_seed in range(3)]
    scores, buffers = torch.func.stack_module_state(models)
    x, base = torch.randn(5, 2, 4, 4, generator=torch.Generator().manual_seed(2)), made(0)

    def loss(scores, buffers):
        return torch.func.functional_call(base, (scores, buffers), (x,)).square().sum()

    grads, losses = torch.func.vmap(torch.func.grad_and_value(loss))(scores, buffers)
    for i, model in enumerate(models):
        one = model(x).square().sum()
        one.backward()
        assert torch.allclose(losses[i], one.detach(), rtol=1e-4)
        for name, parameter in model.named_parameters():
            if not parameter.requires_grad:
                continue
            assert torch.allclose(grads[name][i], parameter.grad, rtol=1e-3, atol=1e-4)
    assert len(set(losses.tolist())) == 3


def test_a_mask_over_all_layers_follows_scores_that_change_between_two_reads():
    model = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 4))
    search = find_tickets(model, method=Method(scope="global"), density=0.5, seed=1)
    first, second = search.layers.values()
    kept = int(first.mask().sum()) + int(second.mask().sum())
    assert kept == search.n_keep
    first.mask()  # the masks of both are ready now
    with torch.no_grad():
        second.scores.mul_(100.0)
    assert int(second.mask().sum()) == min(second.scores.numel(), search.n_keep)
