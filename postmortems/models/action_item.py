"""What was promised after an incident, and its life until somebody else has seen that it holds."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Self

from django.conf import settings
from django.db import models
from django.db.models import Case, Exists, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce
from django.urls import reverse
from django.utils import timezone

from kb.errors import DomainError
from kb.listing import CountOf
from postmortems.models import prevention
from postmortems.models.catalogue import Team
from postmortems.models.incident import Incident
from postmortems.models.indexed import Referable
from postmortems.models.postmortem import Postmortem
from postmortems.models.user import User

DESCRIBED = ("title", "kind", "details", "done_when", "priority", "ticket", "external_url")
HISTORY = (*DESCRIBED, "state", "reason", "evidence")
# What has no date comes last on every database: of themselves they do not agree where nothing stands.
SOONEST_FIRST = (F("due_on").asc(nulls_last=True), "pk")


class NotThatStep(DomainError):
    """The action item is in a state that this step does not start from, or something is still missing."""


class ActionItemQuerySet(models.QuerySet["ActionItem"]):
    def visible_to(self, user: Any) -> Self:
        """Seen where its postmortem and its incident are both seen."""
        postmortem = Q(postmortem=None) | Postmortem.objects.visible_where(user, "postmortem__")
        incident = Q(incident=None) | Incident.objects.visible_where(user, "incident__")
        return self.filter(postmortem, incident)

    def all_visible_to(self, user: Any) -> Self:
        """The same rows, for a list of thousands: who may see a home is asked once for each home, not for each item."""
        postmortems, incidents = Postmortem.objects.visible_to(user), Incident.objects.visible_to(user)
        postmortem = Q(postmortem=None) | Q(postmortem__in=postmortems.values("pk"))
        return self.filter(postmortem, Q(incident=None) | Q(incident__in=incidents.values("pk")))

    def seen_with_its_postmortem(self) -> Self:
        """Whoever sees the postmortem sees these: their incident, if they have one, is one of its own."""
        return self.filter(Q(incident=None) | Q(incident__postmortems=F("postmortem"))).distinct()

    def unfinished(self) -> Self:
        return self.filter(state__in=ActionItem.UNFINISHED)

    def preventive(self) -> Self:
        return self.filter(kind=ActionItem.Kind.PREVENT)

    def owed(self) -> Self:
        """With `promised_at` and `held_from`: the time between these it is owed."""
        return self.annotate(**prevention.OWED)

    def with_prevented(self, user: Any) -> Self:
        """Annotates `prevented`: how many later incidents, that this reader may see, it would have prevented."""
        return self.owed().annotate(prevented=CountOf(prevention.prevented(user)))

    def would_have_prevented(self, incident: Any, user: Any) -> Self:
        """Those owed when this incident (its pk, or an `OuterRef`) started, because it shows the same thing again."""
        return self.owed().filter(Exists(prevention.prevented(user).filter(pk=incident)))

    def of_teams(self, *teams: Any) -> Self:
        """Promised in a postmortem of one of these teams, or owned by somebody on it."""
        return self.of_any_team(Team.objects.filter(pk__in=[team.pk for team in teams]))

    def of_any_team(self, teams: Any) -> Self:
        """The same for a queryset of teams, which costs no query of its own."""
        people = Team.members.through.objects.filter(team__in=teams.values("pk")).values("user")
        return self.filter(Q(owner__in=people) | Q(postmortem__team__in=teams.values("pk")))

    def overdue(self, *, on: date) -> Self:
        return self.unfinished().filter(due_on__lt=on)

    def owned_by(self, user: Any) -> Self:
        return self.filter(owner=user)

    def of_service(self, service: Any) -> Self:
        """Promised where this service broke."""
        postmortem = Q(postmortem__in=Postmortem.objects.filter(services=service).values("pk"))
        return self.filter(postmortem | Q(incident__in=Incident.objects.filter(services=service).values("pk")))

    def of_severity(self, severity: str) -> Self:
        """That of where it was promised."""
        return self.filter(Q(postmortem__severity=severity) | Q(postmortem=None, incident__severity=severity))

    def of_problem(self, problem: Any) -> Self:
        """Promised in a postmortem of this problem, or in an incident of such a postmortem."""
        return self.promised_in(Postmortem.objects.filter(problem=problem))

    def promised_in(self, postmortems: Any) -> Self:
        """In one of these, or in an incident that one of them tells of."""
        told = Incident.objects.filter(postmortems__in=postmortems.values("pk")).values("pk")
        return self.filter(Q(postmortem__in=postmortems.values("pk")) | Q(postmortem=None, incident__in=told))

    def owned_by_a_name(self) -> Self:
        """Nobody's account: a name as it was written where it was imported from."""
        return self.filter(owner=None).exclude(owner_text="")

    def named(self, owner_text: str) -> Self:
        """Owned by nobody but this name, whatever its case."""
        return self.owned_by_a_name().filter(owner_text__iexact=owner_text.strip())

    def by_urgency(self) -> Self:
        """Within each state: of what is not finished the soonest first, of what is finished what ended last."""
        ended = Coalesce("verified_at", "declined_at", "done_at", "created_at")
        is_unfinished = Q(state__in=ActionItem.UNFINISHED)
        soonest = Case(When(is_unfinished, then="due_on")).asc(nulls_last=True)
        latest = Case(When(is_unfinished, then=None), default=ended).desc(nulls_last=True)
        return self.order_by(soonest, latest, "pk")

    def soonest_first(self) -> Self:
        return self.order_by(*SOONEST_FIRST)


