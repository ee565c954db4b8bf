"""Hand-crafted features of a face: what the SVM family sees. Nothing here is learned.

Each function takes (N, 48, 48) uint8 gray faces and returns (N, D) float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import prod
from typing import Any

import cv2
import numpy as np
import pywt
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

SIDE = 48

# A flat face has no contrast to normalise; this keeps it near zero instead of amplifying its noise.
MIN_STD = 4.0

ORIENTATIONS = 8
_ACROSS = np.array([[-1, 0, 1]], np.float32)

# side of one of a descriptor's 4 × 4 cells -> step between descriptors, all in pixels
DESCRIPTORS = {3: 3, 4: 3, 6: 4}
CELLS = 4
DESCRIPTOR = CELLS * CELLS * ORIENTATIONS

HOG_CELLS = (4, 6, 8)
WAVELET = "bior2.2"
LBP_GRID = 6


def orientation_maps(face: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(S, S) to (S, S, 8): at each pixel, the gradient's length spread over eight directions.

    It is shared between the two directions next to it, the more the nearer (Dalal & Triggs, 2005).
    """
    pixels = face.astype(np.float32)
    along = cv2.filter2D(pixels, -1, _ACROSS, borderType=cv2.BORDER_REPLICATE)
    down = cv2.filter2D(pixels, -1, _ACROSS.T, borderType=cv2.BORDER_REPLICATE)
    length, angle = cv2.cartToPolar(along, down)
    turn = angle * np.float32(ORIENTATIONS / (2 * np.pi))
    apart = np.abs(turn[..., None] - np.arange(ORIENTATIONS, dtype=np.float32))
    half = ORIENTATIONS // 2
    shares = np.maximum(np.abs(apart - half) - (half - 1), 0)  # around the circle: half - |apart - half|
    return np.asarray(length[..., None] * shares, np.float32)


def descriptors_a_side(cell: int) -> int:
    """How many descriptors with cells of `cell` pixels stand in a row."""
    return (SIDE - CELLS * cell) // DESCRIPTORS[cell] + 1


