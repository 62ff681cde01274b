"""Data sets for finding tickets: digits, MNIST, CIFAR-10 and image folders, as uint8 images with labels."""

from nets.data.load import (
    AUGMENTS,
    DATASETS,
    NORMALISE,
    Data,
    Split,
    cache_folder,
    load_data,
)

__all__ = [
    "AUGMENTS",
    "DATASETS",
    "NORMALISE",
    "Data",
    "Split",
    "cache_folder",
    "load_data",
]
