"""Label sets are made, their labels added, renamed and removed; and what may not be is said in a sentence."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import pytest
from django.contrib.auth.models import AnonymousUser, Group
from django.db import IntegrityError, transaction
from django.test import Client

from classifier.label_sets import (
    MOST,
    PALETTE,
    LabelSetError,
    add_labels,
    create_label_set,
    known_labels,
    remove_label,
    rename_label,
    say_unknown,
    unknown_labels,
)
from classifier.models import Feedback, Label, LabelSet, User
from classifier.registry import promote, register
from classifier.serving import active_model
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model, make_upload

pytestmark = pytest.mark.django_db


def slugs(label_set: LabelSet) -> list[str]:
    return list(label_set.labels.values_list("slug", flat=True))


def label(label_set: LabelSet, slug: str) -> Label:
    return label_set.labels.get(slug=slug)


def test_labels_are_called_as_people_write_them_and_known_by_their_slugs() -> None:
    made = create_label_set("people", ["  Zoë  Kravitz ", "مريم ميرزاخاني", "李小龙", "O’Neil, Ed"])
    names = [one.name for one in made.labels.all()]
    assert names == ["Zoë Kravitz", "مريم ميرزاخاني", "李小龙", "O’Neil, Ed"]
    assert slugs(made) == ["zoë-kravitz", "مريم-ميرزاخاني", "李小龙", "oneil-ed"]
    assert [one.position for one in made.labels.all()] == [0, 1, 2, 3]
    assert made.name == "People"


def test_the_same_name_in_another_unicode_form_is_the_same_name() -> None:
    with pytest.raises(LabelSetError, match="too much alike"):
        create_label_set("people", ["Zoe\u0308", "Zoë"])


def test_marks_that_are_letters_own_tell_labels_apart() -> None:
    names = ["किरण", "करण", "कीर्ति", "مَريم", "مريم", "ป้อม", "Zoë", "Zoe", "Ñuñoa", "Nunoa"]
    made = create_label_set("people", names)
    assert [one.name for one in made.labels.all()] == names
    assert slugs(made) == [name.lower() for name in names]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("किरण", " किरण!"),
        ("क़ीमत", unicodedata.normalize("NFC", "क़ीमत")),
        ("مريم ميرزاخاني", "مريم  ميرزاخاني"),
        ("ﻣﺮﻳﻢ", "مريم"),
        ("Ñuñoa", unicodedata.normalize("NFD", "ñuñoa")),
        ("İpek", "ipek"),
        ("ΟΔΥΣΣΕΥΣ", "Οδυσσευς"),
        ("Anna", "Anna\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}"),
        ("A\N{COMBINING GRAPHEME JOINER}nna", "Anna"),
    ],
)
def test_names_that_fall_together_are_refused_with_both(one: str, other: str) -> None:
    with pytest.raises(LabelSetError, match="too much alike") as refused:
        create_label_set("people", [one, "Bob", other])
    told = [unicodedata.normalize("NFC", " ".join(name.split())) for name in (one, other)]
    assert all(f"“{name}”" in str(refused.value) for name in told)


@pytest.mark.parametrize(
    "name", ["\N{COMBINING ACUTE ACCENT}", "\N{SMILING FACE WITH OPEN MOUTH}\ufe0f", "_"]
)
def test_marks_alone_are_no_name(name: str) -> None:
    with pytest.raises(LabelSetError, match="needs a letter or a digit"):
        create_label_set("people", ["Bob", name])


def test_labels_have_colors_that_differ_and_expressions_their_own() -> None:
    made = create_label_set("many", ["happy", *(f"label {n}" for n in range(11))])
    colors = [one.color for one in made.labels.all()]
    assert len(set(colors)) == 12
    assert colors[0] == Label.objects.get(label_set__slug="expressions", slug="happy").color


def luminance(color: str) -> float:
    shares = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("ground", ["#ffffff", "#f4f6f1", "#18201c", "#0f1512"])
def test_every_color_stands_out_on_light_and_on_dark(ground: str) -> None:
    for color in PALETTE:
        lighter, darker = sorted((luminance(color), luminance(ground)), reverse=True)
        assert (lighter + 0.05) / (darker + 0.05) >= 3, color


@pytest.mark.parametrize(
    ("slug", "labels", "words"),
    [
        ("one", ["happy"], "at least two labels"),
        ("none", [], "at least two labels"),
        ("empty", ["happy", " "], "without a name"),
        ("marks", ["happy", "?!"], "needs a letter or a digit"),
        ("case", ["Happy", "happy"], "“Happy” and “happy” can't both be labels"),
        ("spaces", ["Ann Lee", "Ann  Lee"], "can't both be labels"),
        ("unsure", ["happy", "Unsure"], "what pages say of a face that is not clear"),
        ("no-face", ["happy", "No face"], "what pages say of a face that is not clear"),
        ("long", ["happy", "x" * 101], "too long"),
        ("nul", ["happy", "x\x00"], "a character that no name has"),
        ("turned", ["happy", "abc\u202edef"], "a character that no name has"),
        ("half", ["happy", "x\udce9"], "a character that no name has"),
        ("many", [str(n) for n in range(MOST + 1)], f"at most {MOST} labels"),
        ("two words", ["happy", "sad"], "no name for addresses"),
        ("", ["happy", "sad"], "no name for addresses"),
        ("x" * 51, ["happy", "sad"], "at most 50 characters"),
        ("expressions", ["happy", "sad"], "There is a label set “expressions” already."),
    ],
)
def test_what_can_t_be_a_label_set_is_refused_in_a_sentence(slug: str, labels: list[str], words: str) -> None:
    with pytest.raises(LabelSetError, match=words):
        create_label_set(slug, labels, name="Mine")
    assert list(LabelSet.objects.values_list("slug", flat=True)) == ["expressions"]


@pytest.mark.parametrize(("purpose", "basis"), [("", ""), ("an archive", " "), ("", "written consent")])
def test_people_are_told_apart_for_a_purpose_and_on_a_basis(purpose: str, basis: str) -> None:
    with pytest.raises(LabelSetError, match="biometric identification"):
        create_label_set("people", ["Ann", "Bo"], names_people=True, purpose=purpose, consent_basis=basis)
    with pytest.raises(IntegrityError), transaction.atomic():
        LabelSet.objects.create(slug="people", name="P", names_people=True, purpose=purpose.strip())
    made = create_label_set("people", ["Ann", "Bo"], names_people=True, purpose="a", consent_basis="b")
    assert (made.names_people, made.purpose, made.consent_basis) == (True, "a", "b")


def test_who_reads_with_a_label_set(ada: User, bob: User, root: User) -> None:
    editors, friends = (Group.objects.create(name=name) for name in ("editors", "friends"))
    create_label_set("limited", ["a", "b"], groups=[editors, friends])
    create_label_set("closed", ["a", "b"], groups=[friends])
    ada.groups.add(editors, friends)

    def reads(user: User | AnonymousUser) -> list[str]:
        return list(LabelSet.objects.readable_by(user).values_list("slug", flat=True))

    assert reads(ada) == ["closed", "expressions", "limited"], "each once, in however many groups they are"
    assert reads(bob) == ["expressions"]
    assert reads(root) == ["closed", "expressions", "limited"]
    assert reads(AnonymousUser()) == []


def test_new_labels_come_last_and_what_is_active_does_not_know_them() -> None:
    version = make_active_model()
    label_set = version.label_set
    added = add_labels(label_set, ["Contempt", "Boredom"])
    assert slugs(label_set)[-2:] == ["contempt", "boredom"]
    assert [one.position for one in added] == [7, 8]
    version.refresh_from_db()
    assert [one.slug for one in unknown_labels(version)] == ["contempt", "boredom"]
    assert len(known_labels(version)) == 7
    assert say_unknown(unknown_labels(version)) == "The model does not know “Contempt” and “Boredom” yet."
    with pytest.raises(LabelSetError, match="“Happy” and “HAPPY” can't both be labels"):
        add_labels(label_set, ["HAPPY"])


def test_what_knows_fewer_labels_goes_on_answering_and_is_promoted_and_registered() -> None:
    version = make_active_model()
    active_model("expressions")
    add_labels(version.label_set, ["Contempt"])
    held = active_model("expressions")
    assert [one.slug for one in held.labels] == version.card["labels"]
    other = register(*tiny_artifact(favourite="sad"))
    promote(other)
    assert active_model("expressions").version == other


def test_what_knows_the_new_label_is_registered_and_what_knows_another_is_not() -> None:
    version = make_active_model()
    add_labels(version.label_set, ["Contempt"])
    labels = (*version.card["labels"], "contempt")
    assert register(*tiny_artifact(favourite="contempt", labels=labels)).number == 2
    with pytest.raises(ValueError, match="in this order"):
        register(*tiny_artifact(labels=(*version.card["labels"], "boredom")))


def test_a_renamed_label_is_called_so_by_what_a_process_has_loaded() -> None:
    version = make_active_model()
    classifier = active_model("expressions").classifier
    rename_label(label(version.label_set, "happy"), "Smiling", color="#123456")
    held = active_model("expressions")
    assert (held.labels[3].name, held.labels[3].color, held.labels[3].slug) == ("Smiling", "#123456", "happy")
    assert held.classifier is classifier, "nothing is loaded again"


def test_no_two_labels_are_called_alike() -> None:
    label_set = create_label_set("two", ["Happy", "Sad"])
    with pytest.raises(LabelSetError, match="There is a label “SAD” already"):
        rename_label(label(label_set, "happy"), "SAD")
    rename_label(label(label_set, "happy"), "Glad")
    assert [one.name for one in label_set.labels.all()] == ["Glad", "Sad"]
    # Its slug is what files with the old name mean.
    with pytest.raises(LabelSetError, match="There is a label “Happy” already"):
        rename_label(label(label_set, "sad"), "Happy")
    for name in ("Happy", "glad"):
        with pytest.raises(LabelSetError, match="too much alike"):
            add_labels(label_set, [name])
    rename_label(label(label_set, "happy"), "Happy")


def test_a_label_that_nothing_is_about_is_removed_and_the_others_move_up() -> None:
    label_set = create_label_set("four", ["a", "b", "c", "d"])
    remove_label(label(label_set, "b"))
    assert list(label_set.labels.values_list("slug", "position")) == [("a", 0), ("c", 1), ("d", 2)]
    remove_label(label(label_set, "a"))
    with pytest.raises(LabelSetError, match="at least two labels"):
        remove_label(label(label_set, "c"))


def known_by_a_version(label_set: LabelSet) -> Label:
    make_active_model()
    return label(label_set, "fear")


def told_by_a_user(label_set: LabelSet) -> Label:
    make_active_model()
    (told,) = add_labels(label_set, ["Contempt"])
    upload = make_upload(User.objects.create_user("eve"))
    Feedback.objects.create(
        face=upload.faces.get(), label_set=label_set, user=upload.owner, said="wrong", label=told
    )
    return told


@pytest.mark.parametrize(
    ("used", "words"),
    [(known_by_a_version, "expressions v1 .constant. knows it"), (told_by_a_user, "feedback of it: 1")],
)
def test_a_label_that_something_is_about_is_not_removed(
    used: Callable[[LabelSet], Label], words: str
) -> None:
    label_set = LabelSet.objects.get()
    about = used(label_set)
    before = slugs(label_set)
    with pytest.raises(LabelSetError, match=f"can't be removed: {words}"):
        remove_label(about)
    assert slugs(label_set) == before


def test_a_label_of_another_color_is_drawn_in_it(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada)
    page = ada_client.get(f"/uploads/{upload.pk}/").content.decode()
    assert '<li data-label="happy">' in page
    rename_label(label(LabelSet.objects.get(), "happy"), "Happy", color="#123456")
    page = ada_client.get(f"/uploads/{upload.pk}/").content.decode()
    assert '<li data-label="happy">' not in page
    assert 'fill="#123456"' in page
