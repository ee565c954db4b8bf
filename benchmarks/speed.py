"""Time per photograph, stage by stage: one thread, warm, median CPU time.

    python -m benchmarks.speed [--fer-python fer-env/bin/python]

The photographs are scikit-image's astronaut: as 350 × 350 pixels, and inside a 12-megapixel scene with a
camera's noise. With --fer-python, `fer` reads the same files in turn with this project's code. Each then
classifies a face of the photograph again, which is what "to classify one face" compares: the first time would
find whatever ran before in the processor's caches. "Why?" is the heat map of one face.
"""

from __future__ import annotations

import argparse
import io
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import skimage.data
from numpy.typing import NDArray
from PIL import Image

from benchmarks.photographs import WEIGHTS
from benchmarks.reference import FerReference
from classifier.ml import artifact as artifacts
from classifier.ml.explain import heat_map
from classifier.ml.runtime import Classifier
from classifier.vision.align import align_face, measure_quality
from classifier.vision.detect import make_detector
from classifier.vision.image import decode_photograph

STAGES = ("decode", "detect", "align", "classify")
Times = dict[str, list[float]]


def scenes() -> dict[str, bytes]:
    """JPEG files by name."""
    astronaut = Image.fromarray(skimage.data.astronaut())
    scene = np.asarray(astronaut.resize((4000, 3000), Image.Resampling.BICUBIC)).astype(np.int16)
    noise = np.random.default_rng(0).normal(0, 4, scene.shape)
    camera = Image.fromarray((scene + noise).clip(0, 255).astype(np.uint8))
    return {"350 × 350": _jpeg(astronaut.resize((350, 350))), "4000 × 3000": _jpeg(camera)}


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()


@contextmanager
def timed(times: Times, stage: str) -> Iterator[None]:
    began = time.process_time()
    yield
    times[stage].append((time.process_time() - began) * 1000)


class Site:
    """The site's way from bytes to probabilities, with a clock at each stage."""

    def __init__(self, artifact: Path) -> None:
        self.detector = make_detector("yunet")
        self.classifier = Classifier.load(*artifacts.read(artifact))

    def read(self, data: bytes, times: Times) -> NDArray[np.uint8]:
        """The faces' crops, (N, 112, 112, 3)."""
        with timed(times, "decode"):
            photograph = decode_photograph(data)
        with timed(times, "detect"):
            faces = self.detector.detect(photograph.pixels)
        with timed(times, "align"):
            crops = np.stack([align_face(photograph.pixels, face) for face in faces])
            for crop, face in zip(crops, faces, strict=True):
                measure_quality(crop, face, scale=photograph.scale)
        with timed(times, "classify"):
            self.classifier.predict(crops)
        return crops

    def explain(self, data: bytes, rounds: int) -> list[float]:
        times: Times = defaultdict(list)
        photograph = decode_photograph(data)
        crop = align_face(photograph.pixels, self.detector.detect(photograph.pixels)[0])
        for _ in range(rounds):
            with timed(times, "explain"):
                heat_map(self.classifier, crop, 0)
        return times["explain"]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--artifact", type=Path, default=WEIGHTS)
    parser.add_argument("--fer-python", type=Path, help="also time `fer`, in this environment")
    parser.add_argument("--rounds", type=int, default=30)
    options = parser.parse_args()
    cv2.setNumThreads(1)
    site = Site(options.artifact)
    fer = FerReference(options.fer_python) if options.fer_python else None
    print(
        f"{'photograph':12} faces",
        *(f"{stage:>9}" for stage in STAGES),
        f"{'all':>9}",
        "   ms of CPU, median",
    )
    with tempfile.TemporaryDirectory() as folder:
        for name, data in scenes().items():
            path = Path(folder) / "photograph.jpg"
            path.write_bytes(data)
            _compare(site, fer, name, path, rounds=options.rounds)
    # Afterwards: between the others it would leave cold caches behind.
    print(f"{'':18} Why? for one face takes {median(site.explain(data, options.rounds)):.0f} ms")


def _compare(site: Site, fer: FerReference | None, name: str, path: Path, *, rounds: int) -> None:
    data = path.read_bytes()
    times: Times = defaultdict(list)
    again: Times = defaultdict(list)
    theirs: Times = defaultdict(list)
    for number in range(rounds + 1):
        if number == 1:  # the round before it was the warm-up
            for measured in (times, again, theirs):
                measured.clear()
        crops = site.read(data, times)
        with timed(again, "classify"):
            site.classifier.predict(crops[:1])
        if fer:
            answer = fer.read(path)
            for kind in ("cpu_ms", "face_cpu_ms"):
                theirs[kind] += [answer[kind]] if answer[kind] else []
    total = [sum(stages) for stages in zip(*times.values(), strict=True)]
    print(
        f"{name:12} {len(crops):5}",
        *(f"{median(times[stage]):9.1f}" for stage in STAGES),
        f"{median(total):9.1f}",
    )
    ours = {"cpu_ms": median(total), "face_cpu_ms": median(again["classify"])}
    for kind, what in (("cpu_ms", "in all"), ("face_cpu_ms", "to classify one face")):
        if theirs[kind]:
            reference = median(theirs[kind])
            print(
                f"{'':18} {what}, fer takes {reference:.2f} ms; this {ours[kind]:.2f}, "
                f"{ours[kind] / reference:.2f} times that"
            )


if __name__ == "__main__":
    main()
