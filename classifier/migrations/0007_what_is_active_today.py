"""The history begins with what is active; and what users have said was said of what was shown to them."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.models import OuterRef, Subquery


def begin(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    activation = apps.get_model("classifier", "Activation")
    for version in apps.get_model("classifier", "ModelVersion").objects.filter(active=True).order_by("pk"):
        if not activation.objects.filter(label_set=version.label_set_id).exists():
            activation.objects.create(
                label_set_id=version.label_set_id,
                version=version,
                at=version.created_at,
                reason="active before this history began",
            )


def tell_what_was_shown(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    shown = apps.get_model("classifier", "Prediction").objects.filter(
        face=OuterRef("face"), label_set=OuterRef("label_set"), shown=True
    )
    unknown = apps.get_model("classifier", "Feedback").objects.filter(prediction__isnull=True)
    unknown.update(prediction=Subquery(shown.values("pk")[:1]))


class Migration(migrations.Migration):
    dependencies = [("classifier", "0006_activations")]
    operations = [
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.RunPython(tell_what_was_shown, migrations.RunPython.noop),
    ]
