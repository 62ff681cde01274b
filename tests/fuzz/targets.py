"""The parsers: for each, the commands that read its files, and small valid files to begin with."""

from __future__ import annotations

import gzip
import shutil
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.fuzz import inside
from tests.fuzz.attempt import Work

Seeds = Callable[[Path], Sequence[Path]]


@dataclass(frozen=True)
class Target:
    """A parser.

    Attributes
    ----------
    works : tuple of callable (path) -> exit code
        Commands that read a file.
    seeds : callable (folder) -> paths
        Makes valid files.
    inside : callable (rng, bytes) -> bytes
        Changes the content of a valid file and mends its checksums; ValueError where the file cannot be taken apart.
    codes : tuple of int
        Exit codes that are in order: 1 too where a command judges a file.
    """

    works: tuple[Work, ...]
    seeds: Seeds
    inside: inside.Inside
    codes: tuple[int, ...] = (0, 2)


def _command(module: str, *before: str, after: Sequence[str] = ()) -> Work:
    """``python -m module before PATH after``."""

    def work(path: Path) -> int:
        import importlib

        code: int = importlib.import_module(module).main([*before, str(path), *after])
        return code

    return work


_PRUNE = (
    "--source",
    "shared",
    "--n",
    "2",
    "--seed",
    "1",
    "--jobs",
    "1",
    "--quiet",
    "--max-time",
    "10",
    "--radius",
    "1",
)
_prune = _command("nets.approximate", after=_PRUNE)
_prune_chain = _command("nets.approximate", after=("--activation", "relu", *_PRUNE))


# tickets


def _tickets(folder: Path) -> list[Path]:
    from tests.nets.small_tickets import Made

    made = Made(folder)
    cases = ("chain-layered-R", "chain-layered-halves", "chain-private-R", "chain-shared", "convolutional-layered")
    return [made.path(case) for case in (*cases, "attention-shared-R")]


def _coded(folder: Path) -> list[Path]:
    from nets import approximate
    from tests.nets.small_networks import NETWORKS

    network = NETWORKS["chain"]
    target = network.write(folder)
    found = []
    for code in ("draw", "block", "pool", "rank"):
        found.append(folder / f"coded-{code}.safetensors")
        flags = ["--code", code, "--eta", "0.1", "--seed", "3", "--quiet", "--out", str(found[-1])]
        assert approximate.main([str(target), *network.flags, *flags]) == 0
    return found


_METHODS = {
    "edge-popup": {"method": "edge-popup", "width": 0.02, "epochs": 1, "seed": 1},
    "iterand": {"method": "iterand", "width": 0.02, "epochs": 1, "seed": 1, "rerand_every": 5},
    "biprop": {"method": "biprop", "width": 0.02, "epochs": 1, "seed": 1},
}


def _runs(folder: Path) -> list[Path]:
    from nets import train

    found = []
    for name, settings in _METHODS.items():
        argv = [word for flag, value in settings.items() for word in (f"--{flag.replace('_', '-')}", str(value))]
        found.append(folder / name)
        assert train.main([*argv, "--out", str(found[-1]), "--quiet"]) == 0
    return found


def _found(folder: Path) -> list[Path]:
    return [(run / "ticket.safetensors").rename(folder / f"{run.name}.safetensors") for run in _runs(folder)]


def _checkpoints(folder: Path) -> list[Path]:
    return [(run / "checkpoint.pt").rename(folder / f"{run.name}.pt") for run in _runs(folder)]


def _resume(path: Path) -> int:
    """The checkpoint in the folder of the run that its name tells."""
    from nets import train
    from nets.training.run_folder import RunFolder
    from nets.training.settings import Choices, resolve

    name = next(name for name in _METHODS if path.name.startswith(name))
    RunFolder(Path("run")).create(resolve(Choices(**_METHODS[name])).to_json(), {})
    shutil.copy(path, "run/checkpoint.pt")
    return train.main(["--out", "run", "--resume", "--quiet"])


