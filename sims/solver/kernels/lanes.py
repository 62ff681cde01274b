"""Vectors for jitted code: integers side by side in one register, for registers of any width.

Numba has no vector type, so this file defines one: a ``_Vector`` stands for LLVM's <lanes x iBITS>, and the operations
below are the few that the kernels need. Values of it live in registers; none is ever stored in an object.

A ``Lanes`` says how long the words are and how many of them a vector holds. Kernels take one as their first argument:
Numba compiles them for each anew, as for every type, and what it is costs nothing at run time. LLVM emits for a vector
what the CPU has: one instruction of 512, 256 or 128 bits where it knows registers of that width, else several.

The kernels pass addresses of words (int64, in bytes) instead of arrays, because an array passed to a function that is
not inlined costs two locked instructions to count its references.
"""

from __future__ import annotations

# mypy: allow-untyped-calls, allow-untyped-decorators
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_constant
from numba.extending import NativeValue, intrinsic, models, register_model, unbox


@dataclass(frozen=True)
class Lanes:
    """``count`` words of ``bits`` bits side by side, compared with ``rows`` words of another list at a time."""

    bits: int
    count: int
    rows: int = 4

    @property
    def _numba_type_(self) -> Any:
        return _LanesType(self)


class _LanesType(types.Type):
    def __init__(self, lanes: Lanes) -> None:
        self.lanes = lanes
        super().__init__(f"Lanes({lanes.bits}, {lanes.count}, {lanes.rows})")

    @property
    def key(self) -> Any:
        return self.lanes


@lower_constant(_LanesType)
def _lower(context: Any, _builder: Any, _type: Any, _value: Any) -> Any:
    return context.get_dummy_value()


class _Vector(types.Type):
    def __init__(self, bits: int, count: int) -> None:
        self.bits, self.count = bits, count
        super().__init__(f"int{bits}x{count}")


register_model(_LanesType)(models.OpaqueModel)


@unbox(_LanesType)
def _unbox(_type: Any, _object: Any, c: Any) -> Any:
    return NativeValue(c.context.get_dummy_value())


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _kind(fe_type))


_ADDRESS = types.int64
_IR_LONG = ir.IntType(64)


def _kind(v: Any) -> Any:
    return ir.VectorType(ir.IntType(v.bits), v.count)


def _number(value: int, bits: int = 64) -> Any:
    return ir.Constant(ir.IntType(bits), value)


def _returns(what: str, args: tuple[Any, ...]) -> Any:
    """The type an operation returns; ``vector`` is that of its arguments."""
    if what != "vector":
        return getattr(types, what)
    first = args[0]
    return first if isinstance(first, _Vector) else _Vector(first.lanes.bits, first.lanes.count)


def _operation(returns: str) -> Callable[[Callable[..., Any]], Any]:
    """Make what ``generate(builder, lanes, *arguments)`` emits an operation that jitted code can call.

    ``lanes`` is the first argument if that is a ``Lanes``, or has the words and their number of the first vector.
    """

    def wrap(generate: Callable[..., Any]) -> Any:
        @functools.wraps(generate)  # Numba reads the number of arguments from the signature
        def typing(_: Any, *args: Any) -> Any:
            tagged = isinstance(args[0], _LanesType)
            lanes = args[0].lanes if tagged else Lanes(args[0].bits, args[0].count)

            def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                result = generate(builder, *([lanes, *arguments[1:]] if tagged else arguments))
                return context.get_dummy_value() if returns == "void" else result

            takes = [a if isinstance(a, _LanesType | _Vector) else _ADDRESS for a in args]
            return _returns(returns, args)(*takes), emit

        return intrinsic(typing)

    return wrap


def _pointer(builder: Any, address: Any, index: Any, word: Any, kind: Any = None) -> Any:
    words = builder.inttoptr(address, word.as_pointer())
    return builder.bitcast(builder.gep(words, [index]), (kind or word).as_pointer())


def _shuffle(builder: Any, a: Any, b: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), len(order)), order))


def _broadcast(builder: Any, count: int, word: Any) -> Any:
    first = builder.insert_element(ir.Constant(ir.VectorType(word.type, count), ir.Undefined), word, _number(0, 32))
    return _shuffle(builder, first, first, [0] * count)


