from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from classifier.ml import frozen
from classifier.ml.frozen import read_frozen
from labeling.parquet import write_examples
from tests.classifier.ml.test_realign import alike, as_the_site_cuts, loosely_cut
from tests.photographs import astronaut

NAMES = ("here", "elsewhere")


@pytest.fixture
def examples(tmp_path: Path) -> Path:
    """The same loosely cut face of two sources: as if this site had cut it out, and from a table."""
    cut = loosely_cut(astronaut(), turned=12, moved=0)
    rows = [
        {
            "digest": source,
            "label": name,
            "split": "train",
            "group": source,
            "source": source,
            "votes": [0, 0],
            "other_votes": 0,
            "height": 48,
            "width": 48,
            "channels": 1,
            "pixels": cut.tobytes(),
        }
        for name, source in zip(NAMES, ("review", "table"), strict=True)
    ]
    path = tmp_path / "examples.parquet"
    with path.open("wb") as file:
        write_examples(file, rows, label_set="places", labels=NAMES)
    return path


@pytest.mark.parametrize("few", [2, 0])
def test_only_faces_that_were_cut_out_elsewhere_are_aligned(
    examples: Path, few: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen, "FEW", few)
    cut, wanted = loosely_cut(astronaut(), turned=12, moved=0), as_the_site_cuts(astronaut())
    read = read_frozen(examples, names=NAMES).realigned()
    here, elsewhere = read.faces.images
    assert (here == cut).all()
    assert alike(elsewhere, wanted) > alike(cut, wanted) + 0.1
    assert read.aligned.all()
    if few:
        assert read.faces.stored is not None
        assert [crop.shape for crop in read.faces.stored] == [(48, 48), (112, 112, 3)]


def test_what_is_aligned_stays_as_it_is(examples: Path) -> None:
    once = read_frozen(examples, names=NAMES).realigned()
    np.testing.assert_array_equal(once.realigned().faces.images, once.faces.images)
