"""The tokens that a user made for programs: see them, make one, end one."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from classifier.access import own
from classifier.api.models import Token
from classifier.api.tokens import make_token
from classifier.forms import TokenForm


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def tokens(request: HttpRequest) -> HttpResponse:
    """A new secret is in this answer and nowhere else: a redirect would have to keep it somewhere."""
    form = TokenForm(request.POST if request.method == "POST" else None)
    made, secret = None, ""
    if form.is_valid():
        made, secret = make_token(
            owner=request.user,  # type: ignore[arg-type]
            name=form.cleaned_data["name"],
            lasts=form.cleaned_data["lasts"],
        )
        form = TokenForm()
    context = {
        "form": form,
        "made": made,
        "secret": secret,
        "tokens": Token.objects.filter(owner=request.user),  # type: ignore[misc]
    }
    return render(request, "classifier/tokens.html", context, status=400 if form.errors else 200)


@require_POST
def token_revoke(request: HttpRequest, token_id: int) -> HttpResponse:
    token = own(request.user, Token.objects.filter(pk=token_id), "owner")
    token.delete()
    messages.success(request, _("“%s” is revoked.") % token.name)
    return redirect("tokens")
