"""Which detector finds how many faces, at which picture size, in what time: one thread, warm.

    python -m benchmarks.detection --data ../shared/data [--every 4]

`photos/images/` holds photographs of one face each, enlarged or reduced to each long side; found is a
photograph with a face at least a quarter as wide as the picture. `groups/` is read as it is. ms is the median
CPU time per photograph, for the search alone.
"""

from __future__ import annotations

import argparse
import csv
import time
from pathlib import Path
from statistics import median

import cv2
import numpy as np

from classifier.vision.detect import DETECTORS, Detector, make_detector
from classifier.vision.image import Pixels, decode_photograph

LONG_SIDES = (350, 1000, 2000, 4000)


def resized(pixels: Pixels, long_side: int) -> Pixels:
    ratio = long_side / max(pixels.shape[:2])
    size = (max(1, round(pixels.shape[1] * ratio)), max(1, round(pixels.shape[0] * ratio)))
    way = cv2.INTER_AREA if ratio < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, size, interpolation=way), np.uint8)


def rate(detector: Detector, photographs: list[Pixels], long_side: int) -> tuple[float, float]:
    """Share of photographs whose face was found, 0 to 1, and median milliseconds."""
    found, times = 0, []
    for small in photographs:
        pixels = resized(small, long_side)
        start = time.process_time()
        faces = detector.detect(pixels)
        times.append(time.process_time() - start)
        found += bool(faces) and faces[0].box[2] >= pixels.shape[1] / 4
    return found / len(photographs), median(times) * 1000


def groups(folder: Path) -> list[tuple[str, Pixels]]:
    """(heading, pixels) of each group photograph."""
    with (folder / "expected.csv").open(newline="") as file:
        return [
            (
                f"{row['image']} ({row['people']})",
                decode_photograph((folder / row["image"]).read_bytes()).pixels,
            )
            for row in csv.DictReader(file)
        ]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth photograph")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    paths = sorted((options.data / "photos" / "images").iterdir())[:: options.every]
    photographs = [decode_photograph(path.read_bytes()).pixels for path in paths]
    crowds = groups(options.data / "groups")
    print(f"{len(photographs)} photographs of one face; group photographs with the number of people")
    sizes = [f"{long_side} px" for long_side in LONG_SIDES]
    print("| detector |", " | ".join([*sizes, *(heading for heading, _ in crowds)]), "|")
    print("|---|" + "---|" * (len(sizes) + len(crowds)))
    for name in DETECTORS:
        detector = make_detector(name)
        rates = [rate(detector, photographs, long_side) for long_side in LONG_SIDES]
        cells = [f"{share:.1%}, {ms:.1f} ms" for share, ms in rates]
        cells += [str(len(detector.detect(pixels))) for _, pixels in crowds]
        print("|", " | ".join([name, *cells]), "|", flush=True)


if __name__ == "__main__":
    main()
