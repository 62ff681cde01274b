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
from nets.search import layers as ticket_layers
from nets.search.layers import MaskedConv2d, MaskedLinear
from nets.search.methods.biprop import Biprop
from nets.search.methods.edge_popup import EdgePopup
from nets.search.methods.method import Method

METHODS = [EdgePopup(), EdgePopup(score_key="raw"), Biprop(), Biprop(score_key="raw")]


def filled(layer, seed=1):
    """Random weights and scores of both signs."""
    rng = np.random.default_rng(seed)
    with torch.no_grad():
        for tensor in (layer.weight, layer.scores):
            tensor.copy_(torch.from_numpy(rng.standard_normal(tuple(tensor.shape))))
    return layer


def linear(n_keep=12, method=None, dtype=torch.float32, seed=1):
    return filled(MaskedLinear(nn.Linear(6, 5).to(dtype), n_keep=n_keep, method=method), seed)


def conv(n_keep=30, method=None, **options):
    return filled(MaskedConv2d(nn.Conv2d(4, 6, 3, **options), n_keep=n_keep, method=method))


@pytest.fixture
def made(monkeypatch):
    """Counts the masks that are made."""
    counts = []
    plain = ticket_layers.keep_mask
    monkeypatch.setattr(ticket_layers, "keep_mask", lambda *args: counts.append(1) or plain(*args))
    return counts


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
    x = torch.randn(7, 6, dtype=dtype, generator=torch.Generator().manual_seed(2))
    mask = kept_by_hand(layer)
    weight, scores = layer.weight.double().numpy(), layer.scores.detach().double().numpy()
    value = weight * mask
    if isinstance(method, Biprop):
        value = np.abs(weight[mask]).mean() * np.sign(weight) * mask
    effective = layer.effective_weight()
    assert torch.equal(layer.mask(), torch.from_numpy(mask))
    assert np.allclose(effective.detach().numpy(), value, rtol=2 * torch.finfo(dtype).eps, atol=0)
    grad = torch.randn(5, 6, dtype=dtype, generator=torch.Generator().manual_seed(3))
    effective.backward(grad)
    slope = np.sign(scores) if method.score_key == "abs" else 1.0
    expected = (grad * layer.weight).numpy() * slope
    assert np.array_equal(layer.scores.grad.numpy(), expected.astype(layer.scores.grad.numpy().dtype))
    assert (layer.scores.grad[~layer.mask()] != 0).all()
    assert layer.weight.grad is None
    assert torch.equal(layer(x), F.linear(x, layer.effective_weight(), layer.bias))


def test_the_gradient_at_a_zero_score_is_that_of_abs():
    layer = linear()
    with torch.no_grad():
        layer.scores[0, 0] = 0
    layer.effective_weight().sum().backward()
    assert layer.scores.grad[0, 0] == 0


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
    layer = filled(MaskedConv2d(copy.deepcopy(plain), n_keep=30))
    if channels_last:
        layer = layer.to(memory_format=torch.channels_last)
        assert layer.mask().stride() == layer.scores.stride()
        assert layer.scores.is_contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        plain.weight.copy_(layer.weight * torch.from_numpy(kept_by_hand(layer)))
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(1))
    assert torch.allclose(layer(x), plain(x), atol=1e-6)
    assert layer.fan_in == 4 * 9 // options.get("groups", 1)
    assert int(layer.mask().sum()) == 30


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_counts_exactly(dtype):
    layer = linear(n_keep=11).to(dtype)
    assert layer.scores.dtype == layer.weight.dtype == dtype
    assert np.array_equal(layer.mask().numpy(), kept_by_hand(layer))
    assert int(layer.mask().sum()) == 11
    with torch.no_grad():
        layer.scores.fill_(0.5)
    assert layer.mask().reshape(-1).tolist() == [True] * 11 + [False] * 19
    layer.effective_weight().sum().backward()
    assert layer.scores.grad.dtype == dtype


def test_autocast_gives_full_precision_gradients():
    layer = linear()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = layer(torch.ones(3, 6))
    assert y.dtype == torch.bfloat16
    y.float().sum().backward()
    assert layer.scores.grad.dtype == torch.float32
    expected = 3 * layer.weight * torch.sign(layer.scores.detach())
    assert torch.allclose(layer.scores.grad, expected, rtol=2**-6)


def test_scores_and_weights_of_different_dtypes():
    layer = linear()
    layer.weight = layer.weight.bfloat16()
    assert layer.effective_weight().dtype == torch.bfloat16
    layer.effective_weight().sum().backward()
    assert layer.scores.grad.dtype == torch.float32


def test_only_scores_are_parameters_and_the_rest_is_saved():
    layer = MaskedLinear(nn.Linear(3, 2))
    assert [name for name, _ in layer.named_parameters()] == ["scores"]
    assert sorted(layer.state_dict()) == ["bias", "scores", "weight"]
    assert not layer.weight.requires_grad
    assert not layer.bias.requires_grad
    assert MaskedLinear(nn.Linear(3, 2, bias=False)).bias is None


