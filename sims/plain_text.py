"""Text from files and file names, made harmless: it never steers a terminal, and a spreadsheet takes it for text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sims.files import WriteError

_STEERING = re.compile("[\0-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and newline; marks that turn or break lines; halves of pairs, which no file can hold."""

_FORMULA = tuple("=+-@\uff1d\uff0b\uff0d\uff20")
"""What begins a formula in a spreadsheet, in full width too."""


def plain(text: str) -> str:
    r"""A text of any number of lines whose control characters are written as escapes, as JSON has them.

    Examples
    --------
    >>> print(plain("\x1b[31mred"))
    \u001b[31mred
    """
    return _STEERING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def one_line(text: str) -> str:
    r"""The same in one line.

    Examples
    --------
    >>> print(one_line("a\nb"))
    a\u000ab
    """
    return plain(text).replace("\n", "\\u000a").replace("\t", "\\u0009")


def counted(count: int, noun: str) -> str:
    """A number of things in words.

    Examples
    --------
    >>> counted(1, "case"), counted(0, "case"), counted(2, "proved statement")
    ('1 case', '0 cases', '2 proved statements')
    """
    return f"{count} {noun}{'' if count == 1 else 's'}"


def cell(value: Any) -> Any:
    """A value for a CSV file: a text that a spreadsheet would take for a formula begins with an apostrophe.

    Examples
    --------
    >>> cell("=1+1"), cell("fc.weight"), cell(-0.5)
    ("'=1+1", 'fc.weight', -0.5)
    """
    if not isinstance(value, str):
        return value if value is None or isinstance(value, int | float) else one_line(str(value))
    return ("'" if value.lstrip().startswith(_FORMULA) else "") + one_line(value)


class PlainStream:
    """A text stream that shows text from anywhere; ``raw`` is for programs that steer the terminal on purpose."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def write(self, text: str) -> int:
        """Write with control characters, and characters that the stream cannot take, as escapes."""
        encoding = getattr(self.raw, "encoding", None) or "utf-8"
        with self._named():
            self.raw.write(plain(text).encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write each of them."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Write what is kept back."""
        with self._named():
            self.raw.flush()

    @contextmanager
    def _named(self) -> Iterator[None]:
        """A full disk does not say whose it is."""
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as problem:
            raise WriteError(str(getattr(self.raw, "name", "standard output")).strip("<>"), problem) from problem

    def __getattr__(self, name: str) -> Any:
        return getattr(self.raw, name)


def raw(stream: Any) -> Any:
    """The stream itself, control characters and all."""
    return stream.raw if isinstance(stream, PlainStream) else stream
