"""The kernels for one value per variable in AVX-512 instructions: the results of ``_binary`` and ``_curve``, sooner.

``sims.solver.dispatch`` imports this file where Numba compiles for a CPU with AVX-512, and only there. The tests
compare it with the portable kernels. A vector below is eight int64.

How it works. The plan is ``_binary``'s: two halves, each grown value by value into the sorted list of its subset sums,
the last value of each half left out of its list and tried by four sweeps. Two steps are done eight numbers at a time.

Merging. Of a list and the same list shifted by x only the lower half of the merge is made; the upper half is its
mirror image. With A the next eight of the list and B the next eight of the shifted list in *descending* order, the
eight smallest of the sixteen are min(A, B), lane by lane, and as many of them come from A as lanes have A <= B: so one
comparison and one bit count move both readers, without a branch. The minima rise and then fall (or a rotation of
that), so three exchanges over the distances 4, 2, 1 sort them. B needs no reversal, for the list is symmetric:
element m is top - element (size - 1 - m), so reading forwards from the mirrored place gives it in descending order.
A reader waits about 17 cycles for its own count, so a longer merge is cut by binary search into four stretches that
run side by side.

Sweeping. A sweep walks p upwards by blocks of four and q downwards by blocks of eight. With r = target - q, which
ascends along the walk, a step compares each of the four p with all eight r, and then leaves behind the block that ends
first: the p if their last is at most the last r, else the q. Nothing is lost: if the p block is left, every later r
is at least the last r of this block, which is at least every p of the block; so a later pair is no nearer than one
that has just been seen, and if it is as near it is equal to that one, value by value. The other case is the same.
A step costs 4 x 3 vector instructions (subtract a broadcast value, absolute value, minimum) for 32 pairs, and a sweep
over P and Q sums takes P/4 + Q/8 steps. (Blocks of 8 x 8 need fewer steps but more instructions in all.)

Only the smallest error is kept in vectors. A step that improves it writes down where the four sweeps stand; which pair
it was is worked out once, at the end, or when a later step ties. All pairs of values that reach the smallest error are
met, as shown above, so the tie rule of ``_binary`` (smallest first half sum, then smallest second) can be applied.

Numba has no vector type, so this file defines one: ``_VECTOR`` is a Numba type that stands for LLVM's <8 x i64>, and
the operations below are the few needed. Values of it live in registers; none is ever stored in an object. The kernels
pass addresses of words instead of arrays, because an array passed to a function that is not inlined costs two locked
instructions to count its references. Numba's file cache is keyed by the CPU's name and features, so code compiled here
is never loaded on another CPU.

All arithmetic is exact in int64, under the limit of the other kernels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from llvmlite import ir  # type: ignore[import-untyped]
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

from sims.jit import njit

_LANES = 8
_FAR = np.int64(2**62)
_PAD = np.int64(2**61)
_JIT: dict[str, Any] = {"nogil": True, "cache": True, "boundscheck": False}
_INLINE: dict[str, Any] = {**_JIT, "forceinline": True}


class _VectorType(types.Type):
    pass


_VECTOR = _VectorType("int64x8")
_WORD = types.int64
_IR_WORD = ir.IntType(64)
_IR_VECTOR = ir.VectorType(_IR_WORD, _LANES)


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, dmm: Any, fe_type: Any) -> None:
        super().__init__(dmm, fe_type, _IR_VECTOR)  # type: ignore[no-untyped-call]


def _operation(returns: Any, *takes: Any) -> Callable[[Callable[..., Any]], Any]:
    """Make what ``generate(builder, *arguments)`` emits an operation that jitted code can call."""

    def wrap(generate: Callable[..., Any]) -> Any:
        @functools.wraps(generate)  # Numba reads the number of arguments from the signature
        def typing(_: Any, *args: Any) -> Any:
            def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
                result = generate(builder, *arguments)
                return context.get_dummy_value() if returns is types.void else result

            return returns(*takes), emit

        return intrinsic(typing)

    return wrap


def _number(value: int, bits: int = 64) -> Any:
    return ir.Constant(ir.IntType(bits), value)


def _pointer(builder: Any, address: Any, index: Any, kind: Any = _IR_WORD) -> Any:
    words = builder.inttoptr(address, _IR_WORD.as_pointer())
    return builder.bitcast(builder.gep(words, [index]), kind.as_pointer())


def _shuffle(builder: Any, a: Any, b: Any, lanes: list[int]) -> Any:
    return builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(ir.IntType(32), _LANES), lanes))


def _broadcast(builder: Any, value: Any) -> Any:
    first = builder.insert_element(ir.Constant(_IR_VECTOR, ir.Undefined), value, _number(0, 32))
    return _shuffle(builder, first, first, [0] * _LANES)


def _call(builder: Any, name: str, *args: Any, returns: Any = _IR_VECTOR) -> Any:
    kind = ir.FunctionType(returns, [arg.type for arg in args])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}.v8i64")  # type: ignore[no-untyped-call]
    return builder.call(function, args)


def _mask(builder: Any, relation: str, a: Any, b: Any) -> Any:
    """One bit per lane in which the relation holds."""
    lanes = builder.bitcast(builder.icmp_signed(relation, a, b), ir.IntType(_LANES))
    return builder.zext(lanes, _IR_WORD)


def _gaps(builder: Any, p: Any, r: Any) -> list[Any]:
    """The distances of r from each of the four words at p."""
    words = [builder.load(_pointer(builder, p, _number(k))) for k in range(4)]
    return [_call(builder, "abs", builder.sub(r, _broadcast(builder, word)), _number(0, 1)) for word in words]


@_operation(_WORD, _WORD, _WORD)
def _get(builder, address, index):  # type: ignore[no-untyped-def]
    """Word ``index`` after the address."""
    return builder.load(_pointer(builder, address, index))


@_operation(_WORD, _WORD, _WORD)
def _get_anew(builder, address, index):  # type: ignore[no-untyped-def]
    """``_get``, but not merged with other readings of that word (a tenth of a solve: those stay broadcasts)."""
    return builder.load_atomic(_pointer(builder, address, index), ordering="monotonic", align=8)


@_operation(types.void, _WORD, _WORD, _WORD)
def _put(builder, address, index, value):  # type: ignore[no-untyped-def]
    """Set word ``index`` after the address."""
    builder.store(value, _pointer(builder, address, index))


@_operation(_VECTOR, _WORD, _WORD)
def _load(builder, address, index):  # type: ignore[no-untyped-def]
    """The eight words from word ``index`` after the address on."""
    return builder.load(_pointer(builder, address, index, _IR_VECTOR), align=8)


@_operation(types.void, _WORD, _WORD, _VECTOR)
def _store(builder, address, index, vector):  # type: ignore[no-untyped-def]
    """Set the eight words from word ``index`` after the address on."""
    builder.store(vector, _pointer(builder, address, index, _IR_VECTOR), align=8)


@_operation(_VECTOR, _WORD)
def _spread(builder, value):  # type: ignore[no-untyped-def]
    """Eight times the same value."""
    return _broadcast(builder, value)


@_operation(_VECTOR, _VECTOR, _VECTOR)
def _minus(builder, a, b):  # type: ignore[no-untyped-def]
    return builder.sub(a, b)


@_operation(_VECTOR, _VECTOR, _VECTOR)
def _minimum(builder, a, b):  # type: ignore[no-untyped-def]
    return _call(builder, "smin", a, b)


@_operation(_WORD, _VECTOR)
def _smallest(builder, vector):  # type: ignore[no-untyped-def]
    """The smallest of the eight."""
    return _call(builder, "vector.reduce.smin", vector, returns=_IR_WORD)


@_operation(types.boolean, _VECTOR, _VECTOR)
def _any_le(builder, a, b):  # type: ignore[no-untyped-def]
    """Whether a <= b in some lane."""
    return builder.icmp_unsigned("!=", _mask(builder, "<=", a, b), _number(0))


@_operation(_WORD, _VECTOR, _VECTOR)
def _count_le(builder, a, b):  # type: ignore[no-untyped-def]
    """In how many lanes a <= b."""
    return builder.ctpop(_mask(builder, "<=", a, b))


@_operation(_WORD, _VECTOR, _VECTOR)
def _lanes_eq(builder, a, b):  # type: ignore[no-untyped-def]
    """Bit by bit whether a = b in that lane."""
    return _mask(builder, "==", a, b)


@_operation(_VECTOR, _VECTOR)
def _reversed(builder, vector):  # type: ignore[no-untyped-def]
    return _shuffle(builder, vector, vector, list(range(_LANES))[::-1])


@_operation(_VECTOR, _VECTOR)
def _sorted(builder, vector):  # type: ignore[no-untyped-def]
    """The eight in ascending order, given that they rise and then fall, or a rotation of that."""
    for distance in (4, 2, 1):
        other = _shuffle(builder, vector, vector, [lane ^ distance for lane in range(_LANES)])
        low, high = (_call(builder, name, vector, other) for name in ("smin", "smax"))
        vector = _shuffle(builder, low, high, [lane + (_LANES if lane & distance else 0) for lane in range(_LANES)])
    return vector


@_operation(_VECTOR, _WORD, _VECTOR)
def _distances(builder, p, r):  # type: ignore[no-untyped-def]
    """Lane by lane the distance of r from the nearest of the four words at p."""
    a, b, c, d = _gaps(builder, p, r)
    return _call(builder, "smin", _call(builder, "smin", a, b), _call(builder, "smin", c, d))


@_operation(_WORD, _WORD, _VECTOR, _VECTOR)
def _matches(builder, p, r, distance):  # type: ignore[no-untyped-def]
    """Bit 8 k + lane is set where r is at this distance from word k at p, k < 4."""
    bits = _number(0)
    for k, gap in enumerate(_gaps(builder, p, r)):
        bits = builder.or_(bits, builder.shl(_mask(builder, "==", gap, distance), _number(_LANES * k)))
    return bits


@_operation(_WORD, _WORD)
def _lowest(builder, bits):  # type: ignore[no-untyped-def]
    """The number of the lowest bit that is set."""
    return builder.cttz(bits, _number(0, 1))


def scratch_size(n: int) -> int:
    """Words of int64 scratch for one thread at n >= 7 values."""
    return 2 * _LANES + 2 * _padded(n) + _level_start(n // 2) + _level_start(n - n // 2)


def curve_scratch_size(n: int) -> int:
    """Words of int64 scratch for one thread at up to n variables of a success curve."""
    longest: int = 1 << (max(n - 1, 0) + 1) // 2
    return _LANES + 4 * (2 * _LANES + max(longest, _LANES))


def _level_start(k: int) -> int:
    return _LANES + 2 * _LANES * k + ((1 << k) & -_LANES)


def _padded(n: int) -> int:
    return (n + _LANES - 1) & -_LANES


@njit(**_INLINE)
def _level(k):  # type: ignore[no-untyped-def]
    """Where level k (2^k sums) starts: on a multiple of eight, with eight free words on either side."""
    return 8 + 16 * k + ((1 << k) & -8)


@njit(**_INLINE)
def _aligned(scratch):  # type: ignore[no-untyped-def]
    """The address of the first word of scratch that starts a cache line."""
    return (np.int64(scratch.ctypes.data) + 63) & -64


@njit(**_INLINE)
def _cut(p, a, size, x, step):  # type: ignore[no-untyped-def]
    """How many of the first ``step`` sums of the merge of p[a : a + size] and the same plus x are without x."""
    low = np.int64(0)
    high = step
    while low < high:
        i = (low + high) >> 1
        left = _get(p, a + i) <= _get(p, a + step - 1 - i) + x
        low = i + 1 if left else low
        high = high if left else i
    return low


@njit(**_JIT)
def _double(p, a, size, x, out, o):  # type: ignore[no-untyped-def]
    """out[o : o + 2 size] = the sorted sums p[a : a + size] (symmetric, p[a] = 0) with and without the value x >= 0."""
    total = _get(p, a + size - 1) + x
    if size < 8:
        i = j = a
        for k in range(size):
            u = _get(p, i)
            v = _get(p, j) + x
            left = u <= v
            smaller = u if left else v
            _put(out, o + k, smaller)
            _put(out, o + 2 * size - 1 - k, total - smaller)
            i += np.int64(left)
            j += np.int64(not left)
        return
    mirror = _spread(total)
    low = o
    high = o + 2 * size - 8
    # the shifted list is read from its mirror image: after ``step`` sums, i - a of them without x, at i + behind
    if size < 64:
        i = a
        behind = size - 8
        for _ in range(size >> 3):
            u = _load(p, i)
            v = _minus(mirror, _load(p, i + behind))
            s = _sorted(_minimum(u, v))
            _store(out, low, s)
            _store(out, high, _reversed(_minus(mirror, s)))
            i += _count_le(u, v)
            behind -= 8
            low += 8
            high -= 8
        return
    gap = size >> 2
    i0 = a
    i1 = a + _cut(p, a, size, x, gap)
    i2 = a + _cut(p, a, size, x, 2 * gap)
    i3 = a + _cut(p, a, size, x, 3 * gap)
    behind = size - 8
    for _ in range(gap >> 3):
        u0 = _load(p, i0)
        u1 = _load(p, i1)
        u2 = _load(p, i2)
        u3 = _load(p, i3)
        v0 = _minus(mirror, _load(p, i0 + behind))
        v1 = _minus(mirror, _load(p, i1 + behind - gap))
        v2 = _minus(mirror, _load(p, i2 + behind - 2 * gap))
        v3 = _minus(mirror, _load(p, i3 + behind - 3 * gap))
        i0 += _count_le(u0, v0)
        i1 += _count_le(u1, v1)
        i2 += _count_le(u2, v2)
        i3 += _count_le(u3, v3)
        s0 = _sorted(_minimum(u0, v0))
        s1 = _sorted(_minimum(u1, v1))
        s2 = _sorted(_minimum(u2, v2))
        s3 = _sorted(_minimum(u3, v3))
        _store(out, low, s0)
        _store(out, low + gap, s1)
        _store(out, low + 2 * gap, s2)
        _store(out, low + 3 * gap, s3)
        _store(out, high, _reversed(_minus(mirror, s0)))
        _store(out, high - gap, _reversed(_minus(mirror, s1)))
        _store(out, high - 2 * gap, _reversed(_minus(mirror, s2)))
        _store(out, high - 3 * gap, _reversed(_minus(mirror, s3)))
        behind -= 8
        low += 8
        high -= 8


@njit(**_INLINE)
def _q_first(p, q, target):  # type: ignore[no-untyped-def]
    """-32 if a sweep leaves the block of eight at q behind before the block of four at p, else 0."""
    return ((target - _get(q, 0) - _get_anew(p, 3)) >> 63) & -32


@njit(**_JIT)
def _pick(p, q, target, x, y, best, best_p, best_q):  # type: ignore[no-untyped-def]
    """(best_p, best_q), or the pair of these blocks with error best that the tie rule prefers; x and y are added.

    Both blocks ascend, so in the block's matches the lowest bit is the pair with the smallest p, then the smallest q.
    """
    bits = _matches(p, _minus(_spread(target), _load(q, 0)), _spread(best))
    bit = _lowest(bits)
    first = _get(p, (bit >> 3) & 3) + x
    second = _get(q, bit & 7) + y
    better = (bits != 0) & ((first < best_p) | ((first == best_p) & (second < best_q)))
    return first if better else best_p, second if better else best_q


@njit(**_JIT)
def _pick_four(p, q, g0, g1, g2, g3, target, x, y, best, best_p, best_q):  # type: ignore[no-untyped-def]
    """``_pick`` for the four sweeps of ``_sweep``."""
    best_p, best_q = _pick(p + g0, q + 2 * g0, target, 0, 0, best, best_p, best_q)
    best_p, best_q = _pick(p + g1, q + 2 * g1, target - x, x, 0, best, best_p, best_q)
    best_p, best_q = _pick(p + g2, q + 2 * g2, target - y, 0, y, best, best_p, best_q)
    return _pick(p + g3, q + 2 * g3, target - x - y, x, y, best, best_p, best_q)


@njit(**_JIT)
def _sweep(p, p_size, q, q_size, x, y, target, stop):  # type: ignore[no-untyped-def]
    """Best of the four sweeps over two lists: (error, sum in p, sum in q), the last values x and y included.

    Each sweep holds one number g: its q block is at q + 2 g and its p block at p + g, where p moves on by one block of
    32 bytes at every step; so a step that leaves the q block lowers g by 32, and one that leaves the p block does not.
    """
    _store(p, p_size, _spread(_FAR))
    _store(q, -8, _spread(-_FAR))
    g0 = g1 = g2 = g3 = np.int64(4 * q_size - 32)
    p -= g0
    t0 = target
    t1 = target - x
    t2 = target - y
    t3 = target - x - y
    best = best_p = best_q = _FAR
    near = _spread(best)
    then = p
    h0 = h1 = h2 = h3 = g0
    for _ in range((p_size >> 2) + (q_size >> 3) - 1):
        d0 = _distances(p + g0, _minus(_spread(t0), _load(q + 2 * g0, 0)))
        d1 = _distances(p + g1, _minus(_spread(t1), _load(q + 2 * g1, 0)))
        d2 = _distances(p + g2, _minus(_spread(t2), _load(q + 2 * g2, 0)))
        d3 = _distances(p + g3, _minus(_spread(t3), _load(q + 2 * g3, 0)))
        nearest = _minimum(_minimum(d0, d1), _minimum(d2, d3))
        if _any_le(nearest, near):
            error = _smallest(nearest)
            if error == best:
                if best_p == _FAR:
                    best_p, best_q = _pick_four(then, q, h0, h1, h2, h3, target, x, y, best, best_p, best_q)
                best_p, best_q = _pick_four(p, q, g0, g1, g2, g3, target, x, y, best, best_p, best_q)
            else:
                best = error
                if best <= stop:
                    break
                near = _spread(best)
                best_p = best_q = _FAR
                then = p
                h0, h1, h2, h3 = g0, g1, g2, g3
        g0 += _q_first(p + g0, q + 2 * g0, t0)
        g1 += _q_first(p + g1, q + 2 * g1, t1)
        g2 += _q_first(p + g2, q + 2 * g2, t2)
        g3 += _q_first(p + g3, q + 2 * g3, t3)
        p += 32
    if best_p == _FAR and best > stop:
        best_p, best_q = _pick_four(then, q, h0, h1, h2, h3, target, x, y, best, best_p, best_q)
    return best, best_p, best_q


@njit(**_INLINE)
def _holds(levels, k, value):  # type: ignore[no-untyped-def]
    """Whether the sorted level k holds value: a search without branches down to eight sums, then one comparison."""
    low = np.int64(_level(k))
    half = np.int64(1) << k
    while half > 8:
        half >>= 1
        low += half * np.int64(_get(levels, low + half - 1) < value)
    found = _lanes_eq(_load(levels, low), _spread(value)) & ((np.int64(1) << half) - 1)
    return np.int64(found != 0)


@njit(**_JIT)
def _trace(p, q, sizes, na, nb, first, second, left_out):  # type: ignore[no-untyped-def]
    """Word i of left_out = whether the half sums do without size i; the levels of the last sizes need not exist."""
    k = nb - 1
    if nb > na:
        right = _holds(q, k, second)
        _put(left_out, na + k, right)
        second -= _get(sizes, na + k) & (right - 1)
        k -= 1
    while k >= 0:
        left = _holds(p, k, first)
        right = _holds(q, k, second)
        _put(left_out, k, left)
        _put(left_out, na + k, right)
        first -= _get(sizes, k) & (left - 1)
        second -= _get(sizes, na + k) & (right - 1)
        k -= 1


@njit(**_JIT)
def _start(levels, sizes, count):  # type: ignore[no-untyped-def]
    """Levels 0 to 3 from the first three sizes."""
    a = _get(sizes, 0)
    b = _get(sizes, 1)
    c = _get(sizes, 2)
    low = min(a, b)
    high = max(a, b)
    _put(levels, _level(0), 0)
    _put(levels, _level(1), 0)
    _put(levels, _level(1) + 1, a)
    level = _level(2)
    _put(levels, level, 0)
    _put(levels, level + 1, low)
    _put(levels, level + 2, high)
    _put(levels, level + 3, a + b)
    if count > 2:
        level = _level(3)
        middle = max(low, min(high, c))
        top = max(high, c)
        low = min(low, c)
        total = a + b + c
        _put(levels, level, 0)
        _put(levels, level + 1, low)
        _put(levels, level + 2, middle)
        _put(levels, level + 3, min(low + middle, top))
        _put(levels, level + 4, max(low + middle, top))
        _put(levels, level + 5, total - middle)
        _put(levels, level + 6, total - low)
        _put(levels, level + 7, total)


@njit(**_JIT)
def _solve(sizes, n, target, stop, p, q):  # type: ignore[no-untyped-def]
    """(error, sum in the first half, sum in the second half) of n sizes; the sums only if the error is above stop."""
    na = n // 2
    nb = n - na
    _start(p, sizes, na - 1)
    _start(q, sizes + 8 * na, nb - 1)
    for k in range(3, na - 1):
        _double(p, _level(k), 1 << k, _get(sizes, k), p, _level(k + 1))
        _double(q, _level(k), 1 << k, _get(sizes, na + k), q, _level(k + 1))
    if nb > na and na > 3:
        _double(q, _level(na - 1), 1 << (na - 1), _get(sizes, n - 2), q, _level(na))
    x = _get(sizes, na - 1)
    y = _get(sizes, n - 1)
    p += 8 * _level(na - 1)
    q += 8 * _level(nb - 1)
    return _sweep(p, 1 << (na - 1), q, 1 << (nb - 1), x, y, target, stop)


@njit(**_JIT)
def mark_within(x, targets, tolerances, scratch, hits):  # type: ignore[no-untyped-def]
    """``_binary.mark_within`` for n >= 7."""
    n = x.shape[1]
    sizes = _aligned(scratch)
    p = sizes + 16 * ((n + 7) & -8)
    q = p + 8 * ((_level(n // 2) + 7) & -8)
    for t in range(x.shape[0]):
        hits[t] = False
        if tolerances[t] >= 0:
            target = targets[t]
            for i in range(n):
                _put(sizes, i, abs(x[t, i]))
                target -= min(x[t, i], 0)
            error, _, _ = _solve(sizes, n, target, tolerances[t], p, q)
            hits[t] = error <= tolerances[t]


@njit(**_JIT)
def best_rows(x, targets, scratch, errors, choices):  # type: ignore[no-untyped-def]
    """``_binary.best_rows`` for n >= 7."""
    n = x.shape[1]
    na = n // 2
    sizes = _aligned(scratch)
    left_out = sizes + 8 * ((n + 7) & -8)
    p = sizes + 16 * ((n + 7) & -8)
    q = p + 8 * ((_level(na) + 7) & -8)
    for t in range(x.shape[0]):
        target = targets[t]
        for i in range(n):
            _put(sizes, i, abs(x[t, i]))
            target -= min(x[t, i], 0)
        error, first, second = _solve(sizes, n, target, np.int64(-1), p, q)
        errors[t] = error
        _trace(p, q, sizes, na, n - na, first, second, left_out)
        for i in range(n):
            choices[t, i] = -(_get(left_out, i) ^ np.int64(x[t, i] < 0))


@njit(**_INLINE)
def _blocks_left(p, p_blocks, q, q_blocks, target, step):  # type: ignore[no-untyped-def]
    """How many blocks of p a sweep has left behind after ``step`` steps; q's last block is word 8 q_blocks."""
    low = max(0, step - q_blocks)
    high = min(step, p_blocks)
    while low < high:
        i = (low + high) >> 1
        left = _get(p, 4 * i + 3) + _get(q, 8 * (q_blocks - (step - 1 - i))) <= target
        low = i + 1 if left else low
        high = high if left else i
    return low


