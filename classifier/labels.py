"""What models tell apart: a label set, and its labels."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import Group
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

COLOR = r"^#[0-9A-Fa-f]{6}\Z"
NOT_A_COLOR = _("Write the color as # and six hexadecimal digits, as in #7a7f87.")
# The stylesheet has a darker and a lighter shade of these, for either ground: see static/site.css.
SHADED = {
    "angry": "#d55e00",
    "disgust": "#009e73",
    "fear": "#cc79a7",
    "happy": "#e69f00",
    "sad": "#0072b2",
    "surprise": "#56b4e9",
    "neutral": "#7a7f87",
}


class LabelSetQuerySet(models.QuerySet["LabelSet"]):
    def readable_by(self, user: Any) -> LabelSetQuerySet:
        """Those that the user may have photographs read under. Nobody who is not logged in reads any."""
        if not user.is_authenticated:
            return self.none()
        if user.is_superuser:
            return self.all()
        # By their ids and no join, which would give a set once for each group.
        limited = LabelSet.groups.through.objects.filter(group__user=user).values("labelset")
        return self.filter(Q(open_to_all=True) | Q(pk__in=limited))

    def list_readable_by(self, user: Any) -> list[LabelSet]:
        """`readable_by` in a third of the time where all of these are open to all users, as most are."""
        found: list[LabelSet] = list(self)
        if user.is_authenticated and all(label_set.open_to_all for label_set in found):
            return found
        return list(self.readable_by(user))

    def answering(self) -> LabelSetQuerySet:
        """Those that a model answers for now."""
        return self.filter(versions__active=True)


class LabelSet(models.Model):
    """What a model can tell apart: seven expressions, two, or names."""

    class Wanted(models.IntegerChoices):
        ONE = 1, _("one labeler")
        THREE = 3, _("the majority of three labelers")

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=100)
    annotations_wanted = models.PositiveSmallIntegerField(
        _("settled by"),
        choices=Wanted,
        default=Wanted.ONE,
        help_text=_("How many labelers say what a face shows before it counts."),
    )
    open_to_all = models.BooleanField(
        _("open to all users"), default=True, help_text=_("Otherwise only the groups below can read with it.")
    )
    groups = models.ManyToManyField(
        Group,
        blank=True,
        related_name="label_sets",
        verbose_name=_("limited to"),
        help_text=_("Counts only where the label set is not open to all users."),
    )
    names_people = models.BooleanField(
        _("its labels are people"),
        default=False,
        help_text=_("Telling who is in a photograph is biometric identification."),
    )
    purpose = models.TextField(blank=True, help_text=_("what people are told apart for"))
    consent_basis = models.TextField(
        blank=True, help_text=_("what allows it: how those people consented, or what law does")
    )

    labels_changed_at = models.DateTimeField(
        default=timezone.now,
        editable=False,
        help_text=_("when a label was last added, removed, or called or coloured otherwise"),
    )

    objects = LabelSetQuerySet.as_manager()

    class Meta:
        ordering = ["slug"]
        constraints = [
            models.CheckConstraint(
                condition=Q(annotations_wanted__in=[1, 3]),
                name="one_or_three_annotations",
                violation_error_message=_("A face is settled by one labeler, or by three."),
            ),
            models.CheckConstraint(
                condition=Q(names_people=False) | (~Q(purpose="") & ~Q(consent_basis="")),
                name="people_are_named_for_a_purpose",
                violation_error_message=_(
                    "Labels that are people need a purpose, and what their consent rests on."
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def place(self) -> tuple[bool, str]:
        """To sort by: what is read under several is told in one order, the default's first."""
        return not self.is_default, self.slug

    @property
    def is_default(self) -> bool:
        return bool(self.slug == settings.DEFAULT_LABEL_SET)


class Label(models.Model):
    """One class of a label set. `position` is its place in a model's output; new labels come last.

    The slug never changes: artifacts, frozen datasets and programs know the label by it.
    """

    label_set = models.ForeignKey(LabelSet, on_delete=models.CASCADE, related_name="labels")
    position = models.PositiveSmallIntegerField()
    slug = models.SlugField(max_length=100, allow_unicode=True)
    name = models.CharField(max_length=100)
    color = models.CharField(
        max_length=7,
        default="#7a7f87",
        validators=[RegexValidator(COLOR, NOT_A_COLOR)],
        help_text=_("#rrggbb, for charts"),
    )

    class Meta:
        ordering = ["label_set", "position"]
        constraints = [
            models.UniqueConstraint(fields=["label_set", "position"], name="label_position_unique"),
            models.UniqueConstraint(fields=["label_set", "slug"], name="label_slug_unique"),
            models.CheckConstraint(
                condition=Q(color__regex=COLOR),
                name="label_color_is_rrggbb",
                violation_error_message=NOT_A_COLOR,
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def shade(self) -> str:
        """What the stylesheet calls its shades; empty where it has none, or the label another color."""
        return self.slug if SHADED.get(self.slug) == self.color.lower() else ""
