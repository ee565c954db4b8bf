"""What the dataset page tells of examples, labelers and the model."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from django.test import Client
from pytest_django import Settings
from sklearn.metrics import cohen_kappa_score

from classifier.models import LabelSet, Upload, User
from labeling.figures import Share, agreement_of_pairs, cohens_kappa, figures_of_labelers, figures_of_model
from labeling.models import Annotation, ReviewItem
from labeling.review import Said, answer
from labeling.review_queue import hand
from tests.labeling.cast import accepts, expressions, make_labeler, offered_upload, says, text

pytestmark = pytest.mark.django_db

LIST = "/admin/labeling/example/"
PAGE = "/admin/labeling/example/dataset/expressions/"


def test_the_page_counts_examples_by_label_and_split(examples: LabelSet, root_client: Client) -> None:
    page = text(root_client, PAGE)
    assert ">14</a>" in page
    assert page.count("split-train") >= 7
    assert "Nobody has answered a face yet" in page
    assert "Nothing is frozen yet" in page


def test_an_empty_dataset_and_a_set_without_a_model_have_a_page_too(root_client: Client) -> None:
    empty = LabelSet.objects.create(slug="people", name="People")
    page = text(root_client, PAGE.replace("expressions", empty.slug))
    assert "No model is active" in page
    assert text(root_client, "/admin/labeling/example/dataset/")
    assert root_client.get(PAGE.replace("expressions", "nobody")).status_code == 404


def review(labeler: User, verdicts: dict[int, Said]) -> None:
    """Answer every face in the queue, as `verdicts` has it by the upload's place."""
    uploads = {upload.pk: place for place, upload in enumerate(Upload.objects.order_by("created_at"))}
    while items := hand(labeler, expressions()):
        answer(labeler, items[0], verdicts[uploads[items[0].face.upload_id]])


@pytest.fixture
def reviewed(ada: User, settings: Settings) -> dict[str, User]:
    """20 faces that the model calls happy. max accepts whatever he is shown; where he isn't, he says sad.

    lena and olga call the last five sad, and so does the majority. Every second face hides its suggestion, as
    a probe.
    """
    settings.REVIEW_PROBE_SHARE = settings.REVIEW_HIDDEN_SHARE = 0
    LabelSet.objects.update(annotations_wanted=3)
    for _ in range(20):
        offered_upload(ada, shows=["happy"])
    items = ReviewItem.objects.order_by("face__upload__created_at").values_list("pk", flat=True)
    hidden = list(items)[1::2]
    ReviewItem.objects.filter(pk__in=hidden).update(probe=True, suggestion_hidden=True)
    right = {place: says("sad") if place >= 15 else says("happy") for place in range(20)}
    labelers = {name: make_labeler(name) for name in ("lena", "max", "olga")}
    review(labelers["lena"], right)
    review(labelers["olga"], right)
    review(labelers["max"], {place: says("sad") if place % 2 else accepts("happy") for place in range(20)})
    return labelers


def test_a_labeler_who_accepts_whatever_is_suggested_stands_out(
    reviewed: dict[str, User], root_client: Client
) -> None:
    figures = {figure.name: figure for figure in figures_of_labelers(expressions())}
    assert (figures["max"].shown, figures["max"].hidden) == (Share(10, 10), Share(0, 10))
    assert figures["max"].follows_suggestions
    assert not figures["lena"].follows_suggestions
    assert figures["lena"].majority == Share(20, 20)
    assert figures["max"].majority == Share(11, 20)
    page = text(root_client, PAGE)
    assert page.count('class="dataset-flag">follows suggestions') == 1


def test_live_accuracy_is_that_of_the_active_model_on_probes(reviewed: dict[str, User]) -> None:
    figures = figures_of_model(expressions(), list(expressions().labels.all()))
    assert figures
    assert figures.accuracy == Share(7, 10)
    assert [(pair.model_says.slug, pair.labelers_say.slug, pair.count) for pair in figures.confusions] == [
        ("happy", "sad", 5)
    ]


def test_two_labelers_agree_as_scikit_learn_has_it(reviewed: dict[str, User]) -> None:
    pairs = {(pair.one, pair.other): pair for pair in agreement_of_pairs(expressions())}
    assert {frozenset(names) for names in pairs} == set(map(frozenset, combinations(reviewed, 2)))
    said = {
        name: dict(Annotation.objects.filter(labeler=user).values_list("face", "label__slug"))
        for name, user in reviewed.items()
    }
    for pair in pairs.values():
        ones, others = said[pair.one], said[pair.other]
        expected = cohen_kappa_score([ones[face] for face in ones], [others[face] for face in ones])
        assert pair.faces == 20
        assert pair.kappa == pytest.approx(expected)


def test_kappa_is_that_of_scikit_learn_on_anything() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 7):
        ones, others = rng.integers(0, classes, 200), rng.integers(0, classes, 200)
        others[:120] = ones[:120]
        counts: dict[tuple[int | None, int | None], int] = {}
        for pair in zip(ones.tolist(), others.tolist(), strict=True):
            counts[pair] = counts.get(pair, 0) + 1
        assert cohens_kappa(counts) == pytest.approx(cohen_kappa_score(ones, others))
    assert cohens_kappa({(3, 3): 9}) is None


def test_an_interval_holds_what_it_should() -> None:
    share = Share(81, 263)
    assert share.low == pytest.approx(0.2553, abs=1e-4)
    assert share.high == pytest.approx(0.3662, abs=1e-4)
    assert (Share(0, 10).low, Share(10, 10).high) == (0, 1)