# stores


def _stores(folder: Path) -> list[Path]:
    from sims.sweep.command import main

    question = ["subset_sum", "--R", "1", "2", "--eps", "0.1", "--n", "1:4", "--trials", "200", "--seed", "1"]
    paths = [folder / "whole.sqlite", folder / "half.sqlite"]
    for path, shard in zip(paths, ([], ["--shard", "0/2"]), strict=True):
        assert main([*question, "--store", str(path), "--quiet", "--jobs", "1", *shard]) == 0
    return paths


_STORE = (
    _command("sims.store", "info", after=("--json",)),
    _command("sims.store", "export", after=("--json", "--partial")),
    _command("sims.store", "merge", "out.sqlite"),
)


def _verdicts(folder: Path) -> list[Path]:
    from contextlib import redirect_stdout

    from sims import verify

    path = folder / "verdicts.json"
    with path.open("w") as file, redirect_stdout(file):
        assert verify.main(["--only", "1.1", "--budget", "1s", "--seed", "1", "--json"]) == 0
    return [path]


def _report(path: Path) -> int:
    """The page with the one figure that it quotes; the others do not depend on the file."""
    from figures import report

    quoted = [recipe for recipe in report.recipes() if recipe.name == "theorem_corner"]
    report.recipes = lambda: quoted
    return report.main(["--verdicts", str(path), "--out", "report.html", "--quiet"])


# networks of others


def _onnx(folder: Path) -> list[Path]:
    from tests.nets.small_networks import NETWORKS

    return [network.write(folder) for name, network in NETWORKS.items() if name != "chain"]


def _weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    shapes = {"0.weight": (4, 3), "0.bias": (4,), "2.weight": (2, 4), "2.bias": (2,)}
    return {name: rng.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def _npz(folder: Path) -> list[Path]:
    np.savez(folder / "plain.npz", **_weights())
    np.savez_compressed(folder / "packed.npz", **{name: array.astype(">f8") for name, array in _weights().items()})
    return [folder / "plain.npz", folder / "packed.npz"]


def _pt(folder: Path) -> list[Path]:
    import torch

    weights = {name: torch.from_numpy(array) for name, array in _weights().items()}
    torch.save(weights, folder / "new.pt")
    torch.save(weights, folder / "old.pt", _use_new_zipfile_serialization=False)
    return [folder / "new.pt", folder / "old.pt"]


def _safetensors(folder: Path) -> list[Path]:
    from safetensors.numpy import save_file

    save_file(_weights(), folder / "chain.safetensors")
    return [folder / "chain.safetensors"]


# data


def _examples(folder: Path) -> list[Path]:
    rng = np.random.default_rng(2)
    np.save(folder / "examples.npy", rng.normal(size=(5, 3)).astype(np.float32))
    np.savez(folder / "named.npz", x=rng.normal(size=(5, 3)))
    return [folder / "examples.npy", folder / "named.npz"]


def _with_examples(path: Path) -> int:
    from nets import approximate

    np.savez("net.npz", **_weights())
    argv = ["net.npz", "--activation", "relu", "--source", "shared", "--n", "2", "--seed", "1", "--quiet"]
    return approximate.main([*argv, "--inputs", str(path)])


def _idx(folder: Path) -> list[Path]:
    rng = np.random.default_rng(3)
    images = struct.pack(">4B3I", 0, 0, 8, 3, 10, 28, 28) + rng.integers(0, 256, 7840, np.uint8).tobytes()
    (folder / "images.idx").write_bytes(images)
    (folder / "images.idx.gz").write_bytes(gzip.compress(images, mtime=0))
    (folder / "labels.idx").write_bytes(struct.pack(">4BI", 0, 0, 8, 1, 10) + bytes(range(10)))
    return [folder / name for name in ("images.idx", "images.idx.gz", "labels.idx")]


def _mnist(path: Path) -> int:
    """The file as the test images or the test labels, by its name, beside a fair file of the other kind."""
    from nets import approximate

    fair = Path("fair")
    fair.mkdir()
    images, _, labels = _idx(fair)
    kinds = {"images": images, "labels": labels}
    data = Path("data")
    data.mkdir()
    mine = "labels" if "labels" in path.name else "images"
    for kind, dimensions in (("images", 3), ("labels", 1)):
        name = f"t10k-{kind}-idx{dimensions}-ubyte"
        if kind == mine:
            shutil.copy(path, data / (name + (".gz" if path.suffix == ".gz" else "")))
        else:
            shutil.copy(kinds[kind], data / name)
    shutil.copy(images, data / "train-images-idx3-ubyte")
    np.savez("net.npz", **{"0.weight": np.full((10, 784), 0.01, np.float32), "1.weight": np.eye(10, dtype=np.float32)})
    argv = ["net.npz", "--activation", "relu", "--source", "shared", "--n", "2", "--seed", "1", "--quiet"]
    return approximate.main([*argv, "--data", "mnist", "--data-dir", "data"])


def _pictures(folder: Path) -> list[Path]:
    from PIL import Image

    rng = np.random.default_rng(4)
    grey = rng.integers(0, 256, (8, 8), np.uint8)
    pictures = {
        "grey.png": Image.fromarray(grey),
        "deep.png": Image.fromarray(grey.astype(np.uint16) * 257),
        "colour.jpg": Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)),
        "float.tif": Image.fromarray(grey.astype(np.float32) / 255),
        "palette.gif": Image.fromarray(grey).convert("P"),
    }
    for name, picture in pictures.items():
        picture.save(folder / name)
    return [folder / name for name in pictures]


