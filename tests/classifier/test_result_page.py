"""What a result page says: never surer than the model, never silent about what it left out."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from classifier.cards import MANY_FACES, lay_out
from classifier.models import Face, Upload, User
from classifier.templatetags.expressions import percent
from tests.factories import make_upload

pytestmark = pytest.mark.django_db


def page_of(client: Client, upload: Upload) -> str:
    return client.get(reverse("upload", args=[upload.pk])).content.decode()


def card_of(upload: Upload) -> str:
    return lay_out(Upload.objects.with_results().get(pk=upload.pk)).summary


def test_every_expression_has_its_percentage_likeliest_first(ada: User, ada_client: Client) -> None:
    page = page_of(ada_client, make_upload(ada, shows=["sad"]))
    bars = re.findall(r'class="bar-value">([^<]+)<', page)
    assert bars == ["80%", *["3%"] * 6]
    assert page.index("Sad</bdi>") < page.index("Angry</bdi>")


def test_unsure_is_said_with_both_guesses_and_no_big_number(ada: User, ada_client: Client) -> None:
    page = page_of(ada_client, make_upload(ada, shows=["fear"], unsure=True))
    assert "No expression stands out: perhaps fear, perhaps angry." in page
    assert "verdict-value" not in page


@pytest.mark.parametrize(
    ("unreadable", "sentence"),
    [
        (Face.Unreadable.TOO_SMALL, "This face is too small to read."),
        (Face.Unreadable.TOO_BLURRED, "This face is too blurred to read."),
        (Face.Unreadable.TURNED_AWAY, "This face is turned too far to read."),
    ],
)
def test_an_unreadable_face_says_why_and_hides_the_guess(
    unreadable: str, sentence: str, ada: User, ada_client: Client
) -> None:
    upload = make_upload(ada, unsure=True)
    upload.faces.update(unreadable=unreadable)
    page = page_of(ada_client, upload)
    assert sentence in page
    assert page.index('<details class="guess">') < page.index('class="bar-value"')


def test_faces_beyond_the_most_are_counted(ada: User, ada_client: Client) -> None:
    page = page_of(ada_client, make_upload(ada, shows=["happy", "sad"], faces_found=5))
    assert "5 faces were found. The 2 largest are read here; 3 are not." in page


def test_a_crowd_gets_small_cards(ada: User, ada_client: Client) -> None:
    page = page_of(ada_client, make_upload(ada, shows=["happy"] * (MANY_FACES + 1)))
    assert "result-body crowd" in page
    assert page.count("All percentages") == MANY_FACES + 1


def test_a_face_that_no_model_has_read_is_still_shown(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada)
    upload.faces.get().predictions.all().delete()
    page = page_of(ada_client, upload)
    assert "Not read" in page
    assert ada_client.get(reverse("upload-annotated", args=[upload.pk])).status_code == 200


def test_boxes_lie_where_the_faces_are(ada: User, ada_client: Client) -> None:
    page = page_of(ada_client, make_upload(ada))
    assert 'x="15.625%" y="16.667%" width="7.812%" height="12.500%"' in page


def test_a_name_is_text_and_not_markup(ada: User, ada_client: Client) -> None:
    page = page_of(ada_client, make_upload(ada, name="<script>alert(1)</script>.jpg"))
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    ("shows", "summary"),
    [
        ([], "no face found"),
        (["happy"], "1 face: happy"),
        (["sad", "happy", "happy"], "3 faces: 2 happy, 1 sad"),
    ],
)
def test_a_summary_for_those_who_listen(shows: list[str], summary: str, ada: User) -> None:
    assert card_of(make_upload(ada, shows=shows)) == summary


@pytest.mark.parametrize(
    ("probability", "text"),
    [(0, "0%"), (0.001, "<1%"), (0.006, "1%"), (0.634, "63%"), (0.999, ">99%"), (1, "100%")],
)
def test_percentages_are_rounded_but_never_to_certainty(probability: float, text: str) -> None:
    assert percent(probability) == text
