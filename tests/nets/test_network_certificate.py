"""Both ends of the certificate of any network: brute force, exact fractions, controls that must fail."""

import json
import math
from fractions import Fraction

import numpy as np
import pytest
import torch

from nets import threads
from nets.certificate import network
from nets.certificate.attained import Pair, differences, farthest_point
from nets.certificate.domain import Domain
from nets.certificate.enclosure import NotEnclosed, enclose, proved_distance
from nets.certificate.graph_bound import GraphBound
from nets.certificate.network import certify_network
from nets.graph.graph import Graph, Input, Node
from nets.graph.module import GraphModule
from nets.graph.substitution import substituted
from tests.nets.graph_cases import Case, both, points

RNG = np.random.default_rng(5)


def array(*shape):
    return RNG.normal(size=shape) / np.sqrt(max(1, np.prod(shape[1:])))


def node(op, inputs, output="y", **attributes):
    return Node(op, tuple(inputs.split()), (output,), attributes)


DENSE = Case(
    "dense",
    [node("Gemm", "x w b", "h", transB=1), node("Relu", "h", "r"), node("Gemm", "r v", "y", transB=1)],
    {"w": array(8, 4), "b": array(8), "v": array(3, 8)},
    (1, 4),
    ("w", "b", "v"),
)
IMAGE = Case(
    "image",
    [
        node("Conv", "x w b", "h", pads=(1, 1, 1, 1)),
        node("LeakyRelu", "h", "r", alpha=0.25),
        node("MaxPool", "r", "m", kernel_shape=(2, 2), strides=(2, 2)),
        node("Conv", "m v", "k", pads=(1, 1, 1, 1), group=2),
        node("Add", "k m", "a"),
        node("Flatten", "a", "f"),
        node("Gemm", "f u", "y"),
    ],
    {"w": array(4, 2, 3, 3), "b": array(4), "v": array(4, 2, 3, 3), "u": array(16, 3)},
    (1, 2, 4, 4),
    ("w", "b", "v", "u"),
)
SOFT = Case("soft", [node("MatMul", "x w", "h"), node("Softmax", "h", axis=-1)], {"w": array(4, 5)}, (1, 3, 4), ("w",))
CASES = [DENSE, IMAGE, SOFT]
DOMAINS = [Domain.ball(1.0), Domain.box(-0.5, 1.0)]


def certified(case, domain, **more):
    return certify_network(case.graph, case.effective, domain=domain, **more)


@pytest.mark.parametrize("domain", DOMAINS, ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)
def test_the_ends_enclose_the_largest_difference(case, domain):
    found = certified(case, domain, steps=60)
    target, pruned = both(case)
    reached = max(np.linalg.norm(pruned(x)["y"] - target(x)["y"]) for x in points(case, domain, 300))
    assert reached <= found.upper
    assert found.lower <= found.upper
    assert found.lower >= 0.99 * reached  # the search is no worse than 300 blind points
    assert found.word == found.lower_word == ("measured" if case is SOFT else "proved")


def test_one_linear_part_is_enclosed_tightly():
    case = Case("one", [node("MatMul", "x w")], {"w": array(6, 5)}, (1, 6), ("w",), equal_halves=True)
    true = np.linalg.norm(case.effective["w"][0] - case.constants["w"], 2)
    found = certified(case, Domain.ball(1.0), steps=100)
    assert true * (1 - 1e-6) < found.lower <= true * (1 + 1e-14)
    assert true * (1 - 1e-14) <= found.upper < true * (1 + 1e-12)


def fractions(x):
    return np.vectorize(Fraction, otypes=[object])(np.asarray(x, np.float64))


