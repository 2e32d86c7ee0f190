"""Whole networks, with the names and arguments of Keras Applications.

Each function makes a model; its module has the ``preprocess_input`` and ``decode_predictions`` that
go with it. Networks are imported on first use.

Examples
--------
>>> import fastcnn as fc
>>> model = fc.applications.EfficientNetLite0(weights="imagenet")  # doctest: +SKIP
>>> photos = fc.applications.imagenet.load_and_preprocess("cat.jpg", mode="lite")  # doctest: +SKIP
>>> fc.applications.imagenet.decode_predictions(model.predict(photos))  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from fastcnn.errors import ConfigError

if TYPE_CHECKING:
    from fastcnn.applications._application import Constructor
    from fastcnn.applications.efficientnet import EfficientNetB0
    from fastcnn.applications.efficientnet_lite import EfficientNetLite0
    from fastcnn.applications.facenet_nn4 import FaceNetNN4
    from fastcnn.applications.googlenet import GoogLeNet
    from fastcnn.applications.inception_resnet_v1 import InceptionResNetV1
    from fastcnn.applications.mobilenet_v2 import MobileNetV2
    from fastcnn.applications.resnet import (
        ResNet18,
        ResNet34,
        ResNet50,
        ResNet101,
        ResNet152,
    )
    from fastcnn.applications.resnet_cifar import ResNet20
    from fastcnn.applications.squeezenet import SqueezeNet
    from fastcnn.applications.unet import UNet
    from fastcnn.applications.vgg import VGG16, VGG19
    from fastcnn.applications.yolo import TinyYOLOv2, YOLOv2, YOLOv3, YOLOv3Tiny
    from fastcnn.applications.zfnet import ZFNet
    from fastcnn.model import Model

__all__ = [
    "VGG16",
    "VGG19",
    "EfficientNetB0",
    "EfficientNetLite0",
    "FaceNetNN4",
    "GoogLeNet",
    "InceptionResNetV1",
    "MobileNetV2",
    "ResNet18",
    "ResNet20",
    "ResNet34",
    "ResNet50",
    "ResNet101",
    "ResNet152",
    "SqueezeNet",
    "TinyYOLOv2",
    "UNet",
    "YOLOv2",
    "YOLOv3",
    "YOLOv3Tiny",
    "ZFNet",
    "classifier",
    "network",
]

_CLASSIFIERS = {
    "EfficientNetB0": "efficientnet",
    "EfficientNetLite0": "efficientnet_lite",
    "GoogLeNet": "googlenet",
    "MobileNetV2": "mobilenet_v2",
    "ResNet101": "resnet",
    "ResNet152": "resnet",
    "ResNet18": "resnet",
    "ResNet34": "resnet",
    "ResNet50": "resnet",
    "SqueezeNet": "squeezenet",
    "VGG16": "vgg",
    "VGG19": "vgg",
    "ZFNet": "zfnet",
}

# What is for other pictures, or gives no classes of ImageNet.
_OTHERS = {
    "FaceNetNN4": "facenet_nn4",
    "InceptionResNetV1": "inception_resnet_v1",
    "ResNet20": "resnet_cifar",
    "TinyYOLOv2": "yolo",
    "YOLOv2": "yolo",
    "YOLOv3": "yolo",
    "YOLOv3Tiny": "yolo",
    "UNet": "unet",
}

_NETWORKS = {**_CLASSIFIERS, **_OTHERS}

_MODULES = {
    *_NETWORKS.values(),
    "imagenet",
    "pretrained",
    "resnet50",
    "vgg16",
    "vgg19",
    "weights",
}


def classifier(name: str) -> Constructor:
    """Find the function that makes a classifier by its name, however it is written.

    Parameters
    ----------
    name : str
        ``"ResNet50"``, ``"resnet50"``, ``"efficientnet_lite0"``, ``"mobilenet-v2"`` ...

    Raises
    ------
    ConfigError
        There is none of this name.

    Examples
    --------
    >>> classifier("mobilenet_v2").__name__
    'MobileNetV2'
    """
    found: Constructor = _find(name, _CLASSIFIERS, "classifier")
    return found


def network(name: str) -> Callable[..., Model]:
    """Find the function that makes any network here by its name, however it is written.

    Parameters
    ----------
    name : str
        ``"yolov2"``, ``"U-Net"``, ``"inception_resnet_v1"``, or what `classifier` knows.

    Raises
    ------
    ConfigError
        There is none of this name.

    Examples
    --------
    >>> network("u-net").__name__
    'UNet'
    """
    found: Callable[..., Model] = _find(name, _NETWORKS, "network")
    return found


def _find(name: str, functions: Iterable[str], kind: str) -> Any:
    wanted = name.lower().replace("_", "").replace("-", "")
    for function in functions:
        if function.lower() == wanted:
            return __getattr__(function)
    raise ConfigError(f"expected a {kind} of {', '.join(functions)}, got {name!r}")


def __getattr__(name: str) -> Any:
    if name in _NETWORKS:
        module = importlib.import_module(f"{__name__}.{_NETWORKS[name]}")
        value: Any = getattr(module, name)
    elif name in _MODULES:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES})
