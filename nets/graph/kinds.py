"""What each ONNX operator is to a bound, and what it does to signs: the one table of the operators' nature.

Kinds: `linear` (a linear map once all inputs but one are constants, which may be parts), `fixed` (a linear map without
weights), `pointwise` (one function on every entry, `nets/graph/pointwise.py`), `maxpool`, `softmax`, `add` (1-Lipschitz
in each of its values: Add, Max, ...), `product` (entry by entry, of values or with a constant), `scale` (batch
normalisation), `select` (Where), `shape` (depends on the shape of its input, not on its entries), `opaque` (everything
else: no bound).
"""

from __future__ import annotations

ALWAYS = "always"  # the outputs are >= 0 whatever the inputs
KEEPS = "keeps"  # >= 0 if the first input is
ALL = "all"  # >= 0 if every input is
ANY = "any"  # >= 0 if some input is
ASKS = "asks"  # by attributes or constants: a rule of its own in `nets/graph/ranges.py`
SIGNED = "signed"  # may be negative

_TABLE = """
linear     all     Conv ConvTranspose MatMul
linear     asks    Gemm
fixed      keeps   Identity Dropout Reshape Flatten Transpose Squeeze Unsqueeze Split Slice Gather Expand Tile
fixed      keeps   DepthToSpace SpaceToDepth AveragePool GlobalAveragePool ReduceSum ReduceMean
fixed      all     Concat
fixed      asks    Pad Resize Upsample
fixed      keeps   Cast
fixed      signed  Neg
scale      signed  BatchNormalization
pointwise  always  Relu Sigmoid Abs Exp Softplus HardSigmoid Sqrt
pointwise  keeps   LeakyRelu PRelu Elu Celu Tanh Erf Gelu HardSwish Swish Mish Softsign Atan Reciprocal
pointwise  asks    Clip Selu Pow
pointwise  signed  Log Sin Cos
maxpool    keeps   MaxPool GlobalMaxPool ReduceMax ReduceMin
softmax    always  Softmax
softmax    signed  LogSoftmax
add        all     Add Sum Mean Min
add        any     Max
add        signed  Sub
product    asks    Mul
product    all     Div
select     asks    Where
shape      always  Shape Size
opaque     always  NonZero ArgMax ArgMin Equal Greater GreaterOrEqual Less LessOrEqual Not And Or Xor IsNaN IsInf
opaque     always  EyeLike Hardmax LpPool GlobalLpPool ReduceL1 ReduceL2 ReduceSumSquare
opaque     keeps   Floor Ceil Round Sign CumSum Trilu GatherElements GatherND TopK ReduceProd LpNormalization
opaque     all     ScatterND ScatterElements Einsum
opaque     asks    ThresholdedRelu LRN ConstantOfShape
"""

_ROWS = [line.split() for line in _TABLE.strip().splitlines()]
KINDS = {op: row[0] for row in _ROWS for op in row[2:]}
SIGNS = {op: row[1] for row in _ROWS for op in row[2:]}


def kind(op: str) -> str:
    """Return what an operator is to a bound: opaque if it is not in the table.

    Examples
    --------
    >>> kind("Conv"), kind("Tanh"), kind("LSTM")
    ('linear', 'pointwise', 'opaque')
    """
    return KINDS.get(op, "opaque")
