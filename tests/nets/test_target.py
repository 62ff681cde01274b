"""Targets: construction, biases as a constant coordinate, and loaders that refuse whatever is not a dense chain."""

from __future__ import annotations

import itertools
import pickle
import zipfile
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.torch import save_file
from torch import nn

from nets.targets.files import digits_split, from_digits, from_state_dict, load_target
from nets.targets.target import Target, TargetError, from_sequential, random_target, with_biases

WIDTHS = st.lists(st.integers(1, 5), min_size=2, max_size=5)


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Matrices this small gain nothing from threads, and on a busy machine they lose a lot."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def gaussian(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def model_of(widths, bias, seed=0):
    """Sequential of Linear and ReLU with `bias` per layer and weights of our own, so that no global seed is used."""
    modules = []
    for i, (d_in, d_out) in enumerate(itertools.pairwise(widths)):
        layer = nn.Linear(d_in, d_out, bias=bias[i])
        layer.weight.data = gaussian(d_out, d_in, seed=seed + 2 * i)
        if bias[i]:
            layer.bias.data = gaussian(d_out, seed=seed + 2 * i + 1)
        modules += [layer, nn.ReLU()]
    return nn.Sequential(*modules[:-1])


def assert_same_function(target, model, *, rows=20):
    x = gaussian(rows, target.input_dim, seed=99, dtype=torch.float64)
    with torch.no_grad():
        want = model.double()(x)
    assert torch.allclose(target(target.lift(x)), want, rtol=1e-12, atol=1e-12)


def refused(path, message):
    with pytest.raises(TargetError, match=message) as caught:
        load_target(path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(Path(path).name + ": ")
    assert len(str(caught.value)) < 400


# --- Target ---------------------------------------------------------------------------------------------------------


@given(widths=WIDTHS, norm=st.sampled_from(["frobenius", "spectral"]), seed=st.integers(0, 2**31))
def test_random_targets_have_norm_one_and_never_more(widths, norm, seed):
    state = torch.get_rng_state()
    target = random_target(widths, norm, seed=seed)
    assert torch.equal(state, torch.get_rng_state())
    assert target.widths == tuple(widths)
    assert target.depth == len(widths) - 1
    assert not target.has_bias
    for weight, spectral, frobenius in zip(
        target.weights, target.spectral_norms(), target.frobenius_norms(), strict=True
    ):
        value = {"spectral": spectral, "frobenius": frobenius}[norm]
        assert 1 - 1e-14 <= value <= 1
        assert np.linalg.norm(weight.numpy(), 2) == pytest.approx(spectral, rel=1e-12)
        assert np.linalg.norm(weight.numpy()) == pytest.approx(frobenius, rel=1e-12)
    again = random_target(widths, norm, seed=seed)
    assert all(torch.equal(a, b) for a, b in zip(target.weights, again.weights, strict=True))


def test_seeds_and_layers_differ():
    a, b = random_target((3, 3, 3), seed=1), random_target((3, 3, 3), seed=2)
    assert not torch.equal(a.weights[0], b.weights[0])
    assert not torch.equal(a.weights[0], a.weights[1])


@given(widths=WIDTHS, data=st.data())
def test_sequential_with_any_biases_is_the_same_function(widths, data):
    bias = [data.draw(st.booleans()) for _ in widths[1:]]
    model = model_of(widths, bias)
    target = from_sequential(model)
    assert target.has_bias == any(bias)
    assert target.input_dim == widths[0]
    assert target.widths == (*(w + any(bias) for w in widths[:-1]), widths[-1])
    assert_same_function(target, model)


def test_forward_batches_and_dtypes():
    target = random_target((3, 4, 2), seed=1)
    x = gaussian(2, 5, 3)
    assert target(x).shape == (2, 5, 2)
    assert target(x).dtype == torch.float64
    assert target(x, dtype=torch.float32).dtype == torch.float32
    assert torch.allclose(target(x)[1, 2], target(x[1, 2]))
    assert torch.allclose(target(3 * x.double()), 3 * target(x))
    hand = Target((torch.tensor([[1.0, 2.0], [-1.0, 0.0]]), torch.tensor([[1.0, 10.0]])))
    assert hand(torch.tensor([[-3.0, 1.0], [1.0, 1.0]])).tolist() == [[30.0], [3.0]]
    with pytest.raises(ValueError, match=r"d_0=3, got shape \(4,\)"):
        target(torch.zeros(4))
    lifted = with_biases([torch.ones(1, 3)], [torch.ones(1)])
    with pytest.raises(ValueError, match=r"d_0=4 \(append the constant 1 with lift\), got shape \(3,\)"):
        lifted(torch.zeros(3))
    with pytest.raises(ValueError, match=r"input_dim=3, got shape \(4,\)"):
        lifted.lift(torch.zeros(4))


def test_target_copies_its_weights():
    weight = torch.ones(1, 2, dtype=torch.float64)
    target = Target((weight,))
    weight[0, 0] = 5
    assert target.weights[0].tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize("norm", ["spectral", "frobenius"])
def test_normalised_scales_the_function_only(norm):
    target = from_sequential(model_of((3, 4, 4, 2), [True, False, True]))
    small, scale = target.normalised(norm)
    x = target.lift(gaussian(9, 3, dtype=torch.float64))
    assert torch.allclose(small(x) * scale, target(x), rtol=1e-12, atol=1e-12)
    assert all(value <= 1 for value in (small.spectral_norms() if norm == "spectral" else small.frobenius_norms()))
    assert small.has_bias
    with pytest.raises(TargetError, match="layer 2: a zero matrix"):
        Target((torch.ones(2, 2), torch.zeros(1, 2))).normalised(norm)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ((), "at least one layer"),
        ((torch.ones(2, 3), torch.ones(2, 3)), "layer 2: takes 3 inputs, but layer 1 gives 2"),
        ((torch.ones(3),), r"layer 1: the weight must be a matrix, got shape \(3,\)"),
        ((torch.ones(1, 1), torch.ones(2, 1, 3, 3)), "layer 2: a 4-D weight is a convolution"),
        ((torch.ones(2, 2, dtype=torch.int64),), "layer 1: the weight must be floating point, got dtype torch.int64"),
        ((torch.ones(2, 2, dtype=torch.complex64),), "layer 1: the weight must be floating point"),
        ((torch.ones(0, 2),), "layer 1: the weight is empty"),
        ((torch.tensor([[float("nan")]]),), "layer 1: the weight holds NaN or infinity"),
        ((torch.tensor([[float("inf")]]),), "layer 1: the weight holds NaN or infinity"),
        (([[1.0]],), "layer 1: the weight must be a tensor, got list"),
        ((torch.eye(2).to_sparse(),), "layer 1: the weight must be a dense tensor"),
    ],
)
def test_bad_weights_are_refused(weights, message):
    with pytest.raises(TargetError, match=message):
        Target(weights)


