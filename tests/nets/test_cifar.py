"""CIFAR-10 as published: small batches in the same format, pickles that want to run code, damage, and checksums."""

from __future__ import annotations

import gzip
import hashlib
import io
import pickle
import struct
import tarfile
from pathlib import Path

import numpy as np
import pytest

from nets.data import cifar as _cifar
from nets.data import load_data


def text(value: bytes) -> bytes:
    """A Python 2 string as its pickles hold it, opcode by opcode."""
    return b"T" + struct.pack("<i", len(value)) + value


def array(pixels: np.ndarray, *, dtype: bytes = b"u1", fortran: bool = False) -> bytes:
    """numpy.core.multiarray._reconstruct(numpy.ndarray, (0,), 'b') and its state, as Python 2 wrote it."""
    sides = b"".join(b"J" + struct.pack("<i", side) for side in pixels.shape)
    kind = b"cnumpy\ndtype\n(" + text(dtype) + b"K\x00K\x01tR(K\x03" + text(b"|")
    kind += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    start = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(K\x00t" + text(b"b") + b"tR"
    flag = b"\x88" if fortran else b"\x89"
    return start + b"(K\x01(" + sides + b"t" + kind + flag + text(pixels.tobytes()) + b"tb"


def batch(pixels: np.ndarray, labels: list[int], **options) -> bytes:
    numbers = b"".join(b"K" + bytes([label]) for label in labels)
    entries = text(b"data") + array(pixels, **options) + text(b"labels") + b"](" + numbers + b"e"
    entries += text(b"batch_label") + text(b"training batch")
    return b"\x80\x02}(" + entries + b"u."


def pixels(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3072), dtype=np.uint8)


def write_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for i, name in enumerate(_cifar.BATCH_MD5):
        (folder / name).write_bytes(batch(pixels(4, seed=i), [i, 9, 0, 1]))
    return folder


def write_archive(path: Path, source: Path) -> str:
    with tarfile.open(path, "w:gz") as archive:
        archive.add(source, arcname="cifar-10-batches-py")
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_the_published_checksums():
    """As they stand in torchvision's CIFAR-10 loader (read)."""
    assert _cifar.ARCHIVE_MD5 == "c58f30108f718f92721af3b95e74349a"
    assert _cifar.BATCH_MD5 == {
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    }


