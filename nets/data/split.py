"""Batches of a part of a data set: order, crops and flips follow from a seed and an epoch alone.

Order and augmentation come from the counter-based generator `sims.solver.philox`. With u(stream, epoch, i) the i-th
uniform
number of `seed`, the order of an epoch sorts u(ORDER, epoch, 0), u(ORDER, epoch, 1), ..., and the image at position p
of that order is augmented by u(AUGMENT, epoch, 44 p), u(AUGMENT, epoch, 44 p + 1), ... So a batch can be made again
alone, on any device, and the image at a position meets the same crop whatever the batch size is. Noise is drawn by
PyTorch's generator on the CPU, seeded from the batch's first image.
"""

from __future__ import annotations

import hashlib
import itertools
import operator
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from nets.arguments import dense, flag, of_type
from nets.data.augment import DRAWS, augment, check_augmentation, crop_boxes
from nets.data.images import fit, open_image
from nets.device import check_device, free_bytes, upload
from sims.solver import philox
from sims.solver.limits import between, finite_number
from theory.numerics.check import shown

ORDER, AUGMENT = 0x64617461, 0x64617462
"""Streams of `sims.solver.philox`."""

_PER_IMAGE = 44
_RESIDENT = 0.25
_AHEAD = 3
_DIGEST = 16

Job = tuple[int, npt.NDArray[np.int64]]
Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]