def test_other_bad_arguments_are_refused():
    with pytest.raises(TargetError, match="needs an input besides the constant"):
        Target((torch.ones(1, 1),), has_bias=True)
    with pytest.raises(TargetError, match=r"layer 1: the bias must have shape \(2,\), got \(3,\)"):
        with_biases([torch.ones(2, 2)], [torch.ones(3)])
    with pytest.raises(TargetError, match=r"layer 1 \(bias\): the weight holds NaN"):
        with_biases([torch.ones(1, 2)], [torch.tensor([float("nan")])])
    for widths in ((3,), (3, 0), ()):
        with pytest.raises(ValueError, match="widths must be two or more integers >= 1"):
            random_target(widths, seed=0)
    with pytest.raises(ValueError, match=r"norm must be one of .* got norm='max'"):
        random_target((2, 2), "max", seed=0)


def test_sequential_structure_is_checked():
    linear = model_of((2, 2), [False])[0]
    relu = nn.ReLU()
    ok = nn.Sequential(nn.Flatten(), nn.Identity(), linear, nn.Identity(), relu, linear, relu, linear)
    assert from_sequential(ok).depth == 3, "one module may be used twice"
    assert_same_function(from_sequential(ok), ok)
    for model, message in [
        (nn.Sequential(linear, linear), "1: follows layer 0 without a ReLU"),
        (nn.Sequential(linear, nn.Sigmoid(), linear), "1: Sigmoid is not supported"),
        (nn.Sequential(nn.Conv2d(1, 1, 3)), "0: Conv2d is not supported"),
        (nn.Sequential(linear, nn.ReLU()), "1: the network ends with a ReLU"),
        (nn.Sequential(nn.ReLU(), linear), "0: a ReLU before the first"),
        (nn.Sequential(linear, nn.ReLU(), nn.Flatten(), linear), "2: Flatten is not supported"),
        (nn.Sequential(), "at least one layer"),
        (linear, "must be a torch.nn.Sequential, got Linear"),
    ]:
        with pytest.raises(TargetError, match=message):
            from_sequential(model)


