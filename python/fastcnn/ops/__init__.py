"""Functions on arrays. Each also accepts the symbolic operands of a model being described."""

from fastcnn.ops.pooling import *  # noqa: F403
