"""Pickles that ask for more than they hold are refused before a reader of pickles sees them."""

from __future__ import annotations

import pickle
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from nets.data.cifar import read_batch
from nets.graph.graph import GraphError
from nets.pickled import MOST_TUPLES, PickleError, check_pickle, check_torch
from nets.targets import load_target
from nets.training.checkpoint import CheckpointError, load_checkpoint, save_checkpoint

DEEP = b"\x80\x02})" + b"\x85" * (MOST_TUPLES + 1) + b"K\x01s."
"""A dict whose key is a tuple in a tuple in ..., whose hash crashes Python where it is a few times as deep."""


def with_pickle(path: Path, raw: bytes) -> Path:
    """A file of `torch.save` with another pickle in it."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, raw if name.endswith("data.pkl") else content)
    return path


def test_usual_pickles_pass():
    for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
        check_pickle(pickle.dumps({"a": [(i, str(i)) for i in range(1000)]}, protocol=protocol))
    check_pickle(b"\x80\x02)" + b"\x85" * (MOST_TUPLES - 1) + b".")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (DEEP, f"holds more than {MOST_TUPLES} tuples"),
        (b"\x80\x02}r" + struct.pack("<I", 2**31 - 1) + b".", "numbers an object 2147483647 where at most 2 are"),
        (b"}p4000000000\n.", "numbers an object 4000000000 where at most 1 are"),
        (b"\x80\x04\x96" + struct.pack("<Q", 2**40) + b".", "is cut short or none"),
        (b"\x80\x02}", "is cut short or none"),
        (b"", "is cut short or none"),
    ],
)
def test_what_asks_for_more_than_it_holds(raw, says):
    with pytest.raises(PickleError, match=says):
        check_pickle(raw)
    with pytest.raises(ValueError, match=r"data_batch_1: damaged, not a readable pickle \(.*Error\)"):
        read_batch(raw, "data_batch_1")


def test_files_of_pytorch(tmp_path):
    for new in (True, False):
        torch.save({"weight": torch.ones(1, 2)}, tmp_path / "m.pt", _use_new_zipfile_serialization=new)
        check_torch(tmp_path / "m.pt")
    (tmp_path / "old.pt").write_bytes(pickle.dumps(1) + DEEP)
    (tmp_path / "text.pt").write_bytes(b"no pickle")
    check_torch(tmp_path / "text.pt")
    torch.save({"weight": torch.ones(1, 2)}, tmp_path / "m.pt")
    for path in (tmp_path / "old.pt", with_pickle(tmp_path / "m.pt", DEEP)):
        with pytest.raises(
            GraphError, match=f"{path.name}: not a readable PyTorch file .*more than {MOST_TUPLES} tuples"
        ):
            load_target(path)
    save_checkpoint(tmp_path / "c.pt", {"a": np.pi})
    with pytest.raises(CheckpointError, match=r"c.pt: cut short, damaged or no checkpoint \(PickleError\)"):
        load_checkpoint(with_pickle(tmp_path / "c.pt", DEEP))
