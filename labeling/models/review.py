"""The return half of the loop: which faces wait for a labeler, and what labelers said of them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import Face, Label, LabelSet, Prediction, User


class ReviewQuerySet(models.QuerySet["ReviewItem"]):
    def offered(self) -> ReviewQuerySet:
        """Those that labelers may see. Withdrawn consent deletes the rest: this is a second lock."""
        # A condition of its own and no join: an update would then look its rows up first, and not again.
        return self.filter(Exists(Face.objects.filter(pk=OuterRef("face"), upload__consent=True)))

    def free(self) -> ReviewQuerySet:
        """Those that wait and that nobody holds."""
        return self.filter(_nobodys(), state=ReviewItem.State.WAITING)

    def open_to(self, labeler: User) -> ReviewQuerySet:
        """Those that wait and that nobody else holds."""
        return self.filter(_nobodys() | Q(lease_holder=labeler), state=ReviewItem.State.WAITING)

    def held_by(self, labeler: User) -> ReviewQuerySet:
        """Theirs to answer, in the order they came. A lapsed lease counts until another takes it."""
        return self.filter(lease_holder=labeler, state=ReviewItem.State.WAITING).order_by("leased_at", "pk")

    def unanswered_by(self, labeler: User) -> ReviewQuerySet:
        given = Annotation.objects.opinions().in_force().filter(labeler=labeler)
        return self.exclude(Exists(given.filter(face=OuterRef("face"), label_set=OuterRef("label_set"))))


def _nobodys() -> Q:
    return Q(lease_holder__isnull=True) | Q(leased_until__lt=timezone.now())


class ReviewItem(models.Model):
    """A face's place in the review queue of one label set. Only faces of uploads with consent have one.

    The queue is two lines: probes in the order of chance, everything else by what can be learned from it.
    `rank` is the place in either, highest first.
    """

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        SETTLED = "settled", _("settled")
        DISPUTED = "disputed", _("disputed")

    # Its index is that of one_review_item.
    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="review_items", db_index=False)
    label_set = models.ForeignKey(LabelSet, on_delete=models.CASCADE, related_name="review_items")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    label = models.ForeignKey(
        Label,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="review_items",
        help_text=_("what it was settled as; null of a settled face: unusable"),
    )
    disagreed = models.BooleanField(default=False, help_text=_("its user says that the model is wrong"))
    entropy = models.FloatField(
        default=1, help_text=_("of the shown prediction: 0 is certain, 1 is no idea, or no prediction")
    )
    probe = models.BooleanField(
        default=False, help_text=_("drawn at random, so that accuracy on probes is accuracy on all faces")
    )
    suggestion_hidden = models.BooleanField(
        default=False, help_text=_("labelers answer before they see what the model said")
    )
    rank = models.FloatField(help_text=_("place in its line, highest first"))
    perceptual_hash = models.BigIntegerField(help_text=_("see classifier.vision.similar; 64 bits, signed"))
    lease_holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="leases"
    )
    leased_at = models.DateTimeField(null=True, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)

    objects = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("face in review")
        verbose_name_plural = _("faces in review")
        permissions = [
            ("review_faces", "Can say what the faces in the queue show"),
            ("adjudicate_faces", "Can settle faces that labelers disagree about"),
        ]
        indexes = [
            models.Index(
                "label_set",
                "probe",
                F("rank").desc(),
                "id",
                name="review_queue",
                condition=Q(state="waiting"),
            ),
            models.Index("label_set", "state", F("id").desc(), name="review_by_state"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["face", "label_set"], name="one_review_item"),
            models.CheckConstraint(
                condition=Q(state="settled", settled_at__isnull=False)
                | (~Q(state="settled") & Q(settled_at__isnull=True, label__isnull=True)),
                name="only_settled_faces_have_an_outcome",
            ),
            models.CheckConstraint(
                condition=Q(lease_holder__isnull=True)
                | Q(state="waiting", leased_at__isnull=False, leased_until__isnull=False),
                name="only_waiting_faces_are_leased",
            ),
            models.CheckConstraint(condition=Q(entropy__gte=0, entropy__lte=1), name="entropy_0_to_1"),
            models.CheckConstraint(
                condition=Q(probe=False) | Q(suggestion_hidden=True), name="probes_hide_the_suggestion"
            ),
        ]

    def __str__(self) -> str:
        return f"face {self.face_id}"

    @property
    def is_leased(self) -> bool:
        return self.leased_until is not None and self.leased_until > timezone.now()


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    def opinions(self) -> AnnotationQuerySet:
        return self.filter(adjudication=False)

    def in_force(self) -> AnnotationQuerySet:
        """What counts: not superseded by anything later, and not taken back."""
        return self.filter(superseded_by__isnull=True).exclude(verdict=Annotation.Verdict.UNDO)

    def of(self, item: ReviewItem) -> AnnotationQuerySet:
        return self.filter(face=item.face_id, label_set=item.label_set_id)


class Annotation(models.Model):
    """What one labeler said of one face. Nothing here is ever changed or deleted by hand.

    A labeler's opinions of a face are a chain: each names the one it supersedes, and only the last counts. So
    are a face's adjudications, whoever gave them.
    """

    class Verdict(models.TextChoices):
        ACCEPT = "accept", _("accepted the suggestion")
        CORRECT = "correct", _("gave a label")
        UNUSABLE = "unusable", _("unusable")
        UNDO = "undo", _("took it back")

    # Its index is that of annotations_of_face.
    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="annotations", db_index=False)
    label_set = models.ForeignKey(LabelSet, on_delete=models.CASCADE, related_name="annotations")
    labeler = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        related_name="annotations",
        db_index=False,
        help_text=_("null: an account that is deleted"),
    )
    verdict = models.CharField(max_length=10, choices=Verdict)
    label = models.ForeignKey(Label, on_delete=models.PROTECT, null=True, related_name="annotations")
    prediction = models.ForeignKey(
        Prediction,
        on_delete=models.RESTRICT,  # it goes with its face, and not before
        null=True,
        related_name="annotations",
        help_text=_("what the model said of the face at that time"),
    )
    suggestion_hidden = models.BooleanField(help_text=_("the labeler answered before seeing it"))
    probe = models.BooleanField(help_text=_("the face was drawn at random"))
    adjudication = models.BooleanField(default=False, help_text=_("settles what labelers disagreed about"))
    supersedes = models.OneToOneField(
        "self", on_delete=models.CASCADE, null=True, related_name="superseded_by"
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index("labeler", "label_set", F("id").desc(), name="annotations_of_labeler"),
            models.Index(fields=["face", "label_set"], name="annotations_of_face"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["face", "label_set", "labeler"],
                condition=Q(supersedes__isnull=True, adjudication=False),
                name="one_first_opinion_each",
                violation_error_message=_("This labeler has already said something of this face."),
            ),
            models.UniqueConstraint(
                fields=["face", "label_set"],
                condition=Q(supersedes__isnull=True, adjudication=True),
                name="one_first_adjudication",
                violation_error_message=_("This face has already been settled by an adjudicator."),
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["accept", "correct"], label__isnull=False)
                | Q(verdict__in=["unusable", "undo"], label__isnull=True),
                name="verdict_and_label_agree",
            ),
            models.CheckConstraint(
                condition=~Q(verdict="undo") | Q(supersedes__isnull=False), name="undo_supersedes"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_verdict_display()}: {self.label}" if self.label else self.get_verdict_display()
