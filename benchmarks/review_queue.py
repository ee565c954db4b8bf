"""How long a labeler's next face takes to find in a long queue.

    python -m benchmarks.review_queue [--waiting 100000]

Makes a database of its own: SQLite in a temporary folder, or the empty PostgreSQL database that DATABASE_URL
names. "Next face" is a draw: one more face leased to a labeler, by the queue's own function. "Answer" is that
and the verdict before it: the whole request of the review page, rendered.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from random import Random
from statistics import median, quantiles
from typing import Any

from benchmarks.history import set_up_django

ROUNDS = 100


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--waiting", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        set_up_django(folder)
        _fill(options.waiting)
        lena, max_ = _labeler("lena"), _labeler("max")
        print(f"{options.waiting:,} faces wait; ms, of {ROUNDS}         median     95 %  slowest")
        _report("next face", lambda: _draw(lena))
        _report("next face, second opinions, 5,000 given already", _second_opinions(max_, 5_000))
        _report("answer and next face, over the page", _answer_over_page(lena))


def _fill(number: int) -> None:
    """Faces of uploads with consent, ten in each, with a model's answer; every tenth is a probe."""
    from classifier.models import Face, LabelSet, ModelVersion, Prediction, Upload, User
    from labeling.models import ReviewItem

    chance = Random(0)  # noqa: S311 - the same queue each time
    owner = User.objects.create_user("owner")
    label_set = LabelSet.objects.get(slug="expressions")
    version = ModelVersion.objects.get(label_set=label_set, active=True)
    label = label_set.labels.first()
    for start in range(0, number, 10_000):
        size = min(10_000, number - start)
        uploads = Upload.objects.bulk_create(
            Upload(
                owner=owner,
                name="x",
                photo="x",
                thumbnail="x",
                width=9,
                height=9,
                faces_found=10,
                consent=True,
            )
            for _ in range(-(-size // 10))
        )
        faces = Face.objects.bulk_create(
            Face(
                upload=uploads[n // 10],
                position=n % 10,
                x=1,
                y=1,
                w=5,
                h=5,
                score=0.9,
                crop=b"",
                sharpness=1,
            )
            for n in range(size)
        )
        Prediction.objects.bulk_create(
            Prediction(
                face=face,
                model_version=version,
                label_set=label_set,
                label=label,
                confidence=0.5,
                probabilities=[1 / 7] * 7,
            )
            for face in faces
        )
        ReviewItem.objects.bulk_create(
            _item(face, label_set, entropy=chance.random(), probe=chance.random() < 0.1, chance=chance)
            for face in faces
        )
    _analyze()


def _item(face: Any, label_set: Any, *, entropy: float, probe: bool, chance: Random) -> Any:
    from labeling.models import ReviewItem

    return ReviewItem(
        face=face,
        label_set=label_set,
        entropy=entropy,
        probe=probe,
        suggestion_hidden=probe,
        rank=chance.random() if probe else entropy,
        perceptual_hash=chance.getrandbits(63),
    )


def _analyze() -> None:
    """What PostgreSQL's autovacuum and SQLite's `PRAGMA optimize` do on a site that has run for a while."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def _labeler(name: str) -> Any:
    from django.contrib.auth.models import Group

    from classifier.models import User

    labeler = User.objects.create_user(name, is_staff=True)
    labeler.groups.add(Group.objects.get(name="Labelers"))
    return labeler


def _draw(labeler: Any) -> None:
    from classifier.models import LabelSet
    from labeling.review_queue import draw

    label_set = LabelSet.objects.get(slug="expressions")
    assert draw(labeler, label_set)


def _second_opinions(labeler: Any, number: int) -> Callable[[], None]:
    """The labeler has answered as many, which wait for others in the front: each draw passes them over."""
    from classifier.models import Label, LabelSet
    from labeling.models import Annotation, ReviewItem

    LabelSet.objects.update(annotations_wanted=3)
    first = ReviewItem.objects.free().filter(probe=False).order_by("-rank")[:number]
    label = Label.objects.get(slug="sad")
    Annotation.objects.bulk_create(
        Annotation(
            face_id=item.face_id,
            label_set_id=item.label_set_id,
            labeler=labeler,
            verdict="correct",
            label=label,
            suggestion_hidden=False,
            probe=False,
        )
        for item in first
    )
    _analyze()
    return lambda: _draw(labeler)


def _answer_over_page(labeler: Any) -> Callable[[], None]:
    from django.test import Client

    from classifier.models import LabelSet
    from labeling.models import ReviewItem

    LabelSet.objects.update(annotations_wanted=1)
    ReviewItem.objects.filter(lease_holder=labeler).update(lease_holder=None, leased_until=None)
    client = Client(headers={"host": "localhost", "accept": "application/json"})
    client.force_login(labeler)
    page = "/admin/labeling/reviewitem/review/expressions/"
    client.get(page, headers={"accept": "text/html"})

    def answer() -> None:
        held = [item.pk for item in ReviewItem.objects.held_by(labeler)]
        have = ",".join(map(str, held))
        reply = client.post(page, {"item": held[0], "do": "unusable", "have": have})
        assert reply.status_code == 200, reply.content

    return answer


def _report(name: str, step: Callable[[], None]) -> None:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        step()
        times.append((time.perf_counter() - began) * 1000)
    print(f"{name:50} {median(times):8.1f} {quantiles(times, n=20)[-1]:8.1f} {max(times):8.1f}")


if __name__ == "__main__":
    main()
