"""Ways to break the content of a file and mend its checksums, so that only what it says is wrong."""

from __future__ import annotations

import io
import json
import random
import sqlite3
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sims.sweep.packing import packed, unpacked
from tests.fuzz import spoil

Inside = Callable[[random.Random, bytes], bytes]
Arrays = dict[str, np.ndarray]


def array(rng: random.Random, old: np.ndarray) -> np.ndarray:
    """Another array: an entry, the type, the shape, or all of it."""
    way = rng.randrange(8)
    if way < 3 and old.size:
        new = old.copy()
        place = rng.randrange(old.size)
        kind = new.dtype.kind
        choices = [0, 1, *([] if kind == "b" else [127])] if kind in "biu" else [0.0, 1e30, np.inf, np.nan, -1.0]
        new.flat[place] = rng.choice(choices)
        return new
    if way == 3 and old.size > 1:
        new = old.copy().reshape(-1)
        a, b = rng.randrange(old.size), rng.randrange(old.size)
        new[[a, b]] = new[[b, a]]
        return new.reshape(old.shape)
    if way == 4:
        with np.errstate(all="ignore"):
            return old.astype(rng.choice(["u1", "i4", "i8", "f2", "f4", "f8", "?"]))
    if way == 5:
        return rng.choice([old.reshape(-1), old[None], old[:0] if old.ndim else old[None], old.T])
    if way == 6 and old.ndim:
        return np.concatenate([old, old[:1]]) if rng.random() < 0.5 else old[:-1]
    return np.zeros(rng.choice([(), (0,), (1,), (3, 3), (2, 0, 5), (1, 1, 1, 1, 1)]), old.dtype)


def arrays(rng: random.Random, held: Arrays) -> Arrays:
    """One of the arrays changed, missing, or under another name."""
    name = rng.choice(sorted(held)) if held else "x"
    way = rng.random()
    if way < 0.1 or not held:
        return {key: one for key, one in held.items() if key != name}
    if way < 0.2:
        return {**held, rng.choice(["0.weight", "3.weight", name + "x", "x.y", "10.weight"]): held[name]}
    return {**held, name: array(rng, held[name])}


def safetensors(rng: random.Random, data: bytes) -> bytes:
    """The header's JSON changed, or a tensor."""
    from safetensors.numpy import load, save

    if rng.random() < 0.5:
        return save(arrays(rng, load(data)))
    size = int.from_bytes(data[:8], "little")
    text = json.dumps(spoil.leaf(rng, json.loads(data[8 : 8 + size]))).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + size :]


def ticket(rng: random.Random, data: bytes) -> bytes:
    """The fields or the tensors of a ticket changed, with a checksum that fits."""
    from safetensors.numpy import load

    from nets.tickets.file import file_bytes

    size = int.from_bytes(data[:8], "little")
    text = json.loads(data[8 : 8 + size])["__metadata__"]
    meta, held = json.loads(text["ticket"]), load(data)
    if rng.random() < 0.7:
        meta = spoil.leaf(rng, meta)
    else:
        held = arrays(rng, held)
    return file_bytes(text["schema"], json.dumps(meta, sort_keys=True), held)


