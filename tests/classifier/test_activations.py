"""The history of which version was active, and the way back along it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from io import StringIO

import pytest
from django.apps import apps
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from pytest_django import Settings

from classifier import registry
from classifier.feedback import give_feedback
from classifier.ml.artifact import ArtifactError
from classifier.models import Activation, Feedback, LabelSet, ModelVersion, User
from classifier.registry import PromotionRefusedError, active_at, current, promote, register, roll_back
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model, make_upload

pytestmark = pytest.mark.django_db

BACK = 0
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)


@pytest.fixture
def versions() -> dict[int, ModelVersion]:
    labels = ("happy", "sad", "fear", "angry")
    made = [register(*tiny_artifact(favourite=label)) for label in labels]
    return {version.number: version for version in made}


def expressions() -> LabelSet:
    return LabelSet.objects.get(slug="expressions")


def walk(versions: dict[int, ModelVersion], steps: list[int]) -> int:
    """The number of the version that is active after promoting these, and going BACK."""
    for step in steps:
        if step == BACK:
            roll_back(expressions())
        else:
            promote(versions[step])
    [active] = ModelVersion.objects.filter(active=True)
    last = current(expressions())
    assert last
    assert last.version == active, "the last activation is always of the active version"
    return active.number


def test_each_promotion_is_kept_with_who_when_and_why(versions: dict[int, ModelVersion], root: User) -> None:
    before = timezone.now()
    promote(versions[1], by=root, reason="the first")
    promote(versions[2])
    second, first = Activation.objects.all()
    assert (first.version, first.by, first.reason, first.forced) == (versions[1], root, "the first", False)
    assert (second.version, second.by, second.reason) == (versions[2], None, "")
    assert before <= first.at <= second.at <= timezone.now()


def test_promoting_what_is_active_changes_nothing(versions: dict[int, ModelVersion]) -> None:
    first = promote(versions[1])
    assert promote(versions[1]) == first
    assert Activation.objects.count() == 1


def test_a_promotion_that_fails_half_way_leaves_no_trace(
    versions: dict[int, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    promote(versions[1])

    def fail(self: Activation) -> None:
        raise RuntimeError("database gone")

    monkeypatch.setattr(Activation, "save", fail)
    with pytest.raises(RuntimeError, match="database gone"):
        promote(versions[2])
    assert walk(versions, []) == 1


@pytest.mark.parametrize(
    ("steps", "active"),
    [
        ([1, 2, BACK], 1),
        ([1, 2, 3, BACK, BACK], 1),
        ([1, 2, BACK, 3, BACK], 1),
        ([1, 2, 3, BACK, 4, BACK], 2),
        ([1, 2, 3, BACK, 4, BACK, BACK], 1),
        ([1, 2, 1, BACK], 2),
        ([1, 2, 1, BACK, BACK], 1),
    ],
)
def test_going_back_undoes_promotions_one_by_one(
    versions: dict[int, ModelVersion], steps: list[int], active: int
) -> None:
    assert walk(versions, steps) == active


@pytest.mark.parametrize("steps", [[1], [1, 2, BACK], [1, 2, 3, BACK, BACK]])
def test_before_the_first_there_is_nothing_to_go_back_to(
    versions: dict[int, ModelVersion], steps: list[int]
) -> None:
    walk(versions, steps)
    with pytest.raises(PromotionRefusedError, match="nothing to go back to: before expressions v1"):
        roll_back(expressions())
    assert walk(versions, []) == 1


def test_without_any_activation_there_is_nothing_either() -> None:
    with pytest.raises(PromotionRefusedError, match="was ever active"):
        roll_back(expressions())


def test_what_another_changed_meanwhile_is_not_changed_again(versions: dict[int, ModelVersion]) -> None:
    promote(versions[1])
    seen = promote(versions[2])
    roll_back(expressions(), instead_of=seen)
    with pytest.raises(PromotionRefusedError, match="Meanwhile expressions v1"):
        roll_back(expressions(), instead_of=seen)
    with pytest.raises(PromotionRefusedError, match="Meanwhile expressions v1"):
        promote(versions[3], instead_of=seen)


@pytest.mark.parametrize("act", [lambda lost: promote(lost), lambda lost: roll_back(lost.label_set)])
def test_what_fails_its_self_test_does_not_become_active(
    versions: dict[int, ModelVersion], act: Callable[[ModelVersion], object]
) -> None:
    walk(versions, [1, 2])
    default_storage.delete(str(versions[1].artifact.name))
    with pytest.raises(ArtifactError, match="can't be read"):
        act(versions[1])
    assert walk(versions, []) == 2


def test_a_clock_that_is_behind_does_not_turn_the_history_around(
    versions: dict[int, ModelVersion], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = promote(versions[1])
    monkeypatch.setattr(registry.timezone, "now", lambda: first.at - timedelta(minutes=5))
    assert promote(versions[2]).at == first.at
    assert active_at(expressions(), first.at) == current(expressions())


@pytest.fixture
def history(versions: dict[int, ModelVersion], root: User) -> None:
    """1 at noon, 2 ten minutes later by root, back after another ten."""
    promote(versions[1])
    promote(versions[2], by=root, reason="better on fear")
    roll_back(expressions(), reason="complaints")
    for minutes, activation in zip((0, 10, 20), Activation.objects.order_by("pk"), strict=True):
        Activation.objects.filter(pk=activation.pk).update(at=NOON + timedelta(minutes=minutes))


def told(*words: str) -> str:
    out = StringIO()
    call_command("active_model", *words, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("moment", "version"),
    [
        ("2026-11-21T12:00", "v1"),
        ("2026-11-21 12:09:59", "v1"),
        ("2026-11-21T12:10:00Z", "v2"),
        ("2026-11-21T13:15+01:00", "v2"),
        ("2026-11-21T12:20", "v1"),
    ],
)
def test_it_tells_which_was_active_then(
    moment: str, version: str, history: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + timedelta(days=1))
    assert f"expressions {version} (constant)" in told("--at", moment)


def test_it_says_who_when_and_why(history: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + timedelta(days=1))
    second = told("--at", "2026-11-21T12:10")
    assert "from 2026-11-21 12:10:00+00:00 to 2026-11-21 12:20:00+00:00" in second
    assert "promoted by root" in second
    assert "reason: better on fear" in second
    now = told()
    assert "until now" in now
    assert "rolled back to by a command" in now


def test_a_time_without_an_offset_is_local(
    history: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + timedelta(days=1))
    settings.TIME_ZONE = "Asia/Tokyo"
    assert "v2 (constant)" in told("--at", "2026-11-21T21:15")
    assert "2026-11-21 21:10:00+09:00" in told("--at", "2026-11-21T21:15")


@pytest.mark.parametrize("words", ["yesterday", "", "25:00", "2026-13-01", "0001-01-01T00:00+23:59"])
def test_what_is_no_time_is_told_with_how_to_write_one(words: str, history: None) -> None:
    with pytest.raises(CommandError, match=r"is no time\. Write it as in 2026-11-21"):
        told("--at", words)


def test_what_is_yet_to_come_is_not_told(history: None) -> None:
    with pytest.raises(CommandError, match="yet to come"):
        told("--at", "9000-01-01")


def test_before_the_first_it_says_when_that_was(history: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOON + timedelta(days=1))
    with pytest.raises(
        CommandError, match=r"No version of expressions was active at 2026-11-21 11:59:00.*v1"
    ):
        told("--at", "2026-11-21T11:59")


def test_an_unknown_label_set_is_told() -> None:
    with pytest.raises(CommandError, match="no label set 'moods'"):
        told("--label-set", "moods")


def test_the_history_of_a_site_begins_with_what_was_active_when_it_came(ada: User) -> None:
    migration = import_module("classifier.migrations.0007_what_is_active_today")
    version = make_active_model()
    face = make_upload(ada).faces.get()
    give_feedback(face=face, label_set=expressions(), user=ada, said="right")
    Activation.objects.all().delete()
    Feedback.objects.update(prediction=None)
    for step in migration.Migration.operations * 2:  # run twice, it changes nothing more
        step.code(apps, None)
    activation = Activation.objects.get()
    assert (activation.version, activation.at) == (version, version.created_at)
    assert Feedback.objects.get().prediction == face.predictions.get()
