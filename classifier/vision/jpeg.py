"""A JPEG's own bytes, without what it says beside the picture.

ITU-T T.81: segments, each of which begins with a marker and its length; the coded picture; an end marker.
"""

from __future__ import annotations

_START, _END = b"\xff\xd8", b"\xff\xd9"
_BASELINE, _EXTENDED, _SCAN, _JFIF, _COMMENT = 0xC0, 0xC1, 0xDA, 0xE0, 0xFE
# Huffman and quantisation tables, restart interval, frame, scan, and Adobe's word on colours.
_NEEDED = {0xC4, 0xDB, 0xDD, _BASELINE, _EXTENDED, _SCAN, 0xEE}
# "JFIF", its version, a density, and no thumbnail.
_PLAIN_JFIF = 18


def without_metadata(data: bytes) -> bytes | None:
    """The same picture to the bit, without application data, comments, and what follows its end.

    None for anything but one scan of sequential Huffman coding: within that, only the end looks like the end.
    """
    kept = [_START]
    components = b""
    at = len(_START)
    while data[at : at + 1] == b"\xff" and len(data) > at + 4:
        marker = data[at + 1]
        segment = data[at : at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")]
        at += len(segment)
        if marker in _NEEDED or (marker == _JFIF and len(segment) == _PLAIN_JFIF):
            kept.append(segment)
        elif marker != _COMMENT and not 0xE0 <= marker <= 0xEF:
            return None
        if marker in (_BASELINE, _EXTENDED):
            components = segment[9:10]
        if marker == _SCAN:
            end = data.find(_END, at)
            whole = end >= 0 and segment[4:5] == components
            return b"".join([*kept, data[at : end + 2]]) if whole else None
    return None
