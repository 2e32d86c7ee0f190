"""The commands and their options; what they do is imported when they run, so that help is fast."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from fastcnn.cli.face_people import face_app
from fastcnn.cli.outputs import file_to_write, in_folder
from fastcnn.errors import FastcnnError

# What was given does not work: an option, a photo, a file of weights. (Click's number, too.)
_EXIT_WRONG_INPUT = 2
# What errors advise in Python, and what is the same here; other advice has no meaning here.
_SKIP, _SKIP_DAMAGED = 'on_error="skip"', "--skip-damaged"

_EXIT_INTERRUPTED = 130  # 128 and the number of the signal, as shells have it

app = typer.Typer(
    name="fastcnn",
    help="Convolutional networks on the CPU.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(face_app)


def _print_version(wanted: bool) -> None:
    if wanted:
        from fastcnn import __version__

        print(f"fastcnn {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", help="Tell the version.", callback=_print_version, is_eager=True),
    ] = False,
) -> None:
    """Take what may stand before the command."""


def run() -> None:
    """Run the command of ``sys.argv``; an error of the library becomes one line on stderr."""
    try:
        app()
    except FastcnnError as error:
        print(f"fastcnn: {_in_options(error)}", file=sys.stderr)
        sys.exit(_EXIT_WRONG_INPUT)
    except BrokenPipeError:  # ``fastcnn ... | head``
        sys.stderr.close()
        sys.exit(1)


def _in_options(error: FastcnnError) -> str:
    """An error's message, with advice in the words of the commands."""
    if not error.advice:
        return str(error)
    message = str(error).removesuffix(f"; {error.advice}")
    if not error.advice.startswith(_SKIP):
        return message
    return f"{message}; {error.advice.replace(_SKIP, _SKIP_DAMAGED)}"


@app.command()
def classify(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO...", help="Files, folders or patterns (*.jpg).")
    ],
    model: Annotated[
        str, typer.Option(help="A network of fastcnn.applications, e.g. resnet50.")
    ] = "efficientnet_lite0",
    weights: Annotated[
        Path | None,
        typer.Option(
            help="A file of weights for it; those of ImageNet on this machine if not given."
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=1000, help="How many classes to name.")] = 5,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list and nothing else.")
    ] = False,
) -> None:
    """Tell what is in photos: ImageNet's 1000 classes."""
    from fastcnn.cli.classify import classify_photos, find_photos, print_json, print_table

    results = classify_photos(find_photos(photos), model, weights, top)
    if as_json:
        print_json(results)
    else:
        print_table(results)


@app.command(
    epilog="Examples:\n\nfastcnn detect street.jpg --model yolov3-tiny.cfg --names coco.names "
    "--output found.jpg\n\n"
    "fastcnn detect photos/ --model net.fastcnn --threshold 0.5 --json > found.json\n\n"
    "fastcnn detect faces.jpg --model face.onnx --anchors anchors.txt --cells"
)
def detect(
    pictures: Annotated[
        list[str], typer.Argument(metavar="PICTURE...", help="Files, folders or patterns (*.jpg).")
    ],
    model: Annotated[
        Path,
        typer.Option(
            metavar="FILE", help="Darknet's .cfg, .fastcnn, ONNX, Keras or TensorFlow.js."
        ),
    ],
    weights: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Darknet's .weights; those beside the .cfg if not given."
        ),
    ] = None,
    names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The name of a class in each line.")
    ] = None,
    anchors: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Widths and heights, for a model whose file does not tell its anchors.",
        ),
    ] = None,
    cells: Annotated[
        bool, typer.Option("--cells", help="Anchors are measured in cells, not in pixels.")
    ] = False,
    threshold: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Leave out boxes of no greater score.")
    ] = 0.25,
    iou: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of boxes that overlap more, keep one.")
    ] = 0.45,
    nms: Annotated[
        str, typer.Option(help="hard, soft, soft_linear, diou, matrix, wbf or none.")
    ] = "hard",
    resize: Annotated[
        str, typer.Option(help="letterbox or stretch: how pictures are made to fit.")
    ] = "letterbox",
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 8,
    output: Annotated[
        Path | None,
        typer.Option(
            metavar="PATH",
            help="Draw the boxes: to a folder, or to a file for one.",
            callback=in_folder,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list and nothing else.")
    ] = False,
) -> None:
    """Find objects in pictures, and draw boxes around them."""
    from fastcnn.cli.classify import find_photos
    from fastcnn.cli.detect import detect_in, load_detector, print_json, print_table

    detector = load_detector(model, weights, names, anchors, cells, resize)
    options = {
        "score_threshold": threshold, "iou_threshold": iou, "nms": nms, "batch_size": batch_size,
    }  # fmt: skip
    try:
        results = detect_in(find_photos(pictures), detector, output, **options)
    except KeyboardInterrupt:
        print("fastcnn: interrupted", file=sys.stderr)
        sys.exit(_EXIT_INTERRUPTED)
    if as_json:
        print_json(results)
    else:
        print_table(results)
    bad = [result for result in results if result.error]
    for result in bad:
        print(f"fastcnn: {result.error}", file=sys.stderr)
    if bad:
        sys.exit(_EXIT_WRONG_INPUT)


