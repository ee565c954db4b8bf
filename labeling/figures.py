"""What the dataset page shows: how many examples of what, and how far labelers and the model can be believed.

Every figure is counted by the database, in as many queries however many rows there are.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Case, Count, Exists, F, IntegerField, OuterRef, Q, Value, When
from django.db.models.functions import TruncWeek
from django.utils import timezone

from classifier.ml.metrics import Z, wilson_interval
from classifier.models import Label, LabelSet, ModelVersion

from .models import Annotation, AnnotationQuerySet, Example, ExampleQuerySet, ReviewItem, Split

WEEKS = 26
PAIRS = 10


@dataclass(frozen=True)
class Share:
    """`part` of `whole`, with the 95 % interval of Wilson's score (E. B. Wilson, JASA 1927)."""

    part: int
    whole: int

    @property
    def share(self) -> float:
        return self.part / self.whole

    @property
    def low(self) -> float:
        return wilson_interval(self.part, self.whole)[0]

    @property
    def high(self) -> float:
        return wilson_interval(self.part, self.whole)[1]


@dataclass(frozen=True)
class LabelCount:
    """`parts`: for each split its examples, and its piece of the label's bar."""

    label: Label
    total: int
    parts: tuple[BarPart, ...]


@dataclass(frozen=True)
class BarPart:
    """`start`, `length`: as shares of the longest bar."""

    split: Split
    count: int
    start: float
    length: float


@dataclass(frozen=True)
class Week:
    """`start`: where its column stands, 0 to 1; `height`: as a share of the week with the most."""

    monday: date
    count: int
    start: float
    height: float

    @property
    def top(self) -> float:
        return 1 - self.height


@dataclass(frozen=True)
class LabelerFigures:
    """`shown`, `hidden`: agreement with the model where its suggestion was seen, and where it was not.

    `majority`: agreement with what a face was settled as, where others had a say, too.
    """

    name: str
    answers: int
    shown: Share | None
    hidden: Share | None
    majority: Share | None

    @property
    def follows_suggestions(self) -> bool:
        """Agrees with the model when told what it says, more often than otherwise: beyond chance (z-test)."""
        if not self.shown or not self.hidden:
            return False
        together = (self.shown.part + self.hidden.part) / (self.shown.whole + self.hidden.whole)
        spread = math.sqrt(together * (1 - together) * (1 / self.shown.whole + 1 / self.hidden.whole))
        return self.shown.share - self.hidden.share > Z * spread


@dataclass(frozen=True)
class PairAgreement:
    """Cohen's kappa of two labelers: 1 is full agreement, 0 what chance would give; None: they never vary."""

    one: str
    other: str
    faces: int
    kappa: float | None


@dataclass(frozen=True)
class Confusion:
    """How often the model says one thing of a face, and labelers settle another."""

    model_says: Label
    labelers_say: Label
    count: int


@dataclass(frozen=True)
class ExampleFigures:
    kept: int
    withdrawn: int
    doubtful: int
    labels: tuple[LabelCount, ...]
    weeks: tuple[Week, ...]


@dataclass(frozen=True)
class ModelFigures:
    """`accuracy`: of the active version on faces that were drawn at random."""

    version: ModelVersion
    accuracy: Share | None
    confusions: tuple[Confusion, ...]


def figures_of_examples(label_set: LabelSet, labels: Sequence[Label]) -> ExampleFigures:
    examples = Example.objects.filter(label_set=label_set)
    # No name may be that of a field: the filters of those behind it would take it for the field.
    in_all = examples.aggregate(
        in_it=Count("pk", filter=Q(withdrawn="")),
        out_of_it=Count("pk", filter=~Q(withdrawn="")),
        doubtful=Count("pk", filter=Q(withdrawn="", suspicion__isnull=False)),
    )
    cells = examples.kept().order_by().values_list("label", "split").annotate(Count("pk"))
    counts = {(label, split): count for label, split, count in cells}
    return ExampleFigures(
        kept=in_all["in_it"],
        withdrawn=in_all["out_of_it"],
        doubtful=in_all["doubtful"],
        labels=_bars(labels, counts),
        weeks=_weeks(examples.kept()),
    )


def _bars(labels: Sequence[Label], counts: Mapping[tuple[int, str], int]) -> tuple[LabelCount, ...]:
    totals = {label: sum(counts.get((label.pk, split), 0) for split in Split) for label in labels}
    scale = max(totals.values(), default=0) or 1
    bars = []
    for label, total in totals.items():
        parts, start = [], 0.0
        for split in Split:
            count = counts.get((label.pk, split), 0)
            parts.append(BarPart(split, count, start, count / scale))
            start += count / scale
        bars.append(LabelCount(label, total, tuple(parts)))
    return tuple(bars)


def _weeks(examples: ExampleQuerySet) -> tuple[Week, ...]:
    """The last WEEKS, also those in which nothing came."""
    today = timezone.localdate()
    this_monday = today - timedelta(days=today.weekday())
    mondays = [this_monday - timedelta(weeks=back) for back in reversed(range(WEEKS))]
    first = timezone.make_aware(datetime.combine(mondays[0], time.min))
    added = examples.filter(created_at__gte=first).order_by().values_list(TruncWeek("created_at"))
    counts = {week.date(): count for week, count in added.annotate(Count("pk"))}
    most = max(counts.values(), default=0) or 1
    return tuple(
        Week(monday, counts.get(monday, 0), place / WEEKS, counts.get(monday, 0) / most)
        for place, monday in enumerate(mondays)
    )


