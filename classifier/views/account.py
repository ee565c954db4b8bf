"""A user's own settings, their data to take away, and the end of the account."""

from __future__ import annotations

import uuid

from allauth.core import ratelimit
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from classifier.access import get_export
from classifier.accounts import erase_account, request_export, state_of
from classifier.forms import ConsentForm, DeleteAccountForm
from classifier.models import DataExport, Upload
from emotion_site.errors import refuse, wants_json


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account(request: HttpRequest) -> HttpResponse:
    form = ConsentForm(request.POST if request.method == "POST" else None, instance=request.user)  # type: ignore[arg-type]
    if form.is_valid():
        form.save()
        messages.success(request, _("Your preference is saved."))
        return redirect("account")
    newest = DataExport.objects.filter(owner=request.user).first()  # type: ignore[misc]
    context = {
        "form": form,
        "export": newest,
        "export_state": newest and state_of(newest),
        "photographs": Upload.objects.owned_by(request.user).count(),
    }
    return render(request, "classifier/account.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def export(request: HttpRequest) -> HttpResponse:
    """Asks for an archive. Whoever was asked to sign in on the way comes back by GET, and asks again."""
    if request.method == "POST":
        request_export(request.user)  # type: ignore[arg-type]
    return redirect("account")


@require_safe
def export_download(request: HttpRequest, export_id: uuid.UUID) -> HttpResponseBase:
    """The archive; while it is being written, the account page. Scripts that prefer JSON get its state."""
    found = get_export(request.user, export_id)
    if wants_json(request):
        state = {"state": state_of(found), "done": found.done, "total": found.total}
        return JsonResponse(state, headers={"Cache-Control": "no-store"})
    if found.state != DataExport.State.READY:
        return redirect("account")
    try:
        archive = found.archive.open("rb")
    except (FileNotFoundError, ValueError) as error:
        raise Http404 from error
    name = f"my-data-{found.created_at:%Y-%m-%d}.zip"
    response = FileResponse(archive, content_type="application/zip", as_attachment=True, filename=name)
    response["Cache-Control"] = "private, no-store"
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def account_delete(request: HttpRequest) -> HttpResponse:
    user = request.user
    form = DeleteAccountForm(request.POST if request.method == "POST" else None, user=user)  # type: ignore[arg-type]
    if request.method == "POST":
        if not ratelimit.consume(request, action="reauthenticate", user=user):
            return refuse(request, status=429, sentence=_("Too many tries. Wait a minute, then try again."))
        if form.is_valid():
            erase_account(user)  # type: ignore[arg-type]
            logout(request)
            messages.success(request, _("Your account and everything in it are deleted."))
            return redirect("home")
    context = {"form": form, "photographs": Upload.objects.owned_by(user).count()}
    return render(request, "classifier/account_delete.html", context, status=400 if form.errors else 200)
