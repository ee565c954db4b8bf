"""Screenshots of every page of a running site, for a designer's eye and for the README.

    python docs/screenshots.py http://127.0.0.1:8000 FOLDER     every page, phone and desktop, light and dark
    python docs/screenshots.py http://127.0.0.1:8000 --readme   the pictures of the README alone

It signs up an account of its own, offers sample photographs that ship with scikit-image and matplotlib, and
deletes that account in the end. Labelers' pages are among them where SUPERUSER_PASSWORD is set. They show
whatever waits first: ask a site that has nothing else.
"""

from __future__ import annotations

import argparse
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib.cbook
import skimage.data
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
WIDTHS = {"phone": 390, "desktop": 1280}
PASSWORD = secrets.token_urlsafe(12)
DOCS = Path(__file__).parent
PUBLIC_PAGES = {
    "landing": "/",
    "about": "/about/",
    "sign-in": "/accounts/login/",
    "sign-up": "/accounts/signup/",
    "password-reset": "/accounts/password/reset/",
    "not-found": "/nowhere/",
}
OWN_PAGES = {
    "home": "/",
    "history": "/uploads/",
    "history-nothing": "/uploads/?showing=no-face&last=2000-01-01",
    "account": "/account/",
    "account-delete": "/account/delete/",
    "email": "/accounts/email/",
    "password-change": "/accounts/password/change/",
}
LABELERS_PAGES = {
    "review": "/admin/labeling/reviewitem/review/",
    "review-list": "/admin/labeling/reviewitem/",
    "dataset": "/admin/labeling/example/dataset/",
    "dataset-list": "/admin/labeling/example/",
    "train": "/admin/labeling/trainingrun/train/",
    "training-runs": "/admin/labeling/trainingrun/",
    "model-versions": "/admin/classifier/modelversion/",
    "model-version": "/admin/classifier/modelversion/1/change/",
    "promote": "/admin/classifier/modelversion/1/promote/",
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("site")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--readme", action="store_true")
    options = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        if options.readme:
            pictures_for_readme(browser, options.site)
        elif options.folder:
            every_page(browser, options.site, options.folder)
        else:
            parser.error("say a FOLDER, or --readme")


def every_page(browser: Browser, site: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with account(browser, site) as state, sample_photographs() as photographs:
        uploads = send_all(browser, site, state, photographs)
        own = OWN_PAGES | {f"result-{path.stem}": url for path, url in zip(photographs, uploads, strict=True)}
        for scheme in ("light", "dark"):
            for kind, width in WIDTHS.items():
                for pages, who in ((PUBLIC_PAGES, None), (own, state), *labelers(browser, site)):
                    page = new_page(browser, site, width=width, scheme=scheme, state=who)
                    for name, url in pages.items():
                        page.goto(url)
                        if name.startswith("result"):
                            ask_why(page)
                        shoot(page, folder / f"{name}-{kind}-{scheme}.png")
                    page.context.close()


def ask_why(page: Page) -> None:
    reason = page.locator(".reason").first
    if reason.count():
        reason.locator("summary").click()
        reason.locator("img").wait_for()
        page.wait_for_load_state("networkidle")


def labelers(browser: Browser, site: str) -> list[tuple[dict[str, str], dict[str, object]]]:
    """The labelers' pages with the superuser's cookies; nothing where their password is not known."""
    password = os.environ.get("SUPERUSER_PASSWORD")
    if not password:
        return []
    page = new_page(browser, site)
    page.goto("/accounts/login/")
    page.fill("[name=login]", "admin")
    page.fill("[name=password]", password)
    page.click("main button[type=submit]")
    page.wait_for_selector("#upload")
    state: dict[str, object] = page.context.storage_state()  # type: ignore[assignment]
    page.context.close()
    return [(LABELERS_PAGES, state)]


def pictures_for_readme(browser: Browser, site: str) -> None:
    with account(browser, site) as state, sample_photographs() as photographs:
        url = send_all(browser, site, state, photographs[:1])[0]
        picture_for_readme(new_page(browser, site, state=state), url, "screenshot.png", height=830)
        for pages, labeler in labelers(browser, site):
            page = new_page(browser, site, state=labeler)
            picture_for_readme(page, pages["review"], "review.png", height=760)
            picture_for_readme(page, pages["dataset"], "dataset.png", height=1480)


def picture_for_readme(page: Page, url: str, name: str, *, height: int) -> None:
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.evaluate("document.fonts.ready")
    page.screenshot(path=DOCS / name, clip={"x": 0, "y": 0, "width": 1280, "height": height}, full_page=True)
    # A palette is enough for a screen, and a third of the bytes.
    with Image.open(DOCS / name) as picture:
        colors = picture.convert("RGB").quantize(256, kmeans=2)
    colors.save(DOCS / name, optimize=True)


@contextmanager
def account(browser: Browser, site: str) -> Iterator[dict[str, object]]:
    """A new account's cookies; the account is deleted afterwards."""
    page = new_page(browser, site)
    page.goto("/accounts/signup/")
    page.fill("[name=username]", f"demo-{secrets.token_hex(3)}")
    page.fill("[name=password1]", PASSWORD)
    page.fill("[name=password2]", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_selector("#upload")
    try:
        yield page.context.storage_state()  # type: ignore[misc]
    finally:
        page.goto("/account/delete/")
        page.fill("[name=password]", PASSWORD)
        page.click("main button[type=submit]")
        page.context.close()


@contextmanager
def sample_photographs() -> Iterator[list[Path]]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        astronaut = Image.fromarray(skimage.data.astronaut())
        hopper = Image.open(
            str(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
        ).convert("RGB")
        group = Image.new("RGB", (1100, 600), "#8fa59a")
        for place, (left, top, side) in enumerate([(30, 50, 500), (560, 90, 320), (850, 180, 220)]):
            person = (astronaut, hopper)[place % 2].copy()
            person.thumbnail((side, side))
            group.paste(person, (left, top))
        pictures = {
            "astronaut": astronaut,
            "grace-hopper": hopper,
            "collage": group,
            "gravel": Image.fromarray(skimage.data.gravel()).convert("RGB"),
        }
        paths = []
        for stem, picture in pictures.items():
            paths.append(folder / f"{stem}.jpg")
            picture.save(paths[-1], quality=92)
        yield paths


def send_all(browser: Browser, site: str, state: dict[str, object], photographs: list[Path]) -> list[str]:
    """The address of each photograph's result, in their order."""
    page = new_page(browser, site, state=state)
    urls = []
    for photograph in photographs:
        page.goto("/")
        page.check("#consent")
        page.set_input_files("#photos", photograph)
        link = page.locator(f".queue .result-title a:text-is('{photograph.name}')")
        urls.append(link.get_attribute("href", timeout=30_000) or "")
    page.context.close()
    return urls


def new_page(
    browser: Browser,
    site: str,
    *,
    width: int = 1280,
    scheme: str = "light",
    state: dict[str, object] | None = None,
) -> Page:
    context = browser.new_context(
        base_url=site,
        viewport={"width": width, "height": 844 if width < 600 else 900},
        device_scale_factor=1,
        has_touch=width < 600,
        is_mobile=width < 600,
        color_scheme=scheme,  # type: ignore[arg-type]
        storage_state=state,  # type: ignore[arg-type]
    )
    return context.new_page()


def shoot(page: Page, path: Path) -> None:
    page.evaluate(
        "document.querySelectorAll('img[loading=lazy]').forEach((image) => (image.loading = 'eager'))"
    )
    page.wait_for_load_state("networkidle")
    page.screenshot(path=path, full_page=True)


if __name__ == "__main__":
    main()
