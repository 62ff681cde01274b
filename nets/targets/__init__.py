"""Networks to be found in random ones: from files, modules, or at random."""

from nets.graph.graph import Graph, GraphError
from nets.targets.chain import chain_graph, target_graph
from nets.targets.digits import from_digits
from nets.targets.load import load_target
from nets.targets.module import from_module
from nets.targets.onnx_file import read_onnx
from nets.targets.state_dict import from_state_dict
from nets.targets.target import Target, TargetError, from_sequential, random_target, with_biases

__all__ = [
    "Graph",
    "GraphError",
    "Target",
    "TargetError",
    "chain_graph",
    "from_digits",
    "from_module",
    "from_sequential",
    "from_state_dict",
    "load_target",
    "random_target",
    "read_onnx",
    "target_graph",
    "with_biases",
]
