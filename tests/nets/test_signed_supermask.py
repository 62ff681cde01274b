"""Signed supermasks against a NumPy twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from nets.search import find_tickets
from tests.nets.test_edge_popup import data, mlp, train
from tests.nets.test_sampled import slopes


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_forty_steps_equal_the_numpy_twin(scope):
    search = find_tickets(mlp(), method="signed-supermask", density=0.4, seed=1, init="kaiming-normal", scope=scope)
    layers = list(search.layers.values())
    weights = [layer.frozen.numpy().copy() for layer in layers]
    scores = [layer.scores.detach().numpy().copy() for layer in layers]
    speed = [np.zeros_like(s) for s in scores]
    first = [np.sign(s) for s in scores]
    x, y = data()
    for _ in train(search, 40, x=torch.from_numpy(x), y=torch.from_numpy(y)):
        if scope == "global":
            every = np.sort(np.abs(np.concatenate([s.reshape(-1) for s in scores])))[::-1]
            least = [every[round(0.4 * every.size) - 1]] * 2
        else:
            least = [np.sort(np.abs(s).reshape(-1))[::-1][round(0.4 * s.size) - 1] for s in scores]
        masks = [np.where(np.abs(s) >= t, np.sign(s), 0) for s, t in zip(scores, least, strict=True)]
        for i, grad in enumerate(slopes(weights, masks, x, y)):
            speed[i] = 0.9 * speed[i] + weights[i] * grad + 0.01 * scores[i]
            scores[i] = scores[i] - 0.1 * speed[i]
            assert np.allclose(layers[i].scores.detach().numpy(), scores[i], rtol=1e-9, atol=1e-12)
    assert sum(int((np.sign(s) != sign).sum()) for s, sign in zip(scores, first, strict=True)) > 4
    for name, layer in search.layers.items():
        effective = layer.effective_weight().detach()
        assert int((effective != 0).sum()) == layer.n_keep
        turned = (effective == -layer.frozen) & (effective != 0)
        assert torch.equal(turned, search.masks()[name] & (layer.scores < 0))
        assert torch.equal(search.export_parts()["layers"][name]["values"], effective)


def test_a_score_of_zero_keeps_the_sign():
    search = find_tickets(mlp(), method="signed-supermask", density=1)
    with torch.no_grad():
        search.layers["0"].scores.zero_()
    assert torch.equal(search.layers["0"].effective_weight(), search.layers["0"].frozen)
