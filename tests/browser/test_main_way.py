"""From signing up to an empty history again, as people do it: by pointer, by drop and paste."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from playwright.sync_api import Page, Playwright, Route, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from classifier.models import Upload, User
from tests.browser.conftest import NewContext, SignIn, log_in
from tests.factories import PASSWORD, make_active_model, make_upload
from tests.photographs import to_jpeg

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def test_from_sign_up_to_an_empty_history(page: Page, site: LiveServer, photographs: dict[str, Path]) -> None:
    make_active_model()
    page.goto(site.url)
    page.get_by_role("link", name="Sign up and try it").click()
    page.get_by_label("Username").fill("grace")
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_label("Password (again)").fill(PASSWORD)
    page.get_by_role("button", name="Sign up").click()

    page.set_input_files("#photos", [photographs["astronaut.jpg"], photographs["hopper.jpg"]])
    expect(page.locator("#queue .result")).to_have_count(2)
    expect(page.locator("#announce")).to_contain_text("1 face: happy")
    expect(page).to_have_url(f"{site.url}/")

    page.locator("#queue").get_by_role("link", name="astronaut.jpg").click()
    expect(page.get_by_role("heading", name="astronaut.jpg")).to_be_visible()
    expect(page.locator(".verdict")).to_contain_text("Happy")
    expect(page.locator(".verdict")).to_contain_text("90%")
    expect(page.locator(".bars li")).to_have_count(7)
    expect(page.locator(".boxes rect.box")).to_have_count(1)

    page.get_by_role("link", name="History").first.click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_label("Select astronaut.jpg").check()
    page.get_by_role("button", name="Delete selected").click()
    page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("button", name="Delete selected").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 photograph is deleted.")).to_be_visible()
    expect(page.locator(".tile")).to_have_count(1)

    page.locator(".tile-link").click()
    page.get_by_role("link", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    assert not Upload.objects.exists()


def test_what_is_chosen_before_the_script_comes_is_sent(
    page: Page, site: LiveServer, sign_in: SignIn, photographs: dict[str, Path]
) -> None:
    make_active_model()
    sign_in("ada")
    held: list[Route] = []
    page.route("**/upload*.js", lambda route: held.append(route))
    page.goto("/", wait_until="commit")
    page.set_input_files("#photos", photographs["astronaut.jpg"])
    held[0].continue_()
    expect(page.locator("#queue .result")).to_have_count(1)


def test_why_shows_a_heat_map_once_it_is_asked_for(page: Page, site: LiveServer, sign_in: SignIn) -> None:
    sign_in("ada")
    upload = make_upload(User.objects.get(username="ada"))
    page.goto(f"/uploads/{upload.pk}/")
    heat = page.locator(".reason img")
    expect(heat).to_have_count(0)
    page.get_by_text("Why happy?").click()
    expect(page.locator(".reason")).to_contain_text("Bright is what spoke for happy")
    expect(heat).to_have_js_property("naturalWidth", 112)
    assert re.search(r"/predictions/\d+/why\.png$", heat.get_attribute("src") or "")


def hand_over(page: Page, event: str, target: str, *photographs: Path) -> None:
    """Fire a drop or a paste that carries these files."""
    files = [{"name": path.name, "bytes": list(path.read_bytes())} for path in photographs]
    page.evaluate(
        """([event, target, files]) => {
          const carrier = new DataTransfer();
          for (const { name, bytes } of files) {
            carrier.items.add(new File([new Uint8Array(bytes)], name, { type: "image/jpeg" }));
          }
          const fired = event === "paste"
            ? new ClipboardEvent(event, { clipboardData: carrier, bubbles: true, cancelable: true })
            : new DragEvent(event, { dataTransfer: carrier, bubbles: true, cancelable: true });
          document.querySelector(target).dispatchEvent(fired);
        }""",
        [event, target, files],
    )


def test_drop_anywhere_on_the_page(page: Page, sign_in: SignIn, photographs: dict[str, Path]) -> None:
    make_active_model()
    sign_in("ada")
    hand_over(page, "dragenter", "body", photographs["astronaut.jpg"])
    expect(page.get_by_text("Drop to read")).to_be_visible()
    hand_over(page, "drop", "footer", photographs["astronaut.jpg"], photographs["wall.jpg"])
    expect(page.get_by_text("Drop to read")).to_be_hidden()
    expect(page.locator("#queue .result")).to_have_count(2)
    expect(page.locator("#queue").get_by_role("heading", name="No face found")).to_be_visible()


def test_paste_a_picture(page: Page, sign_in: SignIn, photographs: dict[str, Path]) -> None:
    make_active_model()
    sign_in("ada")
    hand_over(page, "paste", "body", photographs["astronaut.jpg"])
    expect(page.locator("#queue .verdict")).to_contain_text("Happy")


def test_take_a_picture_with_the_camera(page: Page, sign_in: SignIn) -> None:
    make_active_model()
    sign_in("ada")
    page.get_by_role("button", name="Take a picture").click()
    page.get_by_role("button", name="Take it").click()
    expect(page.locator("#queue .result-title")).to_contain_text("camera-")
    assert Upload.objects.get().name.endswith(".jpg")


@pytest.mark.parametrize("kind", ["Desktop Chrome", "iPhone 13", "Pixel 7"])
def test_there_is_one_way_to_take_a_picture(
    kind: str, playwright: Playwright, new_context: NewContext, ada: User
) -> None:
    page = new_context(**playwright.devices[kind]).new_page()
    log_in(page, "ada")
    seen = page.locator(".drop-buttons").get_by_text("Take a picture").filter(visible=True)
    expect(seen).to_have_count(1)
    expect(page.locator("#capture")).to_be_visible(visible=kind != "Desktop Chrome")


def test_a_browser_that_gives_no_camera_offers_none(page: Page, sign_in: SignIn) -> None:
    page.add_init_script("Object.defineProperty(navigator, 'mediaDevices', { value: undefined })")
    sign_in("ada")
    expect(page.get_by_role("button", name="Choose photographs")).to_be_visible()
    expect(page.get_by_text("Take a picture").filter(visible=True)).to_have_count(0)


def test_a_bad_file_says_why_and_the_good_one_beside_it_is_read(
    page: Page, sign_in: SignIn, photographs: dict[str, Path]
) -> None:
    make_active_model()
    sign_in("ada")
    page.set_input_files("#photos", [photographs["letter.jpg"], photographs["astronaut.jpg"]])
    expect(page.locator(".job.failed .job-name")).to_have_text("letter.jpg")
    expect(page.locator(".job.failed .job-state")).to_contain_text(re.compile(r"\.$"))
    expect(page.locator("#queue .result")).to_have_count(1)
    page.get_by_role("button", name="Remove letter.jpg").click()
    expect(page.locator(".job.failed")).to_have_count(0)


def test_a_lost_connection_can_be_tried_again(
    page: Page, sign_in: SignIn, photographs: dict[str, Path]
) -> None:
    make_active_model()
    sign_in("ada")
    page.route("**/uploads/", lambda route: route.abort())
    page.set_input_files("#photos", photographs["astronaut.jpg"])
    expect(page.locator(".job-state")).to_have_text(
        "The connection was lost; look in your history before sending it again."
    )
    page.unroute("**/uploads/")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#queue .verdict")).to_contain_text("Happy")


def test_a_batch_of_too_many_is_refused_in_one_sentence_and_nothing_is_sent(
    page: Page, sign_in: SignIn, photographs: dict[str, Path], settings: Settings
) -> None:
    settings.MAX_FILES_PER_UPLOAD = 2
    make_active_model()
    sign_in("ada")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.method == "POST" else None)
    three = [photographs[name] for name in ("astronaut.jpg", "hopper.jpg", "wall.jpg")]
    page.set_input_files("#photos", three)
    refusal = page.get_by_role("alert").filter(has_text="photographs can be sent at once")
    expect(refusal).to_have_text(
        "At most 2 photographs can be sent at once, and these were 3. None was sent."
    )
    hand_over(page, "drop", "footer", *three)
    expect(page.locator("#queue li")).to_have_count(0)
    assert sent == []
    page.set_input_files("#photos", three[:2])
    expect(page.locator("#queue .result")).to_have_count(2)
    expect(refusal).to_be_hidden()


def test_too_many_in_a_short_time_go_on_by_themselves(
    page: Page, sign_in: SignIn, photographs: dict[str, Path], settings: Settings
) -> None:
    settings.UPLOAD_RATE = "1/s"
    make_active_model()
    sign_in("ada")
    page.set_input_files("#photos", [photographs["astronaut.jpg"], photographs["wall.jpg"]])
    expect(page.locator("#queue .result")).to_have_count(2, timeout=15_000)


def test_removing_those_that_were_too_many_does_not_stop_the_others(
    page: Page, sign_in: SignIn, photographs: dict[str, Path]
) -> None:
    def refuse_two(route: Route) -> None:
        refused.append(route)
        if len(refused) > 2:
            return route.continue_()
        return route.fulfill(status=429, headers={"Retry-After": "4"}, json={"error": "Too many."})

    refused: list[Route] = []
    make_active_model()
    sign_in("ada")
    page.route("**/uploads/", refuse_two)
    names = ["astronaut.jpg", "hopper.jpg", "wall.jpg", "letter.jpg"]
    page.set_input_files("#photos", [photographs[name] for name in names])
    expect(page.get_by_text("Goes on by itself").first).to_be_visible()
    for name in names[:2]:
        page.get_by_role("button", name=f"Remove {name}").click()
    expect(page.locator("#queue .result")).to_have_count(1, timeout=15_000)
    expect(page.locator(".job.failed .job-name")).to_have_text("letter.jpg")


def test_consent_goes_with_the_photographs_that_are_sent_now(
    page: Page, sign_in: SignIn, photographs: dict[str, Path]
) -> None:
    make_active_model()
    sign_in("ada")
    page.set_input_files("#photos", photographs["astronaut.jpg"])
    expect(page.locator("#queue .result")).to_have_count(1)
    page.get_by_label("Offer these photographs for training").check()
    page.set_input_files("#photos", photographs["hopper.jpg"])
    expect(page.locator("#queue .result")).to_have_count(2)
    given = dict(Upload.objects.values_list("name", "consent"))
    assert given == {"astronaut.jpg": False, "hopper.jpg": True}


def test_without_javascript_the_form_does_it(
    new_context: NewContext, site: LiveServer, ada: User, photographs: dict[str, Path]
) -> None:
    make_active_model()
    page = new_context(java_script_enabled=False).new_page()
    log_in(page, "ada")
    page.get_by_role("button", name="Photographs").set_input_files(photographs["astronaut.jpg"])
    page.get_by_role("button", name="Read them").click()
    expect(page.locator(".verdict")).to_contain_text("Happy")
    page.get_by_role("link", name="History").first.click()
    page.get_by_label("Select astronaut.jpg").check()
    page.get_by_role("button", name="Delete selected").click()
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("1 photograph is deleted.")).to_be_visible()


def test_pointing_at_a_card_lights_its_box_and_back(page: Page, sign_in: SignIn, ada: User) -> None:
    upload = make_upload(ada, shows=["happy", "sad"])
    with default_storage.open(str(upload.photo.name), "wb") as file:
        file.write(to_jpeg(np.full((480, 640, 3), 127, np.uint8)))
    sign_in("ada")
    page.goto(f"/uploads/{upload.pk}/")
    page.locator("[data-face='2']").hover()
    expect(page.locator("[data-box='2']")).to_have_class("on")
    page.locator("[data-box='1'] .box").hover()
    expect(page.locator("[data-face='1']")).to_have_class(re.compile(r"\bon\b"))
    expect(page.locator("[data-face='2']")).not_to_have_class(re.compile(r"\bon\b"))


def test_an_account_can_be_left(page: Page, sign_in: SignIn, ada: User) -> None:
    make_upload(ada)
    sign_in("ada")
    page.get_by_role("link", name="Account").click()
    page.get_by_role("button", name="Write the ZIP").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename.endswith(".zip")
    page.get_by_role("link", name="Delete my account").click()
    page.get_by_label("Your password").fill(PASSWORD)
    page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_text("Your account and everything in it are deleted.")).to_be_visible()
    assert not User.objects.filter(username="ada").exists()
