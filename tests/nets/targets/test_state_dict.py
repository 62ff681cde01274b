"""Files of weights: plain chains of dense layers are read with the activation that is said, all else is refused."""

from __future__ import annotations

import itertools
import pickle
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from nets.graph import GraphModule
from nets.targets import from_state_dict, load_target, random_target, target_graph, with_biases
from nets.targets.chain import ACTIVATIONS
from tests.nets.targets.models import refusal

TABLES = [".pt", ".pth", ".safetensors", ".npz"]
MODULES = {
    "relu": nn.ReLU, "leaky_relu": nn.LeakyReLU, "relu6": nn.ReLU6, "gelu": nn.GELU, "elu": nn.ELU,
    "sigmoid": nn.Sigmoid, "tanh": nn.Tanh, "none": nn.Identity,
}  # fmt: skip


def gaussian(*shape, seed=0, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def model_of(widths, bias, activation="relu"):
    modules = []
    for i, (d_in, d_out) in enumerate(itertools.pairwise(widths)):
        layer = nn.Linear(d_in, d_out, bias=bias[i])
        layer.weight.data = gaussian(d_out, d_in, seed=2 * i)
        if bias[i]:
            layer.bias.data = gaussian(d_out, seed=2 * i + 1)
        modules += [layer, MODULES[activation]()]
    return nn.Sequential(*modules[:-1])


def save(path, state):
    if path.suffix == ".npz":
        np.savez(path, **{key: value.numpy() for key, value in state.items()})
    elif path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save(state, path)
    return path


def assert_same_function(graph, model):
    x = 3 * gaussian(20, graph.inputs[0].shape[1], seed=99, dtype=torch.float64)
    with torch.no_grad():
        want = model.double()(x)
    torch.testing.assert_close(GraphModule(graph, dtype=torch.float64)(x), want, rtol=1e-12, atol=1e-12)


def refused(path, message, activation="relu"):
    line = refusal(load_target, path, activation=activation)
    assert message in line
    assert line.startswith(Path(path).name + ": ")


@pytest.mark.parametrize("suffix", TABLES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_round_trip(tmp_path, suffix, activation):
    """Each activation with PyTorch's own defaults, and what was assumed is said."""
    model = model_of((3, 4, 5, 2), (True, False, True), activation)
    graph = load_target(save(tmp_path / f"m{suffix}", model.state_dict()), activation=activation)
    assert_same_function(graph, model)
    assert graph.assumptions == (f"layers in this order: 0, 2, 4; {activation} between them",)


def test_the_activation_must_be_said(tmp_path):
    path = save(tmp_path / "m.pt", model_of((3, 4, 2), (True, True)).state_dict())
    refused(path, "weights alone do not say what stands between the layers (0, 2): say --activation relu", None)
    refused(path, "activation must be one of relu, leaky_relu", "swish")
    one = save(tmp_path / "one.pt", model_of((3, 2), (True,)).state_dict())
    assert load_target(one).assumptions == ()
    assert_same_function(load_target(one), model_of((3, 2), (True,)))
    (tmp_path / "m.onnx").write_bytes(b"x")
    refused(tmp_path / "m.onnx", "an ONNX file says its activations itself", "relu")
    assert "digits has ReLU" in refusal(load_target, "digits", activation="tanh")
    assert "only an ONNX file has inputs to fix" in refusal(load_target, path, activation="relu", fixed={"x": 1})


@pytest.mark.parametrize("suffix", TABLES)
def test_ten_square_layers_keep_their_order(tmp_path, suffix):
    """Names 0, 2, ..., 22 sort wrongly as text, and square shapes would not tell."""
    model = model_of([2] * 13, [False] * 12)
    assert_same_function(load_target(save(tmp_path / f"m{suffix}", model.state_dict()), activation="relu"), model)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float8_e4m3fn])
