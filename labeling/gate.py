"""Is a candidate better than the active model, the champion? Pure functions on arrays; no Django.

Both score the same frozen test split, and five rules decide; one that fails refuses the candidate:

- examples: there are enough test faces to decide, in all and, beside a champion, of each label;
- better: McNemar's exact test on the faces that only one of the two reads rightly. Without a champion the
  candidate is compared with naming every face by the most frequent label;
- recall: no label's recall on the test faces falls by more than the limit;
- calibration: the expected calibration error, less what chance alone makes of so few faces;
- latency: milliseconds for each face.

Of a few dozen pictures of each label the tenth that is for testing decides nothing. Where a candidate was
cross-validated, it is judged by the faces that were left out in turn, too: each was read by a classifier,
trained like the candidate, that had not seen it. Beside a champion, as far as they are new to that as well.

Whoever asks brings the `Limits`: labeling.limits reads the site's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.ml.metrics import calibration_error, wilson_interval

# Probabilities leave a network as float32, or after 8 bits of it.
SUMS_TO_ONE = 1e-3
CHANCE_ROUNDS = 100


@dataclass(frozen=True)
class Limits:
    """What the rules ask. Shares are 0 to 1: by a `recall_fall` of 0.03 a recall may fall by 3 points.

    cross_validated, cross_validated_of_label: what is enough instead where those left out in turn count.
    """

    level: float = 0.01
    recall_fall: float = 0.03
    calibration: float = 0.05
    latency_ms: float = 20.0
    examples: int = 100
    examples_of_label: int = 10
    cross_validated: int = 30
    cross_validated_of_label: int = 5


@dataclass(frozen=True)
class Rule:
    """What one rule found. `figures` are plain JSON; `sentence` says the same to people."""

    name: str
    passed: bool
    figures: dict[str, Any]
    sentence: str


@dataclass(frozen=True)
class Verdict:
    rules: tuple[Rule, ...]

    @property
    def passed(self) -> bool:
        return all(rule.passed for rule in self.rules)

    @property
    def refused_by(self) -> tuple[Rule, ...]:
        return tuple(rule for rule in self.rules if not rule.passed)

    def as_json(self) -> dict[str, Any]:
        return {
            "passed": self.passed,
            "refused_by": [rule.name for rule in self.refused_by],
            "rules": [asdict(rule) for rule in self.rules],
        }


@dataclass(frozen=True)
class LeftOut:
    """Faces that were left out in turn in cross-validation: (N,) labels and (N, K) probabilities.

    champion: NaN for faces that it may have learned from; None where there is no champion.
    """

    labels: NDArray[np.int64]
    candidate: NDArray[np.floating]
    champion: NDArray[np.floating] | None = None

    def new_to(self, champion: NDArray[np.floating] | None) -> NDArray[np.int64]:
        """Places of the faces that neither of the two has learned from."""
        if champion is None:
            return np.arange(len(self.labels))
        if self.champion is None:
            return np.arange(0)
        return np.flatnonzero(np.isfinite(self.champion).all(axis=1))


def judge(
    labels: NDArray[np.integer],
    candidate: NDArray[np.floating],
    champion: NDArray[np.floating] | None,
    *,
    names: Sequence[str],
    latency_ms: float,
    champion_latency_ms: float | None = None,
    limits: Limits,
    left_out: LeftOut | None = None,
) -> Verdict:
    """Judge by every rule, so that the report is whole even where the first already refuses.

    `labels`: (N,), places in `names`; `candidate`, `champion`: (N, K) probabilities of the same N faces,
    which count as independent of each other. Raises ValueError, with a sentence, for anything else.
    """
    cross_validated = 0
    if left_out is not None and len(new := left_out.new_to(champion)):
        cross_validated = len(new)
        labels = np.concatenate([left_out.labels[new], labels])
        candidate = np.concatenate([left_out.candidate[new], candidate])
        if champion is not None and left_out.champion is not None:
            champion = np.concatenate([left_out.champion[new], champion])
    test = replace(_checked(labels, candidate, champion, names), cross_validated=cross_validated)
    _check_latency(latency_ms, whose="The candidate's")
    if champion_latency_ms is not None:
        _check_latency(champion_latency_ms, whose="The active model's")
    return Verdict(
        (
            _enough_examples(test, limits),
            _better(test, limits),
            _recall(test, limits),
            _calibrated(test, limits),
            _quick(latency_ms, champion_latency_ms, limits),
        )
    )


def mcnemar(won: int, lost: int) -> float:
    """The two-sided exact p-value that of so many faces, on which two models differ, each wins half.

    Q. McNemar, Psychometrika 12, 1947, as the conditional binomial test, which is never too lenient; for a
    single test split T. Dietterich, Neural Computation 10, 1998, recommends it.
    """
    from scipy.special import bdtr  # costs a process 20 MB

    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5))) if won + lost else 1.0


def chance_calibration_error(confidence: NDArray[np.floating], *, seed: int = 0) -> float:
    """The calibration error that answers as sure as these show on the average though they are calibrated.

    On 400 faces it is about 0.05. J. Bröcker and L. A. Smith, "Increasing the Reliability of Reliability
    Diagrams", Weather and Forecasting 22, 2007: right is drawn anew, with the confidence as its probability.
    """
    drawn = np.random.default_rng(seed).random((CHANCE_ROUNDS, len(confidence)), np.float32)
    return float(calibration_error(confidence, drawn < confidence).mean())


@dataclass(frozen=True)
class _Test:
    """Who reads which of the N test faces rightly. The first `cross_validated` were left out in turn."""

    labels: NDArray[np.int64]
    names: tuple[str, ...]
    confidence: NDArray[np.float64]
    right: NDArray[np.bool_]
    champion_right: NDArray[np.bool_] | None
    cross_validated: int = 0

    @property
    def called(self) -> str:
        return "faces" if self.cross_validated else "test faces"

    @cached_property
    def faces(self) -> list[int]:
        """Of each label."""
        return np.bincount(self.labels, minlength=len(self.names)).tolist()

    def hits(self, right: NDArray[np.bool_]) -> list[int]:
        """Of each label."""
        return np.bincount(self.labels[right], minlength=len(self.names)).tolist()


def _checked(
    labels: NDArray[np.integer],
    candidate: NDArray[np.floating],
    champion: NDArray[np.floating] | None,
    names: Sequence[str],
) -> _Test:
    true = _checked_labels(labels, names)
    answers = _checked_answers(candidate, true, names, whose="The candidate's")
    rival = None if champion is None else _checked_answers(champion, true, names, whose="The active model's")
    return _Test(
        labels=true,
        names=tuple(names),
        confidence=answers.max(axis=1),
        right=answers.argmax(axis=1) == true,
        champion_right=None if rival is None else rival.argmax(axis=1) == true,
    )


def _checked_labels(labels: NDArray[np.integer], names: Sequence[str]) -> NDArray[np.int64]:
    found = np.asarray(labels)
    if len(names) < 2 or len(set(names)) < len(names):
        raise ValueError("A label set has at least two labels, each with a name of its own.")
    if found.ndim != 1 or not np.issubdtype(found.dtype, np.integer):
        raise ValueError(f"Labels are whole numbers in one row, not {found.dtype} of shape {found.shape}.")
    if not len(found):
        raise ValueError("There are no test faces to judge by.")
    if found.min() < 0 or found.max() >= len(names):
        raise ValueError(f"Labels are places from 0 to {len(names) - 1}, one for each name.")
    return found.astype(np.int64)


def _checked_answers(
    answers: NDArray[np.floating], labels: NDArray[np.int64], names: Sequence[str], *, whose: str
) -> NDArray[np.float64]:
    found, shape = np.asarray(answers), (len(labels), len(names))
    if found.shape != shape:
        raise ValueError(f"{whose} answers have the shape {found.shape}, not {shape}: faces, labels.")
    if not np.issubdtype(found.dtype, np.floating) or not np.isfinite(found).all():
        raise ValueError(f"{whose} answers hold something that is no number (NaN), or is infinite.")
    found = found.astype(np.float64)
    if found.min() < -SUMS_TO_ONE or np.abs(found.sum(axis=1) - 1).max() > SUMS_TO_ONE:
        raise ValueError(f"{whose} answers are no probabilities: for each face they add up to 1.")
    return found.clip(0, 1)


def _check_latency(milliseconds: float, *, whose: str) -> None:
    if not (np.isfinite(milliseconds) and milliseconds >= 0):
        raise ValueError(f"{whose} latency is {milliseconds}, not a number of milliseconds.")


def _enough_examples(test: _Test, limits: Limits) -> Rule:
    of_label = dict(zip(test.names, test.faces, strict=True))
    needed, least = limits.examples, limits.examples_of_label
    if test.cross_validated:
        needed, least = min(needed, limits.cross_validated), min(least, limits.cross_validated_of_label)
    # Without a champion there is no recall that could fall.
    least = 0 if test.champion_right is None else least
    scarce = [f"{name} ({faces})" for name, faces in of_label.items() if faces < least]
    total = len(test.labels)
    if total < needed:
        sentence = f"There are too few {test.called} to decide: {total:,}, and {needed:,} are needed."
    elif scarce:
        sentence = (
            f"There are too few {test.called} to see whether a label's recall falls: {', '.join(scarce)}; "
            f"{least:,} of each are needed."
        )
    else:
        rarest = min(test.names, key=lambda name: of_label[name])
        sentence = f"{total:,} {test.called}, of which {of_label[rarest]:,} show {rarest}: enough to decide."
        if test.cross_validated:
            sentence += (
                f" {test.cross_validated:,} were left out in turn in cross-validation, the others the test "
                "split: none was read by what had learned from it."
            )
    figures = {
        "faces": total,
        "cross_validated": test.cross_validated,
        "at_least": needed,
        "of_label": of_label,
        "at_least_of_label": least,
    }
    return Rule("examples", total >= needed and not scarce, figures, sentence)


def _better(test: _Test, limits: Limits) -> Rule:
    rival, called = test.champion_right, "the active model"
    if rival is None:
        most = int(np.argmax(test.faces))
        rival, called = test.labels == most, f"naming every face {test.names[most]}"
    won, lost = int((test.right & ~rival).sum()), int((rival & ~test.right).sum())
    p = mcnemar(won, lost)
    if won <= lost:
        found = "It is not better."
    elif p > limits.level:
        found = f"That may be chance (McNemar's exact test: p {_p(p)}, not {limits.level:g} or less)."
    else:
        found = f"That is hardly chance (McNemar's exact test: p {_p(p)})."
    low, high = wilson_interval(int(test.right.sum()), len(test.right))
    between = f" (95 % interval: {_percent(low)} to {_percent(high)})" if test.cross_validated else ""
    sentence = (
        f"The candidate reads {_percent(test.right.mean())}{between} of the {test.called} rightly, {called} "
        f"{_percent(rival.mean())}; of the {won + lost:,} that only one of them reads rightly, the candidate "
        f"reads {won:,}. {found}"
    )
    figures = {
        "against": called,
        "candidate": _accuracies(test, test.right),
        "other": _accuracies(test, rival),
        "won": won,
        "lost": lost,
        "p": p,
        "level": limits.level,
    }
    return Rule("better", won > lost and p <= limits.level, figures, sentence)


def _accuracies(test: _Test, right: NDArray[np.bool_]) -> dict[str, float]:
    recalls = [hits / faces for hits, faces in zip(test.hits(right), test.faces, strict=True) if faces]
    return {"accuracy": _rounded(right.mean()), "balanced_accuracy": _rounded(float(np.mean(recalls)))}


def _recall(test: _Test, limits: Limits) -> Rule:
    allowed = {"fall_at_most": limits.recall_fall}
    if test.champion_right is None:
        return Rule("recall", True, allowed, "No model is active whose recall could fall.")
    of_label, fallen = {}, []
    before, now = test.hits(test.champion_right), test.hits(test.right)
    for name, faces, was, is_now in zip(test.names, test.faces, before, now, strict=True):
        of_label[name] = {"faces": faces, "champion": _share(was, faces), "candidate": _share(is_now, faces)}
        # Compared as faces: a fall from 0.58 to 0.55 is one of 0.02999… or of 0.03000….
        if was - is_now > limits.recall_fall * faces + 1e-9:
            fallen.append(_fall(name, faces, was, is_now))
    most = _points(limits.recall_fall)
    if fallen:
        sentence = f"A label's recall may fall by {most} at most: {'; '.join(fallen)}."
    else:
        sentence = f"No label's recall falls by more than {most}."
    return Rule("recall", not fallen, allowed | {"of_label": of_label}, sentence)


def _fall(name: str, faces: int, was: int, is_now: int) -> str:
    return (
        f"that of {name} falls by {_points((was - is_now) / faces)}, from {_percent(was / faces)} to "
        f"{_percent(is_now / faces)} of {faces:,} faces"
    )


def _calibrated(test: _Test, limits: Limits) -> Rule:
    error = float(calibration_error(test.confidence, test.right[None])[0])
    chance = chance_calibration_error(test.confidence)
    sentence = (
        f"The candidate's confidence is off by {_points(error)} on the average (expected calibration error); "
        f"{_points(limits.calibration)} are allowed, beside the {_points(chance)} that chance makes on so "
        "many faces."
    )
    figures = {
        "expected_calibration_error": _rounded(error),
        "by_chance": _rounded(chance),
        "at_most_beside_chance": limits.calibration,
    }
    return Rule("calibration", error - chance <= limits.calibration, figures, sentence)


def _quick(latency_ms: float, champion_latency_ms: float | None, limits: Limits) -> Rule:
    sentence = f"The candidate takes {_ms(latency_ms)} for a face; {_ms(limits.latency_ms)} are allowed."
    if champion_latency_ms is not None:
        sentence += f" The active model takes {_ms(champion_latency_ms)}."
    figures = {
        "candidate_ms": latency_ms,
        "champion_ms": champion_latency_ms,
        "at_most_ms": limits.latency_ms,
    }
    return Rule("latency", latency_ms <= limits.latency_ms, figures, sentence)


def _share(part: int, whole: int) -> float | None:
    return _rounded(part / whole) if whole else None


def _rounded(value: float) -> float:
    return round(float(value), 4)


def _percent(share: float) -> str:
    return f"{share:.1%}".replace("%", " %")


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def _ms(milliseconds: float) -> str:
    return f"{milliseconds:,.0f} ms" if milliseconds >= 1000 else f"{milliseconds:.4g} ms"


def _p(p: float) -> str:
    return f"= {p:.2g}" if p >= 0.0001 else "< 0.0001"
