"""Label sets are made and changed here: what they may be called, and what goes with their labels."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from django.contrib.auth.models import Group
from django.core.exceptions import ValidationError
from django.core.validators import validate_slug
from django.db import IntegrityError, transaction
from django.db.models import F, ManyToOneRel
from django.utils import timezone
from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from .labels import SHADED
from .models import Label, LabelSet, ModelVersion

FEWEST, MOST = 2, 200
LONGEST = 100
LONGEST_SLUG = 50
# Pages and filters call so what shows no label clearly.
TAKEN = ("unsure", "no-face")

# Each at least 3:1 against the light and the dark ground (WCAG 1.4.11), and as far from those before it as
# can be, for people with protanopia and deuteranopia too (Machado 2009).
PALETTE = (
    *("#0078b4", "#d21e00", "#2d9687", "#005aff", "#0f784b", "#e100c3"),
    *("#2d87f0", "#ff1e78", "#d2690f", "#d20f5a", "#c30f96", "#5a963c"),
)

# Invisible, and they turn the text around them: a name that holds one is not what it looks like.
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Marks that only say how to show what is before them, or nothing at all.
UNSEEN = re.compile("[\u034f\u17b4\u17b5\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")


class LabelSetError(ValueError):
    """What was asked for can't be: str(error) is a sentence."""


def create_label_set(
    slug: str,
    labels: Sequence[str],
    *,
    name: str = "",
    names_people: bool = False,
    purpose: str = "",
    consent_basis: str = "",
    groups: Iterable[Group] = (),
) -> LabelSet:
    """`labels` are names as people write them. Given groups, only they can read with it.

    Raises LabelSetError.
    """
    purpose, consent_basis, groups = purpose.strip(), consent_basis.strip(), list(groups)
    name = _clean(name or slug.replace("-", " ").replace("_", " ").capitalize())
    _check_slug(slug)
    named = _named(labels)
    if len(named) < FEWEST:
        raise LabelSetError(_("A label set needs at least two labels."))
    if names_people and not (purpose and consent_basis):
        raise LabelSetError(
            _(
                "Labels that are people are biometric identification: "
                "say for what purpose they are told apart, and on what consent that rests."
            )
        )
    if not names_people and (purpose or consent_basis):
        raise LabelSetError(
            _("A purpose and a consent basis are for labels that are people: say that they are.")
        )
    label_set = LabelSet(
        slug=slug,
        name=name,
        names_people=names_people,
        purpose=purpose,
        consent_basis=consent_basis,
        open_to_all=not groups,
    )
    try:
        with transaction.atomic():
            label_set.save(force_insert=True)
            label_set.groups.set(groups)
            _append(label_set, named, after=0)
    except IntegrityError as error:
        raise LabelSetError(_("There is a label set “%s” already.") % slug) from error
    return label_set


@transaction.atomic
def add_labels(label_set: LabelSet, names: Sequence[str]) -> list[Label]:
    """Append labels, which the versions that are there do not know. Raises LabelSetError."""
    _begin_change(label_set)
    known = list(label_set.labels.all())
    return _append(label_set, _named(names, known), after=len(known))


@transaction.atomic
def rename_label(label: Label, name: str, *, color: str = "") -> None:
    """Call it otherwise; its slug stays, by which artifacts and datasets know it. Raises LabelSetError."""
    _begin_change(label.label_set)
    name = _clean(name)
    others = Label.objects.filter(label_set=label.label_set_id).exclude(pk=label.pk)
    # Files name a label either way: a name must not be another label's slug.
    if label_slug(name) in _taken(others):
        raise LabelSetError(_("There is a label “%s” already.") % name)
    label.name, label.color = name, color or label.color
    label.save(update_fields=["name", "color"])


@transaction.atomic
def remove_label(label: Label) -> None:
    """Raises LabelSetError where anything in the database, or a registered version, is about this label."""
    _begin_change(label.label_set)
    if label.label_set.labels.count() <= FEWEST:
        raise LabelSetError(_("A label set needs at least two labels."))
    if reasons := in_use(label):
        raise LabelSetError(
            _("The label “%(name)s” can't be removed: %(why)s.")
            % {"name": label.name, "why": "; ".join(reasons)}
        )
    position = label.position
    label.delete()
    # In two steps, since positions are unique at every moment.
    after = Label.objects.filter(label_set=label.label_set_id, position__gt=position).order_by("position")
    for later in after:
        Label.objects.filter(pk=later.pk).update(position=F("position") - 1)


def in_use(label: Label) -> list[str]:
    """Why it can't be removed, in words; empty where it can."""
    knowing = [
        version
        for version in ModelVersion.objects.filter(label_set=label.label_set_id).order_by("number")
        if label.slug in version.card["labels"]
    ]
    reasons = [_("%(rows)s of it: %(n)d") % {"rows": rows, "n": n} for rows, n in _rows_about(label)]
    if knowing:
        reasons.insert(0, _("%s knows it") % ", ".join(map(str, knowing)))
    return reasons


