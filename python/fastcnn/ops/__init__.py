"""Functions on arrays. Each also accepts the symbolic operands of a model being described."""

from fastcnn.ops import pooling as _pooling
from fastcnn.ops.pooling import *  # noqa: F403
from fastcnn.symbolic import recordable as _recordable

__all__ = [*_pooling.__all__]

for _name in __all__:
    globals()[_name] = _recordable(globals()[_name])
