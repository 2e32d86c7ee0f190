"""Keras' module for VGG-16; see `fastcnn.applications.vgg`."""

from fastcnn.applications.vgg import VGG16, decode_predictions, preprocess_input

__all__ = ["VGG16", "decode_predictions", "preprocess_input"]
