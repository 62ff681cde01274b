"""Networks to be found in random ones: from files, modules, or at random."""

from nets.targets.files import from_digits, from_state_dict, load_target
from nets.targets.target import Target, TargetError, from_sequential, random_target, with_biases

__all__ = [
    "Target",
    "TargetError",
    "from_digits",
    "from_sequential",
    "from_state_dict",
    "load_target",
    "random_target",
    "with_biases",
]
