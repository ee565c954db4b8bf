"""Pictures of an evaluation, drawn with Pillow at twice the size that they are looked at in."""

from __future__ import annotations

from typing import Any

from PIL import Image, ImageDraw, ImageFont

SCALE = 2
# A matrix of 200 labels would take 2 GB.
MOST_DRAWN = 30
INK, FAINT, PAPER = "#1c2430", "#c9d0d9", "#ffffff"
BLUE, ORANGE = (31, 95, 168), (226, 125, 52)


def draw_confusion(matrix: list[list[int]], names: tuple[str, ...]) -> Image.Image:
    """(K, K) counts, rows true: each cell has its share of the row, as a shade and in figures.

    Of more than MOST_DRAWN labels those alone are drawn that are most often in a mistake.
    """
    drawn = _most_mistaken(matrix)
    canvas = _Canvas(150 + 66 * len(drawn), 116 + 50 * len(drawn))
    few = (
        f": the {len(drawn)} of {len(names)} labels that are mistaken most" if len(drawn) < len(names) else ""
    )
    canvas.text(16, 14, f"Told for each true label{few}", size=17)
    canvas.text(16, 38, "share of the row's faces, and how many they are", size=12)
    for column, label in enumerate(drawn):
        canvas.text(130 + 66 * column + 32, 90, names[label], size=12, anchor="ms", width=64)
    canvas.text(118, 90, "true \\ told", size=11, anchor="rs")
    for row, true in enumerate(drawn):
        top, whole = 100 + 50 * row, sum(matrix[true])
        canvas.text(118, top + 24, names[true], size=12, anchor="rm", width=104)
        for column, told in enumerate(drawn):
            count = matrix[true][told]
            _draw_cell(canvas, 130 + 66 * column, top, count, count / whole if whole else 0.0)
    return canvas.image


def _most_mistaken(matrix: list[list[int]]) -> list[int]:
    """In their order, the places of the MOST_DRAWN labels that are in most mistakes, as true or as told."""
    told = [sum(column) for column in zip(*matrix, strict=True)]
    mistakes = [sum(row) + told[place] - 2 * row[place] for place, row in enumerate(matrix)]
    return sorted(sorted(range(len(matrix)), key=lambda place: -mistakes[place])[:MOST_DRAWN])


def _draw_cell(canvas: _Canvas, left: int, top: int, count: int, share: float) -> None:
    shade = tuple(round(255 + (part - 255) * share**0.7) for part in BLUE)
    ink = PAPER if share > 0.7 else INK
    canvas.box(left, top, left + 64, top + 48, fill=shade)
    canvas.text(left + 32, top + 18, f"{share * 100:.0f} %", size=15, anchor="mm", fill=ink)
    canvas.text(left + 32, top + 36, f"{count:,}", size=10, anchor="mm", fill=ink)


def draw_reliability(bins: list[dict[str, Any]], error: float) -> Image.Image:
    """The accuracy of each bin of confidence against the diagonal; below, how many faces each has."""
    canvas = _Canvas(440, 520)
    canvas.text(16, 14, "Is it as often right as it is sure?", size=17)
    canvas.text(16, 38, f"expected calibration error {error:.3f}; the line is perfect calibration", size=12)
    left, top, side = 60, 70, 340
    for tick in range(0, 101, 20):
        x, y = left + side * tick // 100, top + side - side * tick // 100
        canvas.line(left, y, left + side, y, fill=FAINT)
        canvas.text(left - 8, y, f"{tick} %", size=11, anchor="rm")
        canvas.text(x, top + side + 78, f"{tick} %", size=11, anchor="mt")
    most = max([one["faces"] for one in bins] + [1])
    for one in bins:
        if one["faces"]:
            x0, x1 = left + side * one["from"] + 1, left + side * one["to"] - 1
            canvas.box(x0, top + side * (1 - one["accuracy"]), x1, top + side, fill=BLUE)
            canvas.box(x0, top + side + 70 - 60 * one["faces"] / most, x1, top + side + 70, fill=FAINT)
    canvas.line(left, top + side, left + side, top, fill=ORANGE, width=2)
    canvas.line(left, top + side, left + side, top + side, fill=INK)
    canvas.line(left, top + side + 70, left + side, top + side + 70, fill=INK)
    canvas.text(left + 6, top + 6, "accuracy", size=12)
    canvas.text(left + 6, top + side + 10, f"faces (at most {most:,})", size=11)
    canvas.text(left + side // 2, top + side + 95, "confidence", size=12, anchor="mt")
    return canvas.image


class _Canvas:
    """A sheet of paper measured in the points that it is looked at in."""

    def __init__(self, width: int, height: int) -> None:
        self.image = Image.new("RGB", (width * SCALE, height * SCALE), PAPER)
        self.draw = ImageDraw.Draw(self.image)

    def box(self, left: float, top: float, right: float, bottom: float, *, fill: Any) -> None:
        self.draw.rectangle([left * SCALE, top * SCALE, right * SCALE, bottom * SCALE], fill=fill)

    def line(self, *ends: float, fill: Any, width: float = 1) -> None:
        self.draw.line([end * SCALE for end in ends], fill=fill, width=round(width * SCALE))

    def text(
        self,
        x: float,
        y: float,
        words: str,
        *,
        size: float,
        anchor: str = "la",
        fill: Any = INK,
        width: float | None = None,
    ) -> None:
        """`width`: a longer text is set smaller, to fit."""
        font = ImageFont.load_default(size * SCALE)
        if width and (length := font.getlength(words)) > width * SCALE:
            font = ImageFont.load_default(size * SCALE * width * SCALE / length)
        self.draw.text((x * SCALE, y * SCALE), words, font=font, fill=fill, anchor=anchor)
