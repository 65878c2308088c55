"""What becomes of alerts until somebody says otherwise: those for information are kept, warnings join, the rest opens."""

from django.db import migrations

POLICIES = [
    (10, "info\ninformation\ndebug\nnone\nok", "ignore"),
    (20, "warning\nwarn\nlow\nmoderate\np4\np5", "attach"),
]


def fill(apps, schema_editor):
    policy = apps.get_model("postmortems", "IntakePolicy")
    policy.objects.using(schema_editor.connection.alias).bulk_create(
        policy(position=position, label="severity", values=values, action=action)
        for position, values, action in POLICIES
    )


class Migration(migrations.Migration):

    dependencies = [
        ("postmortems", "0016_alerts"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
