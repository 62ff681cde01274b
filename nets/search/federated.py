"""FedPM (Isik et al. 2023): clients train probabilities of keeping weights, and only bits of sampled masks leave them.

All have the same frozen random network, from a seed. In every round each client starts from the server's probabilities,
trains its scores on its own data, samples a mask and sends it; the server's new probabilities are the shares of clients
that kept each weight. A mask is sent in the code of `nets.tickets.mask_code`, of which the decoder knows the
probabilities that the server had sent.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.arguments import as_input, dense, of_type, real_tensor
from nets.descent import Batch, descend
from nets.search.methods.bernoulli import Bernoulli
from nets.search.methods.sampled import drawn
from nets.search.search import TicketSearch
from nets.search.tasks import running_statistics
from nets.tickets.mask_bits import coin_bits
from nets.tickets.mask_code import Words, decode_bits, encode_bits
from nets.tickets.mask_known import ZONES, Known
from sims.solver.limits import between, finite_number
from theory.numerics.check import shown

Masks = Mapping[str, torch.Tensor]
CLIP = 0.01
"""An uploaded 0 counts as this and a 1 as one minus this, so that no score becomes infinite."""


@dataclass(frozen=True)
class Round:
    """What one round cost and gave.

    Attributes
    ----------
    number : int
        From 1.
    density : float
        Mean of the kept shares of the uploaded masks.
    coded_bits, entropy_bits : float
        Bits of one client's upload per weight, mean over the clients: as coded, whole words; and as the paper counts
        them, H2(share kept) for each weight of all layers together, and log2 of their number for the share.
    """

    number: int
    density: float
    coded_bits: float
    entropy_bits: float


class Federation:
    """Clients and a server in one process.

    Parameters
    ----------
    search : TicketSearch
        By the method "bernoulli".
    clients : sequence of (inputs, labels)
        The data of each client.
    epochs : int
        Passes of a client over its data in each round.
    batch : int
    lr : float
        Of Adam, which starts anew in each round and client.
    prior : float >= 1
        Both parameters of the Beta law that the server starts each round from; 1: uniform.

    Raises
    ------
    ValueError
        If the search is by another method, or there are no clients.

    Notes
    -----
    Step noise is drawn by the number of the step, counted over rounds and clients, so a run is a function of its seeds
    and data. Running statistics of batch norms would have to be sent too, and are refused.

    Source
    ------
    Isik et al., ICLR 2023, arXiv 2209.15328; rules read in the authors' code: Adam with rate 0.1 in the models, 3
    local epochs of batch 128, one mask from each client, the prior 1 in every round, and the clipped bits.
    """

    def __init__(
        self,
        search: TicketSearch,
        clients: Sequence[Batch],
        *,
        epochs: int = 3,
        batch: int = 128,
        lr: float = 0.1,
        prior: float = 1.0,
    ) -> None:
        of_type("search", search, TicketSearch)
        if not isinstance(search.method, Bernoulli):
            raise ValueError(f"search must be by the method bernoulli, got {search.method.name}")
        if not of_type("clients", clients, (list, tuple), "a list of (inputs, labels)"):
            raise ValueError("clients must be one at least, got none")
        for i, client in enumerate(clients):
            _check_client(f"clients[{i}]", client)
        epochs, batch = between("epochs", epochs, 1, 2**31), between("batch", batch, 1, 2**31)
        if not (lr := finite_number("lr", lr)) > 0:
            raise ValueError(f"lr must be a number > 0, got lr={lr}")
        prior = _prior(prior)
        for name in running_statistics(search.model):
            raise ValueError(f"the model must have no running statistics, which no mask sends, got {name}")
        self.search, self.clients = search, list(clients)
        self.epochs, self.batch, self.lr, self.prior = epochs, batch, lr, prior
        self.rounds = 0
        self._steps = 0

    def probabilities(self) -> dict[str, torch.Tensor]:
        """The server's probability of keeping each weight, float32 by layer name."""
        return {name: torch.sigmoid(layer.scores.detach()).float() for name, layer in self.search.layers.items()}

    def run(self, rounds: int) -> Iterator[Round]:
        """Go on for some rounds; after each, the search holds the server's scores."""
        for _ in range(between("rounds", rounds, 0, 2**31)):
            yield self._round()

    def _round(self) -> Round:
        search = self.search
        known = self.probabilities()
        start = [layer.scores.detach().clone() for layer in search.layers.values()]
        uploads, coded = [], 0
        for inputs, labels in self.clients:
            self._load(start)
            self._train(inputs, labels)
            mask = self._sample()
            words = {name: encode_mask(mask[name], known[name]) for name in mask}
            coded += 32 * sum(map(len, words.values()))
            uploads.append({name: decode_mask(words[name], known[name]) for name in mask})  # what the server receives
        self._load([torch.logit(one) for one in posterior(uploads, self.prior).values()])
        self.rounds += 1
        kept = [sum(int(bits.sum()) for bits in masks.values()) / search.numel for masks in uploads]
        return Round(
            number=self.rounds,
            density=float(np.mean(kept)),
            coded_bits=coded / len(uploads) / search.numel,
            entropy_bits=float(np.mean([coin_bits(part) for part in kept])) + math.log2(search.numel) / search.numel,
        )

    def _train(self, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        search = self.search
        optimiser = torch.optim.Adam(search.parameters(), lr=self.lr)

        def before() -> None:
            search.before_step(self._steps)
            self._steps += 1

        search.model.train()
        for _ in range(self.epochs):
            batches = zip(inputs.split(self.batch), labels.split(self.batch), strict=True)
            descend(search.model, batches, optimiser, before=before)

    @torch.no_grad()
    def _sample(self) -> dict[str, torch.Tensor]:
        self.search.before_step(self._steps)
        self._steps += 1
        out = {}
        for name, layer in self.search.layers.items():
            assert layer.step_noise is not None
            out[name] = drawn(layer.step_noise, torch.sigmoid(layer.scores.to(layer.step_noise.dtype)))
        return out

    @torch.no_grad()
    def _load(self, scores: Sequence[torch.Tensor]) -> None:
        for layer, own in zip(self.search.layers.values(), scores, strict=True):
            layer.scores.copy_(own)


def posterior(uploads: Sequence[Masks], prior: float = 1.0) -> dict[str, torch.Tensor]:
    """Most probable probability of keeping each weight, after masks of all clients.

    Each clipped bit b adds b and 1 - b to the two parameters of a Beta law that are `prior` at first; its mode is
    returned, which is the mean bit for a prior of 1.

    Parameters
    ----------
    uploads : sequence of dict of bool tensors, at least one

    Returns
    -------
    dict of torch.Tensor of float64
        In [CLIP, 1 - CLIP].

    Examples
    --------
    >>> masks = [{"a": torch.tensor([True, True])}, {"a": torch.tensor([False, True])}]
    >>> posterior(masks)["a"].tolist(), posterior(masks, prior=2)["a"].tolist()
    ([0.5, 0.99], [0.5, 0.745])
    """
    out, prior = {}, _prior(prior)
    if not of_type("uploads", uploads, (list, tuple), "a list of masks by name"):
        raise ValueError("uploads must be one at least, got none")
    for masks in uploads:
        if not isinstance(masks, Mapping) or masks.keys() != uploads[0].keys():
            raise ValueError("uploads must be masks by name, of the same layers for each client")
        for name, mask in masks.items():
            if _mask(f"uploads: {name}", mask).shape != uploads[0][name].shape:
                raise ValueError(f"uploads must have masks of one shape, those of {name!r} differ")
    for name in uploads[0]:
        bits = torch.stack([masks[name] for masks in uploads]).double()
        ones = (CLIP + (1 - 2 * CLIP) * bits).sum(0)
        out[name] = (ones + prior - 1) / (len(uploads) + 2 * prior - 2)
    return out


def encode_mask(mask: torch.Tensor, probability: torch.Tensor) -> Words:
    """Words for a mask, for whoever knows about how probable each bit was.

    Parameters
    ----------
    mask : torch.Tensor of bool
    probability : torch.Tensor, same shape
        In [0, 1].

    Returns
    -------
    uint32 array

    Examples
    --------
    >>> p = torch.linspace(0, 1, 4000)
    >>> words = encode_mask(p > 0.5, p)
    >>> 32 * len(words) < 400, bool((decode_mask(words, p) == (p > 0.5)).all())
    (True, True)
    """
    known = _known(probability)
    if _mask("mask", mask).shape != probability.shape:
        raise ValueError(f"mask must have the shape {tuple(probability.shape)} of probability, got {tuple(mask.shape)}")
    return encode_bits(known, mask.reshape(-1).cpu().numpy())


def decode_mask(words: Words, probability: torch.Tensor) -> torch.Tensor:
    """The mask that `encode_mask` was given."""
    known = _known(probability)
    if not isinstance(words, np.ndarray) or words.dtype != np.uint32 or words.ndim != 1:
        raise ValueError(f"words must be a row of uint32, got {shown(words)}")
    bits = decode_bits(known, words)
    return torch.from_numpy(bits).reshape(probability.shape).to(probability.device)


def _check_client(name: str, client: Any) -> None:
    """Inputs that are finite numbers, and a label for each."""
    if not isinstance(client, tuple | list) or len(client) != 2:
        raise ValueError(f"{name} must be (inputs, labels), got {type(client).__name__}")
    for one in client:
        of_type(name, one, torch.Tensor, "tensors of inputs and of labels")
    inputs, labels = as_input(f"{name} inputs", client[0]), dense(f"{name} labels", client[1])
    if not bool(torch.isfinite(inputs).all()):
        raise ValueError(f"{name} inputs must be finite, got NaN or infinity")
    if labels.dtype != torch.int64 or labels.ndim != 1 or not inputs.ndim or not 0 < len(labels) == len(inputs):
        shapes = f"{labels.dtype} of shape {tuple(labels.shape)} for inputs of shape {tuple(inputs.shape)}"
        raise ValueError(f"{name} labels must be int64, one for each input, got {shapes}")
    if int(labels.min()) < 0:
        raise ValueError(f"{name} labels must be >= 0, got {int(labels.min())}")


def _prior(prior: float) -> float:
    if not finite_number("prior", prior) >= 1:
        raise ValueError(f"prior must be a number >= 1, got prior={prior}")
    return float(prior)


def _mask(name: str, mask: torch.Tensor) -> torch.Tensor:
    if dense(name, mask).dtype != torch.bool or not isinstance(mask, torch.Tensor):
        raise ValueError(f"{name} must be a mask, a tensor of bool, got {getattr(mask, 'dtype', type(mask).__name__)}")
    return mask


def _known(probability: torch.Tensor) -> Known:
    """What the code may know: the place of each weight, and its probability in 24 zones of log-odds within 4.6."""
    of_type("probability", probability, torch.Tensor)
    p: npt.NDArray[Any] = real_tensor("probability", probability).double().cpu().numpy()
    if p.ndim < 1 or not p.size or not ((p >= 0) & (p <= 1)).all():
        raise ValueError(f"probability must be numbers in [0, 1], of one axis at least, got shape {p.shape}")
    n = p.size
    columns = max(1, n // p.shape[0])
    p = p.reshape(-1).clip(CLIP, 1 - CLIP)
    edge = math.log((1 - CLIP) / CLIP)
    zone = np.floor((np.log(p / (1 - p)) + edge) / (2 * edge) * ZONES).clip(0, ZONES - 1).astype(np.int8)
    place = np.arange(n)
    none = np.zeros(n, np.int8)
    return Known(
        row=(place // columns).astype(np.int32),
        column=(place % columns).astype(np.int32),
        zone=zone,
        size=none,
        negative=none,
        guess=(zone >= ZONES // 2).astype(np.int8),
    )
