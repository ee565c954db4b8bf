"""What can't be trained is refused with a sentence before anything changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command

from classifier.models import LabelSet, ModelVersion, User
from labeling.models import DatasetVersion, Example, TrainingRun
from labeling.training_plan import ENOUGH_FOR_SCRATCH, Asked, plan_run
from labeling.training_runs import cancel, check_free
from tests.factories import make_active_model
from tests.labeling.cast import expressions
from tests.labeling.training import add_examples, make_dataset, make_run

pytestmark = pytest.mark.django_db
NOT_BEGUN, NOTHING = 2, 4


def active_cnn() -> ModelVersion:
    version = make_active_model()
    ModelVersion.objects.filter(pk=version.pk).update(estimator="cnn")
    version.refresh_from_db()
    return version


def refused(*arguments: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        call_command("retrain", *arguments, stdout=StringIO(), stderr=StringIO())
    assert TrainingRun.objects.count() == DatasetVersion.objects.count() == 0
    assert not ModelVersion.objects.filter(number__gt=1).exists()
    return caught.value


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["--estimator", "oracle"],
            "There is no estimator 'oracle'. There are: svm, cnn, forest, logistic, auto.",
        ),
        (
            ["--estimator", "svm", "--label-set", "moods"],
            "There is no label set 'moods'. There are: expressions.",
        ),
        (["--estimator", "svm", "--grid", "huge"], "There is no grid 'huge'. There are: small, full."),
        (["--estimator", "svm", "--from-active"], "Only a CNN can go on"),
        (
            ["--estimator", "cnn", "--from-active"],
            "There is no active CNN to go on from (--from-active): the active",
        ),
        (["--estimator", "cnn", "--epochs", "0"], "Epochs are 1 to 1000"),
        (["--estimator", "svm", "--epochs", "5"], "are of a CNN"),
        (["--estimator", "svm", "--seed", "-1"], "A seed is a whole number"),
        (["--estimator", "svm", "--dask", "10.0.0.1:8786"], "begins with tcp://"),
        (["--estimator", "svm", "--dask", "tcp://"], "No Dask scheduler answers at tcp://"),
        (["--estimator", "svm", "--dask", "tcp://127.0.0.1:99999"], "Port out of range"),
        (["--estimator", "cnn", "--dask", "tcp://127.0.0.1:1"], "a CNN has none"),
        (["--estimator", "svm", "--force"], "say why"),
        (["--estimator", "svm", "--reason", "because"], "needs --force"),
        (["--estimator", "svm", "--force", "--reason", "x", "--no-promote"], "choose one"),
    ],
)
def test_what_is_asked_wrongly(arguments: list[str], words: str) -> None:
    make_dataset()
    make_active_model()
    error = refused(*arguments)
    assert words in str(error)
    assert error.returncode == NOT_BEGUN


def no_examples() -> None:
    pass


def all_withdrawn() -> None:
    make_dataset()
    Example.objects.update(withdrawn="curator", withdrawn_reason="blurred")


def one_label() -> None:
    add_examples("train", of_each=5, labels=["happy"])
    add_examples("test", of_each=5)


def nothing_to_learn_from() -> None:
    add_examples("test", of_each=5)


def two_of_one_label() -> None:
    make_dataset()
    Example.objects.filter(label__slug="disgust", split="train").first().delete()  # type: ignore[union-attr]


def none_of_one_label() -> None:
    make_dataset()
    Example.objects.filter(label__slug="fear", split="train").delete()


def no_test() -> None:
    add_examples("train", of_each=5)
    add_examples("validation", of_each=5)


@pytest.mark.parametrize(
    ("examples", "words"),
    [
        (no_examples, "has no examples yet"),
        (all_withdrawn, "has no examples yet"),
        (one_label, "show one label, happy"),
        (nothing_to_learn_from, "The training examples of expressions are none"),
        (
            two_of_one_label,
            "Too few training examples: disgust has 2 (1 more for validation and test). Each label needs",
        ),
        (none_of_one_label, "Too few training examples: fear has 0"),
        (no_test, "no test split"),
    ],
)
def test_what_no_model_can_learn_from(examples: Callable[[], None], words: str) -> None:
    examples()
    error = refused("--estimator", "logistic")
    assert words in str(error)
    assert error.returncode == NOTHING


def test_a_refusal_is_json_too() -> None:
    told = StringIO()
    with pytest.raises(CommandError):
        call_command("retrain", "--estimator", "svm", "--json", stdout=told)
    said = json.loads(told.getvalue())
    assert (said["outcome"], said["version"]) == ("nothing", None)
    assert "has no examples yet" in said["message"]
    assert said.keys() >= {"estimator", "metrics", "cross_validation", "gate"}


def test_an_active_model_that_cannot_be_loaded_is_no_reason_to_compare_with_nothing() -> None:
    make_dataset()
    champion = make_active_model()
    default_storage.delete(str(champion.artifact.name))
    error = refused("--estimator", "svm")
    assert "can't be loaded to compare with" in str(error)


def test_one_run_of_a_label_set_at_a_time_and_the_refusal_names_it(root: User) -> None:
    make_dataset()
    first = make_run(by=root, in_worker=False, estimator="forest")
    with pytest.raises(CommandError) as caught:
        call_command("retrain", "--estimator", "svm", stdout=StringIO())
    assert caught.value.returncode == NOT_BEGUN
    assert f"run {first.pk} of expressions (forest), started by root on" in str(caught.value)
    with pytest.raises(ValueError, match=f"run {first.pk} of"):
        make_run()
    cancel(first)
    assert make_run()


def test_another_label_set_may_be_trained_meanwhile() -> None:
    make_run_of = make_dataset()
    make_run()
    other = LabelSet.objects.create(slug="happy-sad", name="Happy or sad")
    check_free(other)
    with pytest.raises(ValueError, match="One run of a label set at a time"):
        check_free(make_run_of)


@pytest.mark.parametrize("as_json", [False, True])
def test_a_dry_run_tells_and_changes_nothing(as_json: bool) -> None:
    make_dataset()
    champion = active_cnn()
    told = StringIO()
    call_command("retrain", "--estimator", "cnn", "--dry-run", *["--json"] * as_json, stdout=told)
    assert TrainingRun.objects.count() == DatasetVersion.objects.count() == 0
    if as_json:
        said = json.loads(told.getvalue())
        assert (said["outcome"], said["estimator"], said["champion"]) == ("dry run", "cnn", champion.number)
        assert said["counts"]["train"]["happy"] == 3
        assert said["parameters"]["start"] == "active"
    else:
        assert "test 7, train 21" in told.getvalue()
        assert "train cnn going on from expressions v1 (cnn)" in told.getvalue()


def start_of(**asked: Any) -> str:
    return plan_run(Asked(label_set=expressions(), **asked)).start


def test_a_network_goes_on_from_the_active_one_while_there_are_too_few_examples_for_a_new_one() -> None:
    make_dataset()
    assert start_of(estimator="cnn") == "scratch", "there is no active network"
    active_cnn()
    assert start_of(estimator="cnn") == start_of(estimator="auto") == "active"
    assert start_of(estimator="svm") == "scratch"
    assert start_of(estimator="cnn", start="scratch") == "scratch"
    add_examples("train", of_each=ENOUGH_FOR_SCRATCH // 7, first=100)
    assert start_of(estimator="cnn") == "scratch"
    assert start_of(estimator="cnn", start="active") == "active"


def test_what_goes_on_from_the_active_network_need_not_see_each_label_again() -> None:
    make_dataset()
    Example.objects.filter(label__slug="fear", split="train").delete()
    active_cnn()
    assert start_of(estimator="cnn") == "active"
