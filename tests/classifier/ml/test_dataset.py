from __future__ import annotations

import lzma
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from classifier.ml.dataset import (
    EXPRESSIONS,
    FaceSet,
    fer_plus_majority,
    hold_out,
    leaks,
    near_duplicates_of,
    read_fer2013,
    read_folder,
    targets,
    without_duplicates_of,
)


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


def test_a_header_may_have_spaces_and_no_usage(fer_file: Path, tmp_path: Path) -> None:
    """As the archive has it that most people know, and as people make their own."""
    given = read_fer2013(fer_file)
    spaced, bare = tmp_path / "spaced.csv", tmp_path / "bare.csv"
    text = fer_file.read_text()
    spaced.write_text(text.replace("emotion,pixels,Usage", "emotion, pixels, Usage"))
    bare.write_text("\n".join(line.rpartition(",")[0] for line in text.splitlines()))
    assert read_fer2013(spaced)["Training"].digest() == given["Training"].digest()
    assert len(read_fer2013(bare)[""]) == sum(map(len, given.values()))


@pytest.mark.parametrize(
    "row",
    [
        "3,1 2 3,Training",
        "7,{full},Training",
        "-1,{full},Training",
        "x,{full},Training",
        "3,{full}",
        "3,999 {short},Training",
    ],
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


def test_votes_of_a_whole_file_are_found_for_a_split_kept_apart(fer_file: Path, tmp_path: Path) -> None:
    rows = fer_file.read_text().splitlines()
    split = tmp_path / "split.csv"
    split.write_text("\n".join([rows[0], *(row for row in rows if row.endswith("PublicTest"))]))
    votes = tmp_path / "votes.csv"
    lines = ["Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"]
    for row in rows[1:]:
        test = row.endswith("PublicTest")
        lines.append(
            f"{row.rsplit(',', 1)[1]},x.png," + ("0,9,0,0,0,0,0,1,0,0" if test else "9,1" + ",0" * 8)
        )
    votes.write_text("\n".join(lines))
    faces = read_fer2013(split, votes=votes)["PublicTest"]
    assert (faces.votes.argmax(axis=1) == EXPRESSIONS.index("happy")).all()
    assert len(faces) == 84


@pytest.mark.parametrize("text", ["", "emotion,pixels,Usage\n", "\xff\xfe"])
def test_a_file_without_rows_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(ValueError, match=r"empty\.csv"):
        read_fer2013(path)


def test_a_cut_off_compressed_file_is_refused(fer_file: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.csv.xz"
    path.write_bytes(lzma.compress(fer_file.read_bytes()[:50_000])[:-500])
    with pytest.raises(ValueError, match="can't be read as CSV"):
        read_fer2013(path)


@pytest.mark.parametrize(
    ("votes", "majority"),
    [
        ({"happy": 6, "sad": 4}, "happy"),
        ({"happy": 5, "sad": 5}, None),
        ({"happy": 4, "sad": 3, "fear": 3}, None),
        # Labels with a single vote are outliers: 5 of the 8 that remain is more than half.
        ({"happy": 5, "sad": 3, "fear": 1, "angry": 1}, "happy"),
        ({"happy": 4, "unknown": 4, "sad": 1, "fear": 1}, None),
        ({"contempt": 8, "happy": 2}, None),
        ({"NF": 10}, None),
    ],
)
def test_a_majority_is_more_than_half_of_the_votes_that_are_no_outliers(
    votes: dict[str, int], majority: str | None
) -> None:
    columns = (*EXPRESSIONS, "contempt", "unknown", "NF")
    counts = np.array([[votes.get(column, 0) for column in columns]], np.float32)
    expected = EXPRESSIONS.index(majority) if majority else -1
    assert fer_plus_majority(counts).tolist() == [expected]


def scene(seed: int) -> np.ndarray:
    """Smooth light and shade, as photographs have: (60, 60) uint8."""
    rough = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    return cv2.resize(rough, (60, 60), interpolation=cv2.INTER_CUBIC)


def test_a_photograph_shifted_mirrored_dimmed_or_stamped_is_a_near_duplicate_and_another_is_not() -> None:
    scenes = [scene(seed) for seed in range(6)]
    crops = [whole[6:54, 6:54] for whole in scenes]
    stamped = crops[3].copy()
    stamped[40:44, 10:40] = np.minimum(stamped[40:44, 10:40], 195) + 60
    others = [
        scenes[0][6:54, 8:56],
        np.ascontiguousarray(crops[1][:, ::-1]),
        (crops[2] * 0.6 + 20).astype(np.uint8),
        stamped,
        scene(99)[6:54, 6:54],
    ]
    near = near_duplicates_of(make_faces(np.stack(crops)), make_faces(np.stack(others)))
    assert near.tolist() == [True, True, True, True, False, False]


def test_flat_pictures_are_duplicates_only_where_they_are_equal() -> None:
    flat = make_faces(np.stack([np.full((48, 48), shade, np.uint8) for shade in (0, 90)]))
    assert near_duplicates_of(flat, flat).tolist() == [False, False]
    assert len(without_duplicates_of(flat, flat.take(np.array([1])))) == 1


def test_near_duplicates_of_the_test_images_leave_the_training_set() -> None:
    kept, left = scene(1)[6:54, 6:54], scene(2)
    faces = make_faces(np.stack([kept, left[6:54, 6:54]]))
    rest = without_duplicates_of(faces, make_faces(left[None, 5:53, 7:55]))
    assert [image.tobytes() for image in rest.images] == [kept.tobytes()]


def test_what_is_not_for_testing_and_shows_a_test_image_leaks() -> None:
    shown = scene(1)
    images = [
        shown[6:54, 6:54],
        shown[5:53, 7:55],
        np.ascontiguousarray(shown[6:54, 6:54][:, ::-1]),
        scene(2)[6:54, 6:54],
        shown[6:54, 5:53],
    ]
    faces = make_faces(np.stack(images))
    splits = np.array(["test", "train", "validation", "train", "test"])
    assert leaks(faces, splits).tolist() == [False, True, True, False, False]
    assert not leaks(faces, np.array(["train"] * 5)).any()
    assert not leaks(faces, np.array(["test"] * 5)).any()


def test_a_folder_per_class_is_read_at_any_size(tmp_path: Path) -> None:
    for name, shade, size in (("sad", 200, (90, 60)), ("happy", 50, (48, 48))):
        (tmp_path / name).mkdir()
        Image.new("RGB", size, (shade, shade, shade)).save(tmp_path / name / "a.png")
    (tmp_path / "sad" / "notes.txt").write_text("not a picture")
    faces = read_folder(tmp_path, names=("happy", "angry", "sad"), side=48)
    assert faces.images.shape == (2, 48, 48)
    assert faces.labels.tolist() == [0, 2]
    assert faces.images.mean(axis=(1, 2)).tolist() == [50, 200]


def test_a_wide_picture_gives_its_middle(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    wide = np.zeros((48, 144), np.uint8)
    wide[:, 48:96] = 255
    Image.fromarray(wide).save(tmp_path / "happy" / "a.png")
    assert (read_folder(tmp_path, names=("happy", "sad"), side=48).images == 255).all()


def test_pictures_keep_their_colours_and_a_size_in_which_all_is_seen(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    for name, size in (("a.png", (30, 30)), ("b.png", (60, 80)), ("c.png", (900, 1200))):
        Image.new("RGB", size, (200, 100, 0)).save(tmp_path / "happy" / name)
    faces = read_folder(tmp_path, names=("happy", "sad"), side=48)
    assert [crop.shape for crop in faces.crops] == [(30, 30, 3), (60, 60, 3), (192, 192, 3)]
    assert all((crop == (200, 100, 0)).all() for crop in faces.crops)
    assert faces.images.shape == (3, 48, 48)


def test_folders_that_are_no_labels_are_named_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "joy").mkdir()
    with pytest.raises(ValueError, match="joy; the labels are happy, sad"):
        read_folder(tmp_path, names=("happy", "sad"), side=48)


def test_a_folder_without_pictures_or_with_a_broken_one_is_refused(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    with pytest.raises(ValueError, match="no pictures"):
        read_folder(tmp_path, names=("happy", "sad"), side=48)
    (tmp_path / "happy" / "broken.jpg").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"broken\.jpg can't be read"):
        read_folder(tmp_path, names=("happy", "sad"), side=48)


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


def test_votes_are_mixed_into_the_targets(fer_file: Path, votes_file: Path) -> None:
    faces = read_fer2013(fer_file, votes=votes_file)["Training"].take(np.array([0]))
    np.testing.assert_allclose(targets(faces, votes_share=0.4), [[0.96, 0.04, 0, 0, 0, 0, 0]], atol=1e-6)
    unvoted = read_fer2013(fer_file)["Training"].take(np.array([0]))
    np.testing.assert_allclose(targets(unvoted, votes_share=0.4), [[1, 0, 0, 0, 0, 0, 0]])
