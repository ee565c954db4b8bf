"""Examples as a grid of crops: narrowed, and changed many at a time after a look at them."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier.models import LabelSet, User
from labeling.models import Example
from labeling.review import answer
from labeling.review_queue import hand
from tests.labeling.cast import expressions, make_labeler, offered_upload, says, text

pytestmark = pytest.mark.django_db

LIST = "/admin/labeling/example/"
PAGE = "/admin/labeling/example/dataset/expressions/"


def pictures(page: str) -> int:
    return page.count('class="example-crop"')


def test_the_list_shows_the_crops_of_what_is_in_the_dataset(examples: LabelSet, root_client: Client) -> None:
    first = Example.objects.order_by("pk").first()
    assert first
    Example.objects.filter(pk=first.pk).update(withdrawn="curator", withdrawn_reason="a statue")
    assert pictures(text(root_client, LIST)) == 13
    assert "withdrawn: a statue" in text(root_client, LIST, place="withdrawn")
    picture = root_client.get(reverse("admin:labeling_example_crop", args=[first.pk]))
    assert (picture["Content-Type"], picture.content) == ("image/png", bytes(first.crop))
    assert "no-store" in picture["Cache-Control"]


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"label__id__exact": "happy"}, 2),
        ({"split__exact": "test"}, 1),
        ({"source__exact": "folder"}, 0),
        ({"agreement": "all"}, 3),
        ({"agreement": "none"}, 11),
        ({"place": "doubtful"}, 2),
        ({"labeler": "nobody"}, 14),
        ({"q": "line 15"}, 1),
        ({"place": "all"}, 14),
    ],
)
def test_the_list_is_narrowed(
    query: dict[str, str], shown: int, examples: LabelSet, root_client: Client
) -> None:
    ids = list(Example.objects.order_by("pk").values_list("pk", flat=True))
    Example.objects.filter(pk=ids[0]).update(split="test")
    Example.objects.filter(pk__in=ids[:3]).update(agreement=1)
    Example.objects.filter(pk__in=ids[:2]).update(suspicion=0.9)
    happy = str(examples.labels.get(slug="happy").pk)
    asked = {name: happy if value == "happy" else value for name, value in query.items()}
    assert pictures(text(root_client, LIST, **asked)) == shown


def test_the_most_doubtful_come_first(examples: LabelSet, root_client: Client) -> None:
    ids = list(Example.objects.order_by("pk").values_list("pk", flat=True))
    for pk, suspicion in ((ids[3], 0.5), (ids[5], 0.9), (ids[1], 0.7)):
        Example.objects.filter(pk=pk).update(suspicion=suspicion)
    page = text(root_client, LIST, place="doubtful")
    order = sorted((ids[3], ids[5], ids[1]), key=lambda pk: page.index(f'alt="Example {pk}"'))
    assert order == [ids[5], ids[1], ids[3]]


def test_examples_are_found_by_who_labelled_them(ada: User, root_client: Client, settings: Settings) -> None:
    settings.REVIEW_PROBE_SHARE = settings.REVIEW_HIDDEN_SHARE = 0
    lena, max_ = make_labeler("lena"), make_labeler("max")
    for labeler in (lena, lena, max_):
        offered_upload(ada)
        answer(labeler, hand(labeler, expressions())[0], says("sad"))
    assert pictures(text(root_client, LIST, labeler=str(lena.pk))) == 2
    assert pictures(text(root_client, LIST, labeler=str(max_.pk))) == 1


def test_an_example_tells_its_history(examples: LabelSet, root_client: Client) -> None:
    example = Example.objects.order_by("pk")[0]
    sad = examples.labels.get(slug="sad")
    form = {"examples": [example.pk], "label": sad.pk, "reason": "the corners of the mouth"}
    root_client.post(f"{LIST}relabel/expressions/", form)
    page = text(root_client, f"{LIST}{example.pk}/change/")
    for words in ("the corners of the mouth", "Angry", "Sad", "root", "fer.csv, line 2"):
        assert words in page


def choose(client: Client, act: str, ids: list[int]) -> str:
    form = {"action": f"{act}_many", "_selected_action": ids}
    return client.post(f"{LIST}?place=all", form, follow=True).content.decode()


@pytest.mark.parametrize("act", ["relabel", "withdraw", "restore"])
def test_many_are_looked_at_before_they_are_changed(
    act: str, examples: LabelSet, root_client: Client
) -> None:
    ids = list(Example.objects.order_by("pk").values_list("pk", flat=True))[:3]
    if act == "restore":
        Example.objects.filter(pk__in=ids).update(withdrawn="curator", withdrawn_reason="no")
    page = choose(root_client, act, ids)
    assert "3 examples." in page
    assert page.count('name="examples"') == 3
    fear = examples.labels.get(slug="fear")
    form = {"examples": ids[:2], "reason": "looked again", "label": fear.pk}
    page = root_client.post(f"{LIST}{act}/expressions/", form, follow=True).content.decode()
    assert "2 examples are changed." in page
    changed = Example.objects.filter(pk__in=ids[:2])
    found = {(one.label.slug == "fear", one.withdrawn) for one in changed}
    assert found == {"relabel": {(True, "")}, "withdraw": {(False, "curator")}, "restore": {(False, "")}}[act]
    assert {change.reason for one in changed for change in one.changes.all()} == {"looked again"}
    assert not Example.objects.get(pk=ids[2]).changes.exists()


def test_nothing_changes_without_a_reason_or_a_label(examples: LabelSet, root_client: Client) -> None:
    example = Example.objects.order_by("pk")[0]
    for form in ({"reason": ""}, {"reason": "x", "label": "999999"}, {"reason": "x"}):
        answered = root_client.post(f"{LIST}relabel/expressions/", {"examples": [example.pk], **form})
        assert answered.status_code == 400
        assert 'class="dataset-error"' in answered.content.decode()
    assert not example.changes.exists()


def test_examples_of_two_label_sets_are_not_changed_at_once(examples: LabelSet, root_client: Client) -> None:
    pair = LabelSet.objects.create(slug="pair", name="Pair")
    label = pair.labels.create(position=0, slug="one", name="One")
    mine = Example.objects.order_by("pk")[0]
    fields: dict[str, Any] = {"source": "folder", "crop": b"", "digest": "d", "group": "g", "split": "test"}
    other = Example.objects.create(label_set=pair, label=label, perceptual_hash=1, **fields)
    assert "one label set" in choose(root_client, "withdraw", [mine.pk, other.pk])
    root_client.post(f"{LIST}withdraw/expressions/", {"examples": [other.pk], "reason": "x"})
    assert not Example.objects.exclude(withdrawn="").exists()
