"""One photograph read under several label sets: at once, later, and as its owner finds it again."""

from __future__ import annotations

import io
import json
import re
import zipfile
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier import later_readings, pipeline
from classifier.accounts import request_export
from classifier.label_sets import create_label_set, rename_label
from classifier.later_readings import read_later
from classifier.models import Face, LabelSet, ModelVersion, Prediction, Upload, User
from classifier.pipeline import read_photograph, store_photograph
from classifier.serving import NoActiveModelError
from labeling.models import ReviewItem
from tests.factories import make_active_model, make_label_set, make_reading, make_upload
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db
BOTH = ["expressions", "happy-sad"]


@pytest.fixture
def two(db: None) -> LabelSet:
    """The second of two label sets that have a model."""
    make_active_model(favourite="surprise")
    return make_label_set("happy-sad", favourite="sad")


def store(owner: User, label_sets: list[str], *, consent: bool = False) -> Upload:
    photograph = io.BytesIO(astronaut())
    return store_photograph(
        owner=owner, name="me.jpg", file=photograph, consent=consent, label_sets=label_sets
    )


def send(client: Client, **fields: Any) -> Any:
    return client.post("/uploads/", {"photos": SimpleUploadedFile("me.jpg", astronaut()), **fields})


def page_of(client: Client, upload: Upload) -> str:
    return client.get(reverse("upload", args=[upload.pk])).content.decode()


def names(client: Client, query: str) -> list[str]:
    page = client.get(f"/uploads/?{query}").content.decode()
    return re.findall(r'class="tile-name">([^<]+)<', page)


