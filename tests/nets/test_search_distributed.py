"""Searches in two processes: one network on both, whatever the seeds and the wrapper, without sending it every step."""

from __future__ import annotations

import pytest
import torch
from torch import distributed, nn

from nets.search import find_tickets

METHODS = {
    "edge-popup": {},
    "iterand": {"rerand_every": 2, "init": "kaiming-normal"},
    "recycle": {"recycle_every": 1},
    "biprop": {"scope": "global"},
}
STEPS = 4


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(), nn.Flatten(), nn.Linear(24, 10), nn.ReLU(), nn.Linear(10, 4)
    )


@torch.no_grad()
def fingerprint(search):
    """Of all frozen weights, masks and effective weights."""
    parts = [[one.frozen, one.mask(), one.effective_weight()] for one in search.layers.values()]
    flat = torch.cat([tensor.detach().double().reshape(-1) for part in parts for tensor in part])
    return [float(flat @ torch.linspace(1, 2, len(flat), dtype=torch.float64)), len(search.events)]


def train(model, search, rank):
    """Losses of a few steps, each rank on its own images, with the calls of a training loop."""
    optimiser = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1.0)
    generator = torch.Generator().manual_seed(10 + rank)
    losses = []
    for step in range(STEPS):
        search.before_step(step)
        x, y = torch.randn(4, 3, 4, 4, generator=generator), torch.randint(0, 4, (4,), generator=generator)
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    search.after_epoch(1, 9)
    return losses


def process(rank, file, out, task):
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{file}", rank=rank, world_size=2)
    try:
        torch.save(task(rank), f"{out}/{rank}")
    finally:
        distributed.destroy_process_group()


def both(tmp_path, task):
    """What a task gives in each of two processes."""
    torch.multiprocessing.spawn(process, (str(tmp_path / "meeting"), str(tmp_path), task), nprocs=2)
    return [torch.load(tmp_path / str(rank)) for rank in range(2)]


def data_parallel(rank):
    out = {}
    sent = []
    original = distributed.broadcast
    distributed.broadcast = lambda tensor, *args, **options: (sent.append(1), original(tensor, *args, **options))[1]
    for name, options in METHODS.items():
        for buffers in (True, False):
            model = network().to(memory_format=torch.channels_last)
            search = find_tickets(model, method=name, seed=rank, **options)
            sent.clear()
            wrapped = nn.parallel.DistributedDataParallel(model, forward_sync_buffers=buffers)
            losses = train(wrapped, search, rank)
            tensors = sum(t is not None for one in search.layers.values() for t in (one.frozen, one.draws, one.origins))
            out[name, buffers] = losses, fingerprint(search), len(sent) - tensors, len(list(wrapped.module.buffers()))
    return out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:this rank takes the weights of the first one:UserWarning")
def test_data_parallel_ranks_have_one_network(tmp_path):
    first, second = both(tmp_path, data_parallel)
    assert first.keys() == second.keys()
    for key, (losses, print_, extra, buffers) in first.items():
        assert second[key][1] == print_, key
        assert second[key][0] != losses
        assert extra == 0  # each tensor was sent once
        assert buffers == 3  # those of batch norm alone: what a forward pass sends
    assert {key[0]: value[1][1] for key, value in first.items()} == {
        "edge-popup": 0, "iterand": 2, "recycle": 1, "biprop": 0,
    }  # fmt: skip


def sharded(rank):
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard

    mesh, out = init_device_mesh("cpu", (2,)), {}
    for name, each in (("iterand", True), ("recycle", False), ("biprop", True), ("edge-popup", False)):
        model = network()
        search = find_tickets(model, method=name, seed=3, **METHODS[name])
        for layer in [model[i] for i in (0, 4, 6)] * each:
            fully_shard(layer, mesh=mesh)
        fully_shard(model, mesh=mesh)
        out[name, "sharded"] = train(model, search, rank), fingerprint(search)
        model = network()
        search = find_tickets(model, method=name, seed=3, **METHODS[name])
        wrapped = nn.parallel.DistributedDataParallel(model)
        out[name, "whole"] = train(wrapped, search, rank), fingerprint(search)
    model = network()
    search = find_tickets(model, seed=3)
    wrapped = FullyShardedDataParallel(model, device_id=torch.device("cpu"), use_orig_params=True)
    losses = train(wrapped, search, rank)
    with FullyShardedDataParallel.summon_full_params(wrapped):
        out["edge-popup", "flat"] = losses, fingerprint(search)
    try:
        model[0].weight.sum()
    except RuntimeError as error:
        out["refused"] = str(error)
    return out


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_sharded_scores_give_the_same_search_or_are_refused(tmp_path):
    found = both(tmp_path, sharded)
    assert found[0]["refused"].startswith("the scores are sharded here and the weight cannot be computed")
    for rank in found:
        for key in [key for key in rank if key != "refused"]:
            assert rank[key][0] == pytest.approx(rank[key[0], "whole"][0], rel=1e-5), key
            assert rank[key][1] == pytest.approx(rank[key[0], "whole"][1], rel=1e-4), key
            assert rank[key][1] == found[0][key][1]
