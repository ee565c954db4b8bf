"""The history page of a user with many uploads, beside that of a user with few.

    python -m benchmarks.history [--uploads 100000]

Makes a database of its own: SQLite in a temporary folder, or the empty PostgreSQL database that DATABASE_URL
names. One face in a hundred shows the rarest label.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from statistics import median
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uploads", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        set_up_django(folder)
        few, many = _make_user("few", 50), _make_user("many", options.uploads)
        print(f"{'page':44} {'50':>8} {options.uploads:>8} uploads   ms, median of 5")
        for name, query in _pages(many):
            times = [
                _time(user, query if user is many else query.partition("before=")[0]) for user in (few, many)
            ]
            print(f"{name:44} {times[0]:8.0f} {times[1]:8.0f}")


def set_up_django(folder: str) -> None:
    os.environ |= {"DATA_DIR": folder, "LOOPBACK_HTTP": "1", "SECRET_KEY": "only for this benchmark " * 3}
    os.environ |= {"DJANGO_SETTINGS_MODULE": "emotion_site.settings", "ENV_FILE": os.devnull}
    import django
    from django.core.management import call_command

    django.setup()
    call_command("prepare_site", stdout=open(os.devnull, "w"))  # noqa: SIM115, PTH123


def _make_user(name: str, uploads: int) -> Any:
    """A user with that many uploads, one each hour, newest now; one face and one prediction in each."""
    from django.utils import timezone

    from classifier.models import Face, ModelVersion, Prediction, Upload, User

    user = User.objects.create_user(name)
    version = ModelVersion.objects.select_related("label_set").get(active=True)
    labels = list(version.label_set.labels.all())
    now = timezone.now()
    for start in range(0, uploads, 5_000):
        numbers = range(start, min(start + 5_000, uploads))
        rows = Upload.objects.bulk_create(
            Upload(
                owner=user, name=f"{n}.jpg", photo="x", thumbnail="x", width=640, height=480, faces_found=1
            )
            for n in numbers
        )
        for n, row in zip(numbers, rows, strict=True):
            row.created_at = now - timedelta(hours=n)
        Upload.objects.bulk_update(rows, ["created_at"], batch_size=250)
        faces = Face.objects.bulk_create(
            Face(upload=row, position=0, x=9, y=9, w=99, h=99, score=0.9, crop=b"", sharpness=1)
            for row in rows
        )
        Prediction.objects.bulk_create(
            Prediction(
                face=face,
                model_version=version,
                label_set=version.label_set,
                label=labels[1] if n % 100 == 99 else labels[3],
                confidence=0.9,
                probabilities=[1 / len(labels)] * len(labels),
            )
            for n, face in zip(numbers, faces, strict=True)
        )
    return user


def _pages(many: Any) -> Iterator[tuple[str, str]]:
    from classifier.history import Cursor
    from classifier.models import Upload

    mine = Upload.objects.owned_by(many).newest_first()
    middle = Cursor.at(mine[mine.count() // 2]).encode()
    yield "first page, with the chart", ""
    yield "a page in the middle", f"before={middle}"
    yield "filtered by a label that one in 100 shows", "showing=disgust"
    yield "filtered by a label that no face shows", "showing=fear"
    yield "filtered by dates", "first=2000-01-01&last=2099-01-01"


def _time(user: Any, query: str) -> float:
    from django.test import Client

    client = Client()
    client.force_login(user)
    times = []
    for _ in range(5):
        began = time.perf_counter()
        answer = client.get(f"/uploads/?{query}", headers={"host": "localhost"})
        times.append((time.perf_counter() - began) * 1000)
        assert answer.status_code == 200, answer.status_code
    return median(times)


if __name__ == "__main__":
    main()
