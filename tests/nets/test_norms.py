"""Norms of large matrices: the way by Cholesky against NumPy, and what it does when its estimate or factor is wrong."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from nets.certificate import norms, spectral_norm_upper


@pytest.fixture(autouse=True)
def cholesky_for_all(monkeypatch):
    """The way by Cholesky at every size, with blocks that small matrices fill more than once."""
    monkeypatch.setattr(norms, "_CHOLESKY_FROM", 1)
    monkeypatch.setattr(norms, "_BLOCK", 8)


def examples():
    rng = np.random.default_rng(7)
    for m, n in ((1, 1), (1, 9), (3, 3), (8, 8), (9, 17), (30, 20), (40, 41)):
        yield rng.normal(size=(m, n))
        yield rng.normal(size=(m, 1)) @ rng.normal(size=(1, n))
        yield np.eye(m, n)
    spread = np.linalg.qr(rng.normal(size=(25, 25)))[0]
    yield spread * np.logspace(0, -12, 25) @ spread.T
    yield spread  # every singular value is the largest


@pytest.mark.parametrize("power", [0, -600, 600])
def test_bound_is_above_and_near_the_norm(power):
    for a in examples():
        bound = float(spectral_norm_upper(torch.from_numpy(a)[None])[0])
        exact = np.linalg.norm(a, 2)
        assert exact * (1 - 1e-14) <= bound <= exact * (1 + 1e-8)
        scaled = float(spectral_norm_upper(torch.from_numpy(a * 2.0**power)[None])[0])
        assert scaled == pytest.approx(bound * 2.0**power, rel=1e-14)


def test_both_ways_agree_and_batches_are_apart(monkeypatch):
    a = torch.randn(5, 20, 30, generator=torch.Generator().manual_seed(8), dtype=torch.float64)
    a[1], a[2] = a[1] * 1e9, 0.0
    a[3, 0, 0] = math.nan
    large = spectral_norm_upper(a)
    monkeypatch.setattr(norms, "_CHOLESKY_FROM", 100)
    small = spectral_norm_upper(a)
    assert torch.allclose(large, small, rtol=1e-9)
    assert large[2] == 0
    assert large[3] == math.inf


def test_low_estimates_are_raised_and_hopeless_ones_give_the_frobenius_norm(monkeypatch):
    a = torch.randn(3, 12, 15, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    exact, frobenius = torch.linalg.matrix_norm(a, 2), torch.linalg.matrix_norm(a)
    real = norms._top_eigenvalue

    def lower(by):
        def answer(gram):
            top, step = real(gram)
            return top * (1 - by), step + by * top / 100

        return answer

    monkeypatch.setattr(norms, "_top_eigenvalue", lower(0.1))
    raised = spectral_norm_upper(a)
    assert bool((raised >= exact).all())
    assert bool((raised < 1.2 * exact).all())
    monkeypatch.setattr(norms, "_top_eigenvalue", lambda gram: (real(gram)[0] / 2, real(gram)[1] * 0))
    assert torch.allclose(spectral_norm_upper(a), frobenius, rtol=1e-12)


def test_bound_survives_a_lying_factorisation(monkeypatch):
    """Whatever is returned as the factor, the residual pays for it."""
    generator = torch.Generator().manual_seed(10)
    a = torch.randn(4, 20, 25, generator=generator, dtype=torch.float64)
    exact = torch.linalg.matrix_norm(a, 2)
    real = torch.linalg.cholesky_ex
    fine = torch.zeros(4, dtype=torch.int32)
    lies = [
        lambda gap: (torch.zeros_like(gap), fine),
        lambda gap: (real(gap)[0] * 1.01, fine),
        lambda gap: (torch.randn(gap.shape, generator=generator, dtype=gap.dtype).tril(), fine),
        lambda gap: (torch.full_like(gap, math.nan), fine),
    ]
    monkeypatch.setattr(norms, "_top_eigenvalue", lambda gram: (torch.full((4,), 0.5), torch.full((4,), 1e-3)))
    for lie in lies:
        monkeypatch.setattr(torch.linalg, "cholesky_ex", lie)
        assert bool((spectral_norm_upper(a) >= exact * (1 - 1e-14)).all())


def test_residual_is_the_whole_matrix_s():
    generator = torch.Generator().manual_seed(11)
    gap = torch.randn(2, 21, 21, generator=generator, dtype=torch.float64)
    gap, factor = gap + gap.mT, torch.randn(2, 21, 21, generator=generator, dtype=torch.float64).tril()
    whole = (gap - factor @ factor.mT).abs().sum(-1).amax(-1)
    assert torch.allclose(norms._residual(gap, factor), whole, rtol=1e-12)
    a = torch.randn(2, 21, 9, generator=generator, dtype=torch.float64)
    assert torch.allclose(norms._lower_product(a), (a @ a.mT).tril(), rtol=1e-12, atol=1e-13)


def test_a_computed_gram_matrix_need_not_be_symmetric() -> None:
    """Row sums alone bound no norm: that of [[0, 3], [0, 4]] is 5."""
    product = torch.tensor([[[0.0, 3.0], [0.0, 4.0]]], dtype=torch.float64)
    assert norms._largest_sum(product).item() == norms._largest_sum(product.mT).item() == 7.0
