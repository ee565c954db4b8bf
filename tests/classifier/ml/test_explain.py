"""A heat map shows the place that an answer hangs on."""

from __future__ import annotations

import numpy as np
import pytest

from classifier.ml.explain import draw_heat, heat_map
from classifier.ml.runtime import Classifier
from tests.artifacts import artifact_answering, artifact_looking_at


@pytest.fixture
def crop() -> np.ndarray:
    """Noise everywhere, so that covering any place changes it."""
    return np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)


@pytest.mark.parametrize(("row", "column"), [(10, 24), (38, 24), (24, 8), (40, 40)])
def test_the_place_that_the_answer_hangs_on_glows(crop: np.ndarray, row: int, column: int) -> None:
    classifier = Classifier.load(*artifact_looking_at(row, column, radius=4, label="sad"))
    # A white patch there, for the model to see.
    middle = (np.array([row, column]) + 0.5) * 112 / 48
    top, left = (middle - 12).astype(int)
    crop[top : top + 24, left : left + 24] = 255
    heat = heat_map(classifier, crop, classifier.labels.index("sad"))
    assert heat.shape == (112, 112)
    assert heat.dtype == np.float32
    assert heat.min() >= 0
    assert heat.max() == pytest.approx(1)
    weight = heat**4 / (heat**4).sum()
    found = [(weight.sum(axis=1) * np.arange(112)).sum(), (weight.sum(axis=0) * np.arange(112)).sum()]
    np.testing.assert_allclose(found, middle, atol=10)


def test_an_answer_that_hangs_on_nothing_gives_a_cold_map(crop: np.ndarray) -> None:
    classifier = Classifier.load(*artifact_answering(np.zeros(7)))
    heat = heat_map(classifier, crop, 0)
    assert not heat.any()
    drawn = draw_heat(crop, heat)
    assert drawn.shape == (112, 112, 3)
    assert (drawn[..., 0] == drawn[..., 1]).all()
