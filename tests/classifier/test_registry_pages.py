"""The registry in the admin: who may look, what the pages tell, and the word to let a version answer."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image
from pytest_django import DjangoAssertNumQueries

from classifier.models import Activation, LabelSet, ModelVersion, User
from classifier.registry import current, note_verdict, promote, register, roll_back
from labeling.models import TrainingRun
from tests.artifacts import tiny_artifact
from tests.conftest import logged_in
from tests.factories import make_user
from tests.versions import TOLD, make_version, metrics

pytestmark = pytest.mark.django_db

LOG_IN = "/accounts/login/"
RECALL = {
    "angry": 0.6,
    "disgust": 0.3,
    "fear": 0.2972,
    "happy": 0.9,
    "sad": 0.5,
    "surprise": 0.8,
    "neutral": 0.7,
}


def measured(accuracy: float) -> dict[str, Any]:
    return metrics(accuracy=accuracy)["FER2013 PublicTest"]


@pytest.fixture
def champion() -> ModelVersion:
    return make_version("happy", promoted=True, metrics=metrics(recall=RECALL))


@pytest.fixture
def challenger(champion: ModelVersion) -> ModelVersion:
    better = metrics(accuracy=0.7, accuracy_95=[0.68, 0.72], recall=RECALL | {"fear": 0.2})
    return make_version("sad", metrics=better)


def staff(*permissions: str) -> Client:
    user = make_user("staff", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return logged_in(user)


def page_of(version: ModelVersion) -> str:
    return reverse("admin:classifier_modelversion_change", args=[version.pk])


def promotion_of(version: ModelVersion) -> str:
    return reverse("admin:classifier_promote", args=[version.pk])


ROLL_BACK = "/admin/classifier/modelversion/rollback/expressions/"


def text(client: Client, url: str, status: int = 200) -> str:
    answered = client.get(url, follow=True)
    assert answered.status_code == status
    return " ".join(answered.content.decode().split())


def active() -> int:
    return ModelVersion.objects.get(active=True).number


def addresses(version: ModelVersion) -> dict[str, str]:
    here = f"/admin/classifier/modelversion/{version.pk}/"
    return {
        "list": "/admin/classifier/modelversion/",
        "page": f"{here}change/",
        "history": f"{here}history/",
        "confusion": f"{here}0/confusion.png",
        "reliability": f"{here}0/reliability.png",
        "promote": f"{here}promote/",
        "roll back": ROLL_BACK,
        "activations": "/admin/classifier/activation/",
        "activation": f"/admin/classifier/activation/{Activation.objects.earliest('pk').pk}/change/",
    }


@pytest.mark.parametrize("method", ["get", "post"])
def test_nobody_without_a_permission_is_let_in(
    method: str, challenger: ModelVersion, ada_client: Client, client: Client
) -> None:
    promote(challenger)
    without = staff("view_upload", "change_labelset")
    for url in addresses(challenger).values():
        assert getattr(without, method)(url).status_code == 403, url
        assert getattr(ada_client, method)(url, follow=True).status_code == 403, url
        stopped = getattr(client, method)(url, follow=True)
        assert stopped.redirect_chain[-1][0].startswith(LOG_IN), url
    assert active() == challenger.number


def test_who_may_look_changes_nothing(challenger: ModelVersion) -> None:
    viewer = staff("view_modelversion", "view_activation")
    for name, url in addresses(challenger).items():
        expected = 403 if name in ("promote", "roll back") else 200
        assert viewer.get(url).status_code == expected, url
    assert viewer.post(promotion_of(challenger)).status_code == 403
    assert "/promote/" not in text(viewer, page_of(challenger))
    assert "Roll back" not in text(viewer, "/admin/classifier/modelversion/")
    assert active() == 1


def test_who_may_promote_finds_the_buttons(champion: ModelVersion, challenger: ModelVersion) -> None:
    operator = staff("view_modelversion", "promote_models")
    assert f'href="{promotion_of(challenger)}"' in text(operator, page_of(challenger))
    assert f'href="{promotion_of(champion)}"' not in text(operator, page_of(champion))
    promote(challenger)
    assert "Roll back to constant v1" in text(operator, page_of(challenger))
    assert ROLL_BACK in text(operator, "/admin/classifier/modelversion/")


def test_a_page_shows_its_figures_beside_those_of_the_version_that_answers(
    challenger: ModelVersion, root_client: Client
) -> None:
    page = text(root_client, page_of(challenger))
    assert "70.0% <span" in page
    assert "66.3% <span" in page
    assert '<span class="registry-better">+3.7<span class="visually-hidden"> points, better' in page
    assert '<span class="registry-worse">−9.7<span class="visually-hidden"> points, worse' in page, "fear"
    assert "which answers now" in page


def test_the_active_version_is_shown_beside_the_one_before_it(
    champion: ModelVersion, challenger: ModelVersion, root_client: Client
) -> None:
    assert "which was active before" not in text(root_client, page_of(champion))
    promote(challenger)
    page = text(root_client, page_of(challenger))
    assert "which was active before" in page
    assert "+3.7" in page


def test_a_calibration_error_that_grows_is_worse(champion: ModelVersion, root_client: Client) -> None:
    version = make_version("sad", metrics=metrics(expected_calibration_error=0.0788))
    assert '"registry-worse">+5.0<' in text(root_client, page_of(version))


def test_figures_of_different_faces_are_not_passed_off_as_comparable(
    champion: ModelVersion, root_client: Client
) -> None:
    version = make_version("sad", metrics=metrics(faces=100, recall=RECALL))
    assert "was measured on 3,579 faces of that name: the two are not the same" in text(
        root_client, page_of(version)
    )


def test_in_training_both_were_measured_on_the_same_faces(
    champion: ModelVersion, root_client: Client
) -> None:
    version = make_version("sad", metrics={"curated test split": measured(0.8)})
    run = TrainingRun.objects.create(
        label_set=version.label_set,
        estimator="svm",
        version=version,
        champion=champion,
        state="done",
        outcome="registered",
        ended_at=timezone.now(),
        metrics={"champion": measured(0.75)},
    )
    page = text(root_client, page_of(version))
    assert "75.0% <span" in page
    assert "+5.0" in page
    assert f'Made by <a href="{reverse("admin:labeling_trainingrun_change", args=[run.pk])}"' in page


def test_the_card_is_told_in_words(challenger: ModelVersion, root_client: Client) -> None:
    page = text(root_client, page_of(challenger))
    assert f"<dt>Faces</dt><dd>{TOLD['dataset']['faces']}</dd>" in page
    assert TOLD["dataset"]["name"] in page
    assert "<dt>Preprocessing: side</dt><dd>48</dd>" in page
    assert "Angry, Disgust, Fear, Happy, Sad, Surprise, Neutral" in page


@pytest.mark.parametrize("card", [{}, {"metrics": None}, {"metrics": []}, {"metrics": {"a": 3, "b": {}}}])
def test_a_card_that_tells_little_is_shown_too(card: dict[str, Any], root_client: Client) -> None:
    bare = {"metrics": None, "dataset": None} | card
    page = text(root_client, page_of(make_version("happy", **bare)))
    assert "Its card has no figures" in page
    assert "Its card does not say" in page


@pytest.mark.parametrize(
    "broken",
    [
        {"confusion_matrix": [[1, 2], [3, 4]], "reliability": "none"},
        {"confusion_matrix": [["a"] * 7] * 7, "reliability": [{"faces": 3}]},
        {"confusion_matrix": None, "expected_calibration_error": "NaN", "recall": [1], "accuracy_95": "x"},
    ],
)
def test_figures_in_another_form_are_left_out(broken: dict[str, Any], root_client: Client) -> None:
    version = make_version("happy", metrics=metrics(**broken))
    assert ".png" not in text(root_client, page_of(version))
    for kind in ("confusion", "reliability"):
        assert root_client.get(addresses_of_pictures(version)[kind]).status_code == 404


def addresses_of_pictures(version: ModelVersion) -> dict[str, str]:
    return {
        kind: reverse(f"admin:classifier_{kind}", args=[version.pk, 0])
        for kind in ("confusion", "reliability")
    }


def test_the_diagrams_are_pictures(challenger: ModelVersion, root_client: Client) -> None:
    page = text(root_client, page_of(challenger))
    for url in addresses_of_pictures(challenger).values():
        assert f'src="{url}"' in page
        answered = root_client.get(url)
        picture = Image.open(BytesIO(b"".join(answered)))
        assert picture.format == "PNG"
        assert len(picture.getcolors(100_000) or []) > 10, "something is drawn"
        again = root_client.get(url, headers={"If-None-Match": answered["ETag"]})
        assert again.status_code == 304


def test_looking_at_what_would_change_changes_nothing(challenger: ModelVersion, root_client: Client) -> None:
    page = text(root_client, promotion_of(challenger))
    assert "<b>constant v1</b> answers now" in page
    assert "From the next request on <b>constant v2</b> answers" in page
    assert "+3.7" in page
    assert active() == 1


def confirmed(client: Client, url: str, **fields: str) -> str:
    """What the page says after its form was sent as the browser would."""
    page = client.get(url).content.decode()
    seen = page.partition('name="instead_of" value="')[2].partition('"')[0]
    answered = client.post(url, {"instead_of": seen, **fields}, follow=True)
    return " ".join(answered.content.decode().split())


def test_a_version_is_promoted_with_who_and_why(
    challenger: ModelVersion, root: User, root_client: Client
) -> None:
    said = confirmed(root_client, promotion_of(challenger), reason="better on the test set")
    assert "Expressions v2 (constant) answers from now on." in said
    done = Activation.objects.latest("pk")
    assert (done.version, done.by, done.reason) == (challenger, root, "better on the test set")
    assert "promoted by root: better on the test set" in text(root_client, page_of(challenger))
    assert active() == 2


def test_going_back_is_one_button_too(
    champion: ModelVersion, challenger: ModelVersion, root_client: Client
) -> None:
    promote(challenger)
    assert "Roll back to expressions v1" in text(root_client, ROLL_BACK)
    assert active() == 2
    confirmed(root_client, ROLL_BACK, reason="complaints")
    assert active() == 1
    assert "rolled back to by root: complaints" in text(root_client, page_of(champion))


def test_without_anything_before_there_is_nothing_to_go_back_to(
    champion: ModelVersion, root_client: Client
) -> None:
    assert "There is nothing to go back to." in text(root_client, ROLL_BACK)


def test_a_page_that_was_opened_before_another_promotion_does_nothing(
    challenger: ModelVersion, root_client: Client
) -> None:
    first = promote(challenger)
    stale = {"instead_of": str(first.pk), "reason": ""}
    roll_back(LabelSet.objects.get())
    promote(make_version("fear"))
    answered = root_client.post(ROLL_BACK, stale, follow=True)
    assert "Meanwhile expressions v3 (constant) was activated. Look again." in answered.content.decode()
    assert active() == 3


@pytest.mark.parametrize("seen", ["", "x", "99999999999999999999", "0"])
def test_a_form_that_does_not_say_what_it_was_made_for_does_nothing(
    seen: str, challenger: ModelVersion, root_client: Client
) -> None:
    root_client.post(promotion_of(challenger), {"instead_of": seen, "reason": ""})
    assert active() == 1


def test_on_a_site_where_nothing_was_ever_active_a_version_can_be_promoted(root_client: Client) -> None:
    confirmed(root_client, promotion_of(make_version("happy")))
    assert active() == 1


def test_what_the_gate_refused_needs_a_reason(challenger: ModelVersion, root_client: Client) -> None:
    note_verdict(challenger, "fear is recognised 10 points less often.")
    assert "10 points less often" in text(root_client, page_of(challenger))
    assert "refused" in text(root_client, "/admin/classifier/modelversion/")
    assert root_client.post(promotion_of(challenger), {"reason": " "}).status_code == 400
    assert active() == 1
    confirmed(root_client, promotion_of(challenger), reason="a wrong test split")
    last = current(challenger.label_set)
    assert last
    assert (last.version, last.forced) == (challenger, True)


def test_a_version_whose_file_is_gone_is_told_and_not_promoted(
    challenger: ModelVersion, root_client: Client
) -> None:
    default_storage.delete(str(challenger.artifact.name))
    assert "Its file is gone" in text(root_client, page_of(challenger))
    assert "can&#x27;t be read" in confirmed(root_client, promotion_of(challenger))
    assert active() == 1


def test_promoting_what_answers_already_is_not_offered(champion: ModelVersion, root_client: Client) -> None:
    assert "is active already" in text(root_client, promotion_of(champion))


def test_the_history_lists_every_activation(
    challenger: ModelVersion, root: User, root_client: Client
) -> None:
    promote(challenger, by=root, reason="better")
    roll_back(challenger.label_set, reason="worse after all")
    page = text(root_client, "/admin/classifier/activation/")
    assert page.index("worse after all") < page.index(">better<")
    assert "rolled back" in page


@pytest.mark.parametrize("number", ["0", "999", "99999999999999999999", "x"])
def test_a_version_that_is_not_there_is_not_found(
    number: str, champion: ModelVersion, root_client: Client
) -> None:
    assert root_client.get(f"/admin/classifier/modelversion/{number}/change/").status_code == 404


def test_the_list_costs_the_same_at_any_length(
    root_client: Client, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for confidence in range(20):
        register(*tiny_artifact(confidence=0.5 + confidence / 50))
    with django_assert_max_num_queries(12):
        root_client.get("/admin/classifier/modelversion/")
