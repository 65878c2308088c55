"""The database itself refuses to change or delete what the audit log says, and to change what a revision said."""

from django.db import migrations

# What it was like with a person does not count: when an account is deleted, `by` becomes empty.
REFUSED = (
    ("audit_event_stays", "UPDATE", "postmortems_auditevent"),
    ("audit_event_is_never_deleted", "DELETE", "postmortems_auditevent"),
    ("revision_stays", "UPDATE OF id, postmortem_id, number, content, at, note", "postmortems_revision"),
)

SQLITE = "CREATE TRIGGER {name} BEFORE {step} ON {table} BEGIN SELECT RAISE(ABORT, '{name}'); END"
POSTGRESQL = (
    "CREATE TRIGGER {name} BEFORE {step} ON {table} FOR EACH ROW EXECUTE FUNCTION postmortems_stays_as_it_is()"
)
FUNCTION = """
CREATE OR REPLACE FUNCTION postmortems_stays_as_it_is() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_NAME USING ERRCODE = 'integrity_constraint_violation';
END
$$
"""


def refuse(apps, schema_editor):
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    if on_postgresql:
        schema_editor.execute(FUNCTION, params=None)
    for name, step, table in REFUSED:
        template = POSTGRESQL if on_postgresql else SQLITE
        schema_editor.execute(template.format(name=name, step=step, table=table), params=None)


def allow(apps, schema_editor):
    on_postgresql = schema_editor.connection.vendor == "postgresql"
    for name, _step, table in REFUSED:
        schema_editor.execute(f"DROP TRIGGER IF EXISTS {name}" + (f" ON {table}" if on_postgresql else ""))
    if on_postgresql:
        schema_editor.execute("DROP FUNCTION IF EXISTS postmortems_stays_as_it_is()")


class Migration(migrations.Migration):

    dependencies = [
        ("postmortems", "0009_addresses_in_lower_case"),
    ]

    operations = [
        migrations.RunPython(refuse, allow),
    ]
