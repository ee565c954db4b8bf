"""The labelers' pages without a script: reviewing, one face and its history, many at once, the pictures."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier.feedback import give_feedback
from classifier.handover import set_consent
from classifier.models import LabelSet, User
from labeling.models import Annotation, ReviewItem
from labeling.review import answer
from labeling.review_queue import hand
from tests.conftest import logged_in
from tests.labeling.cast import expressions, item_of, label, make_labeler, offered_upload, says

pytestmark = pytest.mark.django_db

REVIEW = "/admin/labeling/reviewitem/review/expressions/"
LIST = "/admin/labeling/reviewitem/"
JSON = {"accept": "application/json"}


@pytest.fixture
def lena(db: None) -> User:
    return make_labeler("lena")


@pytest.fixture
def lena_client(lena: User) -> Client:
    return logged_in(lena)


@pytest.fixture(autouse=True)
def no_probes(settings: Settings) -> None:
    settings.REVIEW_PROBE_SHARE = settings.REVIEW_HIDDEN_SHARE = 0


def shown(client: Client) -> str:
    return client.get(REVIEW).content.decode()


def send(client: Client, **form: object) -> str:
    """Post a verdict as a form does, and return the page that follows."""
    return client.post(REVIEW, form, follow=True).content.decode()


def first_item(page: str) -> int:
    found = re.search(r'data-item="(\d+)"', page)
    assert found, "no face is shown"
    return int(found[1])


def test_the_page_shows_a_face_with_what_the_model_and_its_user_say(ada: User, lena_client: Client) -> None:
    upload = offered_upload(ada, shows=["happy"])
    give_feedback(
        face=upload.faces.get(), label_set=expressions(), user=ada, said="wrong", label=label("sad")
    )
    page = shown(lena_client)
    assert first_item(page) == item_of(upload).pk
    for words in ("Accept Happy", "80%", "Its user says: wrong: it is Sad", "1 face waits"):
        assert words in page
    assert page.count('name="label"') == 7


@pytest.mark.parametrize(
    ("button", "state", "outcome"),
    [
        ({"label": "fear"}, "settled", "fear"),
        ({"accept": "happy"}, "settled", "happy"),
        ({"do": "unusable"}, "settled", None),
        ({"do": "skip"}, "waiting", None),
    ],
)
def test_each_button_does_what_it_says(
    button: dict[str, str], state: str, outcome: str | None, ada: User, lena_client: Client
) -> None:
    offered_upload(ada, shows=["happy"])
    send(lena_client, item=first_item(shown(lena_client)), **button)
    item = ReviewItem.objects.get()
    assert (item.state, item.label and item.label.slug) == (state, outcome)


def test_undo_brings_the_last_face_back(ada: User, lena_client: Client) -> None:
    offered_upload(ada, shows=["happy", "sad", "fear"])
    first = first_item(shown(lena_client))
    assert first_item(send(lena_client, item=first, label="fear")) != first
    page = send(lena_client, do="undo")
    assert first_item(page) == first
    assert "Taken back." in page


def test_a_hidden_suggestion_is_nowhere_on_the_page_and_told_after_the_answer(
    ada: User, lena_client: Client
) -> None:
    offered_upload(ada, shows=["surprise"])
    ReviewItem.objects.update(suggestion_hidden=True, probe=True)
    page = shown(lena_client)
    assert "hidden until you answer" in page
    assert "Accept" not in page
    assert "%" not in re.sub(r"<svg.*?</svg>", "", page[page.index("data-item") :], flags=re.DOTALL)
    assert "hidden" in lena_client.get(LIST).content.decode()
    assert "Surprise 80%" not in lena_client.get(LIST).content.decode()
    assert "Fear. The model says Surprise, 80%." in send(lena_client, item=first_item(page), label="fear")


@pytest.mark.parametrize(
    "form",
    [
        {"label": "joy"},
        {"label": "fear", "item": "x"},
        {"label": "fear", "item": "99999999999999999999"},
        {"accept": "sad"},
        {"do": "dance"},
        {},
    ],
)
def test_a_form_that_makes_no_sense_changes_nothing(
    form: dict[str, str], ada: User, lena_client: Client
) -> None:
    offered_upload(ada, shows=["happy"])
    page = send(lena_client, **{"item": first_item(shown(lena_client)), **form})
    assert 'class="error"' in page
    assert not Annotation.objects.exists()
    assert first_item(page) == ReviewItem.objects.get().pk


def test_a_face_that_its_owner_took_back_is_said_to_be_gone(ada: User, lena_client: Client) -> None:
    upload = offered_upload(ada)
    number = first_item(shown(lena_client))
    set_consent(upload, False)
    page = send(lena_client, item=number, label="fear")
    assert "no longer yours" in page
    assert "No face waits for you" in page


def test_a_script_gets_the_hand_as_json_with_the_cards_that_it_lacks(ada: User, lena_client: Client) -> None:
    offered_upload(ada, shows=["happy", "sad", "fear", "angry"])
    first, *others = [int(number) for number in re.findall(r'data-item="(\d+)"', shown(lena_client))]
    form = {"item": first, "label": "neutral", "have": ",".join(map(str, others))}
    said = lena_client.post(REVIEW, form, headers=JSON).json()
    assert said["sentence"].startswith("Neutral.")
    assert said["waiting"] == "3 faces wait"
    *known, new = said["cards"]
    assert known == [{"item": number, "html": ""} for number in others]
    assert f'data-item="{new["item"]}"' in new["html"]
    assert lena_client.post(REVIEW, form, headers=JSON).status_code == 200, "sent twice, kept once"
    another = lena_client.post(REVIEW, form | {"label": "sad"}, headers=JSON)
    assert another.status_code == 409
    assert "no longer yours" in another.json()["sentence"]


def test_several_label_sets_are_a_choice_and_one_is_none(lena_client: Client) -> None:
    start = reverse("admin:labeling_review_start")
    assert lena_client.get(start).headers["Location"] == REVIEW
    poses = LabelSet.objects.create(slug="poses", name="Poses")
    poses.labels.create(position=0, slug="front", name="Front")
    page = lena_client.get(start).content.decode()
    assert REVIEW in page
    assert reverse("admin:labeling_review", args=["poses"]) in page
    assert lena_client.get(reverse("admin:labeling_review", args=["nothing"])).status_code == 404


def change_url(item: ReviewItem) -> str:
    return reverse("admin:labeling_reviewitem_change", args=[item.pk])


def test_the_history_of_a_face_says_who_said_what_and_what_it_replaced(
    ada: User, lena: User, lena_client: Client
) -> None:
    item = item_of(offered_upload(ada, shows=["happy"]))
    send(lena_client, item=first_item(shown(lena_client)), label="fear")
    send(lena_client, do="undo")
    send(lena_client, item=first_item(shown(lena_client)), accept="happy")
    rows = re.findall(r"<tr>(.*?)</tr>", lena_client.get(change_url(item)).content.decode(), re.DOTALL)[1:]
    said = [re.findall(r"<td>(.*?)</td>", row, re.DOTALL)[1:4] for row in rows]
    assert said == [
        ["lena", "accepted the suggestion: Happy", "took it back"],
        ["lena", "took it back", "gave a label: Fear"],
        ["lena", "gave a label: Fear", "–"],
    ]


def test_nobody_sees_anothers_opinion_while_a_face_waits(ada: User, lena: User, lena_client: Client) -> None:
    LabelSet.objects.update(annotations_wanted=3)
    item = item_of(offered_upload(ada))
    max_ = make_labeler("max")
    answer(max_, hand(max_, expressions())[0], says("fear"))
    page = lena_client.get(change_url(item)).content.decode()
    assert "max" not in page
    assert "gave a label" not in page
    send(lena_client, item=first_item(shown(lena_client)), label="fear")
    page = lena_client.get(change_url(item)).content.decode()
    assert "lena" in page
    assert "max" not in page


def test_an_adjudicator_settles_a_dispute_on_the_faces_page(ada: User, lena_client: Client) -> None:
    LabelSet.objects.update(annotations_wanted=3)
    item = item_of(offered_upload(ada))
    for name, slug in (("kim", "sad"), ("max", "fear"), ("nora", "angry")):
        labeler = make_labeler(name)
        answer(labeler, hand(labeler, expressions())[0], says(slug))
    assert "Settle it" not in lena_client.get(change_url(item)).content.decode()
    assert lena_client.post(change_url(item), {"label": "fear"}).status_code == 403

    judge = logged_in(make_labeler("judge", adjudicator=True))
    assert "1 disputed" in shown(judge)
    assert "disputed" not in shown(lena_client)
    page = judge.get(change_url(item)).content.decode()
    assert all(name in page for name in ("kim", "max", "nora", "Settle it: the face shows"))
    assert "Settled: Fear." in judge.post(change_url(item), {"label": "fear"}, follow=True).content.decode()
    item.refresh_from_db()
    assert (item.state, item.label) == ("settled", label("fear"))


@pytest.mark.parametrize("number", ["x", "0", "99999999999999999999", "1/2"])
def test_a_face_that_is_not_there_is_not_found(number: str, lena_client: Client) -> None:
    assert lena_client.get(f"{LIST}{number}/change/").status_code == 404


def select(client: Client, action: str, items: list[ReviewItem]) -> str:
    form: dict[str, Any] = {"action": action, "_selected_action": [item.pk for item in items]}
    return client.post(LIST, form, follow=True).content.decode()


def ticked(page: str) -> list[str]:
    return re.findall(r'name="faces" value="([^"]+)" checked', page)


BULK = "/admin/labeling/reviewitem/bulk/expressions/"


def test_suggestions_are_accepted_many_at_once_after_a_look_at_the_crops(
    ada: User, lena_client: Client
) -> None:
    offered_upload(ada, shows=["happy", "sad", "fear"])
    items = list(ReviewItem.objects.all())
    ReviewItem.objects.filter(pk=items[0].pk).update(suggestion_hidden=True)
    page = select(lena_client, "accept_many", items)
    assert "2 faces." in page
    assert "1 of those you chose is left out" in page
    assert page.count("crop.png") == len(ticked(page)) == 2
    assert not Annotation.objects.exists(), "a look settles nothing"

    page = lena_client.post(BULK, {"faces": ticked(page)}, follow=True).content.decode()
    assert "2 faces are answered." in page
    assert {item.label.slug for item in ReviewItem.objects.filter(state="settled") if item.label} == {
        "sad",
        "fear",
    }


def test_one_label_is_given_to_those_that_stay_ticked(ada: User, lena_client: Client) -> None:
    offered_upload(ada, shows=["happy", "sad", "fear"])
    page = select(lena_client, "label_many", list(ReviewItem.objects.all()))
    keep = ticked(page)[:2]
    lena_client.post(BULK, {"faces": keep, "label": "neutral"})
    settled = ReviewItem.objects.filter(state="settled", label=label("neutral"))
    assert {str(item.pk) for item in settled} == set(keep)
    lena_client.post(BULK, {"faces": ticked(page), "label": ":unusable"})
    assert ReviewItem.objects.filter(state="settled", label=None).count() == 1


def test_faces_that_others_answered_meanwhile_are_counted(ada: User, lena_client: Client) -> None:
    offered_upload(ada, shows=["happy", "sad"])
    page = select(lena_client, "accept_many", list(ReviewItem.objects.all()))
    max_ = make_labeler("max")
    answer(max_, hand(max_, expressions())[0], says("fear"))
    page = lena_client.post(BULK, {"faces": ticked(page)}, follow=True).content.decode()
    assert "0 faces are answered." in page
    assert "2 are not: somebody else was faster" in page


def test_too_many_none_or_several_label_sets_are_refused_in_a_sentence(
    ada: User, lena_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = offered_upload(ada, shows=["happy", "sad"])
    items = list(ReviewItem.objects.all())
    monkeypatch.setattr("labeling.views.bulk.MOST", 1)
    assert "Choose at most 1 faces" in select(lena_client, "accept_many", items)
    poses = LabelSet.objects.create(slug="poses", name="Poses")
    other = ReviewItem.objects.create(
        face=upload.faces.earliest("pk"), label_set=poses, rank=0, perceptual_hash=0
    )
    assert "Choose faces of one label set" in select(lena_client, "accept_many", [*items, other])
    ReviewItem.objects.update(suggestion_hidden=True)
    assert "None of these" in select(lena_client, "accept_many", items)


@pytest.mark.parametrize("picture", ["crop.png", "photo.jpg"])
def test_pictures_are_shown_for_as_long_as_they_are_offered(
    picture: str, ada: User, lena_client: Client
) -> None:
    upload = offered_upload(ada)
    url = f"{LIST}{item_of(upload).pk}/{picture}"
    answer = lena_client.get(url)
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert upload.name not in answer.headers.get("Content-Disposition", "")
    type(upload).objects.update(consent=False)
    assert lena_client.get(url).status_code == 404
    set_consent(type(upload).objects.get(), True)


@pytest.mark.parametrize("query", ["q=foo", "q=7", "state__exact=settled", "disagreed__exact=1", "e=1"])
def test_the_list_can_be_searched_and_filtered(query: str, ada: User, lena_client: Client) -> None:
    offered_upload(ada)
    assert lena_client.get(f"{LIST}?{query}", follow=True).status_code == 200
