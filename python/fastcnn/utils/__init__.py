"""Pictures, data and drawings under the names of Keras, and keeping sessions apart."""

from fastcnn._random import set_random_seed
from fastcnn.callbacks.progbar import Progbar
from fastcnn.data.images import image_dataset_from_directory
from fastcnn.naming import clear_session
from fastcnn.saving import custom_object_scope, register_keras_serializable
from fastcnn.utils.images import array_to_img, img_to_array, load_img, save_img
from fastcnn.utils.numerical import to_categorical
from fastcnn.utils.plotting import model_to_dot, plot_model

__all__ = [
    "Progbar",
    "array_to_img",
    "clear_session",
    "custom_object_scope",
    "image_dataset_from_directory",
    "img_to_array",
    "load_img",
    "model_to_dot",
    "plot_model",
    "register_keras_serializable",
    "save_img",
    "set_random_seed",
    "to_categorical",
]
