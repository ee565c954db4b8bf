"""Faces of one photograph, and of nearly the same picture, share a group and with it a split."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from django.core.files.base import ContentFile

from classifier.models import Face, Label, LabelSet, User
from classifier.vision.image import encode_jpeg
from labeling.curation import settle_example
from labeling.models import Example, Split
from labeling.neighbours import Fingerprint, near_pairs, same_picture
from labeling.splits import place, split_of
from tests.crops import crop, face_showing, gray_crop, mirrored, recompressed

ALTERED = {
    "the same": lambda pixels: pixels,
    "recompressed": recompressed,
    "mirrored": mirrored,
    "mirrored and recompressed": lambda pixels: recompressed(mirrored(pixels)),
    "brighter": lambda pixels: np.clip(pixels * 0.8 + 40, 0, 255).astype(np.uint8),
}


def settle(face: Face, said: str = "happy") -> Example:
    label = Label.objects.get(label_set__slug="expressions", slug=said)
    example = settle_example(face=face, label_set=label.label_set, label=label, votes={said: 1}, labeler=None)
    assert example
    return example


def move(example: Example, split: Split) -> None:
    Example.objects.filter(group=example.group).update(split=split)


@pytest.mark.django_db
@pytest.mark.parametrize("split", Split)
@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED.keys())
def test_a_near_duplicate_joins_the_group_and_the_split(
    alter: object, split: Split, ada: User, bob: User
) -> None:
    first = settle(face_showing(crop(1), ada))
    move(first, split)
    second = settle(face_showing(alter(crop(1)), bob))  # type: ignore[operator]
    assert (second.group, second.split, second.withdrawn) == (first.group, split, "")


@pytest.mark.django_db
def test_different_faces_have_groups_of_their_own(ada: User) -> None:
    examples = [settle(face_showing(crop(seed), ada)) for seed in range(12)]
    assert len({example.group for example in examples}) == 12
    assert all(example.split == split_of(example.group) for example in examples)


@pytest.mark.django_db
def test_faces_of_one_photograph_share_a_group(ada: User) -> None:
    first = face_showing(crop(1), ada)
    second = face_showing(crop(2), ada, upload=first.upload)
    assert settle(first).group == settle(second).group


@pytest.mark.django_db
def test_one_that_is_near_to_two_groups_makes_them_one(ada: User) -> None:
    one, other = face_showing(crop(1), ada), face_showing(crop(2), ada)
    for example in (settle(one), settle(other)):
        move(example, Split.TRAIN)
    settle(face_showing(recompressed(crop(1)), ada, upload=other.upload))
    assert len(set(Example.objects.values_list("group", "split"))) == 1


@pytest.mark.django_db
def test_one_that_is_near_to_two_splits_is_set_aside(ada: User) -> None:
    one, other = face_showing(crop(1), ada), face_showing(crop(2), ada)
    move(settle(one), Split.TEST)
    move(settle(other), Split.TRAIN)
    between = settle(face_showing(recompressed(crop(1)), ada, upload=other.upload))
    assert between.withdrawn == Example.Withdrawn.LEAK
    assert "train and test" in between.withdrawn_reason
    assert set(Example.objects.kept().values_list("face", "split")) == {(one.pk, "test"), (other.pk, "train")}
    # Whoever comes next to it alone is no worse for it.
    assert settle(face_showing(crop(1), ada)).split == Split.TEST


@pytest.mark.django_db
def test_a_photograph_that_is_a_copy_of_an_example_is_known_however_its_face_was_cut(ada: User) -> None:
    first = settle(face_showing(crop(1), ada))
    cut = np.ascontiguousarray(crop(1)[10:90, 20:100])
    copy = face_showing(cut, ada, width=300, height=300)
    copy.upload.thumbnail.save("copy.jpg", ContentFile(encode_jpeg(crop(1, side=300), quality=60)))
    assert settle(copy).group == first.group


@pytest.mark.django_db
@pytest.mark.parametrize("rims", [(0.04, 0.04, 0.04, 0.04), (0, 0.05, 0, 0.05), (0.06, 0, 0, 0)])
def test_so_is_a_copy_less_some_of_its_rim(rims: tuple[float, ...], ada: User) -> None:
    first = settle(face_showing(crop(1), ada))
    top, bottom, left, right = (round(300 * rim) for rim in rims)
    less = crop(1, side=300)[top : 300 - bottom, left : 300 - right]
    height, width = less.shape[:2]
    copy = face_showing(crop(2), ada, width=width, height=height)
    copy.upload.thumbnail.save("copy.jpg", ContentFile(encode_jpeg(np.ascontiguousarray(less))))
    assert settle(copy).group == first.group


@pytest.mark.django_db
@pytest.mark.parametrize("alter", ALTERED.values(), ids=ALTERED.keys())
def test_a_copy_of_a_photograph_is_known_though_its_face_was_cut_otherwise(
    alter: object, ada: User, bob: User
) -> None:
    faces = [face_showing(crop(seed), owner) for seed, owner in ((1, ada), (2, bob))]
    for face, pixels in zip(faces, (crop(3, side=300), alter(crop(3, side=300))), strict=True):  # type: ignore[operator]
        face.upload.thumbnail.save("photograph.jpg", ContentFile(encode_jpeg(pixels)))
    one, other = (settle(face) for face in faces)
    assert one.group == other.group


@pytest.mark.django_db
def test_label_sets_know_nothing_of_each_other(ada: User) -> None:
    first = settle(face_showing(crop(1), ada))
    pair = LabelSet.objects.create(slug="happy-sad", name="Happy or sad")
    label = Label.objects.create(label_set=pair, position=0, slug="happy", name="Happy")
    move(first, Split.TEST)
    face = face_showing(crop(1), ada)
    second = settle_example(face=face, label_set=pair, label=label, votes={}, labeler=None)
    assert second
    assert (second.split, second.agreement) == (split_of(second.group), None)


def test_groups_fall_into_splits_by_eight_to_one_to_one() -> None:
    counts = Counter(split_of(f"{number:016x}") for number in range(20_000))
    shares = {split: counts[split] / 20_000 for split in Split}
    assert shares == pytest.approx({Split.TRAIN: 0.8, Split.VALIDATION: 0.1, Split.TEST: 0.1}, abs=0.01)


def test_an_official_split_is_kept_unless_its_like_is_in_another() -> None:
    assert place("ab" * 32, [], official=Split.VALIDATION).split == Split.VALIDATION
    assert place("ab" * 32, [("g", Split.TEST)], official=Split.TEST).group == "g"
    assert place("ab" * 32, [("g", Split.TEST)], official=Split.TRAIN).leak


def test_hashes_are_paired_as_comparing_all_would() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(-(2**63), 2**63, 400, dtype=np.int64)
    others = hashes.copy()
    for place_, flips in enumerate(rng.integers(0, 14, 400)):
        for bit in rng.choice(64, flips, replace=False):
            others[place_] ^= np.array([1 << int(bit)], np.uint64).view(np.int64)[0]
    distances = np.bitwise_count((hashes[:, None] ^ others[None]).view(np.uint64))
    assert near_pairs(hashes, others).tolist() == np.argwhere(distances <= 9).tolist()


def test_a_fingerprint_is_the_same_in_gray_and_in_colour() -> None:
    gray = gray_crop(5)
    assert Fingerprint.of(gray).digest == Fingerprint.of(np.stack([gray] * 3, axis=2)).digest
    assert same_picture(gray, mirrored(gray))
    assert not same_picture(gray, gray_crop(6))
