"""Accounts while no mail can be sent."""

from __future__ import annotations

import smtplib
from collections.abc import Sequence

import pytest
from django.core.mail import EmailMessage
from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier.models import User
from tests.factories import PASSWORD, make_user

pytestmark = pytest.mark.django_db
ERRORS: dict[str, OSError] = {
    "refuses": ConnectionRefusedError(111, "Connection refused"),
    "hangs": TimeoutError("timed out"),
    "hangs_up": smtplib.SMTPServerDisconnected("Connection unexpectedly closed"),
    "knows_nobody": smtplib.SMTPRecipientsRefused({"ada@example.org": (550, b"no such user")}),
}


class NoMail(BaseEmailBackend):
    error: OSError

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        raise self.error


@pytest.fixture(autouse=True, params=ERRORS)
def no_mail(request: pytest.FixtureRequest, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(NoMail, "error", ERRORS[request.param], raising=False)
    settings.EMAIL_BACKEND = f"{__name__}.{NoMail.__name__}"


def test_who_signs_up_with_an_address_is_signed_up(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    form = {"username": "ada", "email": "ada@example.org", "password1": PASSWORD, "password2": PASSWORD}
    answer = client.post(reverse("account_signup"), form)
    assert (answer.status_code, answer["Location"]) == (302, reverse("home"))
    assert client.session["_auth_user_id"] == str(User.objects.get(username="ada").pk)
    assert "was not sent, see EMAIL_URL" in caplog.text


def test_a_password_reset_does_not_tell_who_has_an_account(client: Client) -> None:
    ada = make_user("ada")
    ada.email = "ada@example.org"
    ada.save()
    known, unknown = (
        client.post(reverse("account_reset_password"), {"email": f"{name}@example.org"})
        for name in ("ada", "bob")
    )
    assert (known.status_code, known["Location"]) == (302, reverse("account_reset_password_done"))
    assert (unknown.status_code, unknown["Location"]) == (known.status_code, known["Location"])
