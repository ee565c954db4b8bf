from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifier.ml.dataset import EXPRESSIONS


@pytest.fixture(scope="session")
def fer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in FER2013's format: each class is a bright bar at a height of its own, under noise."""
    rng = np.random.default_rng(0)
    lines = ["emotion,pixels,Usage"]
    for number in range(7 * 60):
        label = number % 7
        image = rng.integers(0, 120, (48, 48))
        image[6 * label : 6 * label + 6] += 130
        usage = "PublicTest" if number >= 7 * 48 else "Training"
        lines.append(f"{label},{' '.join(map(str, image.ravel()))},{usage}")
    path = tmp_path_factory.mktemp("fer") / "fer2013.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="session")
def votes_file(fer_file: Path) -> Path:
    """FER+'s file for the rows of `fer_file`: nine votes for the official label, one for another."""
    columns = ["neutral", "happiness", "surprise", "sadness", "anger", "disgust", "fear"]
    of_label = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]
    lines = ["Usage,Image name," + ",".join(columns) + ",contempt,unknown,NF"]
    for row in fer_file.read_text().splitlines()[1:]:
        label = int(row.split(",", 1)[0])
        votes = dict.fromkeys(columns, 0)
        votes[of_label[label]] = 9
        votes[of_label[(label + 1) % len(EXPRESSIONS)]] = 1
        lines.append("Training,x.png," + ",".join(str(votes[c]) for c in columns) + ",0,0,0")
    path = fer_file.with_name("fer2013new.csv")
    path.write_text("\n".join(lines) + "\n")
    return path