class Split:
    """Images held in memory as bytes, and their labels.

    Parameters
    ----------
    images : torch.Tensor of uint8, shape (count, channels, height, width)
    labels : torch.Tensor of int64, shape (count,)
    levels : int
        Pixel value that stands for 1.
    mean, std : sequence of float, length channels
        A batch is (pixels / levels - mean) / std.
    augmentation : str
        See `nets.data.augment`.
    noise : float >= 0
        Standard deviation of Gaussian noise added to augmented pixels / levels, which are then clamped to [0, 1].
    """

    def __init__(
        self,
        images: torch.Tensor,
        labels: torch.Tensor,
        *,
        levels: int = 255,
        mean: Any = (0.0,),
        std: Any = (1.0,),
        augmentation: str = "none",
        noise: float = 0.0,
    ) -> None:
        of_type("labels", labels, torch.Tensor), of_type("images", images, torch.Tensor)
        if dense("labels", labels).dtype != torch.int64 or labels.ndim != 1:
            raise ValueError(f"labels must be int64 of one axis, got {labels.dtype} of shape {tuple(labels.shape)}")
        if not isinstance(self, FileSplit) and (
            dense("images", images).dtype != torch.uint8 or images.ndim != 4 or len(images) != len(labels)
        ):
            shape = f"shape {tuple(images.shape)} for {len(labels)} labels"
            raise ValueError(f"images must be uint8, (count, channels, height, width), got {images.dtype} of {shape}")
        self.images, self.labels, self.levels = images, labels, between("levels", levels, 1, 255)
        self.mean, self.std = (
            tuple(finite_number(name, one) for one in of_type(name, side, (tuple, list), "numbers, one a channel"))
            for name, side in (("mean", mean), ("std", std))
        )
        if any(one <= 0 for one in self.std) or (
            images.ndim == 4 and not {len(self.mean), len(self.std)} <= {1, images.shape[1]}
        ):
            raise ValueError(f"std must be positive, and mean and std one a channel, got {self.mean} and {self.std}")
        check_augmentation(augmentation)
        if (noise := finite_number("noise", noise)) < 0:
            raise ValueError(f"noise must be a number >= 0, got noise={noise}")
        self.augmentation, self.noise = augmentation, noise
        self._resident: dict[torch.device, torch.Tensor] = {}

    def __len__(self) -> int:
        return len(self.labels)

    def batches(
        self,
        batch: int,
        *,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        channels_last: bool = False,
        order: tuple[int, int] | None = None,
        augment: bool = True,
        first_batch: int = 0,
    ) -> Batches:
        """Go through the images once.

        Parameters
        ----------
        batch : int >= 1
            Images per batch; the last batch may be smaller and is not dropped.
        device : str or torch.device
            Where the batches are made. A GPU keeps the bytes of the whole split from the first call on, if a quarter of
            its free memory holds them.
        dtype : torch.dtype
            Floating; the arithmetic is float32, or float64 for float64.
        channels_last : bool
            Memory format of the batches.
        order : (seed, epoch), optional
            Both >= 0. Shuffles and augments, as these two numbers say and nothing else. Default: the images as they
            are, in the file's order, never augmented.
        augment : bool
            False shuffles without augmenting.
        first_batch : int >= 0
            Start there: batch i is the same whatever `first_batch` is.

        Yields
        ------
        x : torch.Tensor, shape (size, channels, height, width)
        y : torch.Tensor of int64, shape (size,)

        Raises
        ------
        ValueError
            If a number is out of range or `dtype` is not floating.
        """
        if isinstance(batch, bool) or not isinstance(batch, int) or batch < 1:
            raise ValueError(f"batch must be an integer >= 1, got batch={batch!r}")
        if isinstance(first_batch, bool) or not isinstance(first_batch, int) or first_batch < 0:
            raise ValueError(f"first_batch must be an integer >= 0, got first_batch={first_batch!r}")
        if not isinstance(dtype, torch.dtype) or not dtype.is_floating_point:
            raise ValueError(f"dtype must be floating, got dtype={shown(dtype)}")
        flag("channels_last", channels_last), flag("augment", augment)
        place = check_device(device)
        if order is None:
            shuffled = np.arange(len(self))
        else:
            seed, epoch = _order(order)
            draws = philox.grid_draws(seed, epoch, 1, len(self), stream=ORDER)[0]
            shuffled = np.argsort(draws, kind="stable")
        starts = range(first_batch * batch, len(self), batch)
        augmenting = order if augment else None
        return self._go(shuffled, batch, starts, place, dtype, channels_last, augmenting)

    def _go(
        self,
        shuffled: npt.NDArray[np.int64],
        batch: int,
        starts: range,
        device: torch.device,
        dtype: torch.dtype,
        channels_last: bool,
        order: tuple[int, int] | None,
    ) -> Batches:
        """Make the batches; an order means that they are augmented."""
        layout = torch.channels_last if channels_last else torch.contiguous_format
        precise = torch.float64 if dtype == torch.float64 else torch.float32
        mean, std = (torch.tensor(v, dtype=precise, device=device)[:, None, None] for v in (self.mean, self.std))
        labels = self.labels.to(device)
        jobs = ((start, shuffled[start : start + batch]) for start in starts)
        for start, chosen, pixels in self._pixels(jobs, device, order):
            x = pixels.to(precise) / self.levels
            if order is not None and self.noise > 0:
                noise = upload(_normal(x.shape, *order, start).numpy(), device).to(x.dtype)
                x = (x + self.noise * noise).clamp_(0, 1)
            x = ((x - mean) / std).to(dtype).contiguous(memory_format=layout)
            yield x, labels[upload(chosen, device)]

    def _pixels(
        self, jobs: Iterator[Job], device: torch.device, order: tuple[int, int] | None
    ) -> Iterator[tuple[int, npt.NDArray[np.int64], torch.Tensor]]:
        """Batches of pixels in levels, augmented if there is an order."""
        images = self._on(device)
        for start, chosen in jobs:
            pixels = images[upload(chosen, images.device)].to(device)
            if order is not None and self.augmentation != "none":
                pixels = augment(self.augmentation, pixels, image_draws(*order, start, len(chosen)))
            yield start, chosen, pixels

    def _on(self, device: torch.device) -> torch.Tensor:
        if device.type == "cpu":
            return self.images
        if device not in self._resident:
            if self.images.numel() > free_bytes(device) * _RESIDENT:
                return self.images
            self._resident[device] = self.images.to(device)
        return self._resident[device]


