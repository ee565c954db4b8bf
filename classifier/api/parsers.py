"""Bodies become objects, and photographs in them files, before anything looks at them."""

from __future__ import annotations

import base64
import json
import re
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from classifier.pipeline import TURN
from classifier.temporary import as_upload, temporary_file
from emotion_site.problems import INVALID, NOT_A_PHOTOGRAPH, ProblemError
from emotion_site.upload_limits import CHUNK_BYTES

DATA_URL = re.compile(r"data:image/[\w.+-]+(?:;[\w=.+-]+)*;base64", re.IGNORECASE | re.ASCII)
UNNAMED = "photograph"
# Each of these begins another value, and neither base64 nor a few options need many. Without a bound, 20 MB
# of empty lists would become half a gigabyte of objects.
BEGINS_A_VALUE = (b"[", b"{", b",")
MOST_VALUES = 1000


class ObjectParser(BaseParser):
    """JSON whose outermost value is an object."""

    media_type = "application/json"

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        return read_object(stream.read())


class PhotographParser(ObjectParser):
    """The same, with a photograph in `image` as base64 or as a `data:` URL of base64; it becomes a file.

    The body is received into a file first. Only then, and in turn with all that decodes photographs, is it
    held in memory, three times over for a moment.
    """

    def parse(self, stream: IO[bytes], media_type: str | None = None, parser_context: Any = None) -> Any:
        with temporary_file() as body:
            while chunk := stream.read(CHUNK_BYTES):
                body.write(chunk)
            body.seek(0)
            with TURN:
                text = body.read()
                if sum(map(text.count, BEGINS_A_VALUE)) > MOST_VALUES:
                    raise ParseError("The body has more in it than one photograph and how to read it.")
                data = read_object(text)
                del text
                if isinstance(data.get("image"), str):
                    data["image"] = _decode(data.pop("image"))
        return data


def read_object(body: bytes) -> dict[str, Any]:
    """Raises ParseError."""
    try:
        data = json.loads(body, parse_constant=_refuse_constant, object_pairs_hook=_object)
    except (ValueError, RecursionError) as error:
        raise ParseError("The body is not valid JSON.") from error
    if not isinstance(data, dict):
        raise ParseError("The body is JSON, but not an object.")
    return data


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ParseError("The body names a field twice.")
    return found


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _decode(text: str) -> UploadedFile:
    if text[:5].lower() == "data:":
        head, _, text = text.partition(",")
        if not DATA_URL.fullmatch(head):
            raise ProblemError(
                NOT_A_PHOTOGRAPH, "A data: URL here is one of an image, in base64.", field="image"
            )
    try:
        # Without white space: many tools break base64 into lines.
        content = base64.b64decode("".join(text.split()), validate=True)
    except ValueError as error:
        raise ProblemError(
            INVALID, "This is not base64. Send the photograph's bytes in base64.", field="image"
        ) from error
    file = temporary_file()
    if len(content) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
        file.rollover()  # before it holds all of it once more
    file.write(content)
    return as_upload(file, UNNAMED)
