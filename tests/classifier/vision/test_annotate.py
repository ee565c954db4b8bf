"""Boxes and captions are drawn into a copy, within the picture, whatever they are asked to show."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.vision.annotate import annotate


def gray(height: int = 200, width: int = 300) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def test_the_box_is_drawn_in_its_color_and_the_original_left_alone() -> None:
    pixels = gray()
    drawn = annotate(pixels, [((100, 80, 60, 70), "", "#ff0000")])
    assert np.all(pixels == 128)
    assert drawn.shape == pixels.shape
    assert drawn.dtype == np.uint8
    assert tuple(drawn[115, 100]) == (255, 0, 0)
    assert tuple(drawn[115, 160]) == (255, 0, 0)
    assert tuple(drawn[115, 130]) == (128, 128, 128)


def test_a_box_shows_on_a_background_of_its_own_color() -> None:
    pixels = np.full((200, 300, 3), (255, 0, 0), np.uint8)
    drawn = annotate(pixels, [((100, 80, 60, 70), "", "#ff0000")])
    assert np.all(drawn[115, 95:105] == 0, axis=1).any()


@pytest.mark.parametrize("y", [0, 100])
def test_the_caption_is_readable_above_the_box_or_inside_it(y: int) -> None:
    drawn = annotate(gray(), [((100, y, 60, 70), "happy 97 %", "#ffd400")])
    band = drawn[: y + 40, 100:170]
    assert np.all(band == (255, 212, 0), axis=2).sum() > 200
    assert np.all(band < 60, axis=2).sum() > 20


@pytest.mark.parametrize(("color", "ink"), [("#101080", 255), ("#ffee99", 0)])
def test_ink_contrasts_with_the_plate(color: str, ink: int) -> None:
    drawn = annotate(gray(), [((60, 100, 120, 70), "MMMM", color)])
    plate = drawn[70:98, 64:110]
    assert np.all(plate == ink, axis=2).any()


def test_lines_grow_with_the_picture() -> None:
    def line_width(side: int) -> int:
        drawn = annotate(gray(side, side), [((side / 4, side / 4, side / 2, side / 2), "", "#00ff00")])
        return int(np.all(drawn[side // 2, : side // 2] == (0, 255, 0), axis=1).sum())

    assert line_width(400) < line_width(2000) < line_width(4000)


@pytest.mark.parametrize("box", [(-50, -50, 90, 90), (280, 180, 100, 100), (0, 0, 0, 0), (5000, 5000, 9, 9)])
@pytest.mark.parametrize("size", [(1, 1), (1, 900), (200, 300)])
def test_no_box_and_no_size_breaks_it(box: tuple[float, float, float, float], size: tuple[int, int]) -> None:
    drawn = annotate(
        gray(*size), [(box, "a caption much longer than the picture is wide, été, 名", "#123456")]
    )
    assert drawn.shape == (*size, 3)