@njit(**_JIT)
def _meets(p, p_size, q, q_size, target, tolerance):  # type: ignore[no-untyped-def]
    """Whether some sum of p and q is within tolerance of the target: one sweep, its four quarters side by side.

    The lists start at word 8. A list shorter than a block is filled up with numbers too large to hit.
    """
    p_blocks = (p_size + 3) >> 2
    q_blocks = (q_size + 7) >> 3
    top = 8 * q_blocks
    steps = p_blocks + q_blocks - 1
    near = _spread(tolerance)
    around = _spread(target)
    p += 64
    if steps < 12:
        g0 = 32 * q_blocks
        p -= g0
        for _ in range(steps):
            if _any_le(_distances(p + g0, _minus(around, _load(q + 2 * g0, 0))), near):
                return True
            g0 += _q_first(p + g0, q + 2 * g0, target)
            p += 32
        return False
    quarter = (steps + 3) >> 2
    cut1 = quarter
    cut2 = min(2 * quarter, steps - quarter)
    cut3 = steps - quarter
    g0 = np.int64(0)
    g1 = 32 * _blocks_left(p, p_blocks, q, q_blocks, target, cut1)
    g2 = 32 * _blocks_left(p, p_blocks, q, q_blocks, target, cut2)
    g3 = 32 * _blocks_left(p, p_blocks, q, q_blocks, target, cut3)
    # as in ``_sweep``, but each quarter has a q of its own instead of a p of its own
    q0 = q + 8 * top
    q1 = q + 8 * top - 64 * cut1
    q2 = q + 8 * top - 64 * cut2
    q3 = q + 8 * top - 64 * cut3
    for _ in range(quarter):
        d0 = _distances(p + g0, _minus(around, _load(q0 + 2 * g0, 0)))
        d1 = _distances(p + g1, _minus(around, _load(q1 + 2 * g1, 0)))
        d2 = _distances(p + g2, _minus(around, _load(q2 + 2 * g2, 0)))
        d3 = _distances(p + g3, _minus(around, _load(q3 + 2 * g3, 0)))
        if _any_le(_minimum(_minimum(d0, d1), _minimum(d2, d3)), near):
            return True
        g0 += _q_first(p + g0, q0 + 2 * g0, target)
        g1 += _q_first(p + g1, q1 + 2 * g1, target)
        g2 += _q_first(p + g2, q2 + 2 * g2, target)
        g3 += _q_first(p + g3, q3 + 2 * g3, target)
        p += 32
    return False


