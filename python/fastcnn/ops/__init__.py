"""Functions on arrays. Each also accepts the symbolic operands of a model being described."""

from fastcnn.ops import boxes as _boxes
from fastcnn.ops import distance as _distance
from fastcnn.ops import gram as _gram
from fastcnn.ops import pooling as _pooling
from fastcnn.ops.boxes import *  # noqa: F403
from fastcnn.ops.distance import *  # noqa: F403
from fastcnn.ops.gram import *  # noqa: F403
from fastcnn.ops.pooling import *  # noqa: F403
from fastcnn.symbolic import recordable as _recordable

__all__ = [*_gram.__all__, *_distance.__all__, *_boxes.__all__, *_pooling.__all__]

for _name in __all__:
    globals()[_name] = _recordable(globals()[_name])