@pytest.mark.parametrize("suffix", TABLES[:3])
def test_short_numbers_are_read_exactly(tmp_path, suffix, dtype):
    weight = gaussian(2, 3).to(dtype)
    graph = load_target(save(tmp_path / f"m{suffix}", {"weight": weight}))
    (found,) = graph.constants.values()
    assert found.dtype == (np.float16 if dtype == torch.float16 else np.float32)
    np.testing.assert_array_equal(found.astype(float), weight.double().numpy())


def weights_of(graph):
    return [graph.constants[node.inputs[1]] for node in graph.nodes if node.op == "Gemm"]


def test_the_order_of_the_layers(tmp_path):
    """That of the file, of the names, or the only one that chains; where two would do, the file is refused."""
    a, b, c = gaussian(3, 3), gaussian(3, 3, seed=1), gaussian(3, 3, seed=2)
    state = {"z.weight": a, "y.weight": b, "x.weight": c}
    for suffix in (".pt", ".npz"):
        graph = load_target(save(tmp_path / f"m{suffix}", state), activation="relu")
        assert all(np.array_equal(w, v) for w, v in zip(weights_of(graph), (a, b, c), strict=True))
        assert graph.assumptions == ("layers in this order: z, y, x; relu between them",)
    refused(save(tmp_path / "m.safetensors", state), "layer order is unclear: ['x', 'y', 'z'] chain in more than one")
    unique = {"z.weight": gaussian(3, 2), "a.weight": gaussian(1, 3)}
    graph = load_target(save(tmp_path / "u.safetensors", unique), activation="relu")
    assert [w.shape for w in weights_of(graph)] == [(3, 2), (1, 3)]
    shuffled = {"fc10.weight": gaussian(1, 4), "fc9.weight": gaussian(4, 2)}
    graph = load_target(save(tmp_path / "s.pt", shuffled), activation="relu")
    assert [w.shape for w in weights_of(graph)] == [(4, 2), (1, 4)]
    doubtful = {"fc10.weight": a, "fc9.weight": b}
    refused(save(tmp_path / "d.pt", doubtful), "chain in the file's order, ['fc10', 'fc9'], and in that of their names")
    many = {f"{chr(97 + i) * 3}.weight": gaussian(2, 2) for i in range(9)}
    refused(save(tmp_path / "n.safetensors", many), "layer order is unclear: rename")
    digits = {f"l{'9' * 5000}.weight": a, "l².weight": b, "l007.weight": c, "l٣.weight": a}
    with pytest.raises(ValueError, match="layer order is unclear"):
        from_state_dict(digits, activation="relu", ordered=False)


def test_plain_arrays_and_wrapped_checkpoints(tmp_path):
    np.savez(tmp_path / "m.npz", np.ones((3, 2)), np.ones((1, 3)))
    assert [w.shape for w in weights_of(load_target(tmp_path / "m.npz", activation="relu"))] == [(3, 2), (1, 3)]
    np.savez(tmp_path / "big.npz", weight=np.array([[1.0, 2.0]], dtype=">f4"))
    assert weights_of(load_target(tmp_path / "big.npz"))[0].tolist() == [[1.0, 2.0]]
    for key in ("state_dict", "model_state_dict"):
        torch.save({"epoch": 3, key: {"weight": torch.ones(1, 2)}}, tmp_path / "c.pt")
        assert load_target(str(tmp_path / "c.pt")).inputs[0].shape == ("batch", 2)
    torch.save({"model": {"weight": torch.ones(1, 2)}}, tmp_path / "c.pt")
    refused(tmp_path / "c.pt", "unknown key 'model'")


