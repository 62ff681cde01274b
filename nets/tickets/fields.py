"""Checks of what the metadata of a ticket say: every field has a value that makes sense, or is refused by its name."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from nets.construction.options import CONSTRUCTIONS, check_construction
from nets.tickets.file import TicketError

if TYPE_CHECKING:
    from nets.graph.graph import Graph
    from nets.graph.parts import Part

GENERATOR = "philox4x32-10/2^-52"
KINDS = ("layered", "private", "shared")
MAX_INT = 2**40
MAX_WEIGHT = 1e300
"""A weight of this size or more is not looked for: sums of random values up to it might not be finite."""
_MAX_META = 2**25


def json_object(text: str, wanted: Iterable[str]) -> dict[str, Any]:
    """The JSON object of a ticket, with just the fields that it must have, no name twice in any of its objects."""
    if len(text) > _MAX_META:
        raise TicketError(f"the metadata take {len(text)} characters, the limit is {_MAX_META}")
    try:
        content = json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        raise TicketError("the metadata are no JSON") from None
    if not isinstance(content, dict) or set(content) != set(wanted):
        odd = sorted(set(content) ^ set(wanted))[:3] if isinstance(content, dict) else type(content).__name__
        raise TicketError(f"the metadata do not hold the fields of a ticket: {short(odd)}")
    return content


def check_common(content: Mapping[str, Any]) -> None:
    """Check the fields that both versions have."""
    if content["generator"] != GENERATOR:
        raise TicketError(f"generator must be {GENERATOR!r}, got {short(content['generator'])}")
    one_of(content, "kind", KINDS)
    layered = content["kind"] == "layered"
    one_of(content, "construction", CONSTRUCTIONS if layered else ("subset-sum",))
    integer(content, "seed", 0, 2**64 - 1)
    integer(content, "n", 1, MAX_INT)
    integer(content, "R", 1, 2**33)
    signs = "open"
    if layered:
        try:
            signs = check_construction(content["construction"], R=content["R"], n=content["n"])
        except ValueError as error:
            raise TicketError(one_line(error)) from None
    one_of(content, "signs", (signs,))
    if not is_number(content["eta"]) or not content["eta"] > 0:
        raise TicketError(f"eta must be > 0, got {short(content['eta'])}")
    if not layered and content["n"] * content["R"] > 2**33:
        raise TicketError(f"n R must be at most 2^33, got n={content['n']}, R={content['R']}")
    for name in ("target_sha256", "values_sha256"):
        if not isinstance(content[name], str) or not re.fullmatch("[0-9a-f]{64}", content[name]):
            raise TicketError(f"{name} must be 64 hexadecimal digits, got {short(content[name])}")


def check_counts(numbers: Mapping[str, Any], rows: Sequence[Any]) -> None:
    """Check the counts of all weights and of every part."""
    counts = {"kept", "within_eta"}
    for entry in [numbers, *rows]:
        if entry is not numbers and (not isinstance(entry, dict) or set(entry) != counts | {"max_weight_error"}):
            raise TicketError(f"numbers of a part are not readable: {short(entry)}")
        for name in counts | ({"weights"} if entry is numbers else set()):
            integer(entry, name, 0, 2**62)
        if not is_number(entry["max_weight_error"]) or entry["max_weight_error"] < 0:
            raise TicketError(f"max_weight_error must be >= 0, got {short(entry['max_weight_error'])}")


def check_ends(error: Mapping[str, Any]) -> None:
    """Check the two ends of a bracket."""
    for name in ("lower", "upper"):
        _size_or_null(error, name, f"error {name}")


def check_certificate(certificate: Any, inputs: Collection[str]) -> None:
    """Check the certificate of a network with these floating inputs: all but what takes a computation."""
    words, texts, sizes = ("lower_word", "word"), ("domain", "reason"), ("size", "relative_lower", "relative_upper")
    own = {"lower", "upper", "domains", "data", *words, *texts, *sizes}
    if not isinstance(certificate, dict) or set(certificate) != own:
        raise TicketError(f"certificate must have the keys {sorted(own)}, got {short(certificate)}")
    check_ends(certificate)
    for name in words:
        one_of(certificate, name, ("proved", "measured"))
    for name in texts:
        if type(certificate[name]) is not str:
            raise TicketError(f"{name} must be a text, got {short(certificate[name])}")
    for name in sizes:
        _size_or_null(certificate, name, name)
    domains = certificate["domains"]
    if not isinstance(domains, dict) or set(domains) != set(inputs):
        raise TicketError(f"domains must have one entry for each of {short(sorted(inputs))}, got {short(domains)}")
    for one in domains.values():
        _check_domain(one)
    _check_data(certificate["data"])


def _check_domain(domain: Any) -> None:
    ball = isinstance(domain, dict) and set(domain) == {"radius", "origin"} and is_number(domain["radius"])
    box = isinstance(domain, dict) and set(domain) == {"low", "high", "origin"}
    if not (ball or box) or type(domain["origin"]) is not str:
        raise TicketError(f"a domain must hold a radius or low and high, and its origin, got {short(domain)}")
    from nets.certificate.domain import Domain

    try:
        same = ball or Domain.from_plain(domain).to_plain() == domain
        Domain.from_plain(domain)
    except (ValueError, TypeError, RecursionError) as error:
        raise TicketError(f"a domain is not usable: {one_line(error)}") from None
    if not same:
        raise TicketError(f"a domain must hold numbers, got {short(domain)}")


def _check_data(data: Any) -> None:
    sizes = ("largest", "median", "entry", "size", "relative_largest", "relative_median")
    if data is None:
        return
    if not isinstance(data, dict) or set(data) != {"examples", *sizes}:
        raise TicketError(f"data must be null or have the keys {sorted(['examples', *sizes])}, got {short(data)}")
    integer(data, "examples", 1, 2**62)
    for name in sizes:
        _size_or_null(data, name, f"data {name}")


def _size_or_null(content: Mapping[str, Any], name: str, label: str) -> None:
    if content[name] is not None and (not is_number(content[name]) or content[name] < 0):
        raise TicketError(f"{label} must be >= 0 or null, got {short(content[name])}")


def parts_in(graph: Graph, *, signs: bool = False) -> tuple[Part, ...]:
    """The parts of a graph that a file holds, `signed` by what is known of its values if `signs`, else all of them.

    Raises
    ------
    TicketError
        If the nodes make no sense.
    """
    from nets.graph.parts import find_parts
    from nets.graph.ranges import nonnegative

    try:
        found = find_parts(graph)
        return find_parts(graph, nonnegative(graph, parts=[part.constant for part in found])) if signs else found
    except (ValueError, LookupError, TypeError, ArithmeticError) as error:  # nodes without the inputs that they take
        raise TicketError(f"the graph is not usable: {one_line(error)}") from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands twice")
    return found


def is_number(value: Any) -> bool:
    """Whether a value of JSON is a number, not a truth value, that a float64 can be."""
    return type(value) in (int, float) and abs(value) <= sys.float_info.max


def integer(content: Mapping[str, Any], name: str, low: int, high: int) -> None:
    """Refuse a field that is no integer in [low, high]."""
    if type(content[name]) is not int or not low <= content[name] <= high:
        raise TicketError(f"{name} must be an integer in [{low}, {high}], got {short(content[name])}")


def one_of(content: Mapping[str, Any], name: str, allowed: Sequence[Any]) -> None:
    """Refuse a field that is none of the allowed values."""
    if not any(type(content[name]) is type(value) and content[name] == value for value in allowed):
        raise TicketError(f"{name} must be one of {allowed}, got {short(content[name])}")


def one_line(error: BaseException) -> str:
    """The message of an error in one line of at most 300 characters."""
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."


def short(value: Any) -> str:
    """A value in at most 100 characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 100 else text[:97] + "..."
