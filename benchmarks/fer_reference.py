"""The package `fer` behind a pipe, run by the Python of an environment of its own.

Reads paths from standard input, one a line; answers each with a line of JSON: `probabilities` of the largest
face by label, or null where it finds none; `cpu_ms` from the file's bytes to the answer; `face_cpu_ms` to
classify that face alone. One thread.

    python3 -m venv fer-env
    fer-env/bin/pip install --no-deps fer==25.10.3
    fer-env/bin/pip install tensorflow==2.21.0 "opencv-python-headless<5" requests Pillow "setuptools<81"
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}

import cv2
import numpy as np
from fer.fer import FER

cv2.setNumThreads(1)


def main() -> None:
    detector = FER(mtcnn=False)
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        with open(line.rstrip("\n"), "rb") as file:  # noqa: PTH123 (what is timed is not the opening)
            data = file.read()
        began = time.process_time()
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
        assert picture is not None, line
        faces = detector.detect_emotions(picture)
        took = time.process_time() - began
        largest = max(faces, key=lambda face: face["box"][2] * face["box"][3], default=None)
        probabilities = {k: float(v) for k, v in largest["emotions"].items()} if largest else None
        answer = {"probabilities": probabilities, "cpu_ms": took * 1000, "face_cpu_ms": None}
        if largest:
            answer["face_cpu_ms"] = time_face(detector, picture, largest["box"])
        print(json.dumps(answer), flush=True)


def time_face(detector: FER, picture: np.ndarray, box: list[int]) -> float:
    x, y, w, h = (max(0, int(side)) for side in box)
    face = np.ascontiguousarray(picture[y : y + h, x : x + w])
    began = time.process_time()
    detector.detect_emotions(face, face_rectangles=[(0, 0, face.shape[1], face.shape[0])])
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    main()
