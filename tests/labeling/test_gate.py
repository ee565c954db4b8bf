"""What each rule of the gate asks, and what the report says of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings
from scipy.special import softmax
from scipy.stats import binomtest

from labeling.gate import LeftOut, Limits, Rule, Verdict, judge, mcnemar
from labeling.limits import gate_limits
from tests.answers import misread

NAMES = ("happy", "sad", "neutral")
LIMITS = Limits(level=0.05, examples=60, examples_of_label=10)
FACES = 300
LABELS = np.arange(FACES) % 3


def answers(*, right: np.ndarray | float, confidence: float | None = None) -> np.ndarray:
    """(FACES, 3) probabilities, right where `right` says, or for that share of each label's faces.

    As confident as they are right, unless told otherwise.
    """
    if not isinstance(right, np.ndarray):
        right = (np.arange(FACES) // 3) < right * FACES / 3
    confidence = confidence or right.mean()
    told = np.where(right, LABELS, (LABELS + 1) % 3)
    found = np.full((FACES, 3), (1 - confidence) / 2, np.float32)
    found[np.arange(FACES), told] = confidence
    return found


CHAMPION = answers(right=0.7)
BETTER = answers(right=0.8)


def verdict(
    candidate: np.ndarray = BETTER,
    champion: np.ndarray | None = CHAMPION,
    labels: np.ndarray = LABELS,
    **how: Any,
) -> Verdict:
    asked: dict[str, Any] = {"names": NAMES, "latency_ms": 1.0, "limits": LIMITS}
    return judge(labels, candidate, champion, **asked | how)


def the_rule(name: str, found: Verdict) -> Rule:
    return next(rule for rule in found.rules if rule.name == name)


def refused_by(found: Verdict) -> list[str]:
    return [rule.name for rule in found.refused_by]


def test_what_is_better_by_every_rule_passes() -> None:
    found = verdict()
    assert found.passed
    assert [rule.name for rule in found.rules] == ["examples", "better", "recall", "calibration", "latency"]


def test_the_verdict_is_plain_json() -> None:
    for found in (verdict(), verdict(champion=None), verdict(CHAMPION, BETTER)):
        told = json.loads(json.dumps(found.as_json(), allow_nan=False))
        assert told["passed"] == found.passed
        assert told["refused_by"] == refused_by(found)
        assert [rule["sentence"] for rule in told["rules"]] == [rule.sentence for rule in found.rules]


def test_a_first_version_is_judged_by_what_was_left_out_in_turn_too() -> None:
    few, others = slice(0, 6), slice(6, 60)
    asked: dict[str, Any] = {"champion": None, "labels": LABELS[few], "limits": Limits(calibration=1.0)}
    assert "examples" in refused_by(verdict(BETTER[few], **asked))
    left_out = LeftOut(LABELS[others], BETTER[others])
    found = verdict(BETTER[few], **asked, left_out=left_out)
    assert found.passed
    assert the_rule("examples", found).figures["cross_validated"] == 54
    assert "54 were left out in turn in cross-validation" in the_rule("examples", found).sentence
    assert "100.0 % (95 % interval: 94.0 % to 100.0 %) of the faces" in the_rule("better", found).sentence


def test_some_must_have_been_left_out_for_a_first_version() -> None:
    few, others = slice(0, 6), slice(6, 29)
    left_out = LeftOut(LABELS[others], BETTER[others])
    found = verdict(BETTER[few], None, LABELS[few], left_out=left_out, limits=Limits(calibration=1.0))
    assert refused_by(found) == ["examples"]
    assert the_rule("examples", found).sentence == "There are too few faces to decide: 29, and 30 are needed."


def test_beside_a_champion_only_what_is_new_to_it_counts_of_what_was_left_out() -> None:
    few, others = slice(0, 30), slice(30, 150)
    known = np.where(np.arange(120)[:, None] < 70, np.nan, answers(right=0.1, confidence=0.6)[others])
    asked: dict[str, Any] = {"labels": LABELS[few], "limits": Limits(calibration=1.0)}
    left_out = LeftOut(LABELS[others], BETTER[others], known)
    found = verdict(BETTER[few], BETTER[few], **asked, left_out=left_out)
    rule = the_rule("better", found)
    assert the_rule("examples", found).figures["cross_validated"] == 50
    assert rule.figures["won"] == 50
    assert found.passed
    nothing_new = LeftOut(LABELS[others], BETTER[others], np.full((120, 3), np.nan))
    found = verdict(BETTER[few], BETTER[few], **asked, left_out=nothing_new)
    assert {"examples", "better"} <= set(refused_by(found))


def test_too_few_test_faces_decide_nothing() -> None:
    some = slice(0, 59)
    found = verdict(BETTER[some], CHAMPION[some], LABELS[some])
    assert "examples" in refused_by(found)
    assert the_rule("examples", found).sentence == (
        "There are too few test faces to decide: 59, and 60 are needed."
    )


def test_a_label_with_too_few_test_faces_is_named() -> None:
    kept = np.flatnonzero((LABELS != 1) | (np.arange(FACES) < 9))
    found = verdict(BETTER[kept], CHAMPION[kept], LABELS[kept])
    assert "examples" in refused_by(found)
    assert "sad (3); 10 of each" in the_rule("examples", found).sentence
    assert "examples" not in refused_by(
        verdict(BETTER[kept], CHAMPION[kept], LABELS[kept], limits=replace(LIMITS, examples_of_label=3))
    )


def test_a_label_that_no_test_face_shows_refuses_unless_the_limit_is_zero() -> None:
    kept = np.flatnonzero(LABELS != 1)
    found = verdict(BETTER[kept], CHAMPION[kept], LABELS[kept])
    assert refused_by(found) == ["examples"]
    assert "sad (0)" in the_rule("examples", found).sentence
    assert the_rule("recall", found).figures["of_label"]["sad"]["candidate"] is None
    assert verdict(
        BETTER[kept], CHAMPION[kept], LABELS[kept], limits=replace(LIMITS, examples_of_label=0)
    ).passed


def test_answers_that_agree_with_the_champions_are_not_better() -> None:
    found = verdict(CHAMPION, CHAMPION)
    assert refused_by(found) == ["better"]
    assert the_rule("better", found).figures["p"] == 1.0
    assert the_rule("better", found).sentence.endswith("It is not better.")


def test_a_little_better_may_be_chance() -> None:
    found = verdict(answers(right=0.71))
    assert refused_by(found) == ["better"]
    rule = the_rule("better", found)
    assert (rule.figures["won"], rule.figures["lost"]) == (3, 0)
    assert rule.figures["p"] == pytest.approx(2 * 0.5**3)
    assert rule.sentence == (
        "The candidate reads 71.0 % of the test faces rightly, the active model 70.0 %; of the 3 that only "
        "one of them reads rightly, the candidate reads 3. That may be chance (McNemar's exact test: p = "
        "0.25, not 0.05 or less)."
    )


def test_clearly_worse_is_not_better_however_sure_that_is() -> None:
    found = verdict(CHAMPION, BETTER)
    assert {"better", "recall"} <= set(refused_by(found))
    assert the_rule("better", found).figures["p"] < LIMITS.level


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (3, 4), (12, 3), (90, 60), (700, 612)])
def test_mcnemars_p_value_is_that_of_a_fair_coin(won: int, lost: int) -> None:
    expected = binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected)
    assert mcnemar(lost, won) == mcnemar(won, lost)


def test_without_a_champion_it_has_to_beat_the_most_frequent_label() -> None:
    mostly_happy = np.where(np.arange(FACES) % 10 < 7, 0, LABELS)
    one_label = np.tile(np.array([0.8, 0.1, 0.1], np.float32), (FACES, 1))
    found = verdict(one_label, None, mostly_happy)
    assert refused_by(found) == ["better"]
    assert "naming every face happy 80.0 %" in the_rule("better", found).sentence
    # Nothing has a recall that could fall, so labels may be rare.
    assert the_rule("recall", found).passed
    assert verdict(champion=None).passed


def lose(label: int, count: int, candidate: np.ndarray = BETTER) -> np.ndarray:
    """BETTER, but of the faces of `label` it reads `count` fewer than the champion."""
    read = np.flatnonzero((label == LABELS) & (candidate.argmax(axis=1) == LABELS))
    return misread(candidate, read[: len(read) - 70 + count])


@pytest.mark.parametrize("label", [0, 1, 2])
def test_a_recall_may_fall_by_the_limit_and_by_no_face_more(label: int) -> None:
    others = answers(right=(label != LABELS) | (np.arange(FACES) // 3 < 70))
    assert the_rule("recall", verdict(lose(label, 3, others))).passed
    found = verdict(lose(label, 4, others))
    assert refused_by(found) == ["recall"]
    assert the_rule("recall", found).sentence == (
        f"A label's recall may fall by 3.0 points at most: that of {NAMES[label]} falls by 4.0 points, from "
        "70.0 % to 66.0 % of 100 faces."
    )


def test_every_label_that_falls_too_far_is_named_with_its_figures() -> None:
    found = verdict(lose(0, 20, lose(2, 30)))
    rule = the_rule("recall", found)
    assert "happy falls by 20.0 points, from 70.0 % to 50.0 %" in rule.sentence
    assert "neutral falls by 30.0 points, from 70.0 % to 40.0 %" in rule.sentence
    assert "sad" not in rule.sentence
    assert rule.figures["of_label"]["sad"] == {"faces": 100, "champion": 0.7, "candidate": 0.8}


@pytest.mark.parametrize("confidence", [0.95, 0.55])
def test_confidence_that_is_far_off_refuses(confidence: float) -> None:
    found = verdict(answers(right=0.8, confidence=confidence))
    assert refused_by(found) == ["calibration"]
    rule = the_rule("calibration", found)
    assert rule.figures["expected_calibration_error"] == pytest.approx(abs(0.8 - confidence), abs=1e-3)
    assert f"off by {100 * abs(0.8 - confidence):.1f} points" in rule.sentence
    assert "5.0 points are allowed" in rule.sentence


def test_what_chance_makes_of_few_faces_does_not_refuse() -> None:
    """Calibrated answers to 100 faces are off by more than the limit, and no model could help it."""
    rng = np.random.default_rng(0)
    share = rng.dirichlet([1.5, 0.8, 0.8], 100).astype(np.float32)
    labels = (rng.random((100, 1)) < share.cumsum(axis=1)).argmax(axis=1)
    rule = the_rule("calibration", verdict(share, None, labels))
    assert rule.figures["expected_calibration_error"] > LIMITS.calibration
    assert rule.passed


def test_a_slow_candidate_is_refused() -> None:
    found = verdict(latency_ms=20.5, champion_latency_ms=1.25)
    assert refused_by(found) == ["latency"]
    assert the_rule("latency", found).sentence == (
        "The candidate takes 20.5 ms for a face; 20 ms are allowed. The active model takes 1.25 ms."
    )
    assert verdict(latency_ms=20.0).passed


def test_every_rule_that_refuses_is_told_of() -> None:
    found = verdict(
        answers(right=0.4, confidence=0.95), latency_ms=99.0, limits=replace(LIMITS, examples=1000)
    )
    assert refused_by(found) == ["examples", "better", "recall", "calibration", "latency"]
    assert not found.passed


NOT_A_NUMBER, INFINITE, NO_PROBABILITIES = BETTER.copy(), BETTER.copy(), BETTER * 2
NOT_A_NUMBER[7, 1], INFINITE[7, 1] = np.nan, np.inf
NEGATIVE = BETTER + np.array([-0.5, 0.5, 0], np.float32)


@pytest.mark.parametrize("whose", ["The candidate's", "The active model's"])
@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (NOT_A_NUMBER, "no number"),
        (INFINITE, "no number"),
        (BETTER[:-1], r"shape \(299, 3\), not \(300, 3\)"),
        (BETTER[:, :2], r"shape \(300, 2\), not \(300, 3\)"),
        (BETTER.argmax(axis=1), r"shape \(300,\), not \(300, 3\)"),
        (BETTER.round().astype(int), "no number"),
        (NO_PROBABILITIES, "add up to 1"),
        (NEGATIVE, "add up to 1"),
    ],
)
def test_answers_that_cannot_be_judged_are_an_error(wrong: np.ndarray, said: str, whose: str) -> None:
    pair = (wrong, CHAMPION) if whose == "The candidate's" else (BETTER, wrong)
    with pytest.raises(ValueError, match=said) as raised:
        verdict(*pair)
    assert str(raised.value).startswith(whose)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"labels": LABELS.astype(float)}, "whole numbers"),
        ({"labels": LABELS[:, None]}, "in one row"),
        ({"labels": LABELS + 1}, "from 0 to 2"),
        ({"labels": LABELS - 1}, "from 0 to 2"),
        ({"labels": LABELS[:0], "candidate": BETTER[:0], "champion": None}, "no test faces"),
        ({"names": ("happy", "happy", "sad")}, "a name of its own"),
        ({"names": ("happy",)}, "at least two labels"),
        ({"latency_ms": float("nan")}, "The candidate's latency is nan"),
        ({"latency_ms": -1.0}, "The candidate's latency is -1.0"),
        ({"champion_latency_ms": float("inf")}, "The active model's latency is inf"),
    ],
)
def test_what_is_no_test_split_is_an_error(how: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        verdict(**how)


def test_the_limits_are_those_of_the_settings(settings: Settings) -> None:
    assert gate_limits() == Limits()
    settings.GATE_LEVEL, settings.GATE_RECALL_FALL, settings.GATE_CALIBRATION = 0.01, 0.02, 0.1
    settings.GATE_LATENCY_MS, settings.GATE_LEAST_EXAMPLES, settings.GATE_LEAST_OF_LABEL = 7, 50, 5
    assert gate_limits() == Limits(0.01, 0.02, 0.1, 7, 50, 5)


@st.composite
def two_models(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, and what two models answer that lean to the right more or less."""
    faces = draw(st.integers(1, 80))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    labels = rng.integers(0, 3, faces)
    one, other = (
        softmax(rng.normal(size=(faces, 3)) + draw(st.floats(0, 4)) * np.eye(3)[labels], axis=1)
        for _ in range(2)
    )
    return labels, one, other


