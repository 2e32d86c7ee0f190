"""Keras' module for VGG-19; see `fastcnn.applications.vgg`."""

from fastcnn.applications.vgg import VGG19, decode_predictions, preprocess_input

__all__ = ["VGG19", "decode_predictions", "preprocess_input"]