@pytest.mark.parametrize("suffix", TABLES)
@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"conv1.weight": torch.ones(2, 1, 3, 3), "fc.weight": torch.ones(1, 2)}, "'conv1.weight' speaks of 'conv'"),
        ({"body.weight": torch.ones(2, 1, 3, 3)}, "body: a 4-D weight is no dense layer"),
        ({"0.weight": torch.ones(2, 2), "0.running_mean": torch.ones(2)}, "'0.running_mean' speaks of 'running_mean'"),
        ({"a.query.weight": torch.ones(2, 2), "a.key.weight": torch.ones(2, 2)}, "speaks of"),
        ({"self_attn.in_proj_weight": torch.ones(6, 2)}, "speaks of 'attn'"),
        ({"token_embedding.weight": torch.ones(6, 2)}, "speaks of 'embed'"),
        ({"rnn.weight_hh_l0": torch.ones(6, 2)}, "speaks of 'rnn'"),
        ({"layer_norm.weight": torch.ones(2)}, "speaks of 'norm'"),
        ({"LayerNorm.weight": torch.ones(2)}, "speaks of 'Norm'"),
        ({"scale": torch.ones(2, 2)}, "unknown key 'scale'"),
        ({"1.weight": torch.ones(2), "1.bias": torch.ones(2)}, "1: a 1-D weight is no dense layer"),
        ({"fc.bias": torch.ones(2)}, "fc: has a bias but no weight"),
        ({"0.weight": torch.ones(3, 2), "2.weight": torch.ones(1, 4)}, "2: takes 4 inputs, but 0 gives 3"),
        ({"0.weight": torch.ones(3, 2), "0.bias": torch.ones(2)}, "0: a bias of shape (2,) does not fit 3 outputs"),
        ({"0.weight": torch.tensor([[1.0, float("nan")]])}, "0.weight: is empty or holds NaN or infinity"),
        ({"0.weight": torch.ones(1, 2), "0.bias": torch.tensor([float("inf")])}, "0.bias: is empty or holds NaN"),
        ({"0.weight": torch.ones(2, 2, dtype=torch.int32)}, "0.weight: must be a dense floating-point tensor, got"),
        ({"0.weight": torch.ones(0, 2)}, "0.weight: is empty"),
        ({}, "the file holds no layer"),
    ],
)
def test_unusable_states_are_refused_with_one_line(tmp_path, suffix, state, message):
    refused(save(tmp_path / f"m{suffix}", state), message)


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ({"0.weight": [[1.0]]}, "0.weight: must be a tensor, got list"),
        ({"0.weight": {"a": torch.ones(1, 1)}}, "0.weight: must be a tensor, got dict"),
        ({0: torch.ones(2, 2)}, "its keys must be names of weights, got 0"),
        ({b"0.weight": torch.ones(2, 2)}, "its keys must be names of weights, got b'0.weight'"),
        ({None: torch.ones(2, 2)}, "its keys must be names of weights, got None"),
        ({"0.weight": torch.ones(2, 2, device="meta")}, "0.weight: must be a dense"),
        ({"0.weight": torch.eye(2).to_sparse()}, "0.weight: must be a dense"),
        ({"0.weight": torch.ones(2, 2, dtype=torch.complex64)}, "0.weight: must be a dense"),
        ({"0.weight": torch.ones(1, 1).expand(2**30, 2**30)}, "0.weight: takes 8.19e+03 PiB, more than half"),
        ([("0.weight", torch.ones(2, 2))], "must be a state dict, got list"),
    ],
)
def test_states_that_hold_something_else_are_refused(state, message):
    assert message in refusal(from_state_dict, state, activation="relu")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("emb", "speaks of 'emb', an embedding"),
        ("tokEmb", "speaks of 'tok', an embedding"),
        ("wte", "an embedding"),
        ("lm_head", "speaks of 'lm', an embedding"),
        ("qkv1", "speaks of 'qkv', attention"),
        ("self.Wq", "attention"),
        ("W_k", "attention"),
        ("to_v", "attention"),
        ("bn1", "speaks of 'bn', a norm"),
        ("ln_f", "a norm"),
        ("i2h", "a recurrent layer"),
        ("cell", "a recurrent layer"),
        ("conv2", "a convolution"),
        ("skip", "a branch"),
    ],
)
def test_names_of_other_layers_are_refused_with_what_they_are(name, message):
    state = {f"{name}.weight": torch.eye(3), "fc.weight": torch.eye(3)}
    assert message in refusal(from_state_dict, state, activation="relu")


