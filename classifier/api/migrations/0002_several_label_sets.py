from django.db import migrations, models


def carry_over(apps, schema_editor):
    through = apps.get_model("api", "Bulk").label_sets.through
    archives = apps.get_model("api", "Bulk").objects.values_list("pk", "label_set_id")
    through.objects.bulk_create(
        (through(bulk_id=bulk, labelset_id=label_set) for bulk, label_set in archives), batch_size=500
    )


def take_the_first(apps, schema_editor):
    through = apps.get_model("api", "Bulk").label_sets.through
    for one in through.objects.order_by("-pk"):
        apps.get_model("api", "Bulk").objects.filter(pk=one.bulk_id).update(label_set_id=one.labelset_id)
    apps.get_model("api", "Bulk").objects.filter(label_set=None).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("classifier", "0008_label_sets"),
        ("api", "0001_initial"),
    ]

    operations = [
        migrations.AddField(
            model_name="bulk",
            name="label_sets",
            field=models.ManyToManyField(related_name="+", to="classifier.labelset"),
        ),
        # Empty for a moment on the way back.
        migrations.AlterField(
            model_name="bulk",
            name="label_set",
            field=models.ForeignKey(
                null=True, on_delete=models.deletion.CASCADE, related_name="+", to="classifier.labelset"
            ),
        ),
        migrations.RunPython(carry_over, take_the_first),
        migrations.RemoveField(model_name="bulk", name="label_set"),
    ]
