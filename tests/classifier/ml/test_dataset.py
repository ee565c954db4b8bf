from __future__ import annotations

import lzma
from pathlib import Path

import numpy as np
import pytest

from classifier.ml.dataset import EXPRESSIONS, FaceSet, hold_out, read_fer2013, without_duplicates_of


def make_faces(images: np.ndarray) -> FaceSet:
    count = len(images)
    return FaceSet(images, np.zeros(count, np.int64), np.zeros((count, 7), np.float32), EXPRESSIONS)


def random_images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 48, 48), dtype=np.uint8)


def test_rows_are_read_by_usage_with_their_votes(fer_file: Path, votes_file: Path) -> None:
    splits = read_fer2013(fer_file, votes=votes_file)
    assert {name: len(faces) for name, faces in splits.items()} == {"Training": 336, "PublicTest": 84}
    training = splits["Training"]
    assert training.images.shape == (336, 48, 48)
    assert training.images.dtype == np.uint8
    assert (training.votes.argmax(axis=1) == training.labels).all()
    assert training.votes.sum() == 336 * 10


def test_a_compressed_file_reads_the_same(fer_file: Path, tmp_path: Path) -> None:
    packed = tmp_path / "fer.csv.xz"
    packed.write_bytes(lzma.compress(fer_file.read_bytes()))
    assert read_fer2013(packed)["Training"].digest() == read_fer2013(fer_file)["Training"].digest()


@pytest.mark.parametrize(
    "row", ["3,1 2 3,Training", "x,{full},Training", "3,{full}", "3,999 {short},Training"]
)
def test_a_damaged_row_is_named_by_its_line(row: str, tmp_path: Path) -> None:
    full, short = " ".join(["7"] * 2304), " ".join(["7"] * 2303)
    path = tmp_path / "bad.csv"
    path.write_text(f"emotion,pixels,Usage\n0,{full},Training\n{row.format(full=full, short=short)}\n")
    with pytest.raises(ValueError, match="line 3"):
        read_fer2013(path)


def test_votes_of_another_length_are_refused(fer_file: Path, votes_file: Path, tmp_path: Path) -> None:
    cut = tmp_path / "votes.csv"
    cut.write_text("\n".join(votes_file.read_text().splitlines()[:-1]))
    with pytest.raises(ValueError, match="419 rows"):
        read_fer2013(fer_file, votes=cut)


def test_a_mirrored_duplicate_of_a_test_image_leaves_the_training_set() -> None:
    images = random_images(5)
    others = make_faces(np.stack([images[1], images[3][:, ::-1]]))
    kept = without_duplicates_of(make_faces(images), others)
    assert [image.tobytes() for image in kept.images] == [images[i].tobytes() for i in (0, 2, 4)]


def test_duplicates_are_never_parted_by_holding_out() -> None:
    images = random_images(200)
    doubled = make_faces(np.concatenate([images, images[:, :, ::-1]]))
    rest, held = hold_out(doubled, share=0.3)
    assert 80 < len(held) < 160
    assert len(rest) + len(held) == 400
    assert not set(rest.digests()) & set(held.digests())
