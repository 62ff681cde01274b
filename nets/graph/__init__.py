"""Networks as small graphs of ONNX operators: what they hold, how they run, and which of their weights are parts."""

from nets.graph.graph import Graph, GraphError, Input, Node
from nets.graph.module import GraphModule
from nets.graph.parts import Part, find_parts

__all__ = ["Graph", "GraphError", "GraphModule", "Input", "Node", "Part", "find_parts"]