def test_the_writer_writes_what_python_reads():
    """Our hand-made pickle is a real one: the standard unpickler rebuilds the array (in NumPy's own code)."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy.core has moved
        found = pickle.loads(batch(pixels(2), [3, 4]), encoding="bytes")
    assert (found[b"data"] == pixels(2)).all()
    assert found[b"labels"] == [3, 4]


def test_a_batch_is_read():
    x, y = _cifar.read_batch(batch(pixels(3), [7, 0, 2]), "data_batch_1")
    assert x.shape == (3, 3, 32, 32)
    assert x.dtype == np.uint8
    assert y.tolist() == [7, 0, 2]
    raw = pixels(3)
    # the format: 1024 red, 1024 green, 1024 blue bytes, each row by row
    assert x[1, 2, 5, 7] == raw[1, 2 * 1024 + 5 * 32 + 7]


class Evil:
    def __init__(self, call):
        self.call = call

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_a_pickle_that_runs_code_is_refused_and_not_run(tmp_path, protocol):
    trap = tmp_path / "ran"
    for call in ((Path.touch, (trap,)), (eval, (f"open({str(trap)!r}, 'w')",)), (io.open, (str(trap), "w"))):
        raw = pickle.dumps({b"data": Evil(call), b"labels": [1]}, protocol)
        with pytest.raises(ValueError, match=r"refused, it asks for .*no code is run"):
            _cifar.read_batch(raw, "data_batch_1")
        assert not trap.exists()
    pickle.loads(raw)[b"data"].close()
    assert trap.exists(), "the control: this pickle does run code where it is let"


@pytest.mark.parametrize(
    "name", ["numpy\nfromfile", "numpy\nload", "numpy.core.multiarray\nfromstring", "builtins\neval"]
)
def test_other_functions_are_refused_too(name):
    with pytest.raises(ValueError, match="refused, it asks for"):
        _cifar.read_batch(b"\x80\x02c" + name.encode() + b"\n(tR.", "data_batch_1")


def test_numpy_itself_is_never_called():
    """An array of a size that the pickle chooses is not made: the name stands for an inert record."""
    found = _cifar._Reader(io.BytesIO(b"\x80\x02cnumpy\nndarray\n(K\x03tR.")).load()
    assert type(found) is _cifar._Record
    assert found.args == (3,)
    for name in (b"numpy\nndarray", b"numpy\ndtype", b"numpy.core.multiarray\n_reconstruct"):
        known = _cifar._Reader(io.BytesIO(b"\x80\x02c" + name + b"\n.")).load()
        assert known.__module__ == "nets.data.cifar"


def test_outside_objects_are_refused():
    with pytest.raises(ValueError, match="refused"):
        _cifar.read_batch(b"Pabc\n.", "data_batch_1")


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "damaged"),
        (b"\x80\x02", "damaged"),
        (batch(pixels(2), [1, 2])[:-400], "damaged"),
        (b"not a pickle at all", "damaged"),
        (pickle.dumps([1, 2]), "lacks 'data' or 'labels'"),
        (pickle.dumps({b"data": 3, b"labels": [1]}), "not a plain array"),
        (b"\x80\x02}(" + text(b"data") + array(pixels(1)) + b"u.", "lacks 'data' or 'labels'"),
        (batch(pixels(2), [1]), "do not fit"),
        (batch(pixels(2), [1, 10]), "labels must be integers in 0..9"),
        (batch(np.zeros((0, 3072), np.uint8), []), "do not fit"),
        (batch(np.zeros((2, 3071), np.uint8), [1, 2]), "do not fit"),
        (batch(pixels(2), [1, 2], dtype=b"O8"), "not a plain array"),
        (batch(pixels(2), [1, 2], dtype=b"i1"), "not a plain array"),
        (batch(pixels(2), [1, 2], fortran=True), "not a plain array"),
        (b"\x80\x02}(" + text(b"data") + b"cnumpy\nndarray\n" + text(b"labels") + b"](K\x01eu.", "not a plain array"),
        (b"\x80\x02}(" + text(b"data") + b"K\x01" + text(b"labels") + b"K\x01u.", "labels must be"),
    ],
)
def test_damaged_batches_get_one_line(raw, message):
    with pytest.raises(ValueError, match=message) as caught:
        _cifar.read_batch(raw, "data_batch_3")
    assert str(caught.value).startswith("data_batch_3: ")
    assert "\n" not in str(caught.value)


def test_a_folder_of_batches(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "cifar-10-batches-py")
    for place in (folder, tmp_path):
        data = load_data("cifar10", place)
        assert (len(data.train), len(data.test), data.shape, data.classes) == (20, 4, (3, 32, 32), 10)
        assert "NOT the published bits" in data.note
        assert data.train.labels.tolist() == [label for i in range(5) for label in (i, 9, 0, 1)]
        assert data.test.labels.tolist() == [5, 9, 0, 1]
        assert (data.train.images[4:8].numpy().reshape(4, -1) == pixels(4, seed=1)).all()
        assert (data.test.images.numpy().reshape(4, -1) == pixels(4, seed=5)).all()
    sums = {name: hashlib.md5((folder / name).read_bytes()).hexdigest() for name in _cifar.BATCH_MD5}
    monkeypatch.setattr(_cifar, "BATCH_MD5", sums)
    assert load_data("cifar10", folder).note == "CIFAR-10, the published bits (checksums agree)"
    monkeypatch.setattr(_cifar, "BATCH_MD5", {**sums, "data_batch_2": "0" * 32})
    assert "NOT the published bits" in load_data("cifar10", folder).note
    (folder / "data_batch_4").unlink()
    with pytest.raises(ValueError, match=r"data_batch_4: no such file in .*; get cifar-10-python.tar.gz again"):
        load_data("cifar10", folder)


def test_an_archive_is_read_and_its_checksum_compared(tmp_path, monkeypatch):
    path = tmp_path / "cifar-10-python.tar.gz"
    md5 = write_archive(path, write_folder(tmp_path / "batches"))
    with pytest.raises(
        ValueError, match=f"md5 {md5}, published is c58f30108f718f92721af3b95e74349a: damaged or another"
    ):
        load_data("cifar10", path)
    monkeypatch.setattr(_cifar, "ARCHIVE_MD5", md5)
    for place in (path, tmp_path):
        data = load_data("cifar10", place)
        assert (len(data.train), len(data.test)) == (20, 4)
        assert (data.test.images.numpy().reshape(4, -1) == pixels(4, seed=5)).all()
    assert not (tmp_path / "cifar-10-batches-py").exists(), "nothing is unpacked"


@pytest.mark.parametrize("damage", ["cut", "no gzip", "missing batch", "a link", "huge"])
def test_damaged_archives_whose_checksum_agrees(tmp_path, monkeypatch, damage):
    source, path = write_folder(tmp_path / "batches"), tmp_path / "cifar-10-python.tar.gz"
    if damage == "missing batch":
        (source / "data_batch_5").unlink()
    if damage == "a link":
        (source / "data_batch_5").unlink()
        (source / "data_batch_5").symlink_to("data_batch_1")  # whose size would not be checked
    if damage == "huge":
        monkeypatch.setattr(_cifar, "_MAX_BYTES", 100)
    write_archive(path, source)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-2000])
    if damage == "no gzip":
        path.write_bytes(gzip.decompress(path.read_bytes()))
    monkeypatch.setattr(_cifar, "ARCHIVE_MD5", hashlib.md5(path.read_bytes()).hexdigest())
    with pytest.raises(ValueError, match=r"cifar-10-python.tar.gz: .*get cifar-10-python.tar.gz again, from https"):
        load_data("cifar10", path)


def test_a_batch_file_too_large_is_not_read(tmp_path, monkeypatch):
    folder = write_folder(tmp_path)
    monkeypatch.setattr(_cifar, "_MAX_BYTES", 100)
    with pytest.raises(ValueError, match="data_batch_1: larger than a batch can be"):
        load_data("cifar10", folder)


def test_nothing_is_downloaded_unless_asked(tmp_path, monkeypatch):
    import pooch

    calls = []
    monkeypatch.delenv("STRONGTICKETS_DATA", raising=False)
    monkeypatch.setattr(pooch, "retrieve", lambda *args, **options: calls.append((args, options)))
    with pytest.raises(ValueError, match=r"no files found in .*in Python, download=True") as caught:
        load_data("cifar10", cache=tmp_path / "cache")
    with pytest.raises(ValueError, match="no files found"):
        load_data("cifar10", tmp_path)
    assert "\n" not in str(caught.value)
    assert calls == []


def test_download_goes_through_pooch_with_the_checksum(tmp_path, monkeypatch):
    import pooch

    monkeypatch.delenv("STRONGTICKETS_DATA", raising=False)
    made = tmp_path / "made.tar.gz"
    md5 = write_archive(made, write_folder(tmp_path / "batches"))
    calls = []

    def retrieve(url, known_hash, fname, path):
        calls.append((url, known_hash))
        Path(path).mkdir(parents=True)
        target = Path(path) / fname
        target.write_bytes(made.read_bytes())
        return str(target)

    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(ValueError, match="published is c58f3"):  # what came is not what is published
        load_data("cifar10", cache=tmp_path / "a", download=True)
    assert calls == [(_cifar.URL, "md5:c58f30108f718f92721af3b95e74349a")]
    monkeypatch.setattr(_cifar, "ARCHIVE_MD5", md5)
    assert len(load_data("cifar10", cache=tmp_path / "b", download=True).train) == 20
    assert (tmp_path / "b" / "cifar10" / "cifar-10-python.tar.gz").is_file()
    assert len(load_data("cifar10", cache=tmp_path / "b").train) == 20, "found in the cache the next time"
    assert len(calls) == 2


def test_a_failed_download_is_one_line(tmp_path, monkeypatch):
    import pooch

    def retrieve(*args, **options):
        raise OSError("network\nis down")

    monkeypatch.delenv("STRONGTICKETS_DATA", raising=False)
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(ValueError, match=r"could not download .*OSError: network is down.*by other means") as caught:
        load_data("cifar10", cache=tmp_path, download=True)
    assert "\n" not in str(caught.value)
