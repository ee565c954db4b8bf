"""The default label set: FER2013's seven classes, in its order."""

from django.apps.registry import Apps
from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

# Okabe & Ito's palette (2008), which people with any colour vision can tell apart; gray for neutral.
LABELS = (
    ("angry", "Angry", "#d55e00"),
    ("disgust", "Disgust", "#009e73"),
    ("fear", "Fear", "#cc79a7"),
    ("happy", "Happy", "#e69f00"),
    ("sad", "Sad", "#0072b2"),
    ("surprise", "Surprise", "#56b4e9"),
    ("neutral", "Neutral", "#7a7f87"),
)


def add(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    label_set = apps.get_model("classifier", "LabelSet").objects.create(
        slug="expressions", name="Expressions"
    )
    label_model = apps.get_model("classifier", "Label")
    for position, (slug, name, color) in enumerate(LABELS):
        label_model.objects.create(label_set=label_set, position=position, slug=slug, name=name, color=color)


def remove(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("classifier", "LabelSet").objects.filter(slug="expressions").delete()


class Migration(migrations.Migration):
    dependencies = [("classifier", "0001_initial")]
    operations = [migrations.RunPython(add, remove)]
