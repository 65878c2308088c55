"""Sign-in by e-mail and a forgotten password look for addresses in lower case."""

from django.db import migrations
from django.db.models.functions import Lower


def lower(apps, schema_editor):
    apps.get_model("postmortems", "User").objects.using(schema_editor.connection.alias).update(email=Lower("email"))


class Migration(migrations.Migration):

    dependencies = [
        ("postmortems", "0008_invitation"),
    ]

    operations = [
        migrations.RunPython(lower, migrations.RunPython.noop),
    ]
