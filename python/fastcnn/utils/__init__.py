"""Drawing models, and keeping sessions apart."""

from fastcnn._random import set_random_seed
from fastcnn.naming import clear_session
from fastcnn.saving import custom_object_scope, register_keras_serializable
from fastcnn.utils.plotting import model_to_dot, plot_model

__all__ = [
    "clear_session",
    "custom_object_scope",
    "model_to_dot",
    "plot_model",
    "register_keras_serializable",
    "set_random_seed",
]
