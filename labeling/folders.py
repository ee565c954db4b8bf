"""A folder of pictures for each label: crops that are taken as they are, or photographs with faces in them.

Pictures are listed by name and read one after the other: of a folder with 100,000 only the names are held.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from io import BytesIO
from pathlib import Path

import numpy as np
from django.conf import settings
from PIL import Image, ImageOps

from classifier.ml.dataset import PICTURES
from classifier.vision.align import CROP_SIDE
from classifier.vision.detect import Detector, make_detector
from classifier.vision.image import (
    ImageDecodeError,
    decode_photograph,
    looks_like_photograph,
    make_thumbnail,
)

from .cleaning import Cleaning, judge
from .models import Example
from .rows import Crop, Dataset, FormatError, Labels, Refused, Repeated, Row, Skipped, Unclear

NAMED_AS_PICTURES = PICTURES | {".heic", ".heif", ".avif", ".gif", ".tif", ".tiff", ".jfif", ".jpe"}
# Of crops that belong to a dataset one in a hundred may be damaged; of pictures from anywhere, any part.
MOST_DAMAGED = 0.01
LARGEST_FILE = 256 * 1024 * 1024
COPY_SIDE = 480
HEAD = 4096
# While one thread searches for faces, which one thread does at a time, the other decodes.
THREADS = 2
AHEAD = 2 * THREADS

Read = Callable[[str, str, str, bytes], Row]
"""From where it lies, its label, its digest and its bytes to what it is."""


def read_folders(path: Path, labels: Labels, *, cleaning: Cleaning | None = None) -> Dataset:
    """`cleaning`: the pictures are photographs, and this is asked of the faces in them."""
    folders = list_folders(path)
    _check_labels(path, folders, labels)
    read, most_damaged = (_photograph(cleaning), 1.0) if cleaning else (_crop, MOST_DAMAGED)
    return Dataset(
        "folders",
        _in_order(_jobs(path, folders, labels, read)),
        most_damaged,
        total=sum(sum(1 for _ in os.scandir(folder)) for folder in folders),
    )


def list_folders(path: Path) -> list[Path]:
    """Those that labels may be named after. Raises FormatError where there are none."""
    if not path.is_dir():
        raise FormatError(f"{path} is no folder.")
    folders = sorted(one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))
    folders = [one for one in folders if not _leads_out(one, path)]
    if not folders:
        raise FormatError(f"{_called(path)} has no folders: each label has one, with its pictures in it.")
    return folders


def _called(path: Path) -> str:
    """Its own name: where an archive is unpacked to is nothing for whoever sent it."""
    return f"“{path.resolve().name}”"


def names_of_labels(path: Path) -> list[str]:
    """The folders' names, for a label set that is to be made of them.

    Raises FormatError where there are not two, two would be one label, or one has no picture.
    """
    folders = list_folders(path)
    if len(folders) < 2:
        raise FormatError(
            f"{_called(path)} has one folder, “{folders[0].name}”: a label set needs at least two, one for "
            "each label."
        )
    names = [folder.name for folder in folders]
    _check_labels(path, folders, Labels((name, name) for name in names))
    for folder in folders:
        if not any(_why_skipped(one, path) is None for one in _entries(folder)):
            raise FormatError(f"The folder {folder.name} has no pictures in it: fill it, or take it away.")
    return names


def _check_labels(path: Path, folders: list[Path], labels: Labels) -> None:
    """Raises FormatError where a folder is of no label, or two of one."""
    unknown = [folder.name for folder in folders if labels.find(folder.name) is None]
    if unknown:
        known = ", ".join(sorted(set(labels.slugs.values())))
        raise FormatError(
            f"{_called(path)} has folders for {', '.join(unknown)}; each label has one: {known}."
        )
    first: dict[str, str] = {}
    for folder in folders:
        slug = str(labels.find(folder.name))
        if slug in first:
            raise FormatError(
                f"The folders “{first[slug]}” and “{folder.name}” would be one label: names that differ only "
                "in capitals or punctuation are the same here. Put their pictures into one folder."
            )
        first[slug] = folder.name


def _jobs(path: Path, folders: list[Path], labels: Labels, read: Read) -> Iterator[Callable[[], Row]]:
    """For each entry, in order, what makes it a row."""
    read_below = set(folders)
    for entry in _entries(path):
        if entry not in read_below:
            out = _leads_out(entry, path)
            yield _told(Skipped(entry.name, LEADS_OUT if out else "it lies in no label's folder"))
    seen: dict[bytes, str] = {}
    for folder in folders:
        label = str(labels.find(folder.name))
        for file in _entries(folder):
            yield _job(file, label, _why_skipped(file, path), read, seen)


LEADS_OUT = "it is a link that leads out of the folder"


def _job(
    file: Path, label: str, skipped: str | None, read: Read, seen: dict[bytes, str]
) -> Callable[[], Row]:
    where = f"{file.parent.name}/{file.name}"
    if skipped is not None:
        return _told(Skipped(where, skipped, label))
    try:
        if file.stat().st_size > LARGEST_FILE:
            return _told(Refused(where, f"it has more than {LARGEST_FILE >> 20} MB", label))
        data = file.read_bytes()
    except OSError as error:
        return _told(Refused(where, f"the file can't be read: {error.strerror}", label))
    digest = hashlib.sha256(data).hexdigest()
    first = seen.setdefault(bytes.fromhex(digest) + label.encode(), where)
    if first != where:
        return _told(Repeated(where, f"the same file as {first}", label))
    return lambda: read(where, label, digest, data)


def _told(row: Row) -> Callable[[], Row]:
    return lambda: row


def _in_order(jobs: Iterator[Callable[[], Row]]) -> Iterator[Row]:
    """The rows in the order of the jobs. A few are read ahead, by as many threads as help."""
    waiting: deque[Future[Row]] = deque()
    with ThreadPoolExecutor(THREADS) as threads:
        for job in jobs:
            waiting.append(threads.submit(job))
            if len(waiting) >= AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _entries(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith("."))
    return (folder / name for name in names)


def _why_skipped(file: Path, root: Path) -> str | None:
    """Why it is no picture, so far as can be told without reading all of it."""
    if _leads_out(file, root):
        return LEADS_OUT
    if file.is_dir():
        return "it is a folder within a label's folder"
    if not file.is_file() and not file.is_symlink():
        return "it is no file"
    if file.suffix.lower() in NAMED_AS_PICTURES:
        return None
    try:
        with file.open("rb") as opened:
            known = looks_like_photograph(opened.read(HEAD))
    except OSError:
        known = False
    return None if known else "it is no picture"


def _leads_out(file: Path, root: Path) -> bool:
    return file.is_symlink() and not file.resolve().is_relative_to(root.resolve())


def _crop(where: str, label: str, digest: str, data: bytes) -> Row:
    """A crop as it is: the square in its middle, of at most 112 pixels."""
    try:
        with Image.open(BytesIO(data)) as opened:
            picture = ImageOps.exif_transpose(opened)
            picture = picture if picture.mode == "L" else picture.convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return Refused(where, "no picture can be read", label)
    side = min(*picture.size, CROP_SIDE)
    if picture.size != (side, side):
        picture = ImageOps.fit(picture, (side, side), Image.Resampling.BOX)
    return Crop(where, label, np.asarray(picture, np.uint8), Example.Source.FOLDER)


def _photograph(cleaning: Cleaning) -> Read:
    """The only usable face of a photograph, aligned as those of uploads are."""

    def read(where: str, label: str, digest: str, data: bytes) -> Row:
        try:
            photograph = decode_photograph(
                data,
                max_pixels=settings.MAX_MEGAPIXELS * 1_000_000,
                long_side=settings.STORED_LONG_SIDE,
            )
        except ImageDecodeError as error:
            return Refused(where, str(error), label)
        judged = judge(photograph, _detector(settings.FACE_DETECTOR), cleaning)
        if judged.chosen:
            pixels = judged.chosen.crop
            return Crop(where, label, pixels, Example.Source.PHOTOGRAPHS, digest=digest)
        copy = make_thumbnail(photograph.pixels, long_side=COPY_SIDE)
        return Unclear(where, label, digest, judged, copy)

    return read


@lru_cache
def _detector(name: str) -> Detector:
    return make_detector(name)
