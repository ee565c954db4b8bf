"""What the about page says of the model that answers: its card's figures, and no more than they say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from classifier.figures import figures_of, figures_of_active
from classifier.models import ModelVersion, User
from classifier.registry import promote
from tests.factories import make_active_model, make_upload

pytestmark = pytest.mark.django_db

DATASET = {"name": "FER2013 Training", "votes": "FER+", "faces": 26_500}
MEASURED: dict[str, Any] = {
    "faces": 3589,
    "accuracy": 0.7042,
    "accuracy_95": [0.6891, 0.7192],
    "recall": {"happy": 0.891, "fear": 0.474, "sad": None, "joy": 0.5},
}


def model_with(**said: Any) -> ModelVersion:
    """The active model, with a card that also says this."""
    version = make_active_model(threshold=0.45)
    version.card |= said
    version.save()
    return version


def about(client: Client) -> str:
    """The page's section on the model, without markup."""
    page = client.get("/about/").content.decode()
    section = page[page.index('aria-labelledby="model"') :].partition("</section>")[0]
    return " ".join(re.sub(r"<[^>]+>", " ", section).split()).replace(" .", ".").replace(" ,", ",")


def test_the_active_models_figures_are_told_with_their_interval(client: Client) -> None:
    model_with(dataset=DATASET, metrics={"FER2013 PublicTest": MEASURED})
    said = about(client)
    assert "constant v1 answers now." in said
    assert "It learned from FER2013 Training: 26,500 faces, labelled with the votes of FER+." in said
    assert "When no expression gets 45% or more, the answer is unsure." in said
    assert "On FER2013 PublicTest, 3,589 faces," in said
    assert "70.4% (95% interval: 68.9% to 71.9%)" in said
    assert "Fear 47% Happy 89%" in said


def test_a_promoted_model_brings_its_own_figures(client: Client) -> None:
    model_with(metrics={"test": MEASURED})
    make_active_model(favourite="sad", threshold=0.6)
    said = about(client)
    assert "constant v2 answers now." in said
    assert "45%" not in said


def test_a_card_without_figures_says_that_it_has_none(client: Client) -> None:
    make_active_model()
    said = about(client)
    assert "Its card does not say what it learned from." in said
    assert "Its card has no figures" in said


def test_without_a_model_the_page_says_so(client: Client) -> None:
    assert figures_of_active("expressions") is None
    assert "No model answers on this site at present." in about(client)


@pytest.mark.parametrize(
    "metrics",
    [
        None,
        "good",
        [],
        {"test": None},
        {"test": {}},
        {"test": {"accuracy": None}},
        {"test": {"accuracy": "0.7"}},
        {"test": {"accuracy": True}},
        {"test": {"accuracy": 70.4}},
        {"test": {"accuracy": float("nan")}},
    ],
)
def test_what_is_no_accuracy_is_left_out(metrics: Any) -> None:
    version = make_active_model()
    version.card["metrics"] = metrics
    assert figures_of(version).scorings == ()


@pytest.mark.parametrize("interval", [None, 0.7, [0.7], ["a", "b"], [0.6, 1.7]])
def test_an_accuracy_may_stand_alone(interval: Any) -> None:
    version = make_active_model()
    version.card["metrics"] = {"test": {"accuracy": 0.7, "accuracy_95": interval, "recall": [], "faces": -1}}
    scoring = figures_of(version).scorings[0]
    assert (scoring.accuracy, scoring.low, scoring.high, scoring.faces) == (0.7, None, None, None)
    assert scoring.recalls == ()


@pytest.mark.parametrize("dataset", [None, "FER2013", {"name": 3, "faces": "many", "votes": None}])
def test_what_it_learned_from_may_be_unknown(dataset: Any) -> None:
    version = make_active_model()
    version.card["dataset"] = dataset
    figures = figures_of(version)
    assert (figures.learned_from, figures.votes, figures.faces) == ("", "", None)


def test_recall_is_told_for_the_label_sets_labels_in_their_order() -> None:
    version = model_with(metrics={"test": MEASURED})
    recalls = figures_of(version).scorings[0].recalls
    assert [(recall.label.slug, recall.share) for recall in recalls] == [("fear", 0.474), ("happy", 0.891)]


def test_a_result_leads_to_the_figures_of_its_model(ada: User, ada_client: Client) -> None:
    page = ada_client.get(f"/uploads/{make_upload(ada).pk}/").content.decode()
    assert 'read by <a href="/about/#model">constant v1</a>' in page
    assert 'id="model"' in ada_client.get("/about/").content.decode()


def test_rolling_back_tells_the_earlier_figures_again(client: Client) -> None:
    first = model_with(metrics={"test": MEASURED})
    make_active_model(favourite="sad")
    promote(first)
    assert "70.4%" in about(client)
