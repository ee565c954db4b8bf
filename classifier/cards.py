"""What a page says of an upload: its faces in order, each with its headline, its bars and its place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from classifier.label_sets import say_unknown
from classifier.models import Decision, Face, Feedback, Label, LabelSet, Prediction, Upload

# From here on a face gets a small card: hundreds of bars help nobody.
MANY_FACES = 12
FACING_DEGREES = 20
# Of more labels than ten, a card shows these at first.
LIKELIEST = 5
# A photograph and what was read of it at first are stored in one transaction.
STORED_WITHIN = timedelta(minutes=1)
TILE_CHIPS = 2

Opinion = TypeVar("Opinion", Feedback, Decision)


@dataclass(frozen=True)
class Bar:
    """How much of something, 0 to 1, belongs to a label."""

    label: Label
    share: float


@dataclass(frozen=True)
class Scale:
    """Two labels as the ends of one bar, which is filled from the likelier one's end; `x` is for SVG."""

    ends: tuple[Label, Label]
    filled: Bar

    @property
    def x(self) -> str:
        return "0" if self.filled.label == self.ends[0] else f"{100 * (1 - self.filled.share):.1f}%"


@dataclass(frozen=True)
class Answer:
    """What a face is read as within one label set. `bars` begin with the likeliest label.

    `feedback`: what the user said of this answer; `earlier`: of another one, which stood here before.
    `again_at`: when a version that was promoted since has read the face; None where it was read at first.
    """

    prediction: Prediction
    bars: tuple[Bar, ...]
    feedback: Feedback | None
    earlier: Feedback | None
    again_at: datetime | None
    decision: Decision | None

    @property
    def unsure(self) -> bool:
        return self.prediction.unsure

    @property
    def slug(self) -> str:
        return "unsure" if self.unsure else self.prediction.label.slug

    @property
    def name(self) -> str:
        return _("Unsure") if self.unsure else self.prediction.label.name

    @property
    def label_set(self) -> LabelSet:
        return self.prediction.label_set

    @property
    def likeliest(self) -> tuple[Bar, ...]:
        return self.bars[:LIKELIEST]

    @property
    def scale(self) -> Scale | None:
        """Of two labels one percentage says both."""
        if len(self.bars) != 2:
            return None
        first, second = sorted((bar.label for bar in self.bars), key=lambda label: label.position)
        return Scale((first, second), self.bars[0])

    @property
    def unknown(self) -> str:
        """A sentence about labels that came after the model; empty where there are none."""
        later = list(self.label_set.labels.all())[len(self.bars) :]
        if self.prediction.model_version.active or not later:
            return say_unknown(later)
        return _("The model that read this did not know all labels of today.")

    @property
    def model_name(self) -> str:
        version = self.prediction.model_version
        return f"{version.estimator} v{version.number}"


@dataclass(frozen=True)
class FaceCard:
    """`left`, `top`, `width` and `height` are percentages of the photograph, written for SVG attributes."""

    face: Face
    number: int
    left: str
    top: str
    width: str
    height: str
    answers: tuple[Answer, ...]

    @property
    def slug(self) -> str:
        return self.answers[0].slug if self.answers else "unsure"

    @property
    def name(self) -> str:
        return self.answers[0].name if self.answers else _("Not read")

    @property
    def facing(self) -> str:
        """Which way the head is turned, in words; empty when the landmarks do not tell."""
        yaw = self.face.yaw
        if yaw is None:
            return ""
        return _("facing the camera") if abs(yaw) < FACING_DEGREES else _("turned a little")

    @property
    def pixels(self) -> int:
        """The shorter side of the box, in pixels of the photograph as sent."""
        return round(min(self.face.w, self.face.h))


@dataclass(frozen=True)
class Chip:
    """How many faces of a photograph show one thing."""

    slug: str
    name: str
    count: int


@dataclass(frozen=True)
class Tally:
    """What the faces of a photograph are read as within one label set, the most frequent first."""

    label_set: LabelSet
    chips: tuple[Chip, ...]