def exact_image_network(constants, minus, x):
    """IMAGE in fractions, by loops over places."""

    def half(x, sign):
        return np.vectorize(lambda v: max(v * sign, Fraction(0)), otypes=[object])(x)

    def convolve(x, w, groups):
        _, channels, rows, columns = x.shape
        padded = np.full((1, channels, rows + 2, columns + 2), Fraction(0), object)
        padded[:, :, 1:-1, 1:-1] = x
        out = np.full((1, w.shape[0], rows, columns), Fraction(0), object)
        for o in range(w.shape[0]):
            first = (o // (w.shape[0] // groups)) * w.shape[1]
            for i in range(rows):
                for j in range(columns):
                    window = padded[0, first : first + w.shape[1], i : i + 3, j : j + 3]
                    out[0, o, i, j] = (window * w[o]).sum()
        return out

    def linear(name, x, apply):
        return apply(half(x, 1), fractions(constants[name])) - apply(half(x, -1), fractions(minus[name]))

    h = linear("w", fractions(x), lambda t, w: convolve(t, w, 1)) + fractions(constants["b"]).reshape(1, -1, 1, 1)
    r = np.vectorize(lambda v: v if v > 0 else v / 4, otypes=[object])(h)
    m = r.reshape(1, 4, 2, 2, 2, 2).max(axis=(3, 5))
    a = linear("v", m, lambda t, w: convolve(t, w, 2)) + m
    return linear("u", a.reshape(1, -1), lambda t, w: t.dot(w))


def test_the_running_bound_holds_the_exact_value_in_fractions():
    x = RNG.normal(size=IMAGE.shape)
    pruned = substituted(IMAGE.graph, IMAGE.effective)
    plus = {**IMAGE.constants, **{name: pair[0] for name, pair in IMAGE.effective.items()}}
    minus = {name: pair[1] for name, pair in IMAGE.effective.items()}
    exact_f = exact_image_network(IMAGE.constants, IMAGE.constants, x)
    exact_g = exact_image_network(plus, minus, x)
    f, g = enclose(IMAGE.graph, {"x": x}), enclose(pruned, {"x": x})
    for found, exact in ((f, exact_f), (g, exact_g)):
        value, off = found["y"].value.numpy(), found["y"].room.numpy()
        gaps = [abs(Fraction(v) - e) for v, e in zip(value.ravel(), exact.ravel(), strict=True)]
        assert all(gap <= Fraction(o) for gap, o in zip(gaps, off.ravel(), strict=True))
        assert 0 < off.max() < 1e-11
        assert any(gap > Fraction(o) / 10**6 for gap, o in zip(gaps, off.ravel(), strict=True))  # rounding is there
    squared = sum((a - b) ** 2 for a, b in zip(exact_f.ravel(), exact_g.ravel(), strict=True))
    low = proved_distance(f, g)
    assert Fraction(low) ** 2 <= squared
    assert low > math.sqrt(squared) * (1 - 1e-9)


@pytest.mark.parametrize(
    "nodes",
    [
        [node("Sub", "x c", "y")],
        [node("Mul", "x x", "y")],
        [node("Concat", "x c", "y", axis=1)],
        [node("Max", "x c", "y")],
        [node("Neg", "x", "n"), node("Clip", "n l u", "y")],
        [node("ReduceMean", "x", "y")],
        [node("ReduceMin", "x", "y")],
        [node("Sigmoid", "x", "y")],
        [node("Gelu", "x", "y")],
        [node("HardSwish", "x", "y")],
        [node("BatchNormalization", "x c c c v", "y", epsilon=2.0**-10)],
        [node("Transpose", "x", "t"), node("MatMul", "c t", "y")],
    ],
    ids=lambda nodes: nodes[-1].op,
)
def test_the_running_bound_of_other_nodes_behind_a_rounded_sum(nodes):
    """Compared with the same node in 60 digits, by mpmath, behind x W computed in fractions."""
    mp = pytest.importorskip("mpmath").mp.clone()
    mp.dps = 60
    c = RNG.normal(size=(1, 5))
    constants = {
        "w": RNG.normal(size=(7, 5)), "c": c if nodes[0].op != "BatchNormalization" else c[0], "v": np.abs(c[0]),
        "l": np.array(-0.5), "u": np.array(0.5),
    }  # fmt: skip
    graph = Graph(20, (Input("z", "float64", (1, 7)),), ("y",), (node("MatMul", "z w", "x"), *nodes), constants)
    z = RNG.normal(size=(1, 7))
    x = [mp.mpf(v.numerator) / v.denominator for v in fractions(z).dot(fractions(constants["w"]))[0]]
    k, v = [mp.mpf(float(t)) for t in c[0]], [mp.mpf(float(abs(t))) for t in c[0]]
    exact = {
        "Sub": lambda: [a - b for a, b in zip(x, k, strict=True)],
        "Mul": lambda: [a * a for a in x],
        "Concat": lambda: x + k,
        "Max": lambda: [max(a, b) for a, b in zip(x, k, strict=True)],
        "Clip": lambda: [min(max(-a, mp.mpf(-0.5)), mp.mpf(0.5)) for a in x],
        "ReduceMean": lambda: [sum(x) / 5],
        "ReduceMin": lambda: [min(x)],
        "Sigmoid": lambda: [1 / (1 + mp.exp(-a)) for a in x],
        "Gelu": lambda: [a * mp.ncdf(a) for a in x],
        "HardSwish": lambda: [a * min(max(a / 6 + mp.mpf(1) / 2, 0), 1) for a in x],
        "BatchNormalization": lambda: [
            (a - b) * b / mp.sqrt(d + mp.mpf(2) ** -10) + b for a, b, d in zip(x, k, v, strict=True)
        ],
        "MatMul": lambda: [sum(a * b for a, b in zip(x, k, strict=True))],
    }[nodes[-1].op]()
    found = enclose(graph, {"z": z})["y"]
    for value, off, truth in zip(found.value.flatten().tolist(), found.room.flatten().tolist(), exact, strict=True):
        assert abs(mp.mpf(value) - truth) <= off < 1e-12


@pytest.mark.parametrize(
    ("last", "factor"),
    [
        (node("Abs", "x"), 1.0),
        (node("LeakyRelu", "x", alpha=-3.0), 3.0),
        (node("Neg", "x"), 1.0),
        (node("Add", "x x"), 2.0),
    ],
)
def test_the_running_bound_is_carried_in_full(last, factor):
    """How far a rounded sum may be off, times the slope: not what it happens to be off."""
    inputs = (Input("z", "float64", (1, 7)),)
    graph = Graph(20, inputs, ("x", "y"), (node("MatMul", "z w", "x"), last), {"w": -np.ones((7, 3))})
    found = enclose(graph, {"z": np.linspace(0.1, 0.9, 7)[None]})
    assert bool((found["y"].room >= factor * found["x"].room).all())
    assert bool((found["x"].room > 0).all())


def test_a_node_without_a_rule_is_named():
    with pytest.raises(NotEnclosed, match="Softmax"):
        enclose(SOFT.graph, {"x": np.zeros(SOFT.shape)})


def test_a_bound_that_is_too_low_contradicts_the_point_found(monkeypatch):
    honest = certified(DENSE, DOMAINS[0])
    lowered = GraphBound(honest.lower / 2, "", {"y": honest.lower / 2}, ())
    monkeypatch.setattr(network, "graph_bound", lambda *given, **more: lowered)
    with pytest.raises(RuntimeError, match=r"contradicts itself: lower=.*, upper="):
        certified(DENSE, DOMAINS[0])
    monkeypatch.setattr(network, "graph_bound", lambda *given, **more: GraphBound(1e-6, "", {"y": 1e-6}, ()))
    with pytest.raises(RuntimeError, match="contradicts itself"):
        certified(SOFT, DOMAINS[0])


def test_without_an_upper_end_the_word_is_measured():
    nodes = [*DENSE.nodes[:2], node("Round", "r", "q"), node("Gemm", "q v", "y", transB=1)]
    case = Case("rounded", nodes, DENSE.constants, DENSE.shape, DENSE.parts)
    found = certified(case, DOMAINS[0])
    assert (found.upper, found.relative_upper, found.word) == (None, None, "measured")
    assert found.reason == "Round that makes 'q' has no bound"


def test_differences_on_data_are_those_of_the_reference():
    data = RNG.normal(size=(70, *IMAGE.shape[1:]))
    found = certified(IMAGE, DOMAINS[1], data={"x": data}, steps=3, batch=32).data
    target, pruned = both(IMAGE)
    f, g = (np.stack([run(x[None])["y"].ravel() for x in data]) for run in (target, pruned))
    gaps = np.linalg.norm(g - f, axis=1)
    size = np.sqrt(np.square(np.linalg.norm(f, axis=1)).mean())
    assert found.examples == 70
    assert (found.largest, found.median) == pytest.approx((gaps.max(), np.median(gaps)), rel=1e-9)
    assert (found.entry, found.size) == pytest.approx((np.abs(g - f).max(), size), rel=1e-9)
    assert found.relative_largest == pytest.approx(gaps.max() / size, rel=1e-9)


def test_a_network_that_mixes_its_batch_is_run_one_by_one():
    nodes = [node("MatMul", "x w", "h"), node("ReduceMean", "h a", "m"), node("Sub", "h m", "y")]
    case = Case("mixes", nodes, {"w": array(4, 5), "a": np.array([0])}, (1, 4), ("w",))
    graph = Graph(20, (Input("x", "float64", ("n", 4)),), ("y",), tuple(nodes), case.constants)
    modules = [GraphModule(graph), GraphModule(substituted(graph, case.effective))]
    assert Pair(*modules, graph.inputs, {"x": (1, 4)}).batch == 1
    found = differences(Pair(*modules, graph.inputs, {"x": (1, 4)}), {"x": RNG.normal(size=(6, 4))})
    assert found.largest == 0  # each example minus its own mean
    apart = Graph(20, graph.inputs, ("h",), tuple(nodes[:1]), case.constants)
    assert Pair(GraphModule(apart), GraphModule(apart), apart.inputs, {"x": (1, 4)}).batch == 64


def test_a_network_of_words_whose_batch_is_not_the_first_axis_is_run_one_by_one():
    nodes = (Node("Gather", ("w", "t"), ("h",)), Node("Transpose", ("h",), ("y",), {"perm": (1, 0, 2)}))
    graph = Graph(18, (Input("t", "int64", ("n", 4)),), ("y",), nodes, {"w": array(5, 2)})
    other = {"w": (graph.constants["w"] + np.arange(5.0)[:, None],) * 2}
    found = certify_network(graph, other, domain={}, data={"t": np.array([[0, 0, 0, 0], [4, 4, 4, 4], [0, 0, 0, 0]])})
    assert math.isclose(found.data.largest, 4 * math.sqrt(8))
    assert found.data.median == 0


def test_the_farthest_point_is_measured_alone():
    """A clip that hangs on the largest value of the batch shows only where examples are far apart, as in spectra."""
    nodes = [node("MatMul", "x w", "h"), node("ReduceMax", "h", "m", keepdims=0), node("Sub", "m c", "s")]
    nodes += [node("Max", "h s", "y")]
    constants = {"w": array(3, 3), "c": np.array(50.0)}
    graph = Graph(20, (Input("x", "float64", ("n", 3)),), ("y",), tuple(nodes), constants)
    near = constants["w"] * 1.5
    modules = [GraphModule(one) for one in (graph, substituted(graph, {"w": (near, near)}))]
    pair = Pair(*modules, graph.inputs, {"x": (1, 3)})
    assert pair.batch == 64
    data = {"x": np.array([[300.0, 0, 0], [0, 300.0, 0], [0, 0, 300.0]]) * np.array([[1], [-1], [1]])}
    for seed in range(3):
        point = farthest_point(pair, Domain.ball(300.0), data=data, starts=6, steps=0, seed=seed)
        with torch.no_grad():
            f, g = (module(torch.from_numpy(point.inputs["x"])) for module in modules)
        assert point.distance == pytest.approx(float(torch.linalg.vector_norm(f - g)), rel=1e-12)


def test_a_recurrent_network_is_searched_with_one_thread(monkeypatch):
    """Its many small steps would each wait for the threads, however large its products are."""
    monkeypatch.setattr(threads, "PARALLEL_WORK", 1)
    constants = {"w": array(1, 8, 3), "r": array(1, 8, 2)}
    lstm = Node("LSTM", ("x", "w", "r"), ("y",), {"hidden_size": 2})
    for last, count in ((lstm, 1), (Node("MatMul", ("x", "v"), ("y",)), 2)):
        shape = (4, 1, 3)
        graph = Graph(17, (Input("x", "float64", shape),), ("y",), (last,), {**constants, "v": array(3, 2)})
        module = GraphModule(graph, dtype=torch.float64)
        pair = Pair(module, module, graph.inputs, {"x": shape})
        with threads.few_threads(1):
            torch.set_num_threads(2)
            with threads.few_threads(pair.work(8)):
                assert torch.get_num_threads() == count


def test_same_seed_same_point_and_it_lies_in_the_domain():
    modules = [GraphModule(IMAGE.graph), GraphModule(substituted(IMAGE.graph, IMAGE.effective))]
    pair = Pair(*modules, IMAGE.graph.inputs, {"x": IMAGE.shape})
    data = {"x": RNG.normal(size=(5, *IMAGE.shape[1:])) * 10}
    for domain in DOMAINS:
        for given in (None, data):
            one, two = (farthest_point(pair, domain, data=given, steps=10, seed=3) for _ in range(2))
            assert one.distance == two.distance
            assert np.array_equal(one.inputs["x"], two.inputs["x"])
            assert domain.contains(one.inputs["x"][None])
            assert one.distance >= farthest_point(pair, domain, data=given, steps=0, seed=3).distance
    hurried = farthest_point(pair, DOMAINS[0], steps=10**9, seconds=0.2)
    assert hurried.distance > 0


def test_integer_inputs_are_kept_as_given():
    nodes = [node("Gather", "t i", "e"), node("Add", "e x", "a"), node("MatMul", "a w")]
    inputs = (Input("i", "int64", ("n", 3)), Input("x", "float32", ("n", 3, 4)))
    graph = Graph(20, inputs, ("y",), tuple(nodes), {"t": array(9, 4), "w": array(4, 2)})
    effective = {name: (array + 0.01 * RNG.normal(size=array.shape),) * 2 for name, array in graph.constants.items()}
    with pytest.raises(ValueError, match="data must be given, as the input 'i' holds integers"):
        certify_network(graph, effective, domain=DOMAINS[0], shapes={"i": (1, 3), "x": (1, 3, 4)})
    data = {"i": RNG.integers(0, 9, (5, 3)), "x": RNG.normal(size=(5, 3, 4))}
    found = certify_network(graph, effective, domain=DOMAINS[0], data=data)
    assert 0 < found.lower <= found.upper
    assert found.word == "proved"
    pair = Pair(GraphModule(graph), GraphModule(substituted(graph, effective)), inputs, {"i": (1, 3), "x": (1, 3, 4)})
    kept = farthest_point(pair, DOMAINS[0], data=data, steps=2).inputs["i"]
    assert any(np.array_equal(kept[0], row) for row in data["i"])


def test_equal_networks_have_certificate_zero_and_json_is_plain():
    same = {name: (np.asarray(DENSE.constants[name], np.float64),) * 2 for name in DENSE.parts}
    found = certify_network(DENSE.graph, same, domain=DOMAINS[0], data={"x": RNG.normal(size=(3, 4))})
    assert (found.lower, found.upper, found.word) == (0.0, 0.0, "proved")
    back = json.loads(json.dumps(found.to_dict()))
    assert back["data"]["relative_largest"] == back["relative_upper"] == 0
    assert back["domain"] == "||x||_2 <= 1"
    assert certified(DENSE, DOMAINS[0]).to_dict()["data"] is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({"z": np.zeros((2, 4))}, "data must hold input 'x', got \\['z'\\]"),
        ({"x": np.zeros((2, 5))}, "data of 'x' must have shape \\(examples, \\*\\(1, 4\\)\\), got \\(2, 5\\)"),
        ({"x": np.zeros((0, 4))}, "at least 1"),
    ],
)
def test_refused_data(data, text):
    with pytest.raises(ValueError, match=text):
        certified(DENSE, DOMAINS[0], data=data)