def checkpoint(rng: random.Random, data: bytes) -> bytes:
    """A value or tensor of a checkpoint changed, with a digest that fits."""
    import torch

    from nets.training.checkpoint import save_checkpoint

    def changed(content: Any) -> Any:
        if isinstance(content, torch.Tensor):
            return torch.from_numpy(np.ascontiguousarray(array(rng, content.numpy())))
        if isinstance(content, dict) and content:
            key = rng.choice(list(content))
            if rng.random() < 0.1:
                return {k: v for k, v in content.items() if k != key}
            return {**content, key: changed(content[key])}
        if isinstance(content, list | tuple) and content:
            place = rng.randrange(len(content))
            return [*content[:place], changed(content[place]), *content[place + 1 :]]
        return spoil.value(rng, content)

    whole = torch.load(io.BytesIO(data), weights_only=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "checkpoint.pt"
        try:
            save_checkpoint(path, changed(whole["content"]))
        except (TypeError, AttributeError) as error:
            raise ValueError(error) from None
        return path.read_bytes()


def store(rng: random.Random, data: bytes) -> bytes:
    """The header, a cell or a chunk of a store changed, with checksums that fit."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite"
        path.write_bytes(data)
        db = sqlite3.connect(path, isolation_level=None)
        try:
            _spoil_store(rng, db)
            db.execute("PRAGMA journal_mode = DELETE")
        except (sqlite3.Error, OverflowError, TypeError) as error:
            raise ValueError(error) from None
        finally:
            db.close()
        return path.read_bytes()


def _spoil_store(rng: random.Random, db: sqlite3.Connection) -> None:
    way = rng.randrange(3)
    if way == 0:
        first, data = rng.choice(db.execute("SELECT first, described FROM cells").fetchall())
        cells = json.loads(zlib.decompress(data))
        number = rng.randrange(len(cells))
        what, chunk = cells[number]
        what = json.dumps(spoil.leaf(rng, json.loads(what))) if rng.random() < 0.5 else what
        cells[number] = what, spoil.value(rng, chunk) if rng.random() < 0.5 else chunk
        data = zlib.compress(json.dumps(cells).encode())
        db.execute("UPDATE cells SET described = ? WHERE first = ?", (data, first))
    if way in (0, 1):
        text = db.execute("SELECT content FROM header").fetchone()[0]
        if way == 1:
            text = json.dumps(spoil.leaf(rng, json.loads(text)))
        crc = zlib.crc32(text.encode())
        for (data,) in db.execute("SELECT described FROM cells ORDER BY first"):
            for cell in json.loads(zlib.decompress(data)):
                crc = zlib.crc32(repr(tuple(cell)).encode(), crc)
        db.execute("UPDATE header SET content = ?, crc = ?", (text, crc))
        return
    cell, first, trials, counts, extra = rng.choice(
        db.execute("SELECT cell, first, trials, counts, extra FROM chunks").fetchall()
    )
    wrong = spoil.leaf(rng, [cell, first, trials, list(unpacked(counts))])
    if not isinstance(wrong, list) or len(wrong) != 4:
        raise ValueError("no chunk any more")
    key = tuple(wrong[3]) if isinstance(wrong[3], list) else wrong[3]
    crc = zlib.crc32(extra, zlib.crc32(repr((*wrong[:3], key)).encode()))
    try:
        written: object = packed(wrong[3])
    except TypeError:
        written = json.dumps(wrong[3])
    values = [_plain(one) for one in wrong[:3]] + [written, crc]
    where = "WHERE cell = ? AND first = ?"
    db.execute(
        f"UPDATE chunks SET cell = ?, first = ?, trials = ?, counts = ?, crc = ? {where}", [*values, cell, first]
    )


def _plain(value: Any) -> Any:
    return value if isinstance(value, int | float | str | None) else json.dumps(value)


def verdicts(rng: random.Random, data: bytes) -> bytes:
    """What ``sims.verify --json`` printed, with something in it changed."""
    return json.dumps(spoil.leaf(rng, json.loads(data))).encode()


def onnx_model(rng: random.Random, data: bytes) -> bytes:
    """A field of a model changed, an element left out, doubled or moved."""
    import onnx

    model = onnx.ModelProto.FromString(data)
    for _ in range(rng.choice([1, 1, 2, 4])):
        message: Any = model
        while True:
            fields = [field for field, _ in message.ListFields()]
            if not fields:
                break
            field = rng.choice(fields)
            held = getattr(message, field.name)
            if not hasattr(held, "append") and field.type == field.TYPE_MESSAGE:
                if rng.random() < 0.05:
                    message.ClearField(field.name)
                    break
                message = held
                continue
            if hasattr(held, "append"):
                if field.type == field.TYPE_MESSAGE and rng.random() < 0.85:
                    message = rng.choice(list(held))
                    continue
                _spoil_repeated(rng, held, message=field.type == field.TYPE_MESSAGE)
            else:
                _set(rng, message, field, held)
            break
    return model.SerializeToString()


def _set(rng: random.Random, message: Any, field: Any, held: Any) -> None:
    if isinstance(held, bytes):
        setattr(message, field.name, spoil.havoc(rng, held, []))
        return
    for _ in range(10):
        try:
            setattr(message, field.name, spoil.value(rng, held))
            return
        except (TypeError, ValueError, OverflowError):
            continue


def _spoil_repeated(rng: random.Random, held: Any, *, message: bool) -> None:
    place, way = rng.randrange(len(held)), rng.randrange(4)
    if way == 0:
        del held[place]
    elif way == 1:
        held.append(held[place])
    elif way == 2 and len(held) > 1:
        one = [*held]
        rng.shuffle(one)
        kept = [type(x).FromString(x.SerializeToString()) for x in one] if message else one
        del held[:]
        held.extend(kept)
    elif not message:
        for _ in range(10):
            try:
                held[place] = spoil.value(rng, held[place])
                return
            except (TypeError, ValueError, OverflowError):
                continue


def npz(rng: random.Random, data: bytes) -> bytes:
    """An array of an archive changed, or one of its members as a file."""
    if rng.random() < 0.6:
        with np.load(io.BytesIO(data)) as file:
            held = dict(file)
        out = io.BytesIO()
        (np.savez if rng.random() < 0.5 else np.savez_compressed)(out, **arrays(rng, held))
        return out.getvalue()
    return _members(rng, data)


def _members(rng: random.Random, data: bytes) -> bytes:
    """A zip archive with the bytes or the name of one of its members changed."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        names = old.namelist()
        chosen = rng.choice(names)
        for name in names:
            content = old.read(name)
            if name == chosen:
                name = rng.choice([name, name, name, name.removesuffix(".npy"), "../" + name, name.upper()])
                content = spoil.havoc(rng, content, [])
            new.writestr(name, content)
    return out.getvalue()


def npy(rng: random.Random, data: bytes) -> bytes:
    """The header of an array file with another shape, type or order."""
    size = struct.unpack("<H", data[8:10])[0]
    header = eval(data[10 : 10 + size], {"__builtins__": {}})  # written by ourselves a moment ago
    changed = spoil.leaf(rng, {**header, "shape": list(header["shape"])})
    if isinstance(changed, dict) and isinstance(changed.get("shape"), list):
        changed["shape"] = tuple(changed["shape"])
    text = repr(changed).encode()
    text += b" " * (-(len(text) + 11) % 64) + b"\n"
    return data[:8] + struct.pack("<H", len(text) & 0xFFFF) + text + data[10 + size :]


def examples(rng: random.Random, data: bytes) -> bytes:
    """An array file or an archive of them."""
    return npz(rng, data) if data[:2] == b"PK" else npy(rng, data)


def pt(rng: random.Random, data: bytes) -> bytes:
    """A file of weights of PyTorch with odd tensors, or with a member of its archive changed."""
    import torch

    if data[:2] == b"PK" and rng.random() < 0.4:
        return _members(rng, data)
    held = torch.load(io.BytesIO(data), weights_only=True)
    name = rng.choice(sorted(held))
    old = held[name]
    side = rng.choice([3, 1000, 10**5, 10**6])
    odd: list[Callable[[], Any]] = [
        lambda: torch.empty(tuple(old.shape), device="meta"),
        lambda: torch.zeros(1).expand(side, side),
        lambda: torch.zeros(4).as_strided((side, 4), (0, 1)),
        lambda: old.to(torch.complex64),
        lambda: old.to(torch.bfloat16),
        lambda: old.to_sparse(),
        lambda: old.reshape(-1),
        lambda: old * float("nan"),
        lambda: [old],
        lambda: {"x": old},
        lambda: torch.nn.Parameter(old),
        lambda: old.T if old.ndim == 2 else old,
        lambda: rng.choice(spoil.OTHERS + spoil.FLOATS + spoil.TEXTS),
        lambda: torch.from_numpy(np.array(array(rng, old.numpy()))),
    ]
    key = rng.choice([name, name, name, "x", "conv.weight", "emb.weight", "attn.query.weight", 3])
    wrong = {**{k: v for k, v in held.items() if k != name or key == name}, key: rng.choice(odd)()}
    out = io.BytesIO()
    torch.save(rng.choice([wrong, wrong, wrong, {"state_dict": wrong}, [wrong], list(wrong.values())]), out)
    return out.getvalue()


def idx(rng: random.Random, data: bytes) -> bytes:
    """The header of an IDX file with another word, packed as it was."""
    import gzip

    packed = data[:2] == b"\x1f\x8b"
    plain = gzip.decompress(data) if packed else data
    place = rng.randrange(0, min(16, len(plain)))
    wrong = plain[:place] + bytes([rng.choice([0, 1, 2, 3, 8, 9, 127, 255])]) + plain[place + 1 :]
    if rng.random() < 0.2:
        wrong = wrong[: rng.randrange(len(wrong))]
    if rng.random() < 0.1:
        wrong += bytes(rng.choice([1, 100, 10**7]))
    return gzip.compress(wrong, mtime=0) if packed else wrong


def picture(rng: random.Random, data: bytes) -> bytes:
    """The picture saved again in another mode, or a PNG with other sides and a checksum that fits."""
    from PIL import Image

    if data[:8] == b"\x89PNG\r\n\x1a\n" and rng.random() < 0.5:
        head = bytearray(data[16:29])
        place = rng.randrange(13)
        head[place] = rng.choice([0, 1, 2, 3, 4, 6, 8, 16, 127, 255])
        return data[:16] + bytes(head) + struct.pack(">I", zlib.crc32(b"IHDR" + bytes(head))) + data[33:]
    try:
        with Image.open(io.BytesIO(data)) as old:
            mode = rng.choice(["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I", "F", "I;16"])
            kind = rng.choice(["PNG", "TIFF", "GIF", "BMP", "WEBP"])
            out = io.BytesIO()
            old.convert(mode).resize(rng.choice([(8, 8), (1, 1), (8, 3), (300, 2)])).save(out, kind)
            return out.getvalue()
    except (OSError, KeyError, SyntaxError) as error:
        raise ValueError(error) from None
