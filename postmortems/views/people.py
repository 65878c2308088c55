"""People and their roles, and what roles may."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from postmortems.roles import ABILITIES, Role
from postmortems.views.reader import reader_of


@require_safe
def role_table(request: HttpRequest) -> HttpResponse:
    """The written table, for everyone."""
    rows = [(ability, [(role, role in ability.roles) for role in Role]) for ability in ABILITIES]
    mine = sorted(reader_of(request).roles)
    return render(request, "postmortems/role_table.html", {"rows": rows, "roles": list(Role), "mine": mine})
