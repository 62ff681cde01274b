"""A decoder of coded tickets in plain Python, written from their description; it shares no code with the package."""

from __future__ import annotations

import bisect
import functools
import json
import math
import struct
import zlib
from fractions import Fraction

LOW = 0xFFFFFFFF


def philox(counter, seed):
    c, key = list(counter), [seed & LOW, seed >> 32]
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ key[0], b & LOW, (a >> 32) ^ c[3] ^ key[1], a & LOW]
        key = [(key[0] + 0x9E3779B9) & LOW, (key[1] + 0xBB67AE85) & LOW]
    return c


def count_of(code):
    return 0 if code == 0 else (8 + (code - 1) % 8) << ((code - 1) // 8)


class Words:
    """The asymmetric numeral system of 64-bit states and 32-bit words."""

    def __init__(self, content):
        assert len(content) % 4 == 0
        self.words = list(struct.unpack(f"<{len(content) // 4}I", content))
        self.state = 0
        self._fill()

    def _fill(self):
        while self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def symbol(self, frequencies):
        total, size, ends, so_far = sum(frequencies), len(frequencies), [0], 0
        for i, f in enumerate(frequencies, 1):
            so_far += f
            ends.append(i + so_far * (2**24 - size) // total)
        place = self.state % 2**24
        s = bisect.bisect_right(ends, place) - 1
        self.state = (self.state >> 24) * (ends[s + 1] - ends[s]) + place - ends[s]
        self._fill()
        return s

    def bits(self, count):
        place = self.state % 2**24
        width = 2 ** (24 - count)
        self.state = (self.state >> 24) * width + place % width
        self._fill()
        return place // width

    def table(self, size):
        codes = [self.bits(8)]
        steps = [2**22 // (s + 2) ** 2 for s in range(512)]
        while len(codes) < size:
            s = self.symbol(steps)
            codes.append(codes[-1] + ((s + 1) // 2 if s % 2 else -(s // 2)))
        return [count_of(code) for code in codes]

    def indices(self, count, table):
        symbols = [self.symbol(table) for _ in range(count)]
        x, follow = [0] * count, [0] * count
        for i, s in enumerate(symbols):
            if s:
                b = s - 1
                e = 0 if b < 3 else (b + 5) // 4
                x[i] = b + 1 if b < 3 else (4 + (b + 5) % 4) << (e - 2)
                follow[i] = 0 if b < 3 else e - 2
        for bits in range(1, max(follow, default=0) + 1):
            for i in range(count):
                if follow[i] == bits:
                    x[i] += self.bits(bits)
        return [one - 1 for one in x]


def signed(word, size):
    return float(2 * word + 1 - 2**32) * 2.0**-32 * size


def law_value(law, word):
    low, high, steps = law
    below = 32 - (len(steps).bit_length() - 1)
    i = word >> below
    total = sum(steps) << below
    unit = (high - low) / total if total else 0.0
    return low + float((sum(steps[:i]) << below) + steps[i] * (word % (1 << below))) * unit


@functools.cache
def steps_of(d):
    """floor(2^64 x^-(j+1)) for the root x > 1 of x^(d+1) = x + 1, by bisection in fractions."""
    low, high = Fraction(1), Fraction(2)
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if middle ** (d + 1) < middle + 1 else (low, middle)
    made = [math.floor(2**64 / low ** (j + 1)) for j in range(d)]
    assert made == [math.floor(2**64 / high ** (j + 1)) for j in range(d)]
    return made


def part_values(ticket, number, content, count):
    code, seed, size = ticket["code"], ticket["seed"], ticket["parts"][number][2]
    length = content[0] + 256 * content[1]
    header, words = content[2 : 2 + length], Words(content[2 + length :])
    values = [None] * count
    if code == "pool":
        bits, kept = struct.unpack("<BI", header)
        table = words.table(kept + 1)
        names = [words.bits(bits) for _ in range(kept)]
        for i in range(count):
            s = words.symbol(table)
            if s:
                k = names[s - 1]
                values[i] = signed(philox([k // 4, number, 0, 4], seed)[k % 4], size)
    elif code == "rank":
        n = ticket["n"]
        order = sorted(range(2**n), key=lambda subset: (subset.bit_count(), subset))
        for i, k in enumerate(words.indices(count, words.table(header[0]))):
            if k >= 0:
                total = 0.0
                for j in reversed(range(n)):
                    if order[k] >> j & 1:
                        total += signed(philox([j // 4, number, i, 5], seed)[j % 4], size)
                values[i] = total
    else:
        low, high, bits = struct.unpack("<ddB", header[:17])
        law = low, high, words.table(2**bits)
        d = 1 if code == "draw" else ticket["d"]
        starts, sizes = list(range(0, count, d)), list(header[17:])
        while starts:
            missing = []
            for start, k in zip(starts, words.indices(len(starts), words.table(sizes.pop(0))), strict=True):
                block = start // d
                if k < 0:
                    missing.append(start)
                    continue
                if code == "draw" and ticket["draws"] == "independent":
                    made = [philox([k // 4, number, block, 1], seed)[k % 4]]
                else:
                    turn = philox([block, number, d, 3], seed)
                    if ticket["draws"] == "even":
                        common = [(k * g % 2**64) >> 32 for g in steps_of(d)] + [0] * (4 - d)
                    else:
                        common = philox([k, 0, 0, 2], seed)
                    made = [(a + b) & LOW for a, b in zip(common, turn, strict=True)]
                for j in range(d):
                    if start + j < count:
                        values[start + j] = law_value(law, made[j])
            if d == 1:
                break
            smaller = d // 2 if d % 2 == 0 else 1
            starts = [s + j for s in missing for j in range(0, d, smaller) if s + j < count]
            d = smaller
        assert not sizes
    gone = [i for i in range(count) if values[i] is None]
    quarters = [[words.bits(16) for _ in gone] for _ in range(4)]
    for i, *parts in zip(gone, *quarters, strict=True):
        values[i] = struct.unpack("<d", struct.pack("<4H", *parts))[0]
    assert words.state == 0
    assert not words.words
    return values


def decode(raw):
    """The JSON object of a file's bytes, and the values of every part."""
    size = int.from_bytes(raw[:8], "little")
    header, data = json.loads(raw[8 : 8 + size]), raw[8 + size :]
    pieces = {name: data[slice(*row["data_offsets"])] for name, row in header.items() if name != "__metadata__"}
    ticket = json.loads(zlib.decompress(pieces["meta"]))
    place, made = 0, []
    for number, (_, sides, _, length) in enumerate(ticket["parts"]):
        made.append(part_values(ticket, number, pieces["code"][place : place + length], math.prod(sides)))
        place += length
    assert place == len(pieces["code"])
    return ticket, made


def far(value, weight):
    """The exact distance."""
    return abs(Fraction(value) - Fraction(weight))