@given(two_models())
def test_of_two_models_at_most_one_is_better(models: tuple[np.ndarray, ...]) -> None:
    labels, one, other = models
    lenient = Limits(level=1.0, recall_fall=1.0, calibration=1.0, examples=1, examples_of_label=0)
    ways = ((one, other), (other, one))
    assert sum(verdict(*way, labels, limits=lenient).passed for way in ways) <= 1


@given(two_models(), st.randoms(use_true_random=False))
def test_the_order_of_the_faces_decides_nothing(models: tuple[np.ndarray, ...], random: Any) -> None:
    order = list(range(len(models[0])))
    random.shuffle(order)
    labels, one, other = models
    plain, shuffled = verdict(one, other, labels), verdict(one[order], other[order], labels[order])
    for before, after in zip(plain.rules, shuffled.rules, strict=True):
        if before.name != "calibration":  # whose chance is drawn face by face
            assert before == after


@given(two_models(), st.floats(0, 1), st.floats(0, 1))
def test_a_wider_limit_refuses_nothing_that_a_narrower_one_lets_pass(
    models: tuple[np.ndarray, ...], one: float, other: float
) -> None:
    labels, candidate, champion = models
    narrow, wide = (
        verdict(
            candidate, champion, labels, latency_ms=0.5, limits=Limits(share, share, share, share, least, 3)
        )
        for share, least in zip(sorted((one, other)), (60, 20), strict=True)
    )
    assert set(refused_by(wide)) <= set(refused_by(narrow))