class ActionItem(Referable):
    """One promise with one owner. `done_when` is how anyone can tell that it holds.

    open -> in progress -> done -> verified, by somebody else and with evidence; or won't do, with a reason. It is open
    again when its problem recurs. Each change is in the audit log.
    """

    ref_prefix = "ACT"

    class Kind(models.TextChoices):
        PREVENT = "prevent", "Prevent"
        DETECT = "detect", "Detect"
        MITIGATE = "mitigate", "Mitigate"
        PROCESS = "process", "Process"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        IN_PROGRESS = "in_progress", "In progress"
        DONE = "done", "Done"
        VERIFIED = "verified", "Verified"
        WONT_DO = "wont_do", "Won't do"

    class Priority(models.TextChoices):
        HIGH = "high", "High"
        MEDIUM = "medium", "Medium"
        LOW = "low", "Low"

    postmortem = models.ForeignKey(
        Postmortem, null=True, blank=True, on_delete=models.CASCADE, related_name="action_items"
    )
    incident = models.ForeignKey(Incident, null=True, blank=True, on_delete=models.CASCADE, related_name="action_items")
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.PREVENT)
    title = models.CharField(max_length=500)
    details = models.TextField(blank=True)
    done_when = models.TextField(blank=True, help_text="How anyone can tell that it holds.")
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="action_items",
    )
    owner_text = models.CharField(max_length=200, blank=True, help_text="As written, where no account matches.")
    due_on = models.DateField(null=True, blank=True)
    priority = models.CharField(max_length=6, choices=Priority.choices, default=Priority.MEDIUM)
    state = models.CharField(max_length=11, choices=State.choices, default=State.OPEN)
    reason = models.TextField(blank=True, help_text="Why it will not be done.")
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    external_url = models.CharField(max_length=500, blank=True)
    ticket = models.CharField(max_length=200, blank=True, help_text="In another tracker: JIRA-123, org/repo#4.")
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    done_at = models.DateTimeField(null=True, blank=True)
    done_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    evidence = models.TextField(blank=True, help_text="What shows that it holds.")
    verified_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    verified_at = models.DateTimeField(null=True, blank=True)
    declined_at = models.DateTimeField(null=True, blank=True)
    reopened_at = models.DateTimeField(null=True, blank=True)

    UNFINISHED = (State.OPEN, State.IN_PROGRESS)

    objects = ActionItemQuerySet.as_manager()

    class Meta:
        ordering = SOONEST_FIRST
        indexes = [models.Index(fields=["state", "due_on"])]
        constraints = [
            models.CheckConstraint(condition=~Q(title=""), name="action_item_has_title"),
            models.CheckConstraint(
                condition=Q(postmortem__isnull=False) | Q(incident__isnull=False),
                name="action_item_has_a_home",
            ),
            models.CheckConstraint(condition=~Q(state="wont_do") | ~Q(reason=""), name="wont_do_has_a_reason"),
            models.CheckConstraint(condition=~Q(state="verified") | ~Q(evidence=""), name="verified_has_evidence"),
            models.CheckConstraint(
                condition=Q(state__in=["open", "in_progress", "done", "verified", "wont_do"]),
                name="action_item_state_is_known",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def home(self) -> Postmortem | Incident:
        """Where it was promised; a constraint says that there is one."""
        found = self.postmortem or self.incident
        if found is None:
            raise ValueError("An action item without a home was never saved.")
        return found

    @property
    def home_ref(self) -> str:
        """`PM-12`, without a look at the row."""
        pk, home = (self.postmortem_id, Postmortem) if self.postmortem_id else (self.incident_id, Incident)
        return f"{home.ref_prefix}-{pk}"

    @property
    def home_address(self) -> str:
        """Of the page where it was promised, without a look at the row."""
        return reverse("postmortem_detail" if self.postmortem_id else "incident_detail", args=[self.home_ref])

    @property
    def is_preventive(self) -> bool:
        return self.kind == self.Kind.PREVENT

    @property
    def homes(self) -> list[Postmortem | Incident]:
        """All that it hangs on, and whose documents name it."""
        return [row for row in (self.postmortem, self.incident) if row is not None]

    @property
    def severity(self) -> str:
        """That of its home; empty where none is known."""
        return self.home.severity

    @property
    def owner_name(self) -> str:
        """The owner's, or the name that stands where no account matches; empty: nobody."""
        return str(self.owner) if self.owner else self.owner_text

    def content(self) -> dict[str, Any]:
        """What people decide about it, as plain values: for its history."""
        plain = {name: getattr(self, name) for name in HISTORY}
        due_on = self.due_on.isoformat() if self.due_on else ""
        return {"owner": self.owner_name, "due_on": due_on, **plain}

    def get_absolute_url(self) -> str:
        return reverse("action_detail", args=[self.ref])

    @property
    def is_unfinished(self) -> bool:
        return self.state in self.UNFINISHED

    def days_late(self, *, on: date) -> int:
        """Days past its date; 0 if it has none, is not there yet, or the item is finished."""
        return max((on - self.due_on).days, 0) if self.due_on and self.is_unfinished else 0

    def prevented_incidents(self, user: Any) -> QuerySet[Incident]:
        """The rows behind `with_prevented`: later incidents that it would have prevented, newest first."""
        row = ActionItem.objects.filter(pk=self.pk)
        known = dict(row.values("postmortem", "postmortem__problem", **prevention.OWED)[0])
        return prevention.prevented(user, lambda name, _depth: Value(known[name])).order_by("-started_at", "-pk")

    def lock(self) -> None:
        """As it is at this moment; nobody else changes it before the end of the transaction."""
        rows = ActionItem.objects.select_for_update(of=("self",))
        self.refresh_from_db(from_queryset=rows, fields=[*HISTORY, "owner", "owner_text", "due_on", "done_by"])

    def promise(self, *, owner: User | None) -> None:
        """Written down for the first time."""
        self.owner = owner
        self.save()

    def describe(self, **fields: Any) -> None:
        """Title, kind, what `done_when` says, and the like: nothing that is a step."""
        if unknown := set(fields) - set(DESCRIBED):
            raise ValueError(f"Not to be edited so: {', '.join(sorted(unknown))}.")
        self._write(**fields)

    def hand_to(self, owner: User | None) -> None:
        """One owner, or nobody. The name that stood there is the owner's now."""
        self._write(owner=owner, owner_text="")

    def put_off(self, *, due_on: date | None, reason: str) -> None:
        """Another date. A promise that moves says why."""
        if not reason.strip():
            raise NotThatStep("Why does the date change? Whoever waits for it will ask.")
        self._write(due_on=due_on)

    def start(self) -> None:
        self._step({self.State.OPEN}, self.State.IN_PROGRESS)

    def complete(self, *, at: datetime, evidence: str = "", by: User | None = None) -> None:
        """Its owner says so. What shows it may come now, or with the verification."""
        self._step(set(self.UNFINISHED), self.State.DONE, done_at=at, done_by=by, evidence=evidence)

    def verify(self, *, by: User | None, evidence: str, at: datetime) -> None:
        """Somebody other than the owner, and than who did it, has seen that `done_when` holds."""
        if by is not None and by.pk in (self.owner_id, self.done_by_id):
            raise NotThatStep("Somebody other than its owner, and than who did it, verifies it.")
        evidence = evidence.strip() or self.evidence
        if not evidence:
            raise NotThatStep("What shows that it holds? A dashboard, a test, the change itself.")
        self._step({self.State.DONE}, self.State.VERIFIED, verified_by=by, verified_at=at, evidence=evidence)

    def decline(self, *, reason: str, by: User | None, at: datetime) -> None:
        """It will not be done; who approves that answers for it, and is not who would have to do it."""
        if by is not None and by.pk == self.owner_id:
            raise NotThatStep("Somebody other than its owner approves that it is not done.")
        if not reason.strip():
            raise NotThatStep("Why will it not be done? The next one who is hit by this will ask.")
        self._step(
            {*self.UNFINISHED, self.State.DONE}, self.State.WONT_DO, reason=reason, approved_by=by, declined_at=at
        )

    def reopen(self, *, at: datetime) -> None:
        """It was not done, did not hold, or is wanted after all. What was said when it ended is in the audit log."""
        ended = {self.State.DONE, self.State.VERIFIED, self.State.WONT_DO}
        nothing = dict.fromkeys(("done_at", "done_by", "verified_at", "verified_by", "declined_at", "approved_by"))
        self._step(ended, self.State.OPEN, reopened_at=at, evidence="", reason="", **nothing)

    def ending(self) -> dict[str, str]:
        """When and by whom it was done and verified, as plain values: what `end_as_before` takes."""
        moments = {name: getattr(self, name) for name in ("done_at", "verified_at")}
        people = {name: getattr(self, name) for name in ("done_by", "verified_by")}
        known = {name: moment.isoformat() for name, moment in moments.items() if moment}
        return known | {name: person.get_username() for name, person in people.items() if person}

    def end_as_before(self, ending: Mapping[str, str]) -> None:
        """It was opened again by mistake. `ending`: its state and evidence then, and what `ending()` said."""
        people = {name: User.objects.filter(username=ending.get(name)).first() for name in ("done_by", "verified_by")}
        moments = {
            name: datetime.fromisoformat(ending[name]) for name in ("done_at", "verified_at") if ending.get(name)
        }
        evidence = ending.get("evidence", "")
        self._step({self.State.OPEN}, self.State(ending["state"]), evidence=evidence, **moments, **people)

    def _write(self, **fields: Any) -> None:
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=list(fields))

    def _step(self, starts: set[Any], state: Any, **fields: Any) -> None:
        moved = ActionItem.objects.filter(pk=self.pk, state__in=starts).update(state=state, **fields)
        self.refresh_from_db(fields=["state", *fields])
        if not moved:
            raise NotThatStep(f"{self.ref} is {self.get_state_display().lower()}: this cannot be done to it now.")