def figures_of_model(label_set: LabelSet, labels: Sequence[Label]) -> ModelFigures | None:
    """None where no version is active."""
    version = ModelVersion.objects.filter(label_set=label_set, active=True).first()
    if version is None:
        return None
    settled = ReviewItem.objects.filter(label_set=label_set, state=ReviewItem.State.SETTLED)
    # What it says of a face that was settled before may be what it has learned from it.
    read = settled.filter(
        label__isnull=False,
        face__predictions__model_version=version,
        face__predictions__created_at__lte=F("settled_at"),
    )
    cells = read.order_by().values_list("face__predictions__label", "label", "probe").annotate(Count("pk"))
    counts: Counter[tuple[int, int]] = Counter()
    probes = right = 0
    for said, settled_as, probe, count in cells:
        counts[said, settled_as] += count
        if probe:
            probes += count
            right += count if said == settled_as else 0
    return ModelFigures(version, Share(right, probes) if probes else None, _confusions(counts, labels))


def _confusions(counts: Counter[tuple[int, int]], labels: Sequence[Label]) -> tuple[Confusion, ...]:
    by_id = {label.pk: label for label in labels}
    wrong = Counter({pair: count for pair, count in counts.items() if pair[0] != pair[1]})
    return tuple(
        Confusion(by_id[said], by_id[settled_as], count)
        for (said, settled_as), count in wrong.most_common(PAIRS)
    )


def figures_of_labelers(label_set: LabelSet) -> list[LabelerFigures]:
    """Those with the most answers first."""
    opinions = Annotation.objects.opinions().in_force().filter(label_set=label_set, labeler__isnull=False)
    by_model: dict[str, Counter[str]] = defaultdict(Counter)
    read = opinions.filter(label__isnull=False, prediction__isnull=False)
    judged = read.annotate(agrees=_is(Q(label=F("prediction__label")))).order_by()
    cells = judged.values_list("labeler__username", "suggestion_hidden", "agrees").annotate(Count("pk"))
    for name, hidden, agrees, count in cells:
        where = "hidden" if hidden else "shown"
        by_model[name][where] += count
        by_model[name][f"{where} agrees"] += count if agrees else 0
    by_others = _agreement_with_the_majority(opinions)
    answers = dict(opinions.order_by().values_list("labeler__username").annotate(Count("pk")))
    return [
        LabelerFigures(
            name,
            count,
            shown=_share(by_model[name]["shown agrees"], by_model[name]["shown"]),
            hidden=_share(by_model[name]["hidden agrees"], by_model[name]["hidden"]),
            majority=_share(*by_others.get(name, (0, 0))),
        )
        for name, count in sorted(answers.items(), key=lambda pair: (-pair[1], pair[0]))
    ]


def _agreement_with_the_majority(opinions: AnnotationQuerySet) -> dict[str, tuple[int, int]]:
    """By labeler: how many of their opinions became what the face was settled as, of how many."""
    here = {"face": OuterRef("face"), "label_set": OuterRef("label_set")}
    settled = ReviewItem.objects.filter(**here, state=ReviewItem.State.SETTLED)
    others = Annotation.objects.opinions().in_force().filter(**here).exclude(labeler=OuterRef("labeler"))
    unusable = Q(verdict=Annotation.Verdict.UNUSABLE) & Exists(settled.filter(label__isnull=True))
    same = Exists(settled.filter(label=OuterRef("label"))) | unusable
    asked = opinions.filter(Exists(settled), Exists(others)).annotate(same=_is(Q(same)))
    counts: dict[str, tuple[int, int]] = {}
    cells = asked.order_by().values_list("labeler__username", "same").annotate(Count("pk"))
    for name, agrees, count in cells:
        part, whole = counts.get(name, (0, 0))
        counts[name] = (part + count * agrees, whole + count)
    return counts


def _share(part: int, whole: int) -> Share | None:
    return Share(part, whole) if whole else None


def _is(condition: Q) -> Case:
    return Case(When(condition, then=Value(1)), default=Value(0), output_field=IntegerField())


def agreement_of_pairs(label_set: LabelSet) -> list[PairAgreement]:
    """Every two labelers who gave their opinion of the same faces, those with the most faces first."""
    given = [verdict for verdict in Annotation.Verdict if verdict != Annotation.Verdict.UNDO]
    opinions = Annotation.objects.opinions().in_force()
    opinions = opinions.filter(
        label_set=label_set,
        face__annotations__label_set=label_set,
        face__annotations__adjudication=False,
        face__annotations__superseded_by__isnull=True,
        face__annotations__verdict__in=given,
        face__annotations__labeler__gt=F("labeler"),
    )
    names = ("labeler__username", "face__annotations__labeler__username")
    cells = opinions.order_by().values_list(*names, "label", "face__annotations__label").annotate(Count("pk"))
    told: dict[tuple[str, str], Counter[tuple[int | None, int | None]]] = defaultdict(Counter)
    for one, other, said, other_said, count in cells:
        told[one, other][said, other_said] += count
    pairs = [PairAgreement(*pair, counts.total(), cohens_kappa(counts)) for pair, counts in told.items()]
    return sorted(pairs, key=lambda pair: (-pair.faces, pair.one, pair.other))


def cohens_kappa(counts: Mapping[tuple[int | None, int | None], int]) -> float | None:
    """By how often each two verdicts met. None where chance alone would make them agree always.

    J. Cohen, "A Coefficient of Agreement for Nominal Scales", 1960. It is what scikit-learn computes, whose
    import would cost a web process 150 MB.
    """
    total = sum(counts.values())
    agreed = sum(count for (one, other), count in counts.items() if one == other) / total
    ones: Counter[int | None] = Counter()
    others: Counter[int | None] = Counter()
    for (one, other), count in counts.items():
        ones[one] += count
        others[other] += count
    by_chance = sum(ones[said] * others[said] for said in ones) / total**2
    return None if by_chance == 1 else (agreed - by_chance) / (1 - by_chance)
