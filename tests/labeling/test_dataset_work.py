"""Imports, exports and freezes that are started from the dataset page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier.models import LabelSet
from labeling.models import DatasetJob, DatasetVersion, Example
from tests.labeling.cast import text
from tests.labeling.files import fer_file, fer_rows

pytestmark = pytest.mark.django_db

LIST = "/admin/labeling/example/"
PAGE = "/admin/labeling/example/dataset/expressions/"


def send(client: Client, path: str, **form: Any) -> str:
    return client.post(f"{PAGE}{path}/", form, follow=True).content.decode()


def test_an_import_is_shown_before_it_is_confirmed(root_client: Client, tmp_path: Path) -> None:
    file = fer_file(tmp_path / "fer.csv", [*fer_rows(range(200)), "3,1 2,Training"])
    page = send(root_client, "import", given=SimpleUploadedFile("fer.csv", file.read_bytes()))
    assert "Add 200 examples" in page
    assert "line 202" in page
    assert not Example.objects.exists()
    job = DatasetJob.objects.get()
    root_client.post(reverse("admin:labeling_dataset_job", args=[job.pk]))
    assert Example.objects.count() == 200
    assert "Add 200 examples" not in text(root_client, reverse("admin:labeling_dataset_job", args=[job.pk]))


def test_an_import_without_a_file_is_asked_for_one(root_client: Client) -> None:
    assert "This field is required" in send(root_client, "import")
    assert not DatasetJob.objects.exists()


def test_an_export_and_a_frozen_version_can_be_downloaded(examples: LabelSet, root_client: Client) -> None:
    assert "Download" in send(root_client, "export", format_name="csv")
    job = DatasetJob.objects.get()
    answered = root_client.get(reverse("admin:labeling_dataset_job_file", args=[job.pk]))
    content = b"".join(answered.streaming_content)  # type: ignore[attr-defined]
    assert content.startswith(b"label,pixels")
    assert 'filename="expressions-' in answered["Content-Disposition"]
    assert "14 examples" in send(root_client, "freeze")
    version = DatasetVersion.objects.get()
    answered = root_client.get(reverse("admin:labeling_version_file", args=[version.pk]))
    assert answered["Content-Disposition"] == f'attachment; filename="{version.digest}.parquet"'
    assert version.digest[:12] in text(root_client, PAGE)


def test_files_that_are_gone_are_not_found(examples: LabelSet, root_client: Client) -> None:
    job = DatasetJob.objects.create(kind="export", label_set=examples, state="done")
    assert root_client.get(reverse("admin:labeling_dataset_job_file", args=[job.pk])).status_code == 404
    assert "The file is gone" in text(root_client, reverse("admin:labeling_dataset_job", args=[job.pk]))


def test_work_that_goes_on_is_shown_anew_by_itself(examples: LabelSet, root_client: Client) -> None:
    job = DatasetJob.objects.create(
        kind="import", label_set=examples, state="running", stage="Reading", done=1200, total=3000
    )
    answered = root_client.get(reverse("admin:labeling_dataset_job", args=[job.pk]))
    assert answered["Refresh"] == "2"
    assert "Reading: 1,200 of 3,000" in answered.content.decode()
    assert "is not done yet" in send(
        root_client, "import", given=SimpleUploadedFile("x.csv", b"label,pixels\n")
    )


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(
    root_client: Client, settings: Settings
) -> None:
    settings.MAX_IMPORT_BYTES = 3_000_000
    large = SimpleUploadedFile("x.csv", b"x" * 3_200_000)
    assert root_client.post(f"{PAGE}import/", {"given": large}).status_code == 413
    assert not DatasetJob.objects.exists()
