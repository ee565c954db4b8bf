"""Eight labelers at once, through the views, each in a thread and with a connection of its own."""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from random import Random

import pytest
from django.db import connection
from django.test import Client

from classifier.models import LabelSet, User
from labeling.models import Annotation, Example, ReviewItem
from tests.conftest import logged_in
from tests.labeling.cast import make_labeler, offered_upload

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

REVIEW = "/admin/labeling/reviewitem/review/expressions/"
JSON = {"accept": "application/json"}
LABELERS = 8
ITEM = re.compile(r'data-item="(\d+)"')


def work(client: Client, seed: int, second_thoughts: float) -> set[int]:
    """Answer until nothing waits, but skip or undo in such a share of cases. Returns what was given."""
    chance, given = Random(seed), set[int]()
    try:
        held = ITEM.findall(client.get(REVIEW).content.decode())
        while held:
            form = {"item": held[0], "label": chance.choice(["sad", "fear"]), "have": ",".join(held)}
            if chance.random() < second_thoughts:
                del form["label"]
                form["do"] = chance.choice(["skip", "undo"])
            reply = client.post(REVIEW, form, headers=JSON)
            assert reply.status_code == 200 or form.get("do") == "undo", reply.content
            given.update(map(int, held))
            held = [str(card["item"]) for card in reply.json()["cards"]]
        return given
    finally:
        connection.close()


@pytest.fixture
def clients(database_for_threads: None) -> list[Client]:
    return [logged_in(make_labeler(f"labeler{number}")) for number in range(LABELERS)]


def work_together(clients: list[Client], *, second_thoughts: float = 0) -> list[set[int]]:
    number = len(clients)
    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(work, clients, range(number), [second_thoughts] * number))


def test_no_face_is_given_to_two(clients: list[Client], ada: User) -> None:
    for _ in range(4):
        offered_upload(ada, shows=["happy"] * 40)
    given = work_together(clients)
    assert sum(map(len, given)) == len(set().union(*given)) == Annotation.objects.count() == 160


def test_every_face_is_settled_once_and_nothing_is_lost(clients: list[Client], ada: User) -> None:
    for _ in range(4):
        offered_upload(ada, shows=["happy"] * 40)
    work_together(clients, second_thoughts=0.1)
    assert ReviewItem.objects.filter(state="settled").count() == 160
    standing = Annotation.objects.in_force()
    assert Counter(standing.values_list("face", flat=True)).most_common(1)[0][1] == 1
    assert standing.count() == Example.objects.kept().count() == 160
    for item in ReviewItem.objects.select_related("label"):
        assert item.label == standing.get(face=item.face_id).label
        assert Example.objects.get(face=item.face_id).label == item.label


def test_three_opinions_of_each_face_are_three_labelers(clients: list[Client], ada: User) -> None:
    LabelSet.objects.update(annotations_wanted=3)
    offered_upload(ada, shows=["happy"] * 30)
    work_together(clients, second_thoughts=0.1)
    left = ReviewItem.objects.filter(state="waiting")
    for client in clients:  # whoever looked away while another held the last ones
        if left.exists():
            work_together([client])
    assert not left.exists()
    for item in ReviewItem.objects.all():
        opinions = Annotation.objects.of(item).opinions().in_force()
        assert opinions.count() == opinions.values("labeler").distinct().count() == 3
        if item.label:
            votes = Counter(opinion.label_id for opinion in opinions)
            assert votes[item.label_id] >= 2
            assert sum(Example.objects.get(face=item.face_id).votes.values()) == 3