def _call(builder: Any, name: str, *args: Any, returns: Any = None) -> Any:
    vector = args[0].type
    kind = ir.FunctionType(returns or vector, [arg.type for arg in args])
    suffix = f"v{vector.count}i{vector.element.width}"
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.{suffix}")
    return builder.call(function, args)


def _mask(builder: Any, relation: str, a: Any, b: Any) -> Any:
    """One bit per lane in which the relation holds."""
    bits = builder.bitcast(builder.icmp_signed(relation, a, b), ir.IntType(a.type.count))
    return bits if a.type.count == 64 else builder.zext(bits, _IR_LONG)


def _wide(builder: Any, word: Any) -> Any:
    return word if word.type.width == 64 else builder.sext(word, _IR_LONG)


def _narrow(builder: Any, lanes: Lanes, value: Any) -> Any:
    return value if lanes.bits == 64 else builder.trunc(value, ir.IntType(lanes.bits))


def _gaps(builder: Any, lanes: Lanes, p: Any, r: Any) -> list[Any]:
    """The distances of r from each of the words at p, ``rows`` of them."""
    word = ir.IntType(lanes.bits)
    words = [builder.load(_pointer(builder, p, _number(k), word)) for k in range(lanes.rows)]
    return [_call(builder, "abs", builder.sub(r, _broadcast(builder, lanes.count, w)), _number(0, 1)) for w in words]


def _constant(of: Callable[[Lanes], int]) -> Any:
    @_operation("int64")
    def constant(builder, lanes):  # type: ignore[no-untyped-def]
        return _number(of(lanes))

    return constant