class FileSplit(Split):
    """Images that are read from their files batch by batch, by threads that work ahead.

    Augmentation "resized-crop" cuts and resizes while reading, as 8-bit images; without augmentation the shorter side
    becomes `shorter` and the centre is cut out.

    Attributes
    ----------
    digests : torch.Tensor of uint8, shape (count, 16)
        BLAKE2b of each file's bytes, zeros until it is first read. A file is refused once its bytes are others than
        those that were read first. This costs a fiftieth of decoding a photograph.
    """

    def __init__(
        self, files: tuple[Path, ...], labels: torch.Tensor, *, side: int, shorter: int, workers: int, **options: Any
    ) -> None:
        super().__init__(torch.empty(0, dtype=torch.uint8), labels, **options)
        self.files, self.side, self.shorter, self.workers = files, side, shorter, workers
        self.digests = torch.zeros(len(files), _DIGEST, dtype=torch.uint8)

    def _pixels(
        self, jobs: Iterator[Job], device: torch.device, order: tuple[int, int] | None
    ) -> Iterator[tuple[int, npt.NDArray[np.int64], torch.Tensor]]:
        if self.augmentation == "none":
            order = None

        def submit(pool: ThreadPoolExecutor, job: Job) -> list[Future[npt.NDArray[np.uint8]]]:
            start, chosen = job
            rows = None if order is None else image_draws(*order, start, len(chosen))
            return [
                pool.submit(self._read, i, None if rows is None else rows[k]) for k, i in enumerate(chosen.tolist())
            ]

        pool = ThreadPoolExecutor(self.workers)
        try:
            waiting: deque[tuple[Job, list[Future[npt.NDArray[np.uint8]]]]] = deque()
            for job in itertools.islice(jobs, _AHEAD):
                waiting.append((job, submit(pool, job)))
            while waiting:
                (start, chosen), futures = waiting.popleft()
                pixels = np.stack([future.result() for future in futures])
                for job in itertools.islice(jobs, 1):
                    waiting.append((job, submit(pool, job)))
                yield start, chosen, upload(pixels, device)
        finally:  # also when the caller stops early or an image is damaged
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, i: int, draws: npt.NDArray[np.float64] | None) -> npt.NDArray[np.uint8]:
        path = self.files[i]
        image = open_image(self._bytes(i), str(path))
        if draws is None:
            return fit(image, self.side, str(path), shorter=self.shorter)
        from PIL import Image

        top, left, height, width = crop_boxes(draws[None, 1:], [[image.height, image.width]])[0].tolist()
        window = image.crop((left, top, left + width, top + height))
        window = window.resize((self.side, self.side), Image.Resampling.BILINEAR)
        if draws[0] < 0.5:
            window = window.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        return fit(window, self.side, str(path))

    def _bytes(self, i: int) -> bytes:
        """The content of a file, if it is what it was when it was first read."""
        path = self.files[i]
        try:
            raw = path.read_bytes()
        except OSError as error:
            raise ValueError(f"{path}: not readable ({type(error).__name__})") from None
        found = torch.frombuffer(bytearray(hashlib.blake2b(raw, digest_size=_DIGEST).digest()), dtype=torch.uint8)
        if not bool(self.digests[i].any()):
            self.digests[i] = found
        elif not torch.equal(self.digests[i], found):
            raise ValueError(f"{path}: its content is not what it was when this run first read it")
        return raw


def _order(order: Any) -> tuple[int, int]:
    try:
        seed, epoch = (operator.index(number) for number in order)
        fine = 0 <= seed <= philox.MAX_SEED and 0 <= epoch < philox.MAX_TRIAL
    except (TypeError, ValueError):
        fine = False
    if not fine:
        raise ValueError(f"order must be (seed in [0, 2^64), epoch in [0, 2^63 - 1)), got order={shown(order)}")
    return seed, epoch


def image_draws(seed: int, epoch: int, start: int, count: int) -> npt.NDArray[np.float64]:
    """Uniform numbers in [0, 1) for the images at positions start, ..., start + count - 1 of an epoch: (count, 44)."""
    flat = philox.grid_draws(seed, epoch, 1, _PER_IMAGE * count, stream=AUGMENT, first_index=_PER_IMAGE * start)
    unit: npt.NDArray[np.float64] = np.ldexp((flat + 2**philox.GRID_BITS).astype(np.float64), -philox.GRID_BITS - 1)
    return unit.reshape(count, _PER_IMAGE)


def _normal(shape: torch.Size, seed: int, epoch: int, start: int) -> torch.Tensor:
    """Standard normal numbers, from the last of the first image's numbers (which no augmentation uses)."""
    assert max(DRAWS.values()) < _PER_IMAGE
    own = philox.grid_draws(seed, epoch, 1, _PER_IMAGE, stream=AUGMENT, first_index=_PER_IMAGE * start)[0, -1]
    return torch.randn(shape, generator=torch.Generator().manual_seed(int(own) + 2**philox.GRID_BITS))