@pytest.mark.parametrize("bias", [False, True])
def test_digits_train_and_repeat(bias):
    target = from_digits((16,), seed=3, bias=bias, steps=30)
    data = digits_split(seed=3)
    assert len(data.y_train) + len(data.y_test) == 1797
    assert 0 <= float(data.x_train.min()) <= float(data.x_train.max()) == 1
    assert target.has_bias == bias
    assert target.input_dim == 64
    assert data.accuracy(target) > 0.8
    assert data.accuracy(from_digits((16,), seed=3, steps=0)) < 0.5
    again = from_digits((16,), seed=3, bias=bias, steps=30)
    assert all(torch.equal(a, b) for a, b in zip(target.weights, again.weights, strict=True))
    seen = {tuple(row) for row in data.x_train.tolist()}
    assert sum(tuple(row) in seen for row in data.x_test.tolist()) < 20
    with pytest.raises(ValueError, match=r"hidden must be integers >= 1, got hidden=\(0,\)"):
        from_digits((0,))
    with pytest.raises(ValueError, match="steps must be >= 0, got steps=-1"):
        from_digits(steps=-1)


def test_digits_by_name():
    assert load_target("digits", seed=1).widths == (64, 32, 10)


# --- State dicts, safetensors, npz ----------------------------------------------------------------------------------


def save(path, state):
    if path.suffix == ".npz":
        np.savez(path, **{key: value.numpy() for key, value in state.items()})
    elif path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save(state, path)
    return path


TABLES = [".pt", ".pth", ".safetensors", ".npz"]


@pytest.mark.parametrize("suffix", TABLES)
@pytest.mark.parametrize("bias", [(False, False, False), (True, True, True), (False, True, False)])
def test_state_round_trip(tmp_path, suffix, bias):
    model = model_of((3, 4, 5, 2), bias)
    assert_same_function(load_target(save(tmp_path / f"m{suffix}", model.state_dict())), model)


@pytest.mark.parametrize("suffix", TABLES)
def test_ten_square_layers_keep_their_order(tmp_path, suffix):
    """Names 0, 2, ..., 22 sort wrongly as text, and square shapes would not tell."""
    model = model_of([2] * 13, [False] * 12)
    assert_same_function(load_target(save(tmp_path / f"m{suffix}", model.state_dict())), model)


@pytest.mark.parametrize("suffix", TABLES)
def test_half_precision_is_exact(tmp_path, suffix):
    weight = gaussian(2, 3, dtype=torch.float16)
    assert torch.equal(load_target(save(tmp_path / f"m{suffix}", {"weight": weight})).weights[0], weight.double())


def test_file_order_wins_over_names_and_names_over_a_file_that_does_not_chain(tmp_path):
    a, b, c = gaussian(3, 3), gaussian(3, 3, seed=1), gaussian(3, 3, seed=2)
    state = {"z.weight": a, "y.weight": b, "x.weight": c}
    for suffix in (".pt", ".npz"):
        loaded = load_target(save(tmp_path / f"m{suffix}", state))
        assert all(torch.equal(w, v.double()) for w, v in zip(loaded.weights, (a, b, c), strict=True))
    refused(save(tmp_path / "m.safetensors", state), "layer order is unclear: .* chain in more than one order")
    unique = {"z.weight": gaussian(3, 2), "a.weight": gaussian(1, 3)}
    assert load_target(save(tmp_path / "u.safetensors", unique)).widths == (2, 3, 1)
    shuffled = {"fc10.weight": gaussian(1, 4), "fc9.weight": gaussian(4, 2)}
    assert load_target(save(tmp_path / "s.pt", shuffled)).widths == (2, 4, 1)
    many = {f"{chr(97 + i) * 2}.weight": gaussian(2, 2) for i in range(9)}
    refused(save(tmp_path / "n.safetensors", many), "layer order is unclear: rename")


def test_npz_of_plain_arrays_and_wrapped_checkpoints(tmp_path):
    np.savez(tmp_path / "m.npz", np.ones((3, 2)), np.ones((1, 3)))
    assert load_target(tmp_path / "m.npz").widths == (2, 3, 1)
    np.savez(tmp_path / "big.npz", weight=np.ones((3, 2), dtype=">f4"))
    assert load_target(tmp_path / "big.npz").widths == (2, 3)
    torch.save({"epoch": 3, "state_dict": {"weight": torch.ones(1, 2)}}, tmp_path / "c.pt")
    assert load_target(str(tmp_path / "c.pt")).widths == (2, 1)