def test_refused_settings():
    with pytest.raises(ValueError, match=r"starts must be an integer in .1, .*, got 0"):
        certified(DENSE, DOMAINS[0], starts=0)
    with pytest.raises(ValueError, match=r"steps must be an integer in .0, .*, got -1"):
        certified(DENSE, DOMAINS[0], steps=-1)
    shapeless = Graph(20, (Input("x", "float32", ("n", "m")),), ("y",), DENSE.graph.nodes, DENSE.constants)
    with pytest.raises(ValueError, match="the input 'x' has no fixed shape, got \\('n', 'm'\\)"):
        certify_network(shapeless, DENSE.effective, domain=DOMAINS[0])


def test_modules_keep_their_own_type():
    module = GraphModule(DENSE.graph, dtype=torch.float32)
    Pair(module, module, DENSE.graph.inputs, {"x": (1, 4)})
    assert module.dtype == torch.float32


@pytest.mark.parametrize("size", [1e-300, 1e-200, 1e-160, 1e140])
def test_ends_are_right_where_squares_have_no_float(size):
    """Both ends grow with the weights; sums of squares of 1e-200 are 0, and an upper end of 0 would be wrong."""
    nodes = [node("MatMul", "x w", "h"), node("Relu", "h", "k"), node("MatMul", "k v", "y")]
    w, v = np.array([[1.0, 2.0], [0.3, 1.0]]), np.array([[0.5], [0.25]])
    found = []
    for scale in (1.0, size):
        graph = Graph(18, (Input("x", "float64", (1, 2)),), ("y",), tuple(nodes), {"w": scale * w, "v": v})
        near = {"w": (1.01 * scale * w, 1.01 * scale * w), "v": (v, v)}
        for domain in (Domain.ball(1.0), Domain.box(-1.0, 1.0)):
            one = certify_network(graph, near, domain=domain)
            found.append((one.lower / scale, one.upper / scale, one.size / scale))
    assert np.allclose(found[:2], found[2:], rtol=1e-9)


