"""A database as it was, filled, upgraded and told about: run by `test_upgrade.py` in a process of its own."""

import json
import sys
from datetime import UTC, date, datetime
from typing import Any

import django
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

BEFORE = ("postmortems", "0004_fill_glossary")  # the last one before postmortems were written here
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def main() -> None:
    django.setup()
    call_command("migrate", *BEFORE, verbosity=0)
    fill(MigrationExecutor(connection).loader.project_state(BEFORE).apps)
    before = rows()
    call_command("migrate", verbosity=0)
    after = rows()
    changed = {table: was for table, was in before.items() if not kept(was, after[table])}
    json.dump({"changed": changed, "told": told()}, sys.stdout, default=str)


def fill(apps: Any) -> None:
    """Something in every table there was."""

    def make(model: str, **values: Any) -> Any:
        return apps.get_model("postmortems", model).objects.create(**values)

    alice = make("User", username="alice", password="x", time_zone="Europe/Berlin")
    root = make("User", username="root", password="x", is_superuser=True)
    gone = make("User", username="gone", password="x", is_active=False)
    team = make("Team", name="Payments", slug="payments")
    team.members.add(alice.pk, gone.pk)
    service = make("Service", name="Checkout", slug="checkout", owner_team_id=team.pk)
    incident = make("Incident", title="Down", symptoms="503", symptoms_html="<p>503</p>", started_at=NOON)
    incident.services.add(service.pk)
    incident.members.add(alice.pk)
    make("Incident", title="A drill", status="cancelled", started_at=NOON, visibility="restricted")
    problem = make("Problem", title="The pool runs dry")
    done = {"status": "published", "published_at": NOON, "occurred_on": date(2026, 3, 1)}
    postmortem = make("Postmortem", title="Why it was down", owner_id=alice.pk, problem_id=problem.pk, **done)
    postmortem.incidents.add(incident.pk)
    draft = make("Postmortem", title="Half written", owner_id=root.pk, team_id=team.pk)
    make("SectionText", postmortem_id=postmortem.pk, key="summary", body="It was *down*.", html="<p>down</p>")
    make("SectionText", postmortem_id=draft.pk, key="impact", body="Many.", html="<p>Many.</p>")
    make("TimelineEntry", postmortem_id=postmortem.pk, at=NOON, text="Paged")
    make("ActionItem", postmortem_id=postmortem.pk, title="Alert on the pool", owner_id=alice.pk)
    fix = make("Fix", title="Recycle the pool", steps="Restart.", steps_html="<p>Restart.</p>", problem_id=problem.pk)
    make("FixUse", fix_id=fix.pk, incident_id=incident.pk, outcome="worked", at=NOON)
    make("ImportedFile", postmortem_id=postmortem.pk, identity="a.md", path="a.md", text="# A")
    make("SuggestionVerdict", incident_id=incident.pk, key="fix:1", verdict="same_cause", at=NOON)


def rows() -> dict[str, list[dict[str, Any]]]:
    """All tables of the domain, as they are in the database now."""
    with connection.cursor() as cursor:
        tables = [name for name in connection.introspection.table_names(cursor) if name.startswith("postmortems_")]
        found = {}
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)} ORDER BY 1")
            names = [column[0] for column in cursor.description]
            found[table] = [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]
    return found


def kept(was: list[dict[str, Any]], now: list[dict[str, Any]]) -> bool:
    """Every row is still there with every value; there may be more columns now, and more rows."""
    by_pk = {row["id"]: row for row in now}
    return all(row["id"] in by_pk and by_pk[row["id"]] | row == by_pk[row["id"]] for row in was)


def told() -> dict[str, Any]:
    from postmortems.models import Incident, User

    return {
        "roles": {person.username: sorted(person.roles) for person in User.objects.all()},
        "reasons": list(Incident.objects.exclude(cancel_reason="").values_list("title", "cancel_reason")),
    }


if __name__ == "__main__":
    main()
