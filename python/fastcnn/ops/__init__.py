"""Functions on arrays. Each also accepts the symbolic operands of a model being described."""

from fastcnn.ops import convolution as _convolution
from fastcnn.ops import depthwise as _depthwise
from fastcnn.ops import image as _image
from fastcnn.ops import linear as _linear
from fastcnn.ops import manipulation as _manipulation
from fastcnn.ops import pooling as _pooling
from fastcnn.ops.convolution import *  # noqa: F403
from fastcnn.ops.depthwise import *  # noqa: F403
from fastcnn.ops.image import *  # noqa: F403
from fastcnn.ops.linear import *  # noqa: F403
from fastcnn.ops.manipulation import *  # noqa: F403
from fastcnn.ops.pooling import *  # noqa: F403
from fastcnn.symbolic import recordable as _recordable

__all__ = [
    *_convolution.__all__,
    *_depthwise.__all__,
    *_image.__all__,
    *_linear.__all__,
    *_manipulation.__all__,
    *_pooling.__all__,
]

for _name in __all__:
    globals()[_name] = _recordable(globals()[_name])
