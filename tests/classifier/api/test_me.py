"""Everything about the caller: taken away as a ZIP, or erased."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from classifier.accounts import FRESH_FOR
from classifier.api.models import Token
from classifier.models import DataExport, Upload, User
from tests.classifier.api.conftest import Work
from tests.factories import make_upload

EXPORT = "/api/v1/me/export.zip"
pytestmark = pytest.mark.django_db


# A worker closes its connection, and what was not committed with it.
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_it_is_asked_for_until_it_comes(ada: User, api: Client, work: Work) -> None:
    make_upload(ada)
    for _ in range(2):
        answer = api.get(EXPORT)
        assert (answer.status_code, answer["Retry-After"]) == (202, "5")
        assert answer.json() == {"state": "waiting", "done": 0, "total": 1}
    assert DataExport.objects.count() == 1
    work()
    answer = api.get(EXPORT)
    assert (answer.status_code, answer["Content-Type"]) == (200, "application/zip")
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        account = json.loads(archive.read("account.json"))
        assert [name for name in archive.namelist() if name.endswith("photo.jpg")]
    assert account["username"] == "ada"
    assert [token["name"] for token in account["tokens"]] == ["a program"]


def test_an_old_archive_is_written_anew(ada: User, api: Client) -> None:
    assert api.get(EXPORT).status_code == 200
    first = DataExport.objects.get().pk
    assert api.get(EXPORT).status_code == 200
    assert DataExport.objects.get().pk == first
    DataExport.objects.update(progress_at=timezone.now() - FRESH_FOR - timedelta(seconds=1))
    assert api.get(EXPORT).status_code == 200
    assert DataExport.objects.get().pk != first


def test_erasing_takes_ones_own_name(ada: User, api: Client) -> None:
    make_upload(ada)
    for query in ("", "?username=bob", "?username=ADA"):
        answer = api.delete(f"/api/v1/me/{query}")
        assert answer.status_code == 400
        assert answer.json()["errors"][0]["field"] == "username"
    assert Upload.objects.exists()
    assert api.delete("/api/v1/me/?username=ada").status_code == 204
    assert not User.objects.filter(username="ada").exists()
    assert not Upload.objects.exists()
    assert not Token.objects.exists()
    assert api.get(EXPORT).status_code == 401
