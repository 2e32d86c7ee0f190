"""Functions on arrays. Each also accepts the symbolic operands of a model being described."""

from fastcnn.ops.activations import *  # noqa: F403
from fastcnn.ops.depthwise import *  # noqa: F403
from fastcnn.ops.global_pooling import *  # noqa: F403
from fastcnn.ops.image import *  # noqa: F403
from fastcnn.ops.manipulation import *  # noqa: F403
from fastcnn.ops.math import *  # noqa: F403
from fastcnn.ops.normalization import *  # noqa: F403
from fastcnn.ops.pooling import *  # noqa: F403
