"""The main theorem for a chain of zero-padded convolutions as a question (theory/PROOFS.md, 4.4 conv)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from theory.network import width
from theory.network.layers import check_widths, source_widths
from theory.network.question import MainTheorem
from theory.numerics.balls import down, exact, precision
from theory.numerics.check import accuracy, open_probability, positive_int
from theory.numerics.rounding import complement_below, lowered, raised


def tap_eps(eps: float, kernel: int) -> float:
    """The eps' of a dense chain whose weights may be off by as much: (1+eps')^taps = 1+eps, taps = kernel^2.

    In (0, eps], rounded down. eps in (0, 1] is the error of the convolutions, kernel >= 1 the side of their square
    kernels. Raises ValueError if eps is too small for a positive float. Proved in theory/PROOFS.md, 4.4 (conv).

    Examples
    --------
    >>> round(tap_eps(0.1, 1), 12), round(tap_eps(1.0, 2), 6)  # 2^(1/4) - 1
    (0.1, 0.189207)
    """
    eps, taps = accuracy("eps", eps), positive_int("kernel", kernel) ** 2
    with precision():
        found = eps if taps == 1 else down((exact(eps).log1p() / taps).expm1())
    if found <= 0.0:
        raise ValueError(f"eps must leave each of {taps} taps an error that floats can hold, got eps={eps}")
    return found


def convolution_etas(widths: Sequence[int], eps: float, *, kernel: int) -> tuple[float, ...]:
    """Error allowed for each weight of convolution i: eta_i = log(1+eps) / (l kernel^2 sqrt(c_i c_(i-1))).

    Returns eta_1, ..., eta_l; safe side. widths are the channels c_0, ..., c_l; eps in (0, 1] is the error on the l2
    ball, kernel >= 1 the side of the square kernels. Proved in theory/PROOFS.md, 4.4 (conv).

    Examples
    --------
    >>> [round(eta, 6) for eta in convolution_etas([4, 9, 1], 0.1, kernel=1)]
    [0.007943, 0.015885]
    """
    return width.layer_etas(widths, tap_eps(eps, kernel))


def convolution_log_failure_bound(
    widths: Sequence[int], eps: float, *, kernel: int, R: int, n: int | Sequence[int]
) -> float:
    """Natural log of the bound sum_i 2 kernel^2 c_i c_(i-1) (1-q_i^2)^(n_i) on the failure probability.

    Rounded up; may exceed 0. q_i = 1-(1-eta_i/4)^R with eta_i of `convolution_etas`, whose parameters these are; n >= 1
    neurons per input channel and sign, one number or one for each layer, R >= 1 draws of each element. Proved in
    theory/PROOFS.md, 4.4 (conv).

    Examples
    --------
    >>> bound = convolution_log_failure_bound([1, 1], 1.0, kernel=2, R=1, n=100)
    >>> math.isclose(bound, math.log(8) + 100 * math.log(1 - (math.log(2) / 16) ** 2))
    True
    """
    return with_taps(width.log_failure_bound(widths, tap_eps(eps, kernel), R=R, n=n), kernel)


def with_taps(log_bound: float, kernel: int) -> float:
    """log_bound + log(kernel^2), rounded up."""
    return log_bound if kernel == 1 else raised(log_bound + raised(2.0 * math.log(kernel)))


def log_share(delta: float, kernel: int) -> float:
    """log(delta/kernel^2), rounded down."""
    log_delta = lowered(math.log(open_probability("delta", delta)))
    return log_delta if kernel == 1 else lowered(log_delta - raised(2.0 * math.log(kernel)))


def convolution_required_n(widths: Sequence[int], eps: float, *, delta: float, kernel: int, R: int) -> tuple[int, ...]:
    """n_1, ..., n_l for which the bound of `convolution_log_failure_bound` is at most log delta; none can be lowered.

    Safe side. delta in (0, 1) is the failure probability; the others are as there. ValueError if n would exceed
    2**1000. Proved in theory/PROOFS.md, 4.4 (conv): n_i = ceil(log(2 S/delta) / -log(1-q_i^2)),
    S = kernel^2 sum_i c_i c_(i-1), suffices.

    Examples
    --------
    >>> convolution_required_n([1, 1], 1.0, delta=0.01, kernel=1, R=1)
    (174,)
    >>> convolution_required_n([1, 1], 1.0, delta=0.01, kernel=2, R=1)
    (3559,)
    """
    kernel = positive_int("kernel", kernel)
    return width.counts_for(check_widths(widths), tap_eps(eps, kernel), log_share(delta, kernel), R=R)


@dataclass(frozen=True, kw_only=True)
class ConvolutionTheorem(MainTheorem):
    """The main theorem for l convolutions of stride 1 on squares, zero-padded so that the side stays, ReLU between.

    Attributes
    ----------
    widths : tuple of int
        c_0, ..., c_l: channels.
    kernel : int
        Side of the square kernels, at most that of the squares.
    side : int
        Side of the squares; the width does not depend on it.
    eps, R, statement, norm, domain
        As in `MainTheorem`; statement "ours" and domain "l2" only. norm "spectral": the convolutions' operator norms
        are at most 1. "frobenius": kernel times the Frobenius norms of the kernels are, which implies it.

    Examples
    --------
    >>> ConvolutionTheorem(widths=(1, 2, 1), eps=0.5, R=10_000, kernel=2).source_width(0.1).source_widths
    (1, 2, 2, 4, 1)
    """

    kernel: int = 3
    side: int = 6

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("kernel", "side"):
            self._set(name, positive_int(name, getattr(self, name)))
        if self.kernel > self.side:
            raise ValueError(f"kernel must be at most side={self.side}, got kernel={self.kernel}")
        if self.statement != "ours":
            raise ValueError(f"statement must be 'ours' for convolutions, got statement={self.statement!r}")
        if self.domain != "l2":
            raise ValueError(f"domain must be 'l2' for convolutions, got domain={self.domain!r}")

    @property
    def taps(self) -> int:
        """Places of a kernel."""
        return self.kernel**2

    def source_width(self, delta: float) -> width.SourceWidth:
        """The source network that 4.4 (conv) asks for: 1 x 1 and kernel x kernel convolutions in turn."""
        n = self.required_counts(delta)
        bound = convolution_log_failure_bound(self.widths, self.eps, kernel=self.kernel, R=self.R, n=n)
        return width.SourceWidth(
            widths=self.widths,
            eps=self.eps,
            delta=float(delta),
            R=self.R,
            statement=self.statement,
            domain=self.domain,
            n=n,
            source_widths=source_widths(self.widths, n),
            log_failure_bound=bound,
            status="proved",
            assumption="spectral norm <= 1",
            taps=self.taps,
        )

    def required_counts(self, delta: float) -> tuple[int, ...]:
        """n_1, ..., n_l that the statement asks for, candidates per input channel and sign of every layer."""
        return convolution_required_n(self.widths, self.eps, delta=delta, kernel=self.kernel, R=self.R)

    def success_lower(self, n: int | Sequence[int]) -> float:
        """Proved lower bound with n candidates, in all layers or in each; rounded down."""
        bound = convolution_log_failure_bound(self.widths, self.eps, kernel=self.kernel, R=self.R, n=n)
        return complement_below(bound)
