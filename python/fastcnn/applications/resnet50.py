"""Keras' module for ResNet-50; see `fastcnn.applications.resnet`."""

from fastcnn.applications.resnet import ResNet50, decode_predictions, preprocess_input

__all__ = ["ResNet50", "decode_predictions", "preprocess_input"]