@pytest.mark.parametrize("suffix", TABLES)
@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"conv1.weight": torch.ones(2, 1, 3, 3), "fc.weight": torch.ones(1, 2)}, "conv1: a 4-D weight is a convol"),
        ({"0.weight": torch.ones(2, 2), "0.running_mean": torch.ones(2)}, "unknown key '0.running_mean'"),
        ({"scale": torch.ones(2, 2)}, "unknown key 'scale'"),
        ({"norm.weight": torch.ones(2), "norm.bias": torch.ones(2)}, "norm: a 1-D weight is not a dense layer"),
        ({"fc.bias": torch.ones(2)}, "fc: has a bias but no weight"),
        ({"0.weight": torch.ones(3, 2), "2.weight": torch.ones(1, 4)}, "2: takes 4 inputs, but 0 gives 3"),
        ({"0.weight": torch.ones(3, 2), "0.bias": torch.ones(2)}, r"0: the bias must have shape \(3,\), got \(2,\)"),
        ({"0.weight": torch.tensor([[1.0, float("nan")]])}, "0: the weight holds NaN or infinity"),
        ({"0.weight": torch.ones(1, 2), "0.bias": torch.tensor([float("inf")])}, r"0 \(bias\): the weight holds NaN"),
        ({"0.weight": torch.ones(2, 2, dtype=torch.int32)}, "0: the weight must be floating point, got .*int32"),
        ({}, "at least one layer"),
    ],
)
def test_unusable_states_are_refused_with_one_line(tmp_path, suffix, state, message):
    refused(save(tmp_path / f"m{suffix}", state), message)


def test_state_dicts_with_other_values_are_refused():
    with pytest.raises(TargetError, match=r"0\.weight: must be a tensor, got list"):
        from_state_dict({"0.weight": [[1.0]]})


# --- Hostile and damaged files --------------------------------------------------------------------------------------


class Exploit:
    """Unpickling this writes a file."""

    def __init__(self, sentinel):
        self.sentinel = sentinel

    def __reduce__(self):
        return (Path.touch, (self.sentinel,))


def test_a_pickle_with_code_is_not_run(tmp_path):
    sentinel = tmp_path / "sentinel"
    bomb = Exploit(sentinel)
    torch.save({"0.weight": bomb}, tmp_path / "zip.pt")
    torch.save({"0.weight": bomb}, tmp_path / "legacy.pth", _use_new_zipfile_serialization=False)
    (tmp_path / "bare.pth").write_bytes(pickle.dumps({"0.weight": bomb}))
    np.savez(tmp_path / "object.npz", weight=np.array([[bomb]], dtype=object))
    for name in ("zip.pt", "legacy.pth", "object.npz", "bare.pth"):
        refused(tmp_path / name, "not a readable" if name == "bare.pth" else "refused: ")
        assert not sentinel.exists()
    torch.save(model_of((2, 2), [False]), tmp_path / "whole_model.pt")
    refused(tmp_path / "whole_model.pt", "refused: the pickle holds more than tensors")
    pickle.loads(pickle.dumps(bomb))
    assert sentinel.exists(), "the exploit itself must work, or this test proves nothing"


