"""Who may see a postmortem: the rules of `visible_to`, asked from the other side. A test holds the two together."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from postmortems import roles
from postmortems.models.access import Visibility
from postmortems.models.incident import Incident
from postmortems.models.postmortem import Postmortem
from postmortems.models.user import User
from postmortems.roles import Role


def readers_of(postmortem: Postmortem) -> QuerySet[User]:
    """Everybody who may see it now."""
    seeing = _seeing(postmortem) & ~Exists(_hidden_incidents(postmortem))
    return User.objects.filter(seeing | with_role(Role.ADMINISTRATOR), is_active=True).order_by("username")


def reviewers_for(postmortem: Postmortem) -> QuerySet[User]:
    """Who could be asked to review it: never its owner, and no program."""
    able = with_role(*roles.BY_KEY["review"].roles)
    return readers_of(postmortem).filter(able, is_integration=False).exclude(postmortems=postmortem)


def with_role(*names: str) -> Q:
    of_group = User.objects.filter(groups__name__in=names).values("pk")
    return Q(pk__in=of_group) | Q(is_superuser=True) if Role.ADMINISTRATOR in names else Q(pk__in=of_group)


def _seeing(postmortem: Postmortem) -> Q:
    is_open = postmortem.visibility == Visibility.OPEN
    if is_open and postmortem.status in Postmortem.READABLE:
        return Q(pk__isnull=False)
    mine = Q(pk=postmortem.owner_id) | _named_by(postmortem)
    of_my_team = Q(pk__in=User.objects.filter(teams=postmortem.team_id).exclude(teams=None).values("pk"))
    return mine | of_my_team if is_open else mine


def _named_by(row: Any) -> Q:
    of_teams = User.objects.filter(teams__in=row.shared_with.values("pk")).values("pk")
    return Q(pk__in=row.members.values("pk")) | Q(pk__in=of_teams)


def _hidden_incidents(postmortem: Postmortem) -> QuerySet[Incident]:
    """Of a query over users: its incidents that do not name the user."""
    user, of_this = OuterRef(OuterRef("pk")), {"incident": OuterRef("pk")}
    named = Exists(Incident.members.through.objects.filter(user=user, **of_this))
    shared = Exists(Incident.shared_with.through.objects.filter(team__members=user, **of_this))
    return Incident.objects.filter(~named, ~shared, postmortems=postmortem, visibility=Visibility.RESTRICTED)
