"""People and their roles, and what roles may."""

from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from kb.errors import DomainError
from postmortems import roles
from postmortems.access_forms import PersonForm
from postmortems.models import User
from postmortems.roles import ABILITIES, Role
from postmortems.views.reader import reader_of
from postmortems.workflows import people

PER_PAGE = 50


@require_safe
def role_table(request: HttpRequest) -> HttpResponse:
    """The written table, for everyone."""
    rows = [(ability, [(role, role in ability.roles) for role in Role]) for ability in ABILITIES]
    mine = sorted(reader_of(request).roles)
    return render(request, "postmortems/role_table.html", {"rows": rows, "roles": list(Role), "mine": mine})


@require_safe
def person_list(request: HttpRequest) -> HttpResponse:
    roles.require(request.user, "administer")
    name = request.GET.get("name", "").strip()
    rows = User.objects.prefetch_related("groups", "teams").order_by("username")
    if name:
        rows = rows.filter(Q(username__icontains=name) | Q(first_name__icontains=name) | Q(last_name__icontains=name))
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/person_list.html", {"page": page, "name": name})


@require_http_methods(["GET", "HEAD", "POST"])
def person_edit(request: HttpRequest, pk: int) -> HttpResponse:
    roles.require(request.user, "administer")
    person = get_object_or_404(User, pk=pk)
    state = {
        "roles": [group.name for group in person.groups.all()],
        "teams": [team.slug for team in person.teams.all()],
        "is_active": person.is_active,
    }
    form = PersonForm(request.POST or None, initial=state)
    if form.is_valid():
        known = dict(form.cleaned_data)
        try:
            people.change_person(person, roles_given=known.pop("roles"), **known, by=request.user, at=timezone.now())
        except DomainError as refusal:
            form.add_error(None, str(refusal))
        else:
            messages.success(request, f"{person}: saved. It counts from their next click on.")
            return redirect("person_list")
    return render(request, "postmortems/person_edit.html", {"form": form, "person": person})
