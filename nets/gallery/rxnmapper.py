"""The attention network of RXNMapper, whose attention shows which atom goes where in a chemical reaction.

An ALBERT (Lan et al. 2020, arXiv:1909.11942): embeddings of 128, one layer with 8 heads used twelve times. The map is
read from head 6 of layer 11 (Schwaller et al. 2021, Science Advances 7, eabe4166), so what follows there is not
needed.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from nets.gallery.entry import Entry, Loaded, Run, package_file, package_weights
from nets.gallery.reactions import REACTIONS, Reaction, atom_map, parse

LENGTH, BATCH = 96, 4
WIDTH, HEADS = 256, 8
LAYER, HEAD = 10, 5
"""Where the map is read, counted from 0."""
FOLDER = "rxnmapper/models/transformers/albert_heads_8_uspto_all_1310k"


class Attention(nn.Module):
    """Self-attention with 8 heads; the input is added to its output, and the sum normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value, self.dense = (nn.Linear(WIDTH, WIDTH) for _ in range(4))
        self.LayerNorm = nn.LayerNorm(WIDTH, eps=1e-12)

    def shares(self, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        """Attention from each token to each, shape (batch, heads, length, length)."""
        scores = self._heads(self.query(x)) @ self._heads(self.key(x)).transpose(2, 3) / (WIDTH // HEADS) ** 0.5
        shares: torch.Tensor = torch.softmax(scores + hidden, dim=-1)
        return shares

    def forward(self, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        mixed = self.shares(x, hidden) @ self._heads(self.value(x))
        joined: torch.Tensor = self.LayerNorm(x + self.dense(mixed.transpose(1, 2).flatten(2)))
        return joined

    @staticmethod
    def _heads(x: torch.Tensor) -> torch.Tensor:
        return x.reshape(*x.shape[:2], HEADS, WIDTH // HEADS).transpose(1, 2)


class Layer(nn.Module):
    """Attention, and two dense layers with GELU between them; again added and normalised."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = Attention()
        self.ffn, self.ffn_output = nn.Linear(WIDTH, 512), nn.Linear(512, WIDTH)
        self.activation = nn.GELU()
        self.full_layer_layer_norm = nn.LayerNorm(WIDTH, eps=1e-12)

    def forward(self, x: torch.Tensor, hidden: torch.Tensor) -> torch.Tensor:
        x = self.attention(x, hidden)
        y: torch.Tensor = self.full_layer_layer_norm(x + self.ffn_output(self.activation(self.ffn(x))))
        return y


class Mapper(nn.Module):
    """Tokens, shape (batch, length), and a mask of the same shape, 1 for a token and 0 for padding; out comes the
    attention of one head, shape (batch, length, length)."""

    def __init__(self, tokens: int) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(tokens, 128)
        self.position_embeddings = nn.Embedding(512, 128)
        self.token_type_embeddings = nn.Embedding(2, 128)
        self.LayerNorm = nn.LayerNorm(128, eps=1e-12)
        self.embedding_hidden_mapping_in = nn.Linear(128, WIDTH)
        self.layer = Layer()

    def forward(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        length = tokens.shape[1]
        embedded = self.word_embeddings(tokens) + self.position_embeddings.weight[:length]
        x = self.embedding_hidden_mapping_in(self.LayerNorm(embedded + self.token_type_embeddings.weight[0]))
        hidden = (mask[:, None, None, :] - 1) * 1e4
        for _ in range(LAYER):
            x = self.layer(x, hidden)
        shares: torch.Tensor = self.layer.attention.shares(x, hidden)[:, HEAD]
        return shares


@functools.cache
def _vocabulary() -> dict[str, int]:
    lines = package_file("rxnmapper", f"{FOLDER}/vocab.txt").read_text(encoding="utf-8").splitlines()
    return {token: i for i, token in enumerate(lines)}


def encode(reactions: tuple[Reaction, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Reactions as the network takes them: tokens (int64) and mask (float32), shape (reactions, 96)."""
    known = _vocabulary()
    tokens = torch.full((len(reactions), LENGTH), known["[PAD]"])
    mask = torch.zeros(len(reactions), LENGTH)
    for i, reaction in enumerate(reactions):
        named = ["[CLS]", *reaction.tokens, "[SEP]"]
        if len(named) > LENGTH:
            raise ValueError(f"a reaction has {len(named)} tokens, at most {LENGTH} fit: {''.join(reaction.tokens)}")
        tokens[i, : len(named)] = torch.tensor([known.get(token, known["[UNK]"]) for token in named])
        mask[i, : len(named)] = 1
    return tokens, mask


def maps(run: Run) -> list[tuple[tuple[int, ...], float]]:
    """The atom maps of the reactions, and their confidences."""
    reactions = tuple(map(parse, REACTIONS))
    tokens, mask = encode(reactions)
    with torch.inference_mode():
        attention = torch.cat([run(*pair) for pair in zip(tokens.split(BATCH), mask.split(BATCH), strict=True)])
    shares = attention.double().numpy()
    sizes = [len(one.tokens) + 2 for one in reactions]
    return [atom_map(one, np.array(a[:s, :s])) for one, a, s in zip(reactions, shares, sizes, strict=True)]


def network() -> Mapper:
    """With its weights, in eval mode."""
    weights = package_weights("rxnmapper", f"{FOLDER}/pytorch_model.bin")
    renamed = {"encoder.albert_layer_groups.0.albert_layers.0.": "layer.", "embeddings.": "", "encoder.": ""}
    found = Mapper(len(weights["albert.embeddings.word_embeddings.weight"]))
    state = {}
    for name, tensor in weights.items():
        short = name.removeprefix("albert.")
        for old, new in renamed.items():
            if short.startswith(old):
                short = new + short.removeprefix(old)
                break
        state[short] = tensor
    wanted = found.state_dict().keys()
    found.load_state_dict({name: tensor for name, tensor in state.items() if name in wanted})
    return found.eval()


@functools.cache
def _original() -> list[tuple[tuple[int, ...], float]]:
    return maps(network())


def score(run: Run) -> dict[str, float]:
    """Share of the reactions whose whole map, and of the product atoms whose place, is the one that the network itself
    gives, and the largest change of a map's confidence."""
    found, before = maps(run), _original()
    same = [a == b for one, other in zip(found, before, strict=True) for a, b in zip(one[0], other[0], strict=True)]
    return {
        "reactions_unchanged": sum(one[0] == other[0] for one, other in zip(found, before, strict=True)) / len(found),
        "atoms_unchanged": sum(same) / len(same),
        "largest_confidence_change": max(abs(one[1] - other[1]) for one, other in zip(found, before, strict=True)),
    }


def read() -> Loaded:
    """The network and two batches of four reactions."""
    tokens, mask = encode(tuple(map(parse, REACTIONS)))
    return Loaded(network(), (tokens[:BATCH], mask[:BATCH]), (tokens[-BATCH:], mask[-BATCH:]))


ENTRIES = (
    Entry(
        name="rxnmapper",
        package="rxnmapper==0.4.3",
        licence="MIT",
        source="Schwaller et al. 2021 (Science Advances 7, eabe4166), weights in rxnmapper 0.4.3",
        job="atom maps of 12 reactions, as the network itself gives them",
        read=read,
        score=score,
        metric="atoms_unchanged",
    ),
)
