"""The glossary starts with the table that comes with the program; from then on it is the organisation's own."""

from django.db import migrations

from postmortems.search.glossary import GROUPS, groups_of


def fill(apps, schema_editor):
    entries = apps.get_model("postmortems", "GlossaryEntry").objects.using(schema_editor.connection.alias)
    entries.bulk_create(entries.model(terms="\n".join(members)) for members in groups_of(GROUPS))


class Migration(migrations.Migration):

    dependencies = [
        ("postmortems", "0003_glossary_entry"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
