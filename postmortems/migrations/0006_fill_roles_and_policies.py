"""Whoever had an account keeps what they could do; incidents cancelled so far get a reason; the usual policy."""

from django.db import migrations

ROLES = ("reader", "author", "reviewer", "manager", "administrator")
KEPT = ("author", "reviewer")
POLICY = [("sev1", True, 5), ("sev2", True, 10), ("sev3", False, 15), ("sev4", False, 15)]


def fill(apps, schema_editor):
    alias = schema_editor.connection.alias
    group = apps.get_model("auth", "Group").objects.using(alias)
    groups = {name: group.get_or_create(name=name)[0] for name in ROLES}
    user = apps.get_model("postmortems", "User")
    for person in user.objects.using(alias).filter(is_superuser=False):
        person.groups.add(*(groups[name].pk for name in KEPT))
    incident = apps.get_model("postmortems", "Incident").objects.using(alias)
    incident.filter(status="cancelled", cancel_reason="").update(cancel_reason="Not recorded at the time.")
    policy = apps.get_model("postmortems", "PostmortemPolicy")
    policy.objects.using(alias).bulk_create(
        policy(severity=severity, is_required=required, days_until_due=days) for severity, required, days in POLICY
    )


class Migration(migrations.Migration):

    dependencies = [
        ("postmortems", "0005_writing_and_reviewing"),
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
