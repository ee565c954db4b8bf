"""The API's addresses, and those of its documentation."""

from __future__ import annotations

from django.urls import path

from classifier.api.views import account, bulk, docs, feedback, models, predictions, uploads

app_name = "api"
urlpatterns = [
    path("docs/", docs.docs, name="docs"),
    path("problems/", docs.explain_problems, name="problems"),
    path("v1/openapi.json", docs.schema, name="schema"),
    path("v1/predictions/", predictions.Predictions.as_view(), name="predictions"),
    path("v1/uploads/", uploads.Uploads.as_view(), name="uploads"),
    path("v1/uploads/<uuid:upload_id>/", uploads.OneUpload.as_view(), name="upload"),
    path("v1/uploads/<uuid:upload_id>/readings/", uploads.UploadReadings.as_view(), name="readings"),
    path("v1/uploads/<uuid:upload_id>/annotated.png", uploads.AnnotatedUpload.as_view(), name="annotated"),
    path("v1/uploads/<uuid:upload_id>/original", uploads.OriginalUpload.as_view(), name="original"),
    path("v1/faces/<int:face_id>/feedback/", feedback.FaceFeedback.as_view(), name="feedback"),
    path("v1/label-sets/", models.LabelSets.as_view(), name="label-sets"),
    path("v1/models/", models.Models.as_view(), name="models"),
    path("v1/models/active/", models.ActiveModel.as_view(), name="active-model"),
    path("v1/bulk/", bulk.Bulks.as_view(), name="bulks"),
    path("v1/bulk/<uuid:bulk_id>/", bulk.OneBulk.as_view(), name="one-bulk"),
    path("v1/me/", account.Me.as_view(), name="me"),
    path("v1/me/export.zip", account.Export.as_view(), name="export"),
]
