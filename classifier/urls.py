"""The site's own addresses."""

from __future__ import annotations

from django.urls import path

from classifier.views import account, feedback, history, pages, pictures, tokens, uploads

urlpatterns = [
    path("", pages.home, name="home"),
    path("about/", pages.about, name="about"),
    path("uploads/", uploads.uploads, name="uploads"),
    path("uploads/delete/", history.uploads_delete, name="uploads-delete"),
    path("uploads/<uuid:upload_id>/", uploads.upload, name="upload"),
    path("uploads/<uuid:upload_id>/delete/", uploads.upload_delete, name="upload-delete"),
    path("uploads/<uuid:upload_id>/consent/", uploads.upload_consent, name="upload-consent"),
    path("uploads/<uuid:upload_id>/readings/", uploads.upload_readings, name="upload-readings"),
    path("uploads/<uuid:upload_id>/photo.jpg", pictures.photo, name="upload-photo"),
    path("uploads/<uuid:upload_id>/thumbnail.jpg", pictures.thumbnail, name="upload-thumbnail"),
    path("uploads/<uuid:upload_id>/annotated.jpg", pictures.annotated, name="upload-annotated"),
    path("uploads/<uuid:upload_id>/result.json", pictures.result_json, name="upload-json"),
    path("faces/<int:face_id>/crop.png", pictures.crop, name="face-crop"),
    path("faces/<int:face_id>/feedback/", feedback.feedback, name="face-feedback"),
    path("predictions/<int:prediction_id>/why.png", pictures.why, name="prediction-why"),
    path("account/", account.account, name="account"),
    path("account/export/", account.export, name="account-export"),
    path("account/export/<uuid:export_id>/", account.export_download, name="account-export-download"),
    path("account/tokens/", tokens.tokens, name="tokens"),
    path("account/tokens/<int:token_id>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("account/delete/", account.account_delete, name="account-delete"),
]
