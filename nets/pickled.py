"""What a pickle asks of its reader, looked at before it is read: a few bytes can ask for gigabytes, or end Python."""

from __future__ import annotations

import contextlib
import io
import pickletools
import zipfile
from pathlib import Path
from typing import IO

MOST_TUPLES = 50_000
"""The hash of a tuple goes down by recursion that nothing bounds: from about 150,000 in one another Python crashes."""

_TUPLES = frozenset({"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3"})
_PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
_PARTS = 5  # of PyTorch's older format: pickles one after another


class PickleError(ValueError):
    """A pickle that is not to be read."""


def check_pickle(raw: bytes) -> None:
    """Refuse a pickle that is cut short, holds more than `MOST_TUPLES` tuples, or numbers an object out of turn.

    The reader of Python's pickles makes room for as many objects as the largest number says.

    Raises
    ------
    PickleError

    Examples
    --------
    >>> import pickle
    >>> check_pickle(pickle.dumps({"a": (1, 2)}))
    >>> check_pickle(b"\\x80\\x02}r\\xff\\xff\\xff\\x7f.")
    Traceback (most recent call last):
        ...
    nets.pickled.PickleError: numbers an object 2147483647 where at most 2 are
    """
    _check_one(io.BytesIO(raw))


def check_torch(path: Path) -> None:
    """`check_pickle` for the pickles in a file of `torch.save`; nothing if it is none, which its reader says."""
    if zipfile.is_zipfile(path):
        try:
            with zipfile.ZipFile(path) as archive:
                pickles = [archive.read(name) for name in archive.namelist() if name.endswith("data.pkl")]
        except Exception as error:  # a damaged archive can raise almost anything
            raise PickleError(f"cannot be unpacked ({type(error).__name__})") from None
        for raw in pickles:
            check_pickle(raw)
        return
    with contextlib.suppress(_CutError), path.open("rb") as file:
        for _ in range(_PARTS):
            _check_one(file)


class _CutError(PickleError):
    """A pickle that ends too early, or is none."""


def _check_one(file: IO[bytes]) -> None:
    tuples = 0
    try:
        for count, (operation, argument, _) in enumerate(pickletools.genops(file)):
            if operation.name in _PUTS and argument is not None and int(argument) > count:
                raise PickleError(f"numbers an object {argument} where at most {count} are")
            tuples += operation.name in _TUPLES
            if tuples > MOST_TUPLES:
                raise PickleError(f"holds more than {MOST_TUPLES} tuples")
    except PickleError:
        raise
    except Exception as error:  # genops names no type
        raise _CutError(f"is cut short or none ({type(error).__name__})") from None
