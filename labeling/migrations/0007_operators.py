"""The group of those who train and promote models, with what they need for it and nothing else."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

GROUP = "Operators"
# Permissions come only after all migrations, so these are made here.
PERMISSIONS = {
    ("labeling", "trainingrun"): {
        "view_trainingrun": "Can view training run",
        "train_models": "Can train models",
    },
    ("labeling", "example"): {"view_example": "Can view example"},
    ("labeling", "datasetversion"): {"view_datasetversion": "Can view dataset version"},
    ("classifier", "modelversion"): {
        "view_modelversion": "Can view model version",
        "promote_models": "Can promote models",
    },
}


def add(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    types = apps.get_model("contenttypes", "ContentType").objects
    permission_model = apps.get_model("auth", "Permission")
    group, _ = apps.get_model("auth", "Group").objects.get_or_create(name=GROUP)
    for (app_label, model), permissions in PERMISSIONS.items():
        content_type, _ = types.get_or_create(app_label=app_label, model=model)
        for codename, name in permissions.items():
            permission, _ = permission_model.objects.get_or_create(
                content_type=content_type, codename=codename, defaults={"name": name}
            )
            group.permissions.add(permission)


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("auth", "Group").objects.filter(name=GROUP).delete()


class Migration(migrations.Migration):
    dependencies = [("labeling", "0006_training"), ("classifier", "0006_activations")]
    operations = [migrations.RunPython(add, remove)]
