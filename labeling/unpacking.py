"""An archive of pictures becomes a folder for each label, as a folder that an import reads has them."""

from __future__ import annotations

import shutil
import stat
import zipfile
from pathlib import Path, PurePosixPath

from .folders import NAMED_AS_PICTURES

# What no folder of a label is called; macOS keeps files of its own in the last.
NO_LABELS = {"", "..", "__MACOSX"}


def unpack(archive: zipfile.ZipFile, target: Path) -> None:
    """Of a path only its last two parts count, so that nothing lands outside `target`.

    What lies in no label's folder comes beside the folders, to be counted. An empty folder stays one.
    """
    entries = [(entry, PurePosixPath(entry.filename)) for entry in archive.infolist()]
    holding = {folder for _entry, path in entries for folder in path.parents}
    above = {folder for one in holding for folder in one.parents}
    for number, (entry, path) in enumerate(entries):
        label, name = path.parent.name, path.name
        if entry.is_dir():
            if path not in holding and name not in NO_LABELS:
                (target / name).mkdir(exist_ok=True)
            continue
        if name in {"", ".."} or name.startswith(".") or label in NO_LABELS - {""}:
            continue
        beside = not label or (path.parent in above and path.suffix.lower() not in NAMED_AS_PICTURES)
        folder = target if beside else target / label
        folder.mkdir(exist_ok=True)
        if stat.S_ISLNK(entry.external_attr >> 16):
            # Its content is where it leads: a file of another name is counted, and never followed.
            name += ".link"
        if (folder / name).exists():
            # From folders of one name in different places.
            name = f"{number}-{name}"
        with archive.open(entry) as source, (folder / name).open("wb") as copy:
            shutil.copyfileobj(source, copy)