@app.command(
    "evaluate-detector",
    epilog="Examples:\n\nfastcnn evaluate-detector cells.fastcnn bccd/\n\n"
    "fastcnn evaluate-detector yolov3-tiny.cfg val2017/ --annotations instances_val2017.json "
    "--names coco.names --json",
)
def evaluate_detector(
    model: Annotated[Path, typer.Argument(help="A file that `fastcnn detect` takes.")],
    directory: Annotated[
        Path,
        typer.Argument(
            metavar="DIR",
            help="Pictures with Pascal VOC's XML or YOLO's text files; only pictures with "
            "--annotations.",
        ),
    ],
    annotations: Annotated[
        Path | None, typer.Option(metavar="FILE", help="JSON of COCO's form.")
    ] = None,
    names: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The name of a class in each line.")
    ] = None,
    iou: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Of boxes that overlap more, keep one.")
    ] = 0.45,
    resize: Annotated[
        str, typer.Option(help="letterbox or stretch: how pictures are made to fit.")
    ] = "letterbox",
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 8,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out boxes without an area.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Tell how well a detector finds what people have drawn boxes around."""
    from fastcnn.cli.evaluate_detector import (
        evaluate_detector as run_evaluation,
        print_json,
        print_report,
    )

    on_error = "skip" if skip_damaged else "raise"
    try:
        result = run_evaluation(
            model, directory, annotations, names, iou, resize, batch_size, on_error, not as_json
        )
    except KeyboardInterrupt:
        print("fastcnn: interrupted", file=sys.stderr)
        sys.exit(_EXIT_INTERRUPTED)
    if as_json:
        print_json(result)
    else:
        print_report(result)


@app.command()
def train(
    directory: Annotated[
        str,
        typer.Argument(metavar="DIR", help="A folder with a folder of pictures for each class."),
    ],
    model: Annotated[
        str, typer.Option(help="small_convnet, or a network of fastcnn.applications.")
    ] = "small_convnet",
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Start from weights: a file, or imagenet for those on this machine. Only the new "
            "top is trained then, see --fine-tune.",
        ),
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(min=8, help="Height and width; the network's own if not given.")
    ] = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures in a step.")] = 32,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the pictures.")] = 20,
    learning_rate: Annotated[
        float, typer.Option(min=0.0, help="Of Adam, at first; it falls to 0.")
    ] = 1e-3,
    validation_split: Annotated[
        float, typer.Option(min=0.0, max=0.9, help="The share of every class not trained on.")
    ] = 0.2,
    augment: Annotated[
        bool, typer.Option("--augment", help="Flip, turn, zoom and move pictures at random.")
    ] = False,
    fine_tune: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Afterwards train the last N layers, too, for as many epochs, at a tenth of the "
            "learning rate.",
        ),
    ] = 0,
    output: Annotated[
        Path, typer.Option(help="Where to keep the best model.", callback=file_to_write)
    ] = Path("model.fastcnn"),
    history: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            help="Also write loss and accuracy: .csv, or .png to look at.",
            callback=file_to_write,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same gives the same model.")] = 0,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out pictures that cannot be read.")
    ] = False,
) -> None:
    """Train a network to tell the classes of pictures in a folder apart."""
    from fastcnn.cli.train import Options, train as run_training

    given = Options(
        directory, model, weights, image_size, batch_size, epochs, learning_rate, validation_split,
        augment, fine_tune, output, history or [], seed, "skip" if skip_damaged else "raise",
    )  # fmt: skip
    try:
        run_training(given)
    except KeyboardInterrupt:
        print("fastcnn: interrupted", file=sys.stderr)
        sys.exit(_EXIT_INTERRUPTED)


@app.command()
def evaluate(
    model: Annotated[Path, typer.Argument(help="A file that `fastcnn train` wrote.")],
    directory: Annotated[
        str,
        typer.Argument(metavar="DIR", help="A folder with a folder of pictures for each class."),
    ],
    batch_size: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 32,
    confusion_matrix: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw which class was taken for which.", callback=file_to_write
        ),
    ] = None,
    wrong: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Draw pictures that were taken wrongly.", callback=file_to_write
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
    skip_damaged: Annotated[
        bool, typer.Option("--skip-damaged", help="Leave out pictures that cannot be read.")
    ] = False,
) -> None:
    """Tell how many pictures of a folder a trained network gets right."""
    from fastcnn.cli.evaluate import evaluate as run_evaluation, print_json, print_report

    on_error = "skip" if skip_damaged else "raise"
    result = run_evaluation(model, directory, batch_size, on_error, confusion_matrix, wrong)
    if as_json:
        print_json(result)
    else:
        print_report(result)


@app.command(
    epilog="Examples:\n\nfastcnn segment cat.jpg --remove-background\n\n"
    "fastcnn segment photos/ --output masks --json\n\n"
    "fastcnn segment street.jpg --model street_scenes.fastcnn --palette camvid"
)
def segment(
    photos: Annotated[
        list[str], typer.Argument(metavar="PHOTO...", help="Files, folders or patterns (*.jpg).")
    ],
    model: Annotated[
        str,
        typer.Option(
            help="u2netp, which tells what a photo is of; or a file of Model.save or ONNX that "
            "gives the scores of classes for every pixel."
        ),
    ] = "u2netp",
    palette: Annotated[
        str, typer.Option(help="The colours of the classes: camvid or voc.")
    ] = "voc",
    remove_background: Annotated[
        bool,
        typer.Option("--remove-background", help="Write photos with a transparent background."),
    ] = False,
    output: Annotated[
        Path, typer.Option(help="The folder to write to.", callback=in_folder)
    ] = Path("segmented"),
    tile: Annotated[
        int | None,
        typer.Option(min=1, help="Side of the parts that are computed at once; the model's own."),
    ] = None,
    overlap: Annotated[
        int | None, typer.Option(min=0, help="Pixels in which parts fade into each other.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON list and nothing else.")
    ] = False,
) -> None:
    """Tell the class of every pixel of photos, or take their background away."""
    from fastcnn.cli.classify import find_photos
    from fastcnn.cli.segment import print_json, print_table, segment_photos

    results = segment_photos(
        find_photos(photos), model, palette, remove_background, output, tile, overlap, as_json
    )
    if as_json:
        print_json(results)
    else:
        print_table(results)


@app.command()
def bench(
    model: Annotated[
        str,
        typer.Argument(help="A network of fastcnn.applications, or a file that Model.save wrote."),
    ] = "resnet50",
    size: Annotated[
        int | None, typer.Option(min=1, help="Height and width; the network's own if not given.")
    ] = None,
    batch: Annotated[int, typer.Option(min=1, help="Pictures at once.")] = 1,
    threads: Annotated[
        int | None, typer.Option(min=1, max=4096, help="All that may be used if not given.")
    ] = None,
    precision: Annotated[str, typer.Option(help="highest, high or medium.")] = "highest",
    seconds: Annotated[float, typer.Option(min=0, help="How long to measure.")] = 3.0,
    profile: Annotated[
        bool, typer.Option("--profile", help="Also tell kernel, time and speed of each step.")
    ] = False,
    autotune: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Choose kernels by measurement; look up and keep times in FILE.",
            callback=file_to_write,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Tell how long a network takes on this machine."""
    from fastcnn.cli.bench import bench as measure, print_json, print_report

    report = measure(model, size, batch, threads, precision, seconds, profile, autotune)
    if as_json:
        print_json(report)
    else:
        print_report(report)


