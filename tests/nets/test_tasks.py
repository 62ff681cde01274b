"""Several tasks in one network: masks do not disturb each other, tasks are told apart, states round-trip."""

from __future__ import annotations

import copy

import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from nets.search import find_tickets
from nets.search.methods import METHODS
from nets.search.tasks import TaskMasks


def network(norm=False):
    middle = [nn.BatchNorm1d(64)] if norm else []
    return nn.Sequential(nn.Linear(64, 64), *middle, nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def task_data(count=3):
    """The digits with their pixels in three orders: as they are, and permuted."""
    x, y = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
    order = torch.Generator().manual_seed(1)
    for number in range(count):
        places = torch.arange(64) if number == 0 else torch.randperm(64, generator=order)
        images = ((x / 16)[:, places] - 0.3).float() * 2.5
        yield f"order {number}", (images[:1400], y[:1400], images[1400:], y[1400:])


def learn(search, x, y, steps, lr=0.4):
    optimiser = torch.optim.SGD(search.parameters(), lr=lr, momentum=0.9)
    search.model.train()
    for step in range(steps):
        search.before_step(step)
        part = torch.arange(200) + 200 * (step % 7)
        optimiser.zero_grad()
        nn.functional.cross_entropy(search.model(x[part]), y[part]).backward()
        optimiser.step()
    search.model.eval()


def accuracy(search, x, y):
    with torch.no_grad():
        return float((search.model(x).argmax(-1) == y).double().mean())


def test_three_tasks_are_learned_and_told_apart():
    search = find_tickets(network(), density=0.5, seed=1)
    frozen = [layer.frozen.clone() for layer in search.layers.values()]
    tasks, kept = TaskMasks(search), {}
    sets = dict(task_data())
    for name, (x, y, _, _) in sets.items():
        tasks.add_task(name)
        learn(search, x, y, 100)
        kept[name] = {key: mask.clone() for key, mask in search.masks().items()}
    assert tasks.names == tuple(sets)
    for name, (_, _, x, y) in sets.items():
        tasks.set_task(name)
        assert all(torch.equal(mask, kept[name][key]) for key, mask in search.masks().items())
        assert accuracy(search, x, y) > 0.8
        tasks.set_task("order 1")
        batches = x[:384].split(128)
        assert [tasks.infer_task(batch) for batch in batches] == [name] * 3
        assert tasks.current == "order 1"
        if name != "order 1":
            assert accuracy(search, x, y) < 0.5
    assert all(torch.equal(a, layer.frozen) for a, layer in zip(frozen, search.layers.values(), strict=True))


def test_optimisers_of_tasks_do_not_meet():
    search = find_tickets(nn.Linear(6, 4), seed=1)
    tasks, optimisers = TaskMasks(search), {}
    for name in ("a", "b"):
        tasks.add_task(name)
        optimisers[name] = torch.optim.SGD(search.parameters(), lr=1.0)
    search.model(torch.ones(2, 6)).square().sum().backward()
    before = {
        name: {key: one.clone() for key, one in tasks.state_dict()["scores"][name].items()} for name in tasks.names
    }
    for name, changed in (("a", False), ("b", True)):
        optimisers[name].step()
        after = tasks.state_dict()["scores"]
        assert torch.equal(after["a"][""], before["a"][""])
        assert torch.equal(after["b"][""], before["b"][""]) != changed


def test_the_gradient_is_that_of_the_mixture():
    """One gradient by autograd against differences of the entropy, in a network that is written out."""
    search = find_tickets(nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 3)).double(), density=0.5, seed=2)
    tasks, weights = TaskMasks(search), []
    for name in ("a", "b", "c"):
        tasks.add_task(name)
        weights.append([layer.frozen * search.masks()[key] for key, layer in search.layers.items()])

    def entropy(parts):
        one, two = (sum(p * w[i] for p, w in zip(parts, weights, strict=True)) for i in range(2))
        logits = torch.relu(x @ one.T) @ two.T
        p = torch.exp(logits) / torch.exp(logits).sum(-1, keepdim=True)
        return float(-(p * torch.log(p)).sum(-1).mean())

    found = set()
    for seed in range(12):
        x = torch.randn(6, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        slopes = [
            entropy([1 / 3 + 1e-6 * (i == j) for j in range(3)]) - entropy([1 / 3 - 1e-6 * (i == j) for j in range(3)])
            for i in range(3)
        ]
        expected = "abc"[slopes.index(min(slopes))]
        assert tasks.infer_task(x) == expected
        found.add(expected)
    assert len(found) > 1


@pytest.mark.parametrize("method", ["edge-popup", "bernoulli", "signed-supermask"])
def test_states_hold_all_tasks_and_their_statistics(method):
    sets = dict(task_data(2))
    search = find_tickets(network(norm=True), method=method, seed=3)
    tasks = TaskMasks(search)
    for name, (x, y, _, _) in sets.items():
        tasks.add_task(name)
        learn(search, x, y, 7)
    saved = copy.deepcopy((search.model.state_dict(), tasks.state_dict()))
    again = find_tickets(network(norm=True), method=method, seed=3)
    again.model.load_state_dict(saved[0])
    other = TaskMasks(again)
    other.load_state_dict(saved[1])
    assert (other.names, other.current) == (tasks.names, "order 1")
    again.model.eval()
    found = []
    for name, (_, _, x, _) in sets.items():
        tasks.set_task(name)
        other.set_task(name)
        found.append(search.model(x))
        assert torch.equal(found[-1], again.model(x))
        assert int(search.model[1].num_batches_tracked) == 7
    statistics = tasks.state_dict()["statistics"]
    assert not torch.equal(statistics["order 0"]["1.running_mean"], statistics["order 1"]["1.running_mean"])
    assert tasks.infer_task(sets["order 0"][2]) in sets
    with pytest.raises(ValueError, match="the scores of task 'order 0' are those of another network"):
        TaskMasks(find_tickets(nn.Linear(3, 2))).load_state_dict(saved[1])


def test_what_tasks_would_share_is_refused():
    for method in METHODS:
        changes = method in ("iterand", "recycle", "biprop-recycle")
        search = find_tickets(nn.Linear(3, 2), method=method)
        if changes:
            with pytest.raises(ValueError, match=f"method {method} changes the weights, which all tasks share"):
                TaskMasks(search)
        else:
            TaskMasks(search).add_task("a")
    with pytest.raises(ValueError, match=r"search must train nothing but scores, or tasks would share it: 1\.weight"):
        TaskMasks(find_tickets(network(norm=True), train_rest=True))
    tasks = TaskMasks(find_tickets(nn.Linear(3, 2)))
    with pytest.raises(ValueError, match="there is no task to choose from"):
        tasks.infer_task(torch.ones(1, 3))
    tasks.add_task("a", score_seed=5)
    for call, message in (
        (lambda: tasks.add_task("a"), "name must be new, got 'a'; the tasks are a"),
        (lambda: tasks.set_task("b"), "name must be one of a, got 'b'"),
    ):
        with pytest.raises(ValueError, match=message):
            call()
