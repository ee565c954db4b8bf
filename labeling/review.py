"""What a verdict does: it is kept, and with the last one that is wanted its face is settled, or disputed.

Whoever changes what is known of a face holds its row in the queue until they are done: verdicts on one face
follow each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import Decision, Label, LabelSet, Prediction, User

from . import curation
from .models import Annotation, AnnotationQuerySet, ReviewItem, ReviewQuerySet
from .review_queue import give_again

State = ReviewItem.State
Verdict = Annotation.Verdict

UNDOABLE = 20
NO_LONGER_YOURS = _("That face is no longer yours: somebody else has it, or it is gone. Nothing was kept.")


class ReviewError(Exception):
    """A verdict that is not kept. `str(error)` is a sentence for the labeler."""


@dataclass(frozen=True)
class Said:
    """What a labeler says of a face. With ACCEPT, `label` is the suggestion as they saw it."""

    verdict: Annotation.Verdict
    label: Label | None = None


def suggestion(item: ReviewItem) -> Prediction | None:
    """What the model whose answer pages show says of this face."""
    shown = Prediction.objects.filter(face=item.face_id, label_set=item.label_set_id, shown=True)
    return shown.select_related("label", "model_version").first()


def is_blind(labeler: User, item: ReviewItem) -> bool:
    """Whether the labeler is not to see the suggestion. Once they have answered, they have seen it."""
    return item.suggestion_hidden and not _opinions_of(labeler, item).exists()


@transaction.atomic
def answer(labeler: User, item: ReviewItem, said: Said) -> Annotation:
    """Keep what the labeler says of a face in their hand. Raises ReviewError when it is no longer there.

    What a browser sends twice, as when its page was reloaded meanwhile, is kept once.
    """
    sent_before = (
        _opinions_of(labeler, item).in_force().filter(verdict=said.verdict, label=said.label).first()
    )
    held = ReviewItem.objects.held_by(labeler).order_by()
    return sent_before or _give_opinion(labeler, item, said, held)


def open_to_bulk(labeler: User, items: ReviewQuerySet) -> ReviewQuerySet:
    """Those of `items` that the labeler may answer many at a time.

    Faces whose suggestion is hidden are not among them: they measure the model, which takes a look at each.
    """
    return items.offered().open_to(labeler).unanswered_by(labeler).filter(suggestion_hidden=False)


def answer_many(labeler: User, verdicts: Iterable[tuple[ReviewItem, Said]]) -> int:
    """Answer faces that nobody else holds. Returns how many: where another was faster, theirs stands."""
    kept = 0
    for item, said in verdicts:
        try:
            with transaction.atomic():
                _give_opinion(labeler, item, said, open_to_bulk(labeler, ReviewItem.objects.all()))
        except ReviewError:
            continue
        kept += 1
    return kept


@transaction.atomic
def undo(labeler: User, label_set: LabelSet) -> ReviewItem:
    """Take back the labeler's last decision that stands, of their last UNDOABLE. Raises ReviewError.

    The face comes back into their hand, unless it is in another's by now.
    """
    decision = _last_undoable(labeler, label_set)
    if decision is None:
        raise ReviewError(_("There is nothing left to undo."))
    item = _hold(face_id=decision.face_id, label_set_id=label_set.pk)
    if Annotation.objects.filter(supersedes=decision).exists():
        raise ReviewError(_("That decision is undone already."))
    _add(labeler, item, Said(Verdict.UNDO), decision.prediction, supersedes=decision)
    _judge(item, labeler)
    give_again(labeler, item)
    return item


@transaction.atomic
def adjudicate(labeler: User, item: ReviewItem, said: Said) -> Annotation:
    """Settle a face, whatever its labelers say. Raises ReviewError while they are still at it."""
    item = _hold(face_id=item.face_id, label_set_id=item.label_set_id)
    if item.state == State.WAITING:
        raise ReviewError(_("This face still waits for its labelers."))
    earlier = _adjudications(item).filter(superseded_by=None).first()
    ruling = _add(labeler, item, said, suggestion(item), supersedes=earlier, adjudication=True)
    _judge(item, labeler)
    return ruling


def _last_undoable(labeler: User, label_set: LabelSet) -> Annotation | None:
    """What an adjudicator has settled since stays as it is."""
    decisions = Annotation.objects.opinions().filter(labeler=labeler, label_set=label_set)
    last = list(
        decisions.exclude(verdict=Verdict.UNDO).order_by("-pk").values_list("pk", flat=True)[:UNDOABLE]
    )
    rulings = Annotation.objects.filter(adjudication=True, face=OuterRef("face"), label_set=label_set)
    standing = Annotation.objects.filter(pk__in=last).in_force().exclude(Exists(rulings))
    return standing.select_related("prediction").order_by("-pk").first()


def _hold(*, face_id: int, label_set_id: int) -> ReviewItem:
    items = ReviewItem.objects.select_for_update(of=("self",)).select_related("label_set")
    return items.get(face=face_id, label_set=label_set_id)


def _opinions_of(labeler: User, item: ReviewItem) -> AnnotationQuerySet:
    return Annotation.objects.of(item).opinions().filter(labeler=labeler)


def _adjudications(item: ReviewItem) -> AnnotationQuerySet:
    return Annotation.objects.of(item).filter(adjudication=True)


def _give_opinion(labeler: User, item: ReviewItem, said: Said, theirs: ReviewQuerySet) -> Annotation:
    """`theirs`: the faces that this labeler may answer. To take one is to hold its row."""
    if not theirs.offered().filter(pk=item.pk).update(lease_holder=None, leased_until=None):
        raise ReviewError(NO_LONGER_YOURS)
    item = _hold(face_id=item.face_id, label_set_id=item.label_set_id)
    suggested, blind = suggestion(item), is_blind(labeler, item)
    if said.verdict == Verdict.ACCEPT:
        _check_seen(said, None if blind else suggested)
    before = _opinions_of(labeler, item).filter(superseded_by=None).first()
    given = _add(labeler, item, said, suggested, supersedes=before, blind=blind)
    _judge(item, labeler)
    return given


def _check_seen(said: Said, suggested: Prediction | None) -> None:
    """A model that was promoted meanwhile may suggest something else by now."""
    if suggested is None or said.label != suggested.label:
        raise ReviewError(_("That is not what the model suggests now. Look at the face again."))


def _add(
    labeler: User,
    item: ReviewItem,
    said: Said,
    suggested: Prediction | None,
    *,
    supersedes: Annotation | None,
    blind: bool = False,
    adjudication: bool = False,
) -> Annotation:
    if said.label and said.label.label_set_id != item.label_set_id:
        raise ReviewError(_("That label is not one of this label set."))
    return Annotation.objects.create(
        face_id=item.face_id,
        label_set_id=item.label_set_id,
        labeler=labeler,
        verdict=said.verdict,
        label=said.label,
        prediction=suggested,
        suggestion_hidden=blind,
        probe=item.probe,
        adjudication=adjudication,
        supersedes=supersedes,
    )


def _judge(item: ReviewItem, labeler: User) -> None:
    """Bring the face's state in line with what counts now."""
    opinions = list(Annotation.objects.of(item).opinions().in_force().select_related("label"))
    ruling = _adjudications(item).in_force().select_related("label").first()
    winners = [ruling.label] if ruling else _majority(opinions)
    if not ruling and len(opinions) < item.label_set.annotations_wanted:
        _reopen(item, labeler, State.WAITING)
    elif not winners:
        _reopen(item, labeler, State.DISPUTED)
    else:
        _settle(item, labeler, winners[0], _votes(opinions))