@dataclass(frozen=True)
class ResultCard:
    """`chips` are of the first tally, or of faces that nothing has read."""

    upload: Upload
    faces: tuple[FaceCard, ...]
    chips: tuple[Chip, ...]
    tallies: tuple[Tally, ...]

    @property
    def label_sets(self) -> list[LabelSet]:
        """Those that it was read under."""
        return [tally.label_set for tally in self.tallies]

    @property
    def unknown(self) -> list[tuple[LabelSet, str]]:
        """Of each model what it does not know, as a sentence."""
        said = {answer.label_set: answer.unknown for face in self.faces for answer in face.answers}
        return [(label_set, sentence) for label_set, sentence in said.items() if sentence]

    @property
    def several_sets(self) -> bool:
        return len(self.tallies) > 1

    @property
    def reads_expressions(self) -> bool:
        """Whether anything but names is read here, or will be."""
        return not self.tallies or not all(label_set.names_people for label_set in self.label_sets)

    @property
    def unread(self) -> int:
        """Faces that were found but are beyond the most that the site reads in one photograph."""
        return max(0, self.upload.faces_found - len(self.faces))

    @property
    def many(self) -> bool:
        return len(self.faces) > MANY_FACES

    @property
    def more_chips(self) -> int:
        """How many kinds of face a tile has no room for."""
        return max(0, len(self.chips) - TILE_CHIPS)

    @property
    def several(self) -> bool:
        return len(self.faces) > 1

    @property
    def faces_sentence(self) -> str:
        if not self.upload.faces_found:
            return _("no face found")
        return ngettext("%(n)d face", "%(n)d faces", self.upload.faces_found) % {"n": self.upload.faces_found}

    @property
    def summary(self) -> str:
        """One sentence fragment for alternative texts and announcements."""
        if not self.several:
            said = ", ".join(chip.name.lower() for chip in self.chips)
        else:
            said = ", ".join(f"{chip.count} {chip.name.lower()}" for chip in self.chips)
        return f"{self.faces_sentence}: {said}" if said else self.faces_sentence


def lay_out(upload: Upload, label_set: LabelSet | None = None) -> ResultCard:
    """`upload` comes from `Upload.objects.with_results()`; no query is made here.

    `label_set`: only what is read under that one.
    """
    faces = tuple(lay_out_face(face, upload, label_set) for face in upload.faces.all())
    return ResultCard(upload=upload, faces=faces, chips=_chips(faces), tallies=tuple(_tallies(faces)))


def lay_out_face(face: Face, upload: Upload, label_set: LabelSet | None = None) -> FaceCard:
    """`face` has its `shown_predictions`, with their labels and label sets; no query is made here."""
    predictions = [one for one in face.readings if label_set in (None, one.label_set)]
    return FaceCard(
        face=face,
        number=face.position + 1,
        left=_share(face.x, upload.width),
        top=_share(face.y, upload.height),
        width=_share(face.w, upload.width),
        height=_share(face.h, upload.height),
        answers=tuple(_answer(prediction, face, upload) for prediction in predictions),
    )


def _answer(prediction: Prediction, face: Face, upload: Upload) -> Answer:
    labels = prediction.label_set.labels.all()
    # Labels that came after the model stand last, and it says nothing of them.
    bars = [Bar(label, float(p)) for label, p in zip(labels, prediction.probabilities, strict=False)]
    # Lists of many uploads go without what was said and decided.
    given = _within(prediction.label_set_id, getattr(face, "given_feedback", ()))
    of_this = given is not None and _is_of(given, prediction)
    return Answer(
        prediction=prediction,
        bars=tuple(sorted(bars, key=lambda bar: -bar.share)),
        feedback=given if of_this else None,
        earlier=None if of_this else given,
        again_at=prediction.created_at if prediction.created_at > upload.created_at + STORED_WITHIN else None,
        decision=_within(prediction.label_set_id, getattr(face, "decided", ())),
    )


def _is_of(given: Feedback, shown: Prediction) -> bool:
    """Whether it was said of this answer, or of another version's that was the same."""
    was = given.prediction
    return was is None or given.said == Feedback.Said.NOT_A_FACE or was.label_id == shown.label_id


def _within(label_set_id: int, said: Iterable[Opinion]) -> Opinion | None:
    return next((one for one in said if one.label_set_id == label_set_id), None)


def _tallies(faces: Iterable[FaceCard]) -> Iterator[Tally]:
    answers: dict[LabelSet, list[Answer]] = {}
    for face in faces:
        for answer in face.answers:
            answers.setdefault(answer.label_set, []).append(answer)
    for label_set in sorted(answers, key=lambda label_set: label_set.place):
        yield Tally(label_set, _chips(answers[label_set]))


def _chips(shown: Iterable[FaceCard | Answer]) -> tuple[Chip, ...]:
    counted: Counter[tuple[str, str]] = Counter((one.slug, one.name) for one in shown)
    return tuple(Chip(slug, name, count) for (slug, name), count in counted.most_common())


def _share(pixels: Any, whole: int) -> str:
    return f"{100 * float(pixels) / whole:.3f}%"