@pytest.mark.parametrize("suffix", [*TABLES, ".onnx"])
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "text", "random"])
def test_damaged_files_are_refused_with_one_line(tmp_path, suffix, damage):
    path = tmp_path / f"m{suffix}"
    if suffix == ".onnx":
        onnx.save(chain_model([gemm(gaussian(8, 8).numpy())]), path)
    else:
        save(path, {"weight": gaussian(8, 8)})
    data = path.read_bytes()
    if damage == "truncated":
        for part in (1, 7, len(data) // 3, len(data) // 2, len(data) - 9, len(data) - 1):
            path.write_bytes(data[:part])
            refused(path, "not a readable")
    elif damage == "missing":
        path.unlink()
        refused(path, "no such file")
    else:
        junk = np.random.default_rng(1).bytes(300)
        path.write_bytes({"empty": b"", "text": b"not a network\n" * 9, "random": junk}[damage])
        refused(path, "the file is empty" if damage == "empty" else "not a readable")


def test_odd_files(tmp_path):
    refused(tmp_path / "m.h5", "unknown format '.h5'")
    refused(tmp_path / "m", "unknown format ''")
    (tmp_path / "dir.pt").mkdir()
    refused(tmp_path / "dir.pt", "no such file")
    torch.save(torch.ones(2, 2), tmp_path / "bare.pt")
    refused(tmp_path / "bare.pt", "must hold a state dict, got Tensor")
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, np.ones((2, 2)))
    refused(tmp_path / "array.npz", "not a readable npz file")
    np.savez(tmp_path / "text.npz", weight=np.array([["a"]]))
    refused(tmp_path / "text.npz", "weight: must be floating point, got dtype <U1")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:  # a header that claims 2^50 numbers
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (33554432, 33554432), }"
        header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
        archive.writestr("weight.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    refused(tmp_path / "huge.npz", "not a readable npz file")


# --- ONNX -----------------------------------------------------------------------------------------------------------


def gemm(weight, *extra, swap=False, **attributes):
    return ("Gemm", [weight, *extra], swap, attributes)


def chain_model(steps, *, inputs=("x",), outputs=None):
    """Chain of (op, constants, data second?, attributes) as an ONNX model."""
    nodes, constants, current = [], [], "x"
    for k, (op, arrays, swap, attributes) in enumerate(steps):
        names = [f"c{k}_{j}" for j in range(len(arrays))]
        constants += [numpy_helper.from_array(np.ascontiguousarray(a), n) for a, n in zip(arrays, names, strict=True)]
        operands = [*names[:1], current, *names[1:]] if swap else [current, *names]
        nodes.append(helper.make_node(op, operands, [f"h{k}"], name=f"node{k}", **attributes))
        current = f"h{k}"
    values = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in inputs]
    results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, None) for n in (outputs or [current])]
    return helper.make_model(helper.make_graph(nodes, "g", values, results, constants))


RELU = ("Relu", [], False, {})


def loaded(tmp_path, steps, **options):
    onnx.save(chain_model(steps, **options), tmp_path / "m.onnx")
    return load_target(tmp_path / "m.onnx")


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_onnx_matches_the_reference_evaluator(tmp_path, dtype):
    """Every placement of the weight, transposition, factor and bias, against onnx's own evaluator."""
    from onnx.reference import ReferenceEvaluator

    rng = np.random.default_rng(0)
    w1, w2 = rng.normal(size=(4, 3)).astype(dtype), rng.normal(size=(2, 4)).astype(dtype)
    b1, b2 = rng.normal(size=4).astype(dtype), rng.normal(size=2).astype(dtype)
    add = [("Add", [b2], False, {})]
    rows = {
        "torch": [gemm(w1, b1, transB=1), RELU, gemm(w2, b2, transB=1)],
        "plain": [gemm(w1.T, b1), RELU, gemm(w2.T)],
        "factors": [gemm(w1, b1, transB=1, alpha=0.5, beta=-2.0), RELU, gemm(w2.T, b2, alpha=2.0, beta=0.25)],
        "matmul": [("MatMul", [w1.T], False, {}), ("Add", [b1], True, {}), RELU, ("MatMul", [w2.T], False, {}), *add],
        "flatten": [("Flatten", [], False, {"axis": 1}), gemm(w1, transB=1), RELU, RELU, gemm(w2, transB=1), *add],
        "row bias": [gemm(w1, b1[None], transB=1), RELU, gemm(w2, b2[:1], transB=1), *add],
    }
    columns = {
        "columns": [gemm(w1, b1[:, None], swap=True), RELU, gemm(w2.T, swap=True, transA=1)],
        "matmul": [("MatMul", [w1], True, {}), RELU, ("MatMul", [w2], True, {}), ("Add", [b2[:, None]], True, {})],
        "turned": [gemm(w1.T, b1[:, None], swap=True, transA=1), RELU, gemm(w2, b2, transA=1, transB=1)],
        "turned back": [gemm(w1, swap=True), RELU, gemm(w2.T, transA=1)],
    }
    x = rng.normal(size=(7, 3)).astype(dtype)
    for cases, feed in ((rows, x), (columns, x.T.copy())):
        for name, steps in cases.items():
            want = ReferenceEvaluator(chain_model(steps)).run(None, {"x": feed})[0]
            want = want.T if want.shape[0] == 2 else want
            target = loaded(tmp_path, steps)
            got = target(target.lift(torch.from_numpy(x))).numpy()
            tolerance = {np.float16: 0.05, np.float32: 1e-5, np.float64: 1e-12}[dtype]
            assert np.allclose(got, want, rtol=tolerance, atol=tolerance), name