@njit(**_JIT)
def _first_binary(x, t, n, target, tolerance, p, p_next, q, q_next):  # type: ignore[no-untyped-def]
    """Smallest k <= n such that a subset of x[t, :k] hits, n + 1 if there is none; |sum - target| <= tolerance hits."""
    if abs(target) <= tolerance:
        return 0
    p_size = q_size = 1
    for k in range(n):
        if k == 0:
            _store(p, 8, _spread(_PAD))
            _store(q, 8, _spread(_PAD))
            _put(p, 8, 0)
            _put(q, 8, 0)
        # lists hold sums of sizes: a negative value is left out where its size is taken, which moves the target
        if _meets(p, p_size, q, q_size, target - x[t, k], tolerance):
            return k + 1
        if k == n - 1:
            break
        target -= min(x[t, k], 0)
        if q_size <= p_size:
            _double(q, 8, q_size, abs(x[t, k]), q_next, 8)
            q, q_next = q_next, q
            q_size *= 2
            _store(q, 8 + q_size, _spread(_PAD))
        else:
            _double(p, 8, p_size, abs(x[t, k]), p_next, 8)
            p, p_next = p_next, p
            p_size *= 2
            _store(p, 8 + p_size, _spread(_PAD))
    return n + 1


@njit(**_JIT)
def first_binary(x, targets, tolerances, scratch, first):  # type: ignore[no-untyped-def]
    """``_curve.first_binary``; the scratch has ``curve_scratch_size`` words."""
    words = ((len(scratch) - 8) >> 2) & -8
    p = _aligned(scratch)
    p_next = p + 8 * words
    q = p + 16 * words
    q_next = p + 24 * words
    _store(q, 0, _spread(-_PAD))
    _store(q_next, 0, _spread(-_PAD))
    for t in range(x.shape[0]):
        if tolerances[t] >= 0 and first[t] > 0:
            limit = min(x.shape[1], first[t] - 1)
            found = _first_binary(x, t, limit, targets[t], tolerances[t], p, p_next, q, q_next)
            if found <= limit:
                first[t] = found
