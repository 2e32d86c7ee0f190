"""Functions on arrays. Each also accepts the symbolic operands of a model being described."""

from fastcnn.ops import (
    activations as _activations,
    boxes as _boxes,
    convolution as _convolution,
    depthwise as _depthwise,
    distance as _distance,
    elementary as _elementary,
    global_pooling as _global_pooling,
    gram as _gram,
    image as _image,
    indexing as _indexing,
    integers as _integers,
    linear as _linear,
    losses as _losses,
    manipulation as _manipulation,
    math as _math,
    normalization as _normalization,
    pooling as _pooling,
    regions as _regions,
    resampling as _resampling,
    selection as _selection,
    suppression as _suppression,
)
from fastcnn.ops.activations import *  # noqa: F403
from fastcnn.ops.boxes import *  # noqa: F403
from fastcnn.ops.convolution import *  # noqa: F403
from fastcnn.ops.depthwise import *  # noqa: F403
from fastcnn.ops.distance import *  # noqa: F403
from fastcnn.ops.elementary import *  # noqa: F403
from fastcnn.ops.global_pooling import *  # noqa: F403
from fastcnn.ops.gram import *  # noqa: F403
from fastcnn.ops.image import *  # noqa: F403
from fastcnn.ops.indexing import *  # noqa: F403
from fastcnn.ops.integers import *  # noqa: F403
from fastcnn.ops.linear import *  # noqa: F403
from fastcnn.ops.losses import *  # noqa: F403
from fastcnn.ops.manipulation import *  # noqa: F403
from fastcnn.ops.math import *  # noqa: F403
from fastcnn.ops.normalization import *  # noqa: F403
from fastcnn.ops.pooling import *  # noqa: F403
from fastcnn.ops.regions import *  # noqa: F403
from fastcnn.ops.resampling import *  # noqa: F403
from fastcnn.ops.selection import *  # noqa: F403
from fastcnn.ops.suppression import *  # noqa: F403
from fastcnn.symbolic import recordable as _recordable

__all__ = [
    *_activations.__all__,
    *_boxes.__all__,
    *_convolution.__all__,
    *_depthwise.__all__,
    *_distance.__all__,
    *_elementary.__all__,
    *_global_pooling.__all__,
    *_gram.__all__,
    *_image.__all__,
    *_indexing.__all__,
    *_integers.__all__,
    *_linear.__all__,
    *_losses.__all__,
    *_manipulation.__all__,
    *_math.__all__,
    *_normalization.__all__,
    *_pooling.__all__,
    *_regions.__all__,
    *_resampling.__all__,
    *_selection.__all__,
    *_suppression.__all__,
]

# A call on tensors of a functional model is recorded as one node, under the public name.
for _name in __all__:
    globals()[_name] = _recordable(globals()[_name])
