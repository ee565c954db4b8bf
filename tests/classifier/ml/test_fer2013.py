from __future__ import annotations

from pathlib import Path

import pytest

from classifier.ml.dataset import shown_in
from classifier.ml.fer2013 import read_splits


def test_no_face_is_in_two_splits(fer_file: Path, tmp_path: Path) -> None:
    header, *rows = fer_file.read_text().splitlines()
    of_test = [row.removesuffix("PublicTest") for row in rows if row.endswith("PublicTest")]
    leaking = tmp_path / "fer2013.csv"
    leaking.write_text("\n".join([header, *rows, *(row + "Training" for row in of_test[:20])]) + "\n")
    splits = read_splits(leaking, votes=None, held_out=0.3)
    assert len(splits.cut) + len(splits.held) == len(rows) - len(of_test)
    assert len(splits.held) > 50
    assert not shown_in(splits.held, splits.cut).any()
    assert not shown_in(splits.test, splits.cut).any()
    assert not shown_in(splits.held, splits.test).any()
    assert (splits.training.labels == splits.cut.labels).all()


def test_the_first_so_many_training_faces_are_split(fer_file: Path) -> None:
    splits = read_splits(fer_file, held_out=0.3, at_most=100)
    assert len(splits.cut) + len(splits.held) == 100
    assert len(splits.test) == 84


@pytest.mark.parametrize(
    ("kept", "said"),
    [("Training", "no rows with Usage PublicTest"), ("PublicTest", "no rows with Usage Training")],
)
def test_a_file_that_lacks_a_split_is_refused(kept: str, said: str, fer_file: Path, tmp_path: Path) -> None:
    header, *rows = fer_file.read_text().splitlines()
    part = tmp_path / "fer2013.csv"
    part.write_text("\n".join([header, *(row for row in rows if row.endswith(kept))]) + "\n")
    with pytest.raises(ValueError, match=said):
        read_splits(part, votes=None, held_out=0.3)


def test_a_file_of_too_few_faces_is_refused(fer_file: Path, tmp_path: Path) -> None:
    header, *rows = fer_file.read_text().splitlines()
    small = tmp_path / "fer2013.csv"
    small.write_text("\n".join([header, *rows[:2], *rows[-2:]]) + "\n")
    with pytest.raises(ValueError, match="too few different faces"):
        read_splits(small, votes=None, held_out=0.0)