def _rows_about(label: Label) -> Iterable[tuple[str, int]]:
    """What points at a label, in either half of the loop: hence by Django's relations and by no import."""
    for relation in label._meta.get_fields(include_hidden=True):
        if isinstance(relation, ManyToOneRel):
            rows = relation.related_model._base_manager.filter(**{relation.field.name: label})
            if n := rows.count():
                yield str(relation.related_model._meta.verbose_name_plural), n


def known_labels(version: ModelVersion) -> list[Label]:
    """Those that the version tells apart, in the order of its answers."""
    return list(version.label_set.labels.all())[: len(version.card["labels"])]


def unknown_labels(version: ModelVersion) -> list[Label]:
    """The labels of its set that the version does not know, because they were added after it was trained."""
    return list(version.label_set.labels.all())[len(version.card["labels"]) :]


def say_unknown(labels: Sequence[Label]) -> str:
    """A sentence about labels that a model does not know; empty where there are none."""
    if not labels:
        return ""
    names = get_text_list([_("“%s”") % label for label in labels], _("and"))
    return _("The model does not know %s yet.") % names


def _begin_change(label_set: LabelSet) -> None:
    """Until the transaction ends nobody else changes it. Processes that have it in memory will look again."""
    LabelSet.objects.select_for_update(no_key=True).get(pk=label_set.pk)
    label_set.labels_changed_at = timezone.now()
    label_set.save(update_fields=["labels_changed_at"])


def _append(label_set: LabelSet, named: dict[str, str], *, after: int) -> list[Label]:
    if after + len(named) > MOST:
        raise LabelSetError(_("A label set has at most %d labels.") % MOST)
    return Label.objects.bulk_create(
        Label(label_set=label_set, position=place, slug=slug, name=name, color=default_color(slug, place))
        for place, (slug, name) in enumerate(named.items(), after)
    )


def default_color(slug: str, position: int) -> str:
    return SHADED.get(slug) or PALETTE[position % len(PALETTE)]


def _check_slug(slug: str) -> None:
    try:
        validate_slug(slug)
    except ValidationError as error:
        raise LabelSetError(
            _("“%s” is no name for addresses: letters of English, digits, - and _ make one.") % slug
        ) from error
    if len(slug) > LONGEST_SLUG:
        raise LabelSetError(_("A label set's name in addresses has at most %d characters.") % LONGEST_SLUG)


def _named(names: Sequence[str], known: Iterable[Label] = ()) -> dict[str, str]:
    """Their slugs and names, in their order. `known`: what they must differ from besides each other."""
    named: dict[str, str] = {}
    taken = _taken(known)
    for name in map(_clean, names):
        slug = label_slug(name)
        if other := taken.get(slug):
            raise LabelSetError(
                _("“%(one)s” and “%(other)s” can't both be labels: they are too much alike.")
                % {"one": other, "other": name}
            )
        taken[slug] = named[slug] = name
    return named


def split_names(text: str) -> list[str]:
    """What somebody typed, one name a line or with commas between them, in any script."""
    return [name for part in re.split(r"[\n,،、，]", text) if (name := part.strip())]


def label_slug(name: str) -> str:
    """What programs and artifacts know a label of that name by. Raises LabelSetError."""
    slug = slugged(name)
    if not any(map(str.isalnum, slug)):
        raise LabelSetError(_("“%s” can't be a label: it needs a letter or a digit.") % name)
    if len(slug) > LONGEST:
        raise LabelSetError(_("“%s” is too long for a label.") % name)
    if slug in TAKEN:
        raise LabelSetError(
            _("“%s” can't be a label: it is what pages say of a face that is not clear.") % name
        )
    return slug


def slugged(name: str) -> str:
    """As Django's slugify makes one in any script, but with the marks that are letters' own.

    Without its vowel signs a name in Hindi would be another one, and two names might be the same.
    """
    # Of a Turkish capital i Python keeps the dot as a mark, which the small one has not.
    name = unicodedata.normalize("NFKC", name).lower().replace("i\u0307", "i")
    kept = "".join(letter if _names(letter) else " " if letter.isspace() else "" for letter in name)
    return unicodedata.normalize("NFC", re.sub(r"[-\s]+", "-", kept).strip("-_"))


def _names(letter: str) -> bool:
    """Whether it tells one name from another: letters, digits, and marks that can be seen."""
    mark = unicodedata.category(letter) in {"Mn", "Mc"} and not UNSEEN.match(letter)
    return mark or letter.isalnum() or letter in "-_"


def _clean(name: str) -> str:
    """Without spaces around it, or two in a row. Raises LabelSetError."""
    name = " ".join(unicodedata.normalize("NFC", name).split())
    if not name:
        raise LabelSetError(_("A label without a name can't be made."))
    if any(unicodedata.category(letter) in {"Cc", "Cs"} or letter in TURNING for letter in name):
        raise LabelSetError(_("“%s” holds a character that no name has.") % ascii(name)[1:-1])
    if len(name) > LONGEST:
        raise LabelSetError(
            _("“%(name)s…” is too long: a name has at most %(most)d characters.")
            % {"name": name[:20], "most": LONGEST}
        )
    return name


def _taken(labels: Iterable[Label]) -> dict[str, str]:
    """What no other label may have for a slug, with the name of the label that it stands for."""
    known = list(labels)
    return {slugged(label.name): label.name for label in known} | {label.slug: label.name for label in known}