def test_onnx_square_weights_are_not_confused(tmp_path):
    w = gaussian(3, 3).numpy()
    assert np.array_equal(loaded(tmp_path, [gemm(w)]).weights[0].numpy(), w.T.astype(float))
    assert np.array_equal(loaded(tmp_path, [gemm(w, transB=1)]).weights[0].numpy(), w.astype(float))
    assert np.array_equal(loaded(tmp_path, [gemm(w, swap=True)]).weights[0].numpy(), w.astype(float))
    assert np.array_equal(loaded(tmp_path, [gemm(w, swap=True, transA=1)]).weights[0].numpy(), w.T.astype(float))


def test_onnx_constant_nodes_are_read(tmp_path):
    model = chain_model([gemm(gaussian(3, 2).numpy())])
    tensor = model.graph.initializer.pop()
    model.graph.node.insert(0, helper.make_node("Constant", [], [tensor.name], value=tensor))
    onnx.save(model, tmp_path / "m.onnx")
    assert load_target(tmp_path / "m.onnx").widths == (3, 2)


def test_unusable_onnx_graphs_are_refused_with_one_line(tmp_path):
    w, i = gaussian(3, 3).numpy(), np.ones((3, 3), dtype=np.int64)
    conv = ("Conv", [np.ones((1, 1, 3, 3), np.float32)], False, {})
    nan = np.full((3, 3), np.nan, np.float32)
    path = tmp_path / "m.onnx"
    for steps, message in [
        ([conv], "node0: Conv is not supported"),
        ([gemm(w), ("Sigmoid", [], False, {}), gemm(w)], "node1: Sigmoid is not supported"),
        ([gemm(w), gemm(w)], "node1: follows layer node0 without a Relu"),
        ([gemm(w), RELU], "the graph ends with a Relu"),
        ([RELU, gemm(w)], "node0: a Relu before the first"),
        ([("Flatten", [], False, {})], "the graph holds no layer"),
        ([gemm(nan)], "node0: the weight holds NaN"),
        ([gemm(i)], "node0: 'c0_0' must be floating point, got INT64"),
        ([gemm(np.ones((1, 1, 3, 3), np.float32))], "node0: a weight of shape .* is not a dense layer"),
        ([gemm(w[:2]), RELU, gemm(w[:2])], "node2: takes 2 inputs, but node0 gives 3"),
        ([gemm(w, w)], r"node0: a bias of shape \(3, 3\) does not fit 3 outputs"),
        ([gemm(w, w[:, :1])], r"node0: a bias of shape \(3, 1\) does not fit 3 outputs"),
        ([("Add", [w[0]], False, {}), gemm(w)], "node0: Add is a bias and must follow"),
        ([gemm(w), RELU, ("Add", [w[0]], False, {})], "node2: Add is a bias and must follow"),
        ([gemm(w), RELU, gemm(w, swap=True)], "node2: takes the batch along the other axis"),
        ([("Flatten", [], False, {}), gemm(w, swap=True)], "node1: takes the batch along the other axis"),
        ([("Flatten", [], False, {"axis": 0}), gemm(w)], "node0: Flatten is supported only"),
        ([gemm(w), RELU, ("Flatten", [], False, {}), gemm(w)], "node2: Flatten is supported only"),
        ([("MatMul", [w, w], False, {})], "node0: MatMul has 2 constant inputs"),
    ]:
        onnx.save(chain_model(steps), path)
        refused(path, message)
    for options, message in [
        ({"inputs": ("x", "y")}, "one input and one output, got 2, 1"),
        ({"outputs": ["h0"]}, "not one chain of layers from its input to its output"),
        ({"inputs": ("y",)}, "node0: the graph is not one chain"),
    ]:
        onnx.save(chain_model([gemm(w), RELU, gemm(w)], **options), path)
        refused(path, message)
    skip = chain_model([gemm(w), RELU, gemm(w)])
    skip.graph.node[2].input[1] = "h0"
    onnx.save(skip, path)
    refused(path, "node2: the graph is not one chain")
    onnx.save(onnx.ModelProto(), path)
    refused(path, "empty|one input and one output, got 0, 0")


def test_onnx_data_outside_the_file_and_short_data_are_refused(tmp_path):
    secret = tmp_path / "secret.bin"
    secret.write_bytes(np.ones(9, np.float32).tobytes())
    model = chain_model([gemm(gaussian(3, 3).numpy())])
    tensor = model.graph.initializer[0]
    tensor.raw_data = tensor.raw_data[:8]
    (tmp_path / "short.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path / "short.onnx", "node0: the data of 'c0_0' do not fit its shape")
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="secret.bin")
    (tmp_path / "out.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path / "out.onnx", "node0: 'c0_0' keeps its data outside the file")