@app.command(
    epilog="Examples:\n\nfastcnn stylize louvre.jpg monet.jpg -o painted.png\n\n"
    "fastcnn stylize louvre.jpg monet.jpg -o painted.png --size 1024 --scales 3 --beta 0.1\n\n"
    "fastcnn stylize louvre.jpg monet.jpg -o painted.png --preserve-colors histogram\n\n"
    "fastcnn stylize louvre.jpg monet.jpg scream.jpg -o painted.png --style-weight 0.7 "
    "--style-weight 0.3\n\n"
    "fastcnn stylize louvre.jpg monet.jpg scream.jpg -o painted.png --mask sky.png --mask rest.png"
)
def stylize(
    content: Annotated[Path, typer.Argument(metavar="CONTENT", help="The picture to paint anew.")],
    styles: Annotated[
        list[Path], typer.Argument(metavar="STYLE...", help="One or more to paint it like.")
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Where to write it: .png, .jpg.", callback=file_to_write
        ),
    ],
    size: Annotated[int, typer.Option(min=1, help="The longer side, in pixels.")] = 512,
    iterations: Annotated[int, typer.Option(min=1, help="At each scale.")] = 100,
    scales: Annotated[
        int, typer.Option(min=1, max=8, help="Sizes from coarse to fine, each twice the last.")
    ] = 2,
    alpha: Annotated[float, typer.Option(min=0.0, help="How much the content counts.")] = 1.0,
    beta: Annotated[float, typer.Option(min=0.0, help="How much the style counts.")] = 2.0,
    smooth: Annotated[
        float, typer.Option(min=0.0, help="How much rough pixels cost (total variation).")
    ] = 5e-4,
    style_scale: Annotated[
        float, typer.Option(min=0.01, max=100, help="Below 1: smaller strokes.")
    ] = 1.0,
    style_weight: Annotated[
        list[float] | None, typer.Option(min=0.0, help="For each style: how much it counts.")
    ] = None,
    mask: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="For each style: a picture, white where it is for."),
    ] = None,
    preserve_colors: Annotated[
        str | None, typer.Option(help="luminance or histogram: keep the content's colours.")
    ] = None,
    initial: Annotated[
        str, typer.Option(help="content, style, noise, blend, or a picture to begin with.")
    ] = "content",
    network: Annotated[str, typer.Option(help="vgg16 or vgg19.")] = "vgg16",
    weights: Annotated[
        str, typer.Option(metavar="FILE", help="Its weights: hed, imagenet or a file.")
    ] = "hed",
    content_layer: Annotated[
        list[str] | None, typer.Option(help="conv4_2 unless given; several may be.")
    ] = None,
    style_layer: Annotated[
        list[str] | None, typer.Option(help="conv1_1 to conv4_1 unless given.")
    ] = None,
    pooling: Annotated[str, typer.Option(help="avg or max.")] = "avg",
    optimizer: Annotated[str, typer.Option(help="adam or lbfgs.")] = "adam",
    precision: Annotated[str | None, typer.Option(help="highest, high or medium.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the noise.")] = 0,
    preview_every: Annotated[
        int, typer.Option(min=0, help="Write the picture as it is every so many iterations.")
    ] = 0,
    state: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Keep what an interrupted run goes on from.",
            callback=file_to_write,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Paint a picture in the style of another."""
    from fastcnn.cli.stylize import Job, print_json, print_summary, stylize as paint
    from fastcnn.style import CONTENT_LAYERS, STYLE_LAYERS

    options = {
        "size": size, "iterations": iterations, "scales": scales, "alpha": alpha, "beta": beta,
        "total_variation_weight": smooth, "style_scale": style_scale,
        "preserve_colors": preserve_colors, "initial": initial, "network": network,
        "weights": weights, "pooling": pooling, "optimizer": optimizer, "seed": seed,
        "content_layers": content_layer or CONTENT_LAYERS,
        "style_layers": style_layer or STYLE_LAYERS,
    }  # fmt: skip
    job = Job(content, styles, output, style_weight, mask, preview_every, state, precision, options)
    try:
        summary = paint(job, quiet=as_json)
    except KeyboardInterrupt:
        print("fastcnn: interrupted", file=sys.stderr)
        sys.exit(_EXIT_INTERRUPTED)
    if as_json:
        print_json(summary)
    else:
        print_summary(summary)


@app.command(
    epilog="Examples:\n\nfastcnn look cat.jpg\n\n"
    "fastcnn look dog.jpg --method occlusion --class 'golden retriever' -o dog.png\n\n"
    "fastcnn look cat.jpg --method deconvnet --model vgg16 --weights hed --no-top "
    "--layer block3_conv3\n\n"
    "fastcnn look --method maximize --class goldfish\n\n"
    "fastcnn look cat.jpg --model my.fastcnn --method features"
)
def look(
    picture: Annotated[
        str | None,
        typer.Argument(
            metavar="[PICTURE]", help="What to look at; filters and maximize need none."
        ),
    ] = None,
    model: Annotated[
        str,
        typer.Option(
            help="A network of fastcnn.applications, or a file that Model.save wrote, of pictures "
            "from 0 to 255."
        ),
    ] = "efficientnet_lite0",
    weights: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="A file of weights for the network, or a name of `fastcnn weights`; those of "
            "ImageNet if not given.",
        ),
    ] = None,
    no_top: Annotated[
        bool, typer.Option("--no-top", help="Weights without a classifier: leave it out.")
    ] = False,
    method: Annotated[
        str,
        typer.Option(
            help="Which pixels speak for a class: gradcam, saliency, smoothgrad, guided, "
            "occlusion. What units answer to: deconvnet, maximize. What is inside: features, "
            "filters."
        ),
    ] = "gradcam",
    layer: Annotated[str | None, typer.Option(metavar="NAME", help="A layer's name.")] = None,
    class_name: Annotated[
        str | None,
        typer.Option(
            "--class",
            metavar="N",
            help="A class by number or name; the most probable if not given.",
        ),
    ] = None,
    channel: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="A channel of the layer, in place of a class."),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="A .png, .pdf or .svg file to write.", callback=file_to_write
        ),
    ] = Path("look.png"),
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Draw what a network sees in a picture, and where."""
    from fastcnn.cli.look import (
        Options,
        look as run_look,
        print_json,
        print_report,
        progress_bar,
    )

    given = Options(picture, model, weights, not no_top, method, layer, class_name, channel, output)
    with progress_bar(method, not as_json) as progress:
        result = run_look(given, progress)
    if as_json:
        print_json(result)
    else:
        print_report(result)