def test_all_or_nothing():
    assert torch.equal(linear(n_keep=30).effective_weight(), linear().weight)
    assert not linear(n_keep=0).effective_weight().any()
    for n_keep in (-1, 31):
        with pytest.raises(ValueError, match=rf"n_keep must be in \[0, 30\], got n_keep={n_keep}"):
            linear(n_keep=n_keep)
    with pytest.raises(ValueError, match=r"must be a torch\.nn\.Linear, got Conv2d"):
        MaskedLinear(nn.Conv2d(1, 1, 1))


def test_hooks_training_flag_and_attributes_are_taken_over():
    plain = nn.Linear(6, 5).eval()
    seen = []
    plain.register_forward_hook(lambda *_: seen.append(1))
    layer = MaskedLinear(plain, n_keep=3)
    layer(torch.zeros(1, 6))
    assert seen == [1]
    assert not layer.training
    assert "in_features=6" in repr(layer)
    assert "n_keep=3 of 30, method=method" in repr(layer)


def test_the_mask_is_made_once_and_again_only_after_a_change(made):
    layer = linear().eval()
    x = torch.ones(1, 6)
    for _ in range(3):
        layer(x)
        layer.mask()
    assert len(made) == 1
    with torch.no_grad():
        layer.scores.neg_()
    layer(x)
    layer(x)
    assert len(made) == 2


def changes():
    def step(optimiser):
        def change(layer):
            layer.effective_weight().sum().backward()
            optimiser([layer.scores]).step()

        return change

    def load(layer):
        layer.load_state_dict(linear(seed=9).state_dict())

    def assign(layer):
        layer.load_state_dict(linear(seed=9).state_dict(), assign=True)

    def replace(layer):
        layer.scores = nn.Parameter(linear(seed=9).scores.detach().clone())

    def in_place(layer):
        with torch.no_grad():
            layer.scores[2] *= 50

    def set_data(layer):
        layer.scores.data = linear(seed=9).scores.detach().clone()

    def through_data(layer):
        layer.scores.data.copy_(linear(seed=9).scores.detach())
        layer.forget()

    def coarse_and_back(layer):
        with torch.no_grad():
            layer.scores.copy_(torch.linspace(1, 1.0001, 30).reshape(5, 6))
        layer.mask()
        layer.half()
        assert layer._cache is None  # the new tensor may lie where the old one did
        layer.float()

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
        "to float64": lambda layer: layer.double(),
        "vector to parameters": lambda layer: nn.utils.vector_to_parameters(torch.arange(30.0), [layer.scores]),
    }


@pytest.mark.parametrize("name", changes())
def test_no_change_of_the_scores_is_missed(name):
    layer = linear()
    layer.mask()
    changes()[name](layer)
    assert np.array_equal(layer.mask().numpy(), kept_by_hand(layer))
    copied = copy.deepcopy(layer)
    with torch.no_grad():
        copied.scores.neg_().add_(0.3)
    assert np.array_equal(copied.mask().numpy(), kept_by_hand(copied))
    assert np.array_equal(layer.mask().numpy(), kept_by_hand(layer))


def test_pickling_and_inference_mode():
    layer = linear()
    layer.mask()
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    again = torch.load(file, weights_only=False)
    assert again._cache is None
    assert torch.equal(again.effective_weight(), layer.effective_weight())
    with torch.inference_mode():
        frozen = copy.deepcopy(layer)
        assert frozen.scores.is_inference()
        assert torch.equal(frozen(torch.ones(1, 6)), layer(torch.ones(1, 6)))
        frozen.scores.neg_().add_(0.3)
        assert np.array_equal(frozen.mask().numpy(), kept_by_hand(frozen))


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
            with torch.no_grad():
                net[0].scores -= 0.1 * net[0].scores.grad
        assert torch.equal(model[0].scores, twin[0].scores)
    with torch.no_grad():
        assert torch.equal(compiled(x), twin(x))


def test_functional_call_and_vmap_over_inputs():
    layer = linear()
    other = linear(seed=4)
    swapped = torch.func.functional_call(layer, {"scores": other.scores}, (torch.ones(1, 6),))
    mask = torch.from_numpy(kept_by_hand(other))
    assert torch.allclose(swapped, F.linear(torch.ones(1, 6), layer.weight * mask, layer.bias))
    assert np.array_equal(layer.mask().numpy(), kept_by_hand(layer))
    assert torch.func.vmap(layer)(torch.ones(4, 6)).shape == (4, 5)


def test_the_base_method_is_edge_popups_rule():
    assert MaskedLinear(nn.Linear(2, 2)).method == Method()
    assert Method().options() == EdgePopup().options()


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("method", METHODS)
def test_a_training_step_on_cuda_never_waits(method):
    layer = conv(method=method, padding=1)
    twin = copy.deepcopy(layer).cuda()
    x = torch.randn(2, 4, 5, 5)
    on_device = x.cuda()
    optimiser = torch.optim.SGD([twin.scores], lr=0.1, momentum=0.9)
    twin(on_device).sum().backward()
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        twin(on_device).sum().backward()
        optimiser.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    layer(x).sum().backward()
    assert torch.allclose(twin.scores.grad.cpu() / 2, layer.scores.grad, atol=1e-4)
    assert np.array_equal(twin.mask().cpu().numpy(), kept_by_hand(copy.deepcopy(twin).cpu()))


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
            assert torch.allclose(grads[name][i], parameter.grad, rtol=1e-3, atol=1e-4)
    assert len(set(losses.tolist())) == 3
