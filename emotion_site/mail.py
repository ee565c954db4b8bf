"""What the site does when a mail can't be sent."""

from __future__ import annotations

import logging
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter

logger = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):
    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """A mail that can't be sent is the operator's to hear of, and changes no answer.

        An error page would tell who has an account, as nobody else is sent anything. smtplib's errors are
        OSErrors too.
        """
        try:
            super().send_mail(template_prefix, email, context)
        except OSError as error:
            logger.error("A mail (%s) was not sent, see EMAIL_URL: %s", template_prefix, error)