def _majority(opinions: Sequence[Annotation]) -> list[Label | None]:
    """What more than half of them say (None: unusable), or nothing."""
    said = {opinion.label_id: opinion.label for opinion in opinions}
    counted = Counter(opinion.label_id for opinion in opinions)
    return [said[label] for label, votes in counted.items() if 2 * votes > len(opinions)]


def _votes(opinions: Sequence[Annotation]) -> dict[str, int]:
    return dict(Counter(opinion.label.slug for opinion in opinions if opinion.label))


def _settle(item: ReviewItem, labeler: User, label: Label | None, votes: dict[str, int]) -> None:
    item.state, item.label, item.settled_at = State.SETTLED, label, timezone.now()
    item.lease_holder = item.leased_until = None
    item.save(update_fields=["state", "label", "settled_at", "lease_holder", "leased_until"])
    Decision.objects.update_or_create(
        face_id=item.face_id,
        label_set_id=item.label_set_id,
        defaults={"label": label, "decided_at": item.settled_at},
    )
    curation.settle_example(
        face=item.face, label_set=item.label_set, label=label, votes=votes, labeler=labeler, reason="review"
    )


def _reopen(item: ReviewItem, labeler: User, state: ReviewItem.State) -> None:
    """Waiting or disputed: nothing is decided. What was, is taken back."""
    was_settled = item.state == State.SETTLED
    item.state, item.label, item.settled_at = state, None, None
    item.save(update_fields=["state", "label", "settled_at"])
    if was_settled:
        Decision.objects.filter(face=item.face_id, label_set=item.label_set_id).delete()
        curation.settle_example(
            face=item.face, label_set=item.label_set, label=None, votes={}, labeler=labeler, reason="undo"
        )