def test_q_k_v_are_attention_but_one_of_them_is_a_name():
    state = {f"{name}.weight": torch.eye(3) for name in ("q", "k", "v", "o")}
    assert "speak of k, q, v, attention" in refusal(from_state_dict, state, activation="relu")
    for names in (("fc1", "fc2", "q"), ("encoder", "decoder"), ("ensemble", "member"), ("backbone", "head")):
        chain = from_state_dict({f"{name}.weight": torch.eye(3) for name in names}, activation="relu")
        assert len(chain.assumptions) == 1


@pytest.mark.parametrize(
    ("names", "what"),
    [
        (("actor.0", "critic.0"), "actor, critic, several networks"),
        (("student.fc", "teacher.fc"), "student, teacher, several networks"),
        (("enc", "fc_mu", "fc_logvar"), "logvar, mu, several outputs"),
    ],
)
def test_networks_and_outputs_side_by_side_are_no_chain(names, what):
    assert what in refusal(from_state_dict, {f"{name}.weight": torch.eye(3) for name in names}, activation="relu")
    one = from_state_dict({"actor.0.weight": torch.eye(3), "actor.2.weight": torch.eye(3)}, activation="relu")
    assert len(one.nodes) == 3


def test_numbers_that_leave_room_for_an_activation_in_some_places_only():
    """Sequential(Linear, Linear, ReLU, Linear): nothing stands between the first two, whatever the reader assumes."""
    first, second, last = (torch.nn.Linear(2, 2) for _ in range(3))
    places = torch.nn.Sequential(first, second, torch.nn.ReLU(), last)
    for state in (places.state_dict(), {f"net.{key}": value for key, value in places.state_dict().items()}):
        assert "0 and" in (said := refusal(from_state_dict, state, activation="relu"))
        assert "there is no room for what stands between" in said
        assert len(from_state_dict(state, activation="none").nodes) == 3
    for numbers in ((0, 1, 2), (0, 2, 4), (1, 4, 6)):
        assert len(from_state_dict({f"{i}.weight": torch.eye(2) for i in numbers}, activation="relu").nodes) == 5


def test_names_that_stand_in_a_file_twice(tmp_path):
    one, other = np.eye(2), 3 * np.eye(2)
    for second in ("weight.npy", "weight"):
        with warnings.catch_warnings(), zipfile.ZipFile(tmp_path / "m.npz", "w") as archive:
            warnings.simplefilter("ignore")  # zipfile says it too
            for name, array in (("weight.npy", one), (second, other)):
                with archive.open(name, "w") as file:
                    np.lib.format.write_array(file, array)
        refused(tmp_path / "m.npz", "holds 'weight' twice")
    np.savez(tmp_path / "m.npz", **{"arr_0": one, "arr_0.weight": other})
    refused(tmp_path / "m.npz", "holds 'arr_0.weight' twice")
    entry = '"weight":{"dtype":"F32","shape":[%s],"data_offsets":[0,8]}'
    header = f"{{{entry % '2,1'},{entry % '1,2'}}}".encode()
    (tmp_path / "m.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    refused(tmp_path / "m.safetensors", "holds 'weight' twice")
    both = {key: {"weight": torch.eye(2)} for key in ("state_dict", "model_state_dict")}
    torch.save(both, tmp_path / "m.pt")
    refused(tmp_path / "m.pt", "holds the weights of several networks, 'state_dict' and 'model_state_dict'")
    clash = {"weight": torch.eye(2), "the layer.weight": 3 * torch.eye(2)}
    assert "two layers have one name" in refusal(from_state_dict, clash, activation="relu")


def test_tensors_that_are_no_plain_numbers(tmp_path):
    torch.save({"weight": torch._neg_view(torch.tensor([[1.0, -2.0]]))}, tmp_path / "m.pt")
    assert weights_of(load_target(tmp_path / "m.pt"))[0].tolist() == [[-1.0, 2.0]]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(2)])
        assert "nested" in refusal(from_state_dict, {"weight": nested})
        torch.save({"weight": nested}, tmp_path / "m.pt")
    refused(tmp_path / "m.pt", "got nested")