def test_one_look_for_faces_and_an_answer_of_each_model(
    ada: User, two: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    detector = pipeline._detector

    def watched(name: str) -> Any:
        looks.append(name)
        return detector(name)

    monkeypatch.setattr(pipeline, "_detector", watched)
    upload = store(ada, ["happy-sad", "expressions"])
    assert len(looks) == 1
    said = {one.label_set.slug: one.label.slug for one in Prediction.objects.filter(face__upload=upload)}
    assert said == {"expressions": "surprise", "happy-sad": "sad"}
    [face] = Upload.objects.with_results().get(pk=upload.pk).faces.all()
    assert [one.label_set.slug for one in face.readings] == BOTH


def test_the_default_alone_is_read_where_nobody_says_more(ada: User, two: LabelSet) -> None:
    store(ada, [])
    assert [one.label_set.slug for one in Prediction.objects.all()] == ["expressions"]


def test_a_label_set_without_a_model_stores_nothing_of_the_others(ada: User, two: LabelSet) -> None:
    create_label_set("names", ["Ann", "Bo"])
    with pytest.raises(NoActiveModelError, match="names"):
        store(ada, [*BOTH, "names"])
    assert not Upload.objects.exists()


def test_a_model_that_fails_takes_the_answers_of_the_others_with_it(
    ada: User, two: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = pipeline.prediction_of

    def fail_for_the_second(face: Face, said: Any, model: Any) -> Prediction:
        if model.version.label_set == two:
            raise RuntimeError("out of memory")
        return make(face, said, model)

    monkeypatch.setattr(pipeline, "prediction_of", fail_for_the_second)
    with pytest.raises(RuntimeError):
        store(ada, BOTH)
    assert not Upload.objects.exists()
    assert not Prediction.objects.exists()


def test_reading_alone_answers_for_each(two: LabelSet) -> None:
    [face] = read_photograph(astronaut(), label_sets=["happy-sad", "expressions"]).faces
    assert [answer.model.version.label_set.slug for answer in face.answers] == BOTH


# --- the upload page ---


def test_with_one_label_set_there_is_nothing_to_choose(ada: User, ada_client: Client) -> None:
    make_active_model()
    create_label_set("names", ["Ann", "Bo"])  # no model answers for it
    assert 'name="label_sets"' not in ada_client.get("/").content.decode()
    assert send(ada_client).status_code == 302


def ticked(client: Client) -> dict[str, bool]:
    page = client.get("/").content.decode()
    boxes = re.findall(r'name="label_sets" value="([^"]+)"( checked)?', page)
    return {slug: bool(checked) for slug, checked in boxes}


def test_the_default_is_ticked_at_first_and_then_what_was_chosen_last(
    ada_client: Client, two: LabelSet
) -> None:
    assert ticked(ada_client) == {"expressions": True, "happy-sad": False}
    send(ada_client, label_sets="happy-sad")
    assert ticked(ada_client) == {"expressions": False, "happy-sad": True}
    assert [one.label_set for one in Prediction.objects.all()] == [two]
    ModelVersion.objects.filter(label_set=two).update(active=False)
    make_label_set("names", ["Ann", "Bo"], favourite="bo")
    assert ticked(ada_client) == {"expressions": True, "names": False}


@pytest.mark.parametrize(
    ("chosen", "sentence"),
    [
        ([], "Choose what to read the photographs for."),
        (["happy-sad", "colors"], "What you chose to read them for is not there any more."),
        (["names"], "What you chose to read them for is not there any more."),
    ],
)
def test_a_choice_that_cannot_be_is_said_and_nothing_is_kept(
    chosen: list[str], sentence: str, ada_client: Client, two: LabelSet
) -> None:
    create_label_set("names", ["Ann", "Bo"])
    answer = send(ada_client, label_sets=chosen)
    assert answer.status_code == 400
    assert sentence in answer.content.decode()
    assert not Upload.objects.exists()


# --- what was read ---


def read_under_both(ada: User, two: LabelSet, **how: Any) -> Upload:
    upload = make_upload(ada, **how)
    for face in upload.faces.all():
        make_reading(face, two, shows="sad")
    return upload


def test_each_reading_is_headed_with_its_bars_its_reason_and_its_feedback(
    ada: User, ada_client: Client, two: LabelSet
) -> None:
    page = page_of(ada_client, read_under_both(ada, two))
    assert re.findall(r'class="reading-set">([^<]+)<', page) == ["Expressions", "Happy sad"]
    for prediction in Prediction.objects.all():
        assert page.count(reverse("prediction-why", args=[prediction.pk])) == 2
    assert re.findall(r'name="label_set" value="([^"]+)"', page) == BOTH


def test_with_one_label_set_nothing_is_headed(ada: User, ada_client: Client, two: LabelSet) -> None:
    page = page_of(ada_client, make_upload(ada))
    assert "reading-set" not in page
    assert "verdict-set" not in page


def test_of_two_labels_one_percentage_is_told_and_both_ends_are_named(
    ada: User, ada_client: Client, two: LabelSet
) -> None:
    upload = make_upload(ada, shows=["sad"], version=ModelVersion.objects.get(label_set=two))
    page = page_of(ada_client, upload)
    assert re.findall(r"\d+%<", page) == ["80%<"]
    assert page.count('class="bar"') == 1
    ends = page[page.index('class="scale-ends"') :].partition("</p>")[0]
    assert re.findall(r"<bdi>([^<]+)", ends) == ["Happy", "Sad"]
    # Filled from the right end, which is the likelier one's.
    assert 'class="bar-fill" x="20.0%" width="80.0%"' in page


def test_a_person_is_not_written_small_and_the_purpose_is_shown(ada: User, ada_client: Client) -> None:
    make_active_model()
    why: dict[str, Any] = {"purpose": "Sorting an archive.", "consent_basis": "They agreed in 2024."}
    people = make_label_set("people", ["Zoë Kravitz", "مريم"], favourite="مريم", names_people=True, **why)
    upload = make_upload(ada, shows=["zoë-kravitz"], unsure=True, version=people.versions.get())
    for page in (
        page_of(ada_client, upload),
        ada_client.get("/about/").content.decode(),
        ada_client.get("/").content.decode(),
    ):
        assert "Zoë Kravitz" in page
        assert "zoë kravitz" not in page
        assert "Sorting an archive." in page
        assert "They agreed in 2024." in page


def test_of_many_labels_the_likeliest_come_first_and_the_rest_are_folded(
    ada: User, ada_client: Client
) -> None:
    make_active_model()
    many = make_label_set("many", [f"label {n}" for n in range(30)], favourite="label-3")
    page = page_of(ada_client, make_upload(ada, shows=["label-7"], version=many.versions.get()))
    before, folded, after = page.partition("All 30 percentages")
    assert folded
    assert before.count('class="bar-value"') == 5
    assert after.count('class="bar-value"') == 30


def test_each_label_set_has_its_own_picture(ada: User, ada_client: Client, two: LabelSet) -> None:
    upload = read_under_both(ada, two)
    url = reverse("upload-annotated", args=[upload.pk])
    page = page_of(ada_client, upload)
    answers = {}
    for slug in BOTH:
        assert f"{url}?label_set={slug}" in page
        answers[slug] = ada_client.get(url, {"label_set": slug})
    assert answers["expressions"]["ETag"] != answers["happy-sad"]["ETag"]
    assert answers["expressions"].getvalue() != answers["happy-sad"].getvalue()
    assert ada_client.get(url)["ETag"] == answers["expressions"]["ETag"]


@pytest.mark.parametrize(
    ("name", "other", "same"), [("Zoë", "Zoe", True), ("مريم", "李小龙", True), ("مريم", "Zoe", False)]
)
def test_a_picture_has_only_letters_that_it_can_draw(
    name: str, other: str, same: bool, ada: User, ada_client: Client
) -> None:
    make_active_model()
    people = make_label_set("people", [name, "Bo"], favourite="bo")
    label = people.labels.first()
    assert label
    upload = make_upload(ada, shows=[label.slug], version=people.versions.get())
    url = reverse("upload-annotated", args=[upload.pk])
    before = ada_client.get(url).getvalue()
    rename_label(label, other)
    assert (ada_client.get(url).getvalue() == before) is same


def test_feedback_is_about_one_reading(ada: User, ada_client: Client, two: LabelSet) -> None:
    upload = read_under_both(ada, two)
    url = reverse("face-feedback", args=[upload.faces.get().pk])
    answer = ada_client.post(
        url, {"label_set": "happy-sad", "said": "right"}, headers={"Accept": "application/json"}
    )
    assert 'name="label_set" value="happy-sad"' in answer.json()["html"]
    [given] = ada.feedback.all()
    assert given.prediction
    assert (given.label_set, given.prediction.label.slug) == (two, "sad")


def test_feedback_on_what_was_not_read_draws_nothing(ada: User, ada_client: Client, two: LabelSet) -> None:
    url = reverse("face-feedback", args=[make_upload(ada).faces.get().pk])
    answer = ada_client.post(
        url, {"label_set": "happy-sad", "said": "not_a_face"}, headers={"Accept": "application/json"}
    )
    assert (answer.status_code, answer.json()) == (200, {"html": ""})


def test_the_history_is_narrowed_and_shows_what_was_read_under_that_label_set(
    ada: User, ada_client: Client, two: LabelSet
) -> None:
    make_upload(ada, name="first.jpg", shows=["happy"])
    make_upload(ada, name="second.jpg", shows=["sad"], version=two.versions.get())
    read_under_both(ada, two, name="both.jpg", shows=["fear"])
    make_upload(ada, name="wall.jpg", shows=[])
    assert set(names(ada_client, "")) == {"first.jpg", "second.jpg", "both.jpg", "wall.jpg"}
    assert set(names(ada_client, "label_set=happy-sad")) == {"second.jpg", "both.jpg", "wall.jpg"}
    assert set(names(ada_client, "label_set=happy-sad&showing=sad")) == {"second.jpg", "both.jpg"}
    assert names(ada_client, "label_set=expressions&showing=fear") == ["both.jpg"]
    page = ada_client.get("/uploads/?label_set=happy-sad").content.decode()
    assert set(re.findall(r'class="chip" data-label="([^"]+)"', page)) == {"sad"}
    assert re.findall(r'<option value="([^"]*)"', page) == ["", "happy", "sad", "unsure", "no-face"]
    assert "Happy sad by day" in page


def test_unsure_is_meant_within_the_chosen_label_set(ada: User, ada_client: Client, two: LabelSet) -> None:
    upload = make_upload(ada, name="first.jpg", shows=["happy"], unsure=True)
    make_reading(upload.faces.get(), two, shows="sad")
    assert names(ada_client, "showing=unsure") == ["first.jpg"]
    assert names(ada_client, "label_set=expressions&showing=unsure") == ["first.jpg"]
    assert names(ada_client, "label_set=happy-sad&showing=unsure") == []


def test_the_archive_of_ones_data_holds_the_readings_of_all(ada: User, two: LabelSet) -> None:
    read_under_both(ada, two)
    LabelSet.objects.filter(pk=two.pk).update(open_to_all=False)
    export = request_export(ada)
    export.refresh_from_db()
    with export.archive.open("rb") as file, zipfile.ZipFile(file) as archive:
        [name] = [name for name in archive.namelist() if name.endswith("result.json")]
        [face] = json.loads(archive.read(name))["faces"]
    assert [one["model"]["label_set"] for one in face["readings"]] == BOTH


# --- later ---


def test_a_stored_photograph_is_read_under_another_label_set_once(
    ada: User, ada_client: Client, two: LabelSet
) -> None:
    upload = store(ada, ["expressions"])
    assert "Read under “Happy sad”, too" in page_of(ada_client, upload)
    for _again in range(2):
        answer = ada_client.post(reverse("upload-readings", args=[upload.pk]), {"label_set": "happy-sad"})
        assert answer.status_code == 302
    later = Prediction.objects.get(label_set=two)
    assert (later.label.slug, later.shown) == ("sad", True)
    at_once = store(ada, ["happy-sad"]).faces.get().predictions.get()
    assert later.probabilities == at_once.probabilities
    assert "Read under" not in page_of(ada_client, upload)


def test_two_who_ask_for_the_same_at_once_get_one_reading(
    ada: User, two: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = store(ada, ["expressions"])

    def answer_after_the_other(*asked: Any) -> Any:
        monkeypatch.setattr(later_readings, "classify", pipeline.classify)
        later_readings.TURN.release()
        read_later(upload, two)
        later_readings.TURN.acquire()
        return pipeline.classify(*asked)

    monkeypatch.setattr(later_readings, "classify", answer_after_the_other)
    read_later(upload, two)
    assert Prediction.objects.filter(label_set=two).count() == 1


def test_a_later_reading_of_an_offered_photograph_is_reviewed_too(ada: User, two: LabelSet) -> None:
    upload = store(ada, ["expressions"], consent=True)
    read_later(upload, two)
    queued = ReviewItem.objects.filter(face__upload=upload).values_list("label_set__slug", flat=True)
    assert sorted(queued) == BOTH


def test_a_later_reading_without_consent_is_nobodys_to_review(ada: User, two: LabelSet) -> None:
    read_later(store(ada, ["expressions"]), two)
    assert not ReviewItem.objects.exists()


def test_without_a_model_a_later_reading_is_refused_in_a_sentence(
    ada: User, ada_client: Client, two: LabelSet
) -> None:
    upload = store(ada, ["expressions"])
    ModelVersion.objects.filter(label_set=two).update(active=False)
    url = reverse("upload-readings", args=[upload.pk])
    page = ada_client.post(url, {"label_set": "happy-sad"}, follow=True).content.decode()
    assert "No model can answer for “Happy sad” at present." in page
    assert "Read under" not in page