def dense_descriptors(face: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(48, 48) to (P, 128): histograms of orientation in 4 × 4 cells, on a grid, at three sizes.

    After Lowe, "Distinctive Image Features", IJCV 2004, upright and dense; the sizes in the order of
    DESCRIPTORS, each from left to right and from top to bottom.
    """
    return _dense_descriptors(orientation_maps(face))


def _dense_descriptors(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    rows = np.concatenate([_descriptors(maps, cell, step) for cell, step in DESCRIPTORS.items()])
    return _unit(np.minimum(_unit(rows, 8.0), 0.2), 1e-3)


def _descriptors(maps: NDArray[np.float32], cell: int, step: int) -> NDArray[np.float32]:
    """The grid stands in the middle, so that it is its own mirror image."""
    sums = _sums_from_here(maps, cell)
    across = (CELLS - 1) * cell + 1
    grid = slice((SIDE - CELLS * cell) % step // 2, None, step)
    windows = sliding_window_view(sums, (across, across), axis=(0, 1))[grid, grid, :, ::cell, ::cell]
    count = descriptors_a_side(cell)
    return windows[:count, :count].transpose(0, 1, 3, 4, 2).reshape(-1, DESCRIPTOR)


def _sums_from_here(maps: NDArray[np.float32], cell: int) -> NDArray[np.float32]:
    """At each pixel, the sum over the square of `cell` pixels that begins there."""
    sums = cv2.boxFilter(
        maps, -1, (cell, cell), anchor=(0, 0), normalize=False, borderType=cv2.BORDER_CONSTANT
    )
    return np.asarray(sums, np.float32)


def _unit(rows: NDArray[np.float32], softening: float) -> NDArray[np.float32]:
    """Each row over its length; `softening` is added to that, so that flat regions stay near zero."""
    return rows / (np.sqrt(np.einsum("ij,ij->i", rows, rows)) + softening)[:, None]


def descriptors(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The dense descriptors, row after row."""
    return np.stack([dense_descriptors(face).ravel() for face in faces])


def hog(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of oriented gradients at three sizes of cell, in blocks of 2 × 2 cells.

    Dalal & Triggs, "Histograms of Oriented Gradients", CVPR 2005; with eight signed orientations.
    """
    return np.stack([histograms(orientation_maps(face), HOG_CELLS) for face in faces])


def histograms(maps: NDArray[np.float32], sizes: Sequence[int]) -> NDArray[np.float32]:
    """(S, S, 8) maps to one row, with cells of each of `sizes`, which divide S."""
    parts = []
    for cell in sizes:
        cells = _sums_from_here(maps, cell)[::cell, ::cell]
        blocks = np.concatenate([cells[:-1, :-1], cells[:-1, 1:], cells[1:, :-1], cells[1:, 1:]], axis=-1)
        parts.append(blocks.reshape(-1, 4 * ORIENTATIONS))
    return np.minimum(_unit(np.concatenate(parts), 16.0), 0.25).ravel()


def standardized(faces: NDArray[Any]) -> NDArray[np.float32]:
    """(N, S, S), 0 to 255, each with mean 0 and deviation 1."""
    pixels = faces.astype(np.float32)
    mean = pixels.mean(axis=(1, 2), keepdims=True)
    deviation = pixels.std(axis=(1, 2), keepdims=True)
    return (pixels - mean) / np.maximum(deviation, MIN_STD)


def wavelets(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The standardised face's wavelet coefficients of the second level: a 12 × 12 picture and its details.

    Mallat, "A Theory for Multiresolution Signal Decomposition", PAMI 1989; with biorthogonal 2.2 splines.
    """
    line = _wavelet_lines()
    both = np.matmul(line @ standardized(faces), line.T, dtype=np.float32)
    parts = both.reshape(len(faces), 2, SIDE // 4, 2, SIDE // 4).transpose(0, 3, 1, 2, 4)
    return parts.reshape(len(faces), -1)


@cache
def _wavelet_lines() -> NDArray[np.float32]:
    """(24, 48), by which a line of pixels becomes the averages and the details of the second level."""
    average, _ = pywt.dwt(np.eye(SIDE), WAVELET, mode="periodization", axis=0)
    return np.concatenate(pywt.dwt(average, WAVELET, mode="periodization", axis=0)).astype(np.float32)


def lbp(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Histograms of the 59 uniform local binary patterns in 6 × 6 parts of the face; square roots of shares.

    Ahonen et al., "Face Description with Local Binary Patterns", PAMI 2006.
    """
    middle = faces[:, 1:-1, 1:-1]
    codes = np.zeros(middle.shape, np.uint8)
    for bit, (y, x) in enumerate(((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))):
        codes |= (faces[:, y : y + SIDE - 2, x : x + SIDE - 2] >= middle).astype(np.uint8) << bit
    place = np.arange(SIDE - 2) * LBP_GRID // (SIDE - 2)
    part = place[:, None] * LBP_GRID + place[None]
    parts = LBP_GRID * LBP_GRID
    whole = (np.arange(len(faces))[:, None, None] * parts + part) * _PATTERNS + _UNIFORM[codes]
    counts = np.bincount(whole.ravel(), minlength=len(faces) * parts * _PATTERNS)
    shares = counts.reshape(len(faces), parts, _PATTERNS) * (parts / (SIDE - 2) ** 2)
    return np.sqrt(shares).reshape(len(faces), -1).astype(np.float32)


def _uniform_patterns() -> NDArray[np.int64]:
    """(256,): the place of each pattern with at most two changes around the circle; 0 for all others."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    uniform = (bits != np.roll(bits, 1, axis=1)).sum(axis=1) <= 2
    return np.where(uniform, np.cumsum(uniform), 0)


_UNIFORM = _uniform_patterns()
_PATTERNS = int(_UNIFORM.max()) + 1

FEATURES: dict[str, Callable[[NDArray[np.uint8]], NDArray[np.float32]]] = {
    "descriptors": descriptors,
    "hog": hog,
    "lbp": lbp,
    "wavelets": wavelets,
}

_OF_MAPS: dict[str, Callable[[NDArray[np.float32]], NDArray[np.float32]]] = {
    "descriptors": lambda maps: _dense_descriptors(maps).ravel(),
    "hog": lambda maps: histograms(maps, HOG_CELLS),
}


def extract(faces: NDArray[np.uint8], names: Sequence[str]) -> NDArray[np.float32]:
    """(N, 48, 48) uint8 to (N, D) float32: the named features side by side.

    Raises ValueError for a name that is not in FEATURES.
    """
    if unknown := [name for name in names if name not in FEATURES]:
        raise ValueError(f"There are no features {', '.join(unknown)}; choose from {', '.join(FEATURES)}")
    return np.concatenate([FEATURES[name](faces) for name in names], axis=1)


def extract_both_sides(faces: NDArray[np.uint8], names: Sequence[str]) -> NDArray[np.float32]:
    """(N, 48, 48) uint8 to (N, 2 · D) float32: `extract` of the faces, then of their mirror images.

    Raises KeyError for a name that is not in FEATURES.
    """
    sides = np.stack([faces, faces[:, :, ::-1]], axis=1).reshape(-1, SIDE, SIDE)
    maps = [orientation_maps(face) for face in faces] if _OF_MAPS.keys() & set(names) else []
    ends = np.cumsum([0, *map(width, names)])
    rows = np.empty((len(faces), 2, ends[-1]), np.float32)
    for name, start, end in zip(names, ends[:-1], ends[1:], strict=True):
        if name in _OF_MAPS:
            for row, each in zip(rows[:, :, start:end], maps, strict=True):
                row[0] = _OF_MAPS[name](each)
                row[1] = row[0].take(_mirror_order(name))
        else:
            rows[:, :, start:end] = FEATURES[name](sides).reshape(len(faces), 2, -1)
    return rows.reshape(len(faces), -1)


@cache
def _mirror_order(name: str) -> NDArray[np.int64]:
    """Where in the face's own descriptors, or blocks of cells, each number of its mirror image stands.

    Places and cells change sides; mirrored, a gradient of angle a has angle 180° - a.
    """
    turned = (ORIENTATIONS // 2 - np.arange(ORIENTATIONS)) % ORIENTATIONS
    if name == "descriptors":
        grids = [(descriptors_a_side(cell), CELLS) for cell in DESCRIPTORS]
    else:
        grids = [(SIDE // cell - 1, 2) for cell in HOG_CELLS]
    orders, start = [], 0
    for count, cells in grids:
        shape = (count, count, cells, cells, ORIENTATIONS)
        places = np.arange(start, start := start + prod(shape)).reshape(shape)
        orders.append(places[:, ::-1, :, ::-1, turned].ravel())
    return np.concatenate(orders)


@cache
def width(name: str) -> int:
    """How many numbers the feature has."""
    return FEATURES[name](np.zeros((1, SIDE, SIDE), np.uint8)).shape[1]
