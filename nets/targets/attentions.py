"""Random targets that are one attention of several heads."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from nets.certificate.norms import spectral_norm_upper
from theory.attention import AttentionTheorem

_STEP = 1.0 - 2.0**-50


@dataclass(frozen=True)
class AttentionMaps:
    """What an attention computes with: tokens x_i go to sum_h softmax(x_i A_h X^T) X V_h.

    Attributes
    ----------
    scores : torch.Tensor of float64, shape (heads, d, d)
        A_h = W_Q W_K^T.
    values : torch.Tensor of float64, shape (heads, d, out)
        V_h = W_V W_O.
    """

    scores: torch.Tensor
    values: torch.Tensor

    def outputs(self, tokens: torch.Tensor) -> torch.Tensor:
        """The output tokens of sequences.

        Parameters
        ----------
        tokens : torch.Tensor of float64, shape (sequences, T, d)

        Returns
        -------
        torch.Tensor of float64, shape (sequences, T, out)

        Examples
        --------
        >>> one = torch.eye(2, dtype=torch.float64)[None]
        >>> tokens = torch.tensor([[[1.0, 0.0], [-1.0, 0.0]]], dtype=torch.float64)
        >>> round(float(AttentionMaps(one, one).outputs(tokens)[0, 0, 0]), 6)  # tanh 1
        0.761594
        """
        x = tokens[:, None]
        shares = torch.softmax(x @ self.scores @ x.transpose(-1, -2), -1)
        return (shares @ x @ self.values).sum(1)


def random_attention(question: AttentionTheorem, *, seed: int) -> AttentionMaps:
    """Draw an attention whose W_Q, W_K, W_V, W_O are Gaussian, every A_h and V_h scaled to norm 1.

    Parameters
    ----------
    question : AttentionTheorem
        Its `widths`, `heads`, `head_size` and `norm` are used: "spectral" scales so that the proved upper bound of the
        norm is 1, "frobenius" so that the Frobenius norm is.
    seed : int
        Seed of a generator of its own.

    Returns
    -------
    AttentionMaps
        Every computed norm is at most 1 and within a few roundings of 1.

    Source
    ------
    Assumption of theory/PROOFS.md, 4.10.

    Examples
    --------
    >>> made = random_attention(AttentionTheorem(widths=(3, 3, 2), heads=2), seed=1)
    >>> made.scores.shape, made.values.shape
    (torch.Size([2, 3, 3]), torch.Size([2, 3, 2]))
    """
    generator = torch.Generator().manual_seed(seed)
    d, _, out = question.widths

    def maps(columns: int) -> torch.Tensor:
        shape = question.heads, question.head_size
        first = torch.randn(*shape, d, generator=generator, dtype=torch.float64)
        second = torch.randn(*shape, columns, generator=generator, dtype=torch.float64)
        return torch.stack([_unit(one, question.norm) for one in first.mT @ second])

    return AttentionMaps(maps(d), maps(out))


def _norm(matrix: torch.Tensor, norm: str) -> float:
    frobenius = float(torch.linalg.vector_norm(matrix))
    return frobenius if norm == "frobenius" else float(spectral_norm_upper(matrix[None])[0])


def _unit(matrix: torch.Tensor, norm: str) -> torch.Tensor:
    """Scale a non-zero matrix so that its computed norm is 1 or just below."""
    found = _norm(matrix, norm)
    if not (math.isfinite(found) and found > 0):
        raise ValueError(f"matrix must have a finite norm > 0, got norm={found}")
    matrix = matrix / found
    while _norm(matrix, norm) > 1:
        matrix = matrix * _STEP
    return matrix