def test_a_tensor_that_repeats_what_is_stored(tmp_path):
    torch.save({f"{i}.weight": torch.ones(1).expand(10**4, 10**4) for i in range(3)}, tmp_path / "m.pt")
    refused(tmp_path / "m.pt", "become 1.1 GiB, more than 200 times as much")
    torch.save({"0.weight": torch.ones(1).expand(100, 100)}, tmp_path / "m.pt")
    assert load_target(tmp_path / "m.pt").inputs[0].shape == ("batch", 100)


def test_an_archive_of_zeros_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr("nets.targets.state_dict._ALWAYS_BYTES", 10**6)
    np.savez_compressed(tmp_path / "m.npz", weight=np.zeros((1000, 1000)))
    monkeypatch.setattr(np.lib.format, "read_array", lambda *_, **__: pytest.fail("unpacked"))
    refused(tmp_path / "m.npz", "more than 200 times as much")
    monkeypatch.undo()
    assert load_target(tmp_path / "m.npz").inputs[0].shape == ("batch", 1000)


def test_a_file_of_a_few_bytes_that_says_it_is_huge(tmp_path):
    torch.save({"weight": torch.ones(1, 1).expand(2**24, 2**24)}, tmp_path / "m.pt")
    assert (tmp_path / "m.pt").stat().st_size < 10_000
    refused(tmp_path / "m.pt", "more than half of the memory")


def test_dense_targets_are_the_same_as_graphs():
    weights, biases = (
        [gaussian(4, 3), gaussian(4, 4, seed=1), gaussian(2, 4, seed=2)],
        [gaussian(4, seed=3), None, None],
    )
    for target in (with_biases(weights, biases), random_target((3, 5, 2), seed=1)):
        graph = target_graph(target)
        x = gaussian(9, target.input_dim, dtype=torch.float64)
        found = GraphModule(graph, dtype=torch.float64)(x)
        torch.testing.assert_close(found, target(target.lift(x)), rtol=1e-12, atol=1e-12)
        assert graph.assumptions == ()
    assert load_target("digits", seed=1).inputs[0].shape == ("batch", 64)


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


@pytest.mark.parametrize("suffix", TABLES)
@pytest.mark.parametrize("damage", ["truncated", "empty", "missing", "text", "random"])
def test_damaged_files_are_refused_with_one_line(tmp_path, suffix, damage):
    path = save(tmp_path / f"m{suffix}", {"weight": gaussian(8, 8)})
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
    torch.save({0: torch.ones(2, 2)}, tmp_path / "numbers.pt")
    refused(tmp_path / "numbers.pt", "its keys must be names of weights, got 0")
    with open(tmp_path / "array.npz", "wb") as file:
        np.save(file, np.ones((2, 2)))
    refused(tmp_path / "array.npz", "not a readable npz file")
    for name, array in (("text", np.array([["a"]])), ("long", np.ones((1, 1), np.longdouble))):
        np.savez(tmp_path / f"{name}.npz", weight=array)
        refused(tmp_path / f"{name}.npz", "weight: must be floating point, got dtype")
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("weight", b"no array")
    refused(tmp_path / "other.npz", "'weight' is no array")
    with zipfile.ZipFile(tmp_path / "huge.npz", "w") as archive:  # a header that claims 2^50 numbers
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (33554432, 33554432), }"
        header += b" " * (64 - (len(header) + 11) % 64) + b"\n"
        archive.writestr("weight.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    refused(tmp_path / "huge.npz", "not a readable npz file")


def test_an_archive_that_unpacks_to_more_than_the_memory(tmp_path, monkeypatch):
    np.savez_compressed(tmp_path / "m.npz", weight=np.zeros((1000, 1000)))
    assert (tmp_path / "m.npz").stat().st_size < 20_000
    monkeypatch.setattr("nets.targets.state_dict.available_bytes", lambda: 10**7)
    refused(tmp_path / "m.npz", "more than half of the memory")
