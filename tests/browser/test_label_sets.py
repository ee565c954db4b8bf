"""The pages of label sets in a real browser: readable at any width, light and dark, and all by clicks."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from classifier.label_sets import add_labels, create_label_set
from classifier.models import LabelSet
from tests.browser.conftest import SignIn, serious
from tests.factories import make_active_model, make_superuser
from tests.photographs import astronaut, grace_hopper, no_face

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

LIST = "/admin/classifier/labelset/"
NEW = "/admin/labeling/example/new-label-set/"


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(
    scheme: Any, width: int, page: Page, sign_in: SignIn, complaints: list[str]
) -> None:
    make_superuser()
    people = create_label_set(
        "people",
        ["Zoë Kravitz", "مريم ميرزاخاني", "Hubert Blaine Wolfeschlegelsteinhausenbergerdorff the elder"],
        names_people=True,
        purpose="To find them in our archive.",
        consent_basis="Each has signed the form that the archive keeps.",
    )
    version = make_active_model()
    add_labels(version.label_set, ["Contempt"])
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    sign_in("root")
    pages = [f"{LIST}{one.pk}/change/" for one in (people, version.label_set)]
    pages += [NEW, f"{LIST}add/", f"{LIST}{people.pk}/delete/", f"{LIST}{people.pk}/delete/?again"]
    for url in [LIST, *pages]:
        page.goto(url)
        if url != LIST:  # of which most is Django's own
            assert serious(page) == []
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, url
    # The stock admin names no icon, and the browser looks for one at an address of its own.
    assert [line for line in complaints if "404" not in line] == []


def test_one_is_made_changed_and_deleted_by_clicks(page: Page, sign_in: SignIn) -> None:
    make_superuser()
    sign_in("root")
    page.goto(LIST)
    page.get_by_role("link", name="Add label set").click()
    page.get_by_label("Slug").fill("happy-sad")
    page.get_by_label("Name", exact=True).fill("Happy or sad")
    page.get_by_label("Labels", exact=True).fill("Happy\nSad")
    page.get_by_role("button", name="Make the label set").click()
    expect(page.get_by_text("“Happy or sad” is made.")).to_be_visible()
    page.get_by_label("Name of Happy").fill("Glad")
    page.get_by_role("button", name="Keep the names and colors").click()
    expect(page.get_by_label("Name of Glad")).to_be_visible()
    page.get_by_label("New labels").fill("Neither")
    page.get_by_role("button", name="Add", exact=True).click()
    page.get_by_role("button", name="Remove Neither").click()
    expect(page.get_by_text("Removed: Neither.")).to_be_visible()
    page.get_by_role("link", name="Delete this label set").click()
    page.get_by_role("link", name="Go on").click()
    page.get_by_label("What addresses call it").fill("happy-sad")
    page.get_by_role("button", name="Delete Happy or sad for good").click()
    expect(page.get_by_text("The label set “Happy or sad” is deleted.")).to_be_visible()
    assert not LabelSet.objects.filter(slug="happy-sad").exists()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1280, "light")])
def test_one_is_made_of_an_archive_by_clicks(
    scheme: Any, width: int, page: Page, sign_in: SignIn, tmp_path: Path
) -> None:
    photographs = {
        "Eileen Collins/1.jpg": astronaut(),
        "गोल्डा मेयर/1.jpg": grace_hopper(),
        "Eileen Collins/wall.jpg": no_face(),
    }
    with zipfile.ZipFile(tmp_path / "album.zip", "w") as archive:
        for name, content in photographs.items():
            archive.writestr(f"album/{name}", content)
    make_superuser()
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    sign_in("root")
    page.goto(f"{LIST}add/")
    page.get_by_role("link", name="Make it of an archive").click()
    page.get_by_label("Archive").set_input_files(tmp_path / "album.zip")
    page.get_by_label("Slug").fill("people")
    page.get_by_label("Its labels are people").check()
    page.get_by_role("button", name="See what it would make").click()
    expect(page.get_by_text("Needed where the labels are people.")).to_have_count(2)
    page.get_by_label("Archive").set_input_files(tmp_path / "album.zip")
    page.get_by_label("Purpose").fill("A family album")
    page.get_by_label("Consent basis").fill("They all signed")
    page.get_by_role("button", name="See what it would make").click()
    expect(page.get_by_role("listitem").filter(has_text="गोल्डा मेयर")).to_be_visible()
    assert serious(page) == []
    wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0
    page.get_by_role("button", name="Make it and add 2 examples, keep 1 to look at").click()
    page.get_by_role("link", name="Look at those set aside").click()
    expect(page.get_by_text("Eileen Collins: no face was found")).to_be_visible()
    assert serious(page) == []
    assert LabelSet.objects.get(slug="people").names_people
