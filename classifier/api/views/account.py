"""Everything about the caller: to take away, or to erase."""

from __future__ import annotations

from django.http import FileResponse, Http404, HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.accounts import erase_account, fresh_export, state_of
from classifier.api.base import ApiView, check
from classifier.api.schema import file_of, responses
from classifier.api.serializers import EraseQuery, ExportProgressAnswer
from classifier.models import DataExport
from emotion_site.problems import INVALID, NOT_FOUND

ASK_AGAIN_S = 5


class Me(ApiView):
    @extend_schema(
        operation_id="erase_me",
        summary="Erase the account with everything in it, at once and for good",
        parameters=[EraseQuery],
        responses=responses({204: None}, INVALID),
    )
    def delete(self, request: Request) -> Response:
        asked = check(EraseQuery, request.query_params, request.user)
        if asked["username"] != request.user.get_username():
            raise ValidationError({"username": "This is not your user name."})
        erase_account(request.user)
        return Response(status=204)


class Export(ApiView):
    @extend_schema(
        operation_id="export",
        summary="Everything about you as a ZIP; 202 while it is being written",
        responses=responses({**file_of("application/zip"), 202: ExportProgressAnswer}, NOT_FOUND),
    )
    def get(self, request: Request) -> HttpResponseBase:
        """Asks for the archive where none was finished in the last minutes. Ask again until it comes."""
        export = fresh_export(request.user)
        export.refresh_from_db()
        if export.state != DataExport.State.READY:
            progress = {"state": state_of(export), "done": export.done, "total": export.total}
            return Response(progress, status=202, headers={"Retry-After": str(ASK_AGAIN_S)})
        try:
            archive = export.archive.open("rb")
        except (FileNotFoundError, ValueError) as error:
            raise Http404 from error
        name = f"my-data-{export.created_at:%Y-%m-%d}.zip"
        return FileResponse(archive, content_type="application/zip", as_attachment=True, filename=name)
