"""When an action item is due, until an administrator says otherwise."""

from django.db import migrations

PRIORITIES = ("high", "medium", "low")
DAYS = {"sev1": (7, 30, 60), "sev2": (14, 30, 90), "sev3": (30, 60, 90), "sev4": (60, 90, 180), "": (30, 60, 90)}


def fill(apps, schema_editor):
    policy = apps.get_model("postmortems", "ActionDuePolicy")
    policy.objects.using(schema_editor.connection.alias).bulk_create(
        policy(severity=severity, priority=priority, days=days)
        for severity, allowed in DAYS.items()
        for priority, days in zip(PRIORITIES, allowed, strict=True)
    )


class Migration(migrations.Migration):

    dependencies = [
        ("postmortems", "0014_action_items_followed_up"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
