"""Which bits of a found ticket are coded in its file, and what their decoder knows.

In a layer with ``index`` i (by default its place in the ticket, from 0) the first draws of the weights have the
ticket's ``seed`` and stream 2^24 + i, those of the scores its ``score_seed`` and stream 2^25 + i: of weight e,
row-major, draw 0 of trial e as `sims.solver.philox` counts. Scores are ranked with their sign if the ``method`` is
iterand. If it is bernoulli or probmask, the draws by which masks were sampled stand in their place, of stream 2^26 + i,
ranked with their sign too. So much takes `nets.tickets.mask_known.known`, and the bits of a mask have what it returns.
Bits of the kept weights have the same, of the kept weights alone and with a guess of 0. Of ``moved`` the bits
themselves are coded, of ``signs`` whether a sign is another than that of the first draw.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from nets.construction.bits import pack, popcount, unpack
from nets.tickets.file import Tensors, TicketError, check_memory
from nets.tickets.mask_code import Bits, decode_bits, encode_bits
from nets.tickets.mask_known import Known, known
from sims.solver.philox import MAX_SEED

if TYPE_CHECKING:
    from nets.tickets.found_file import FoundTicket, Layer

CODED = "coded."
"""Put before the name of a tensor of bits where the file has its code instead, uint32."""

_WEIGHTS, _SCORES, _MASKS = 1 << 24, 2 << 24, 4 << 24
_SAMPLED = ("bernoulli", "probmask")
_SIGNED = ("iterand", *_SAMPLED)
_BYTES_PER_WEIGHT = 64


def coded(ticket: FoundTicket) -> Tensors:
    """The tensors of a ticket as its file has them: each string of bits as it is or coded, whichever is smaller."""
    out = dict(ticket.tensors)
    for place, layer in enumerate(ticket.layers if _has_seeds(ticket) else ()):
        every = known_weights(ticket, place, layer)
        for name, given in _strings(layer, every, ticket.tensors):
            words = encode_bits(given, unpack(out[name], len(given)) ^ _turned(name, given))
            if words.nbytes < out[name].nbytes:
                del out[name]
                out[CODED + name] = words
    return out


def decoded(ticket: FoundTicket, tensors: Tensors) -> Tensors:
    """The tensors of a ticket without codes.

    Parameters
    ----------
    ticket : FoundTicket
        Its own tensors are not looked at.
    tensors : dict of ndarray
        Those of its file.

    Raises
    ------
    TicketError
        If a code is not that of bits which the ticket can have, in one line.
    """
    out, held = dict(tensors), sum(array.nbytes for array in tensors.values())
    for place, layer in enumerate(ticket.layers):
        if not any(f"{CODED}{kind}.{layer.name}" in out for kind in ("mask", layer.bits)):
            continue
        if not _has_seeds(ticket):
            raise TicketError("it has codes, but no seeds to decode them with")
        check_memory(f"to decode layer {layer.name}", _BYTES_PER_WEIGHT * layer.numel, held)
        every = known_weights(ticket, place, layer)
        for name, given in _strings(layer, every, out):
            words = out.pop(CODED + name, None)
            if words is None:
                continue
            if name in out or words.dtype != np.uint32 or words.ndim != 1:
                raise TicketError(f"{CODED}{name} must be numbers of type U32 in place of {name}")
            try:
                out[name] = pack(decode_bits(given, words) ^ _turned(name, given))
            except ValueError as error:
                raise TicketError(f"{CODED}{name}: {error}") from None
    return out


def _strings(layer: Layer, every: Known, tensors: Tensors) -> Iterator[tuple[str, Known]]:
    """Names of a layer's strings of bits, and what is known of their weights; the mask must be there for the second."""
    yield f"mask.{layer.name}", every
    if layer.bits is not None:
        packed = tensors.get(f"mask.{layer.name}")
        if packed is None or packed.shape != (-(-layer.numel // 8),) or popcount(packed) != layer.n_keep:
            raise TicketError(f"mask.{layer.name} must have {layer.n_keep} ones among its {layer.numel} bits")
        yield f"{layer.bits}.{layer.name}", every.only(unpack(packed, layer.numel))


def known_weights(ticket: FoundTicket, place: int, layer: Layer) -> Known:
    """What a decoder knows of the weights of a layer, the `place`-th of a ticket."""
    index = place if layer.index is None else layer.index
    return known(
        shape=layer.shape,
        n_keep=layer.n_keep,
        seed=ticket.params["seed"],
        weights=_WEIGHTS + index,
        score_seed=ticket.params["score_seed"],
        scores=(_MASKS if ticket.params["method"] in _SAMPLED else _SCORES) + index,
        signed=ticket.params["method"] in _SIGNED,
    )


def _turned(name: str, given: Known) -> Bits:
    """Which bits are coded as their opposites."""
    return np.asarray((given.negative == 1) & name.startswith("signs."))


def _has_seeds(ticket: FoundTicket) -> bool:
    seeds = [ticket.params.get(name) for name in ("seed", "score_seed")]
    return "method" in ticket.params and all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in seeds)