@app.command(
    epilog="Examples:\n\nfastcnn inspect model.onnx\n\nfastcnn inspect weights.h5 --json\n\n"
    "fastcnn inspect yolov3-tiny.cfg"
)
def inspect(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="safetensors, .fastcnn, torch, Keras, ONNX, TensorFlow .pb, TensorFlow.js "
            "model.json, Darknet, dlib .dat, or a folder of OpenFace.",
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Tell what is in a file: its tensors, their shapes and sizes, and its network."""
    from fastcnn.cli.files import print_inspection

    print_inspection(file, as_json)


@app.command(
    epilog="Examples:\n\nfastcnn convert model.h5 model.onnx\n\n"
    "fastcnn convert model.onnx model.fastcnn\n\n"
    "fastcnn convert resnet18.pth resnet18.onnx --application resnet18\n\n"
    "fastcnn convert weights.pth weights.safetensors"
)
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="Any file that `fastcnn inspect` reads.")
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help="Ends in .onnx, .fastcnn or .safetensors (a model if IN has one, else weights).",
            callback=file_to_write,
        ),
    ],
    weights_only: Annotated[
        bool, typer.Option("--weights-only", help="Write the weights even if there is a model.")
    ] = False,
    application: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="The network of fastcnn.applications that IN's weights are for."
        ),
    ] = None,
) -> None:
    """Write a model or weights in another format."""
    from fastcnn.cli.files import convert_file

    convert_file(source, target, weights_only, application)


@app.command(epilog="Examples:\n\nfastcnn weights\n\nfastcnn weights resnet50")
def weights(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="Find these, or download them.")
    ] = None,
) -> None:
    """List the published weights that are known by name, or get some."""
    from fastcnn.cli.weights import get_weights, list_weights

    if name is None:
        list_weights()
    else:
        get_weights(name)


@app.command(
    epilog="Examples:\n\nfastcnn demo\n\nfastcnn demo --open\n\n"
    "fastcnn demo cat.jpg dog.jpg --output pets.html\n\nfastcnn demo --output results.png"
)
def demo(
    pictures: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[PICTURE...]", help="Photos; some of scikit-image if not given."),
    ] = None,
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="A page, .html; or a picture of the classifications, .png.",
            callback=file_to_write,
        ),
    ] = Path("demo.html"),
    style: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A picture to paint the first one like.")
    ] = None,
    detector: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A Darknet .cfg, its .weights and coco.names beside it."),
    ] = None,
    open_it: Annotated[bool, typer.Option("--open", help="Show it in the browser.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object and nothing else.")
    ] = False,
) -> None:
    """Show on one page what fastcnn does: classify, look inside, detect, cut out, faces, paint."""
    from fastcnn.cli.demo import demo as show, print_json
    from fastcnn.demo.sections import Given

    photos = [str(picture) for picture in pictures or ()]
    given = Given(photos, None if style is None else str(style), detector)
    sections = show(given, output, open_it, as_json)
    if as_json:
        print_json(output, sections)
    else:
        print(f"Drawn: {output}")


@app.command()
def info() -> None:
    """Tell what this build and this machine offer."""
    from fastcnn.config import show_config

    show_config()
