"""A ticket in a small GPT: trained on real text, exported, loaded in another process, folded, run as ONNX.

The text is Python's own language reference, as ``pydoc`` shows it. ``python docs/howto/small_gpt.py OUT [STEPS]``
trains masks, and weights for comparison, with the same steps and batches.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from pydoc_data.topics import topics

import torch
from torch import nn

from nets.search import export_onnx, export_ticket, find_tickets, fold, load_ticket
from nets.search.inputs import outputs

CONTEXT, BATCH = 48, 16


class Block(nn.Module):
    """Attention and a two-layer network, each behind a layer norm and beside a shortcut."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.feed = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))
        self.register_buffer("future", torch.ones(CONTEXT, CONTEXT, dtype=torch.bool).triu(1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.norm1(x)
        x = x + self.attention(y, y, y, attn_mask=self.future, need_weights=False)[0]
        return x + self.feed(self.norm2(x))


class GPT(nn.Module):
    """Predicts the next character; the head is the table of characters."""

    def __init__(self, vocabulary: int, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.table, self.places = nn.Embedding(vocabulary, width), nn.Embedding(CONTEXT, width)
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, vocabulary, bias=False)
        self.head.weight = self.table.weight
        nn.init.normal_(self.table.weight, std=0.02)
        nn.init.normal_(self.places.weight, std=0.02)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.table(tokens) + self.places.weight
        return self.head(self.norm(self.blocks(x)))


def batch(data: torch.Tensor, chance: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Random pieces of the text, and the same pieces one character later."""
    start = torch.randint(len(data) - CONTEXT - 1, (BATCH, 1), generator=chance)
    piece = data[start + torch.arange(CONTEXT + 1)]
    return piece[:, :-1], piece[:, 1:]


def loss_of(model: nn.Module, pair: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy in nats per character."""
    return nn.functional.cross_entropy(model(pair[0]).flatten(0, 1), pair[1].flatten())


@torch.no_grad()
def test_loss(model: nn.Module, data: torch.Tensor) -> float:
    """On 50 batches that are always the same, in bits per character."""
    chance = torch.Generator().manual_seed(7)
    model.eval()
    found = sum(float(loss_of(model, batch(data, chance))) for _ in range(50)) / 50
    model.train()
    return found / float(torch.log(torch.tensor(2.0)))


def train(model: nn.Module, parameters: list[nn.Parameter], data: torch.Tensor, steps: int, rate: float) -> float:
    """Seconds that the steps of Adam took, with a rate that falls to 0 as a cosine."""
    optimiser = torch.optim.Adam(parameters, lr=rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    chance, started = torch.Generator().manual_seed(1), time.perf_counter()
    for _ in range(steps):
        optimiser.zero_grad()
        loss_of(model, batch(data, chance)).backward()
        optimiser.step()
        schedule.step()
    return time.perf_counter() - started


def main(out: Path, steps: int = 1500, rate: float = 3e-3) -> None:
    """Everything; prints one JSON object."""
    text = "\n".join(topics.values())
    known = sorted(set(text))
    numbers = {character: i for i, character in enumerate(known)}
    data = torch.tensor([numbers[character] for character in text])
    learned, held = data[: 9 * len(data) // 10], data[9 * len(data) // 10 :]
    size = {"vocabulary": len(known), "width": 96, "depth": 2, "heads": 4}
    torch.manual_seed(0)
    dense, model = GPT(**size), GPT(**size)
    weights = sum(one.numel() for one in dense.parameters())
    seconds = train(dense, list(dense.parameters()), learned, steps, rate)
    result = {"weights": weights, "steps": steps, "dense": test_loss(dense, held), "dense_seconds": seconds}

    # places stay dense: as drawn weights they would be ten times the size of the characters' and drown them
    search = find_tickets(model, method="edge-popup", density=0.5, seed=1, embeddings=True, exclude=["places"])
    print(search.summary(), file=sys.stderr)
    result["untrained"] = test_loss(model, held)
    result["ticket_seconds"] = train(model, search.parameters(), learned, steps, rate)
    result["ticket"] = test_loss(model, held)
    example = batch(held, torch.Generator().manual_seed(9))[0][:2]
    out.mkdir(parents=True, exist_ok=True)
    result |= export_ticket(search, out / "gpt.safetensors", build=GPT, arguments=size, example=example)
    torch.save((example, outputs(model, example)), out / "outputs.pt")
    result["onnx_error"] = export_onnx(model, example, out / "gpt.onnx", any_batch=True)
    result["folded_equal"] = bool(torch.equal(outputs(fold(model), example)[0], outputs(model, example)[0]))
    argv = [sys.executable, __file__, str(out), "check"]
    result["fresh_process_equal"] = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    print(json.dumps(result, indent=1))


def check(out: Path) -> None:
    """In another process: whether the ticket's outputs are those of the search, bit for bit."""
    example, wanted = torch.load(out / "outputs.pt")
    found = outputs(load_ticket(out / "gpt.safetensors", build=GPT), example)
    print(json.dumps(all(map(torch.equal, found, wanted))))


if __name__ == "__main__":
    folder, more = Path(sys.argv[1]), sys.argv[2:]
    check(folder) if more == ["check"] else main(folder, *map(int, more))