count = _constant(lambda lanes: lanes.count)
"""Words of a vector."""
bits_of_lane = _constant(lambda lanes: lanes.count.bit_length() - 1)
"""Bits of the number of a lane."""
rows = _constant(lambda lanes: lanes.rows)
size = _constant(lambda lanes: lanes.bits // 8)
"""Bytes of a word."""
far = _constant(lambda lanes: 1 << lanes.bits - 2)
"""More than any sum; twice of it is no longer a word."""


@_operation("int64")
def get(builder, lanes, address, index):  # type: ignore[no-untyped-def]
    """Word ``index`` after the address."""
    return _wide(builder, builder.load(_pointer(builder, address, index, ir.IntType(lanes.bits))))


@_operation("void")
def put(builder, lanes, address, index, value):  # type: ignore[no-untyped-def]
    """Set word ``index`` after the address."""
    builder.store(_narrow(builder, lanes, value), _pointer(builder, address, index, ir.IntType(lanes.bits)))


@_operation("vector")
def load(builder, lanes, address, index):  # type: ignore[no-untyped-def]
    """The words of one vector from word ``index`` after the address on."""
    word = ir.IntType(lanes.bits)
    at = _pointer(builder, address, index, word, ir.VectorType(word, lanes.count))
    return builder.load(at, align=lanes.bits // 8)


@_operation("void")
def store(builder, lanes, address, index, vector):  # type: ignore[no-untyped-def]
    """Set the words of one vector from word ``index`` after the address on."""
    at = _pointer(builder, address, index, ir.IntType(lanes.bits), vector.type)
    builder.store(vector, at, align=lanes.bits // 8)


@_operation("vector")
def spread(builder, lanes, value):  # type: ignore[no-untyped-def]
    """The same value in every lane."""
    return _broadcast(builder, lanes.count, _narrow(builder, lanes, value))


@_operation("vector")
def minus(builder, a, b):  # type: ignore[no-untyped-def]
    return builder.sub(a, b)


@_operation("vector")
def minimum(builder, a, b):  # type: ignore[no-untyped-def]
    return _call(builder, "smin", a, b)


@_operation("int64")
def smallest(builder, vector):  # type: ignore[no-untyped-def]
    """The smallest word."""
    return _wide(builder, _call(builder, "vector.reduce.smin", vector, returns=vector.type.element))


@_operation("boolean")
def any_le(builder, a, b):  # type: ignore[no-untyped-def]
    """Whether a <= b in some lane."""
    return builder.icmp_unsigned("!=", _mask(builder, "<=", a, b), _number(0))


@_operation("int64")
def count_le(builder, a, b):  # type: ignore[no-untyped-def]
    """In how many lanes a <= b."""
    return builder.ctpop(_mask(builder, "<=", a, b))


@_operation("int64")
def lanes_eq(builder, a, b):  # type: ignore[no-untyped-def]
    """Bit by bit whether a = b in that lane."""
    return _mask(builder, "==", a, b)


@_operation("vector")
def backwards(builder, vector):  # type: ignore[no-untyped-def]
    return _shuffle(builder, vector, vector, list(range(vector.type.count))[::-1])


@_operation("vector")
def by_mask(builder, lanes, sizes):  # type: ignore[no-untyped-def]
    """Lane m holds the sum of those words of int64 at ``sizes`` whose bit is set in m."""
    word = ir.IntType(lanes.bits)
    kind = ir.VectorType(word, lanes.count)
    total = ir.Constant(kind, None)
    for i in range(lanes.count.bit_length() - 1):
        each = _broadcast(
            builder, lanes.count, _narrow(builder, lanes, builder.load(_pointer(builder, sizes, _number(i), _IR_LONG)))
        )
        set_there = ir.Constant(kind, [-(lane >> i & 1) for lane in range(lanes.count)])
        total = builder.add(total, builder.and_(each, set_there))
    return total


@_operation("vector")
def joined(builder, a, b):  # type: ignore[no-untyped-def]
    """The first half of a, then the first half of b."""
    half = range(a.type.count // 2)
    return _shuffle(builder, a, b, [*half, *(a.type.count + lane for lane in half)])


@_operation("vector")
def ordered(builder, vector):  # type: ignore[no-untyped-def]
    """The words in ascending order, given that they rise and then fall, or a rotation of that."""
    lanes = range(vector.type.count)
    distance = len(lanes) // 2
    while distance:
        other = _shuffle(builder, vector, vector, [lane ^ distance for lane in lanes])
        low, high = (_call(builder, name, vector, other) for name in ("smin", "smax"))
        vector = _shuffle(builder, low, high, [lane + (len(lanes) if lane & distance else 0) for lane in lanes])
        distance //= 2
    return vector


@_operation("vector")
def distances(builder, lanes, p, r):  # type: ignore[no-untyped-def]
    """Lane by lane the distance of r from the nearest of the ``rows`` words at p."""
    gaps = _gaps(builder, lanes, p, r)
    while len(gaps) > 1:
        gaps = [_call(builder, "smin", a, b) for a, b in zip(gaps[::2], gaps[1::2], strict=True)]
    return gaps[0]


@_operation("int64")
def matches_le(builder, lanes, p, r, distance):  # type: ignore[no-untyped-def]
    """Bit ``count * k + lane`` is set where r is at most this distance from word k at p, k < ``rows``."""
    bits = _number(0)
    for k, gap in enumerate(_gaps(builder, lanes, p, r)):
        bits = builder.or_(bits, builder.shl(_mask(builder, "<=", gap, distance), _number(lanes.count * k)))
    return bits


@_operation("int64")
def leaves(builder, lanes, p, q, target, step):  # type: ignore[no-untyped-def]
    """``step`` if a sweep leaves the block at q behind before the block at p, else 0.

    The last word of the p block is read anew instead of merged with other readings of that word, which stay
    broadcasts (a tenth of a solve).
    """
    word = ir.IntType(lanes.bits)
    last, first = (
        builder.load_atomic(_pointer(builder, at, _number(k), word), ordering="monotonic", align=lanes.bits // 8)
        for at, k in ((p, lanes.rows - 1), (q, 0))
    )
    behind = builder.sub(builder.sub(_narrow(builder, lanes, target), first), last)
    sign = _wide(builder, builder.ashr(behind, _number(lanes.bits - 1, lanes.bits)))
    return builder.and_(sign, step)


@_operation("int64")
def below(builder, lanes, a, b):  # type: ignore[no-untyped-def]
    """-1 if a < b, else 0; LLVM does not see which, for it would make a branch, and half of them are mispredicted."""
    sign = builder.sext(builder.icmp_signed("<", a, b), _IR_LONG)
    return builder.call(ir.InlineAsm(ir.FunctionType(_IR_LONG, [_IR_LONG]), "", "=r,0"), [sign])


@_operation("int64")
def lowest(builder, lanes, bits):  # type: ignore[no-untyped-def]
    """The number of the lowest bit that is set."""
    return builder.cttz(bits, _number(0, 1))


@_operation("int64")
def length(builder, lanes, value):  # type: ignore[no-untyped-def]
    """How many bits value >= 0 has."""
    return builder.sub(_number(64), builder.ctlz(value, _number(0, 1)))
