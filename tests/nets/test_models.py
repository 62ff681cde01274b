"""Architectures: weight counts, shapes, the order of pooling, batch norm and activation, widths, batches of one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from nets.search.methods.mpt_1_1 import SignActivation
from nets.training.models import make_model, weight_layers
from nets.training.settings import ARCHS

CIFAR = (3, 32, 32)


def count(model: nn.Module) -> int:
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(
    ("arch", "shape", "classes", "weights", "tensors"),
    [
        # the counts of the papers' own networks
        ("mlp", (1, 28, 28), 10, 266_200, 3),
        ("conv2", CIFAR, 10, 4_300_992, 5),
        ("conv4", CIFAR, 10, 2_425_024, 7),
        ("conv6", CIFAR, 10, 2_261_184, 9),
        ("conv8", CIFAR, 10, 5_275_840, 11),
        ("resnet18", CIFAR, 10, 11_164_352, 21),
        # published counts of the ImageNet ResNets, less batch norm (4800 * 2, 8512 * 2, 26560 * 2) and 1000 biases
        ("resnet18-imagenet", (3, 224, 224), 1000, 11_689_512 - 9_600 - 1000, 21),
        ("resnet34-imagenet", (3, 224, 224), 1000, 21_797_672 - 17_024 - 1000, 37),
        ("resnet50-imagenet", (3, 224, 224), 1000, 25_557_032 - 53_120 - 1000, 54),
        # 9 * (3*128 + 128*128 + 128*256 + 256*256 + 256*512 + 512*512) + 10 * 512 * 16
        ("vgg-small", CIFAR, 10, 4_656_512, 7),
    ],
)
def test_weight_counts(arch, shape, classes, weights, tensors):
    model = make_model(arch, shape=shape, classes=classes)
    assert count(model) == weights
    assert len(weight_layers(model)) == tensors
    assert sum(layer.weight.numel() for _, layer in weight_layers(model)) == weights  # nothing else is learned
    assert all(layer.bias is None for _, layer in weight_layers(model))


@pytest.mark.parametrize("activation", ["relu", "sign"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), CIFAR, (2, 9, 15), (1, 1, 1)])
@pytest.mark.parametrize("arch", ARCHS)
def test_every_architecture_at_every_size(arch, shape, activation):
    model = make_model(arch, width=1 / 16, shape=shape, classes=7, activation=activation, seed=1)
    for batch in (2, 1):  # a batch of one keeps its axis, and does not stop batch norm
        x = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(2))
        out = model(x)
        assert out.shape == (batch, 7)
        out.square().sum().backward()
    grads = [layer.weight.grad for _, layer in weight_layers(model)]
    assert all(grad is not None and bool(torch.isfinite(grad).all()) for grad in grads)
    assert float(grads[-1].abs().sum()) > 0 or activation == "relu"


@pytest.mark.parametrize("arch", ARCHS)
def test_channels_last_is_the_same_function(arch):
    model = make_model(arch, width=1 / 8, shape=(3, 12, 20), seed=3).eval()
    x = torch.randn(3, 3, 12, 20, generator=torch.Generator().manual_seed(4))
    expected = model(x)
    model = model.to(memory_format=torch.channels_last)
    found = model(x.contiguous(memory_format=torch.channels_last))
    assert torch.allclose(found, expected, rtol=1e-4, atol=1e-5)


def kinds(model: nn.Module) -> list[str]:
    """One letter per leaf: convolution, dense, pool, batch norm, sign, relu; the rest is left out."""
    letters = []
    for module in model.modules():
        for kind, letter in (
            (nn.Conv2d, "c"),
            (nn.Linear, "d"),
            (nn.MaxPool2d, "p"),
            (nn.modules.batchnorm._BatchNorm, "n"),
            (SignActivation, "s"),
            (nn.ReLU, "r"),
        ):
            if isinstance(module, kind):
                letters.append(letter)
    return letters


@pytest.mark.parametrize(
    ("arch", "activation", "expected"),
    [
        ("mlp", "relu", "dr dr d"),
        ("mlp", "sign", "dns dns d"),
        ("conv2", "relu", "cr cr p dr dr d"),
        ("conv4", "relu", "cr cr p cr cr p dr dr d"),
        ("conv2", "sign", "cns cpns dns dns d"),
        ("conv6", "sign", "cns cpns cns cpns cns cpns dns dns d"),
        ("conv8", "sign", "cns cpns cns cpns cns cpns cns cpns dns dns d"),
        ("vgg-small", "relu", "cr cpnr cr cpnr cr cpnr d"),
        ("vgg-small", "sign", "cs cpns cs cpns cs cpnr d"),
        ("resnet18", "relu", "cnr" + ("cnrcn r cnrcn r" + 3 * "cnrcn cn r cnrcn r") + "d"),
        ("resnet18", "sign", "cns" + ("cnscn s cnscn s" + 3 * "cnscn cn s cnscn s") + "d"),
        ("resnet18-imagenet", "relu", "cnrp" + ("cnrcn r cnrcn r" + 3 * "cnrcn cn r cnrcn r") + "d"),
        (
            "resnet50",
            "sign",
            "cns" + "".join("cnscnscn cn s" + (n - 1) * "cnscnscn s" for n in (3, 4, 6, 3)) + "d",
        ),
    ],
)
def test_order_of_layers(arch, activation, expected):
    assert "".join(kinds(make_model(arch, activation=activation))) == expected.replace(" ", "")


def test_residual_adds_before_the_activation():
    model = make_model("resnet18", width=1 / 16, activation="sign", seed=5).eval()
    block = model[3]
    x = torch.randn(2, 4, 6, 6, generator=torch.Generator().manual_seed(6))
    assert torch.equal(block(x), torch.sign(block.path(x) + x))
    down = model[5]
    y = down(x)
    assert y.shape == (2, 8, 3, 3)
    assert torch.equal(y, torch.sign(down.path(x) + down.shortcut(x)))
    assert set(y.unique().tolist()) <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize(("arch", "stride", "side"), [("resnet18", 1, 3), ("resnet18-imagenet", 2, 7)])
def test_stems(arch, stride, side):
    stem = make_model(arch)[0]
    assert (stem.kernel_size, stem.stride, stem.padding) == ((side, side), (stride, stride), (side // 2, side // 2))


def test_strides_halve_three_times():
    for arch, blocks in (("resnet18", 8), ("resnet34", 16), ("resnet50", 16)):
        strided = [
            m for m in make_model(arch, width=1 / 64).modules() if isinstance(m, nn.Conv2d) and m.stride == (2, 2)
        ]
        assert len(strided) == 6  # one convolution and one projection at each of three stages
        sides = {conv.kernel_size for conv in strided}
        assert sides == {(3, 3), (1, 1)}, "the stride belongs to the 3x3 convolution and to the projection"
        assert sum(type(m).__name__ == "Residual" for m in make_model(arch, width=1 / 64).modules()) == blocks


def out_channels(model: nn.Module) -> list[int]:
    return [layer.weight.shape[0] for _, layer in weight_layers(model)]


def test_widths_scale_every_hidden_layer():
    assert out_channels(make_model("conv4", width=0.25)) == [16, 16, 32, 32, 64, 64, 10]
    assert out_channels(make_model("conv8", width=2)) == [128, 128, 256, 256, 512, 512, 1024, 1024, 512, 512, 10]
    assert out_channels(make_model("mlp", width=0.5)) == [150, 50, 10]
    assert out_channels(make_model("vgg-small", width=1.25)) == [160, 160, 320, 320, 640, 640, 10]
    assert out_channels(make_model("conv2", width=0.1)) == [6, 6, 26, 26, 10]  # 25.6 is rounded
    assert out_channels(make_model("conv2", width=1e-9)) == [1, 1, 1, 1, 10]


@pytest.mark.parametrize("arch", ["resnet18", "resnet50"])
def test_a_stride_needs_a_projection_even_where_the_channels_agree(arch):
    model = make_model(arch, width=1e-9)
    assert set(out_channels(model)) == {1, 10}
    assert model(torch.zeros(2, 3, 16, 16)).shape == (2, 10)
    # three strided projections; in resnet50 the first stage no longer widens and needs none
    assert len(weight_layers(model)) == {"resnet18": 21, "resnet50": 53}[arch]


def test_stem_width_of_resnets():
    assert out_channels(make_model("resnet18", width=0.25))[0] == 16
    model = make_model("resnet18", width=0.25, stem_width=64)
    assert out_channels(model)[:3] == [64, 16, 16]
    assert isinstance(model[3].shortcut[0], nn.Conv2d), "64 channels become 16: a projection is needed"
    assert count(make_model("resnet18", stem_width=64)) == 11_164_352
    assert out_channels(make_model("resnet50", width=0.25))[:4] == [16, 16, 16, 64]


def test_hidden_widths_of_the_mlp():
    assert out_channels(make_model("mlp", shape=(1, 8, 8), hidden=(32,))) == [32, 10]
    assert [tuple(layer.weight.shape) for _, layer in weight_layers(make_model("mlp", hidden=()))] == [(10, 3072)]


@pytest.mark.parametrize("arch", ["mlp", "conv2", "resnet18", "vgg-small"])
@pytest.mark.parametrize("kind", ["non-affine", "affine", "none"])
def test_batch_norms(arch, kind):
    model = make_model(arch, width=1 / 16, batch_norm=kind)
    norms = [module for module in model.modules() if isinstance(module, nn.modules.batchnorm._BatchNorm)]
    assert bool(norms) == (kind != "none")
    assert all(norm.track_running_stats and norm.affine == (kind == "affine") for norm in norms)
    learned = count(model) - sum(layer.weight.numel() for _, layer in weight_layers(model))
    assert learned == (2 * sum(norm.num_features for norm in norms) if kind == "affine" else 0)


def test_biases_are_an_option():
    model = make_model("conv2", bias=True)
    assert count(model) == 4_300_992 + 64 + 64 + 256 + 256 + 10


@pytest.mark.parametrize("affine", [False, True])
def test_batch_norm_of_one_value_takes_the_running_statistics(affine):
    model = make_model("conv2", width=1 / 16, shape=(1, 4, 4), batch_norm="affine" if affine else "non-affine", seed=7)
    norm = next(m for m in model.modules() if isinstance(m, nn.BatchNorm1d))
    with torch.no_grad():
        norm.running_mean.fill_(2.0)
        norm.running_var.fill_(4.0)
        if affine:
            norm.weight.fill_(3.0)
            norm.bias.fill_(1.0)
    x = torch.arange(norm.num_features, dtype=torch.float32)[None]
    expected = (x - 2) / 2
    assert torch.allclose(norm(x), 3 * expected + 1 if affine else expected, rtol=1e-4)
    assert float(norm.running_mean[0]) == 2.0, "and leaves them alone"
    pair = norm(torch.cat([x, x + 2]))  # two values: their own statistics, as ever
    unit = torch.tensor([[-1.0], [1.0]]).expand(2, norm.num_features)
    assert torch.allclose(pair, 3 * unit + 1 if affine else unit, rtol=1e-4)
    assert float(norm.running_mean[0]) != 2.0


def test_pooling_rounds_up_and_loses_nothing():
    model = make_model("conv2", shape=(1, 7, 7), width=1 / 64, classes=1, seed=8)
    pool = next(module for module in model if isinstance(module, nn.MaxPool2d))
    x = torch.zeros(1, 1, 7, 7)
    x[..., 6, 6] = 5.0  # the corner that a pooling of whole windows would drop
    assert pool(x).shape == (1, 1, 4, 4)
    assert float(pool(x)[0, 0, 3, 3]) == 5.0


def test_seed_gives_the_first_weights_and_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    state = torch.get_rng_state()
    a, b, c = (make_model("conv2", width=1 / 16, seed=seed)[0].weight for seed in (1, 1, 2))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(torch.get_rng_state(), state)
    make_model("conv2", width=1 / 16)
    assert not torch.equal(torch.get_rng_state(), state), "without a seed the global generator is used"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"arch": "lenet"}, "arch must be one of mlp, conv2"),
        ({"width": 0}, "width must be a number > 0"),
        ({"width": float("nan")}, "width must be"),
        ({"width": float("inf")}, "width must be"),
        ({"shape": (3, 32)}, "shape must be"),
        ({"shape": (3, 0, 32)}, "shape must be"),
        ({"classes": 0}, "classes must be"),
        ({"classes": True}, "classes must be"),
        ({"activation": "tanh"}, "activation must be one of relu, sign"),
        ({"batch_norm": "learned"}, "batch_norm must be one of"),
        ({"stem_width": 64}, "stem_width must be .* for ResNets only"),
        ({"arch": "resnet18", "stem_width": 0}, "stem_width must be"),
        ({"hidden": (5,)}, "hidden must be .* for mlp only"),
        ({"arch": "mlp", "hidden": (5, 0)}, "hidden must be"),
    ],
)
def test_bad_options_are_refused_in_one_line(options, message):
    with pytest.raises(ValueError, match=message) as caught:
        make_model(**{"arch": "conv2", **options})
    assert "\n" not in str(caught.value)