def _image_folder(path: Path) -> int:
    from PIL import Image

    from nets import train

    for part in ("train", "val"):
        for kind in ("a", "b"):
            place = Path("images") / part / kind
            place.mkdir(parents=True)
            for k in range(3):
                Image.fromarray(np.full((8, 8, 3), 40 * k, np.uint8)).save(place / f"{k}.png")
    shutil.copy(path, Path("images/train/a") / path.name)
    argv = ["--data", "imagefolder", "--data-dir", "images", "--arch", "mlp", "--width", "0.02", "--epochs", "1"]
    return train.main([*argv, "--seed", "1", "--quiet", "--out", "run"])


TARGETS = {
    "ticket": Target(
        (_command("nets.ticket", "info", after=("--json",)), _command("nets.ticket", "verify"),
         _command("nets.ticket", "export", after=("out.onnx",))),
        _tickets, inside.ticket, (0, 1, 2),
    ),
    "coded": Target(
        (_command("nets.ticket", "info", after=("--json",)), _command("nets.ticket", "verify"),
         _command("nets.ticket", "export", after=("out.onnx",))),
        _coded, inside.ticket, (0, 1, 2),
    ),
    "found": Target(
        (_command("nets.found_ticket", "info", after=("--json",)), _command("nets.found_ticket", "verify"),
         _command("nets.found_ticket", "masks")),
        _found, inside.ticket, (0, 1, 2),
    ),
    "checkpoint": Target((_resume,), _checkpoints, inside.checkpoint),
    "store": Target(_STORE, _stores, inside.store),
    "verdicts": Target((_report,), _verdicts, inside.verdicts),
    "onnx": Target((_prune,), _onnx, inside.onnx_model),
    "npz": Target((_prune_chain,), _npz, inside.npz),
    "pt": Target((_prune_chain,), _pt, inside.pt),
    "safetensors": Target((_prune_chain,), _safetensors, inside.safetensors),
    "examples": Target((_with_examples,), _examples, inside.examples),
    "idx": Target((_mnist,), _idx, inside.idx),
    "picture": Target((_image_folder,), _pictures, inside.picture),
}  # fmt: skip
