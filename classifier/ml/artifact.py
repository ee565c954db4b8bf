"""What is registered and shipped: an ONNX file and its model card, `name.onnx` and `name.json`."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

CARD_FORMAT = 1
REQUIRED = ("format", "sha256", "label_set", "labels", "estimator", "preprocessing", "threshold")
TESTED_ON = "curated test split"
"""What a card made by `retrain` calls the faces that its model and the active one were both measured on."""
LEFT_OUT = "cross-validation"
"""What such a card calls the faces that were left out in turn, each read by a model that had not seen it."""
LABELS = "labels"
"""The key of the ONNX file's metadata that holds the labels, one a line."""


class ArtifactError(ValueError):
    """The artifact and its card can't be served; the message says why."""


def sha256(artifact: bytes) -> str:
    return hashlib.sha256(artifact).hexdigest()


def check_card(artifact: bytes, card: dict[str, Any]) -> None:
    """Raises ArtifactError unless `card` is complete and describes exactly these bytes."""
    if not isinstance(card, dict):
        raise ArtifactError("The model card is no JSON object.")
    missing = [key for key in REQUIRED if key not in card]
    if missing:
        raise ArtifactError(f"The model card lacks {', '.join(missing)}.")
    if card["format"] != CARD_FORMAT:
        raise ArtifactError(f"The model card has format {card['format']}; this code reads {CARD_FORMAT}.")
    if sha256(artifact) != card["sha256"]:
        raise ArtifactError("The artifact is not the one that its model card describes: its SHA-256 differs.")
    if not isinstance(card["labels"], list) or not all(isinstance(each, str) for each in card["labels"]):
        raise ArtifactError("The model card's labels must be a list of words.")
    if len(set(card["labels"])) != len(card["labels"]) or len(card["labels"]) < 2:
        raise ArtifactError("The model card must name at least two labels, each once.")
    threshold = card["threshold"]
    if not isinstance(threshold, int | float) or not math.isfinite(threshold) or not 0 <= threshold <= 1:
        raise ArtifactError("The model card's threshold must be a number from 0 to 1.")


def write(folder: Path, name: str, artifact: bytes, card: dict[str, Any]) -> Path:
    """Write both files under temporary names, then rename the card last: a card always has its artifact."""
    check_card(artifact, card)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(card, indent=1, ensure_ascii=False) + "\n"
    for file, content in ((f"{name}.onnx", artifact), (f"{name}.json", text.encode())):
        temporary = folder / f".{file}.tmp"
        temporary.write_bytes(content)
        temporary.replace(folder / file)
    return folder / f"{name}.onnx"


def read(path: Path) -> tuple[bytes, dict[str, Any]]:
    """The artifact at `path` (`name.onnx`) and the card beside it. Raises ArtifactError, OSError."""
    artifact = path.read_bytes()
    try:
        card: dict[str, Any] = json.loads(path.with_suffix(".json").read_text("utf-8"))
    except ValueError as error:
        raise ArtifactError(f"The model card of {path.name} is not JSON: {error}") from error
    check_card(artifact, card)
    return artifact, card


def with_labels(onnx_bytes: bytes, labels: Sequence[str]) -> bytes:
    """Write the labels, in the order of the output, into the model itself; a card is checked against them."""
    return with_note(onnx_bytes, LABELS, "\n".join(labels))


def with_note(onnx_bytes: bytes, key: str, value: str) -> bytes:
    """Write a text into the metadata of the model, beside what is there."""
    import onnx

    model = onnx.load_from_string(onnx_bytes)
    notes = {note.key: note.value for note in model.metadata_props}
    onnx.helper.set_model_props(model, notes | {key: value})
    serialized: bytes = model.SerializeToString()
    return serialized


def check_labels(metadata: dict[str, str], card: dict[str, Any]) -> None:
    """Raises ArtifactError unless the model's own metadata has the card's labels in the card's order."""
    if LABELS not in metadata:
        raise ArtifactError("The artifact does not say which labels it tells, so its card can't be checked.")
    own = metadata[LABELS].split("\n")
    if own != card["labels"]:
        raise ArtifactError(
            f"The artifact's labels are {', '.join(own)}; its model card says {', '.join(card['labels'])}. "
            "They must be the same, in the same order."
        )