def test_differences_on_data_where_squares_have_no_float():
    graph = Graph(18, (Input("x", "float64", (1, 2)),), ("y",), (node("MatMul", "x w"),), {"w": np.eye(2)})
    near = {"w": (1.5 * np.eye(2), 1.5 * np.eye(2))}
    rows = np.array([[3.0, 4.0], [6.0, 8.0]])
    for scale in (1.0, 2.0**-600, 2.0**600):
        domain = Domain.ball_of(scale * rows)
        data = certify_network(graph, near, domain=domain, data={"x": scale * rows}).data
        assert (data.largest / scale, data.median / scale, data.entry / scale) == (5.0, 3.75, 4.0)
        assert data.size / scale == pytest.approx(np.sqrt(62.5), rel=1e-14)
        assert domain.contains(scale * rows)


def test_a_proved_distance_leaves_room_for_both_sides() -> None:
    from nets.certificate.enclosure import Enclosed, proved_distance

    def one(value: float, off: float) -> dict[str, Enclosed]:
        return {"y": Enclosed(torch.tensor([value, 0.0]), torch.tensor([off, 0.0]))}

    for first, second, distance in ((one(0.0, 1.0), one(2.0, 0.5), 0.5), (one(0.0, 0.25), one(-2.0, 0.0), 1.75)):
        assert distance * (1 - 1e-12) <= proved_distance(first, second) <= distance
    assert proved_distance(one(0.0, 1.0), one(1.5, 1.0)) == 0.0


def test_a_lower_end_that_is_called_proved_is_not_above_the_exact_distance():
    """At fixed places, in fractions; the computed distance is above it about every other time."""
    rng, above = np.random.default_rng(3), 0
    ball = {"x": Domain.ball(10.0).to_plain()}
    for _ in range(40):
        w, off = rng.normal(size=(7, 1)), rng.normal(size=(7, 1)) * 1e-3
        x = rng.normal(size=(1, 7))
        graph = Graph(18, (Input("x", "float64", (1, 7)),), ("y",), (node("MatMul", "x w"),), {"w": w})
        found = network.ends_at(graph, {"w": (w + off, w + off)}, {"x": x}, ball)
        exact = abs(
            sum(
                (Fraction(a) - Fraction(b)) * Fraction(c)
                for a, b, c in zip((w + off).flat, w.flat, x.flat, strict=True)
            )
        )
        assert found.lower_word == "proved"
        assert Fraction(found.lower) <= exact
        above += Fraction(abs(float((x @ (w + off) - x @ w)[0, 0]))) > exact
    assert above > 5
