"""The life of an action item: promised, done, verified, or declined. Every step is in its history and told."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from django.db import transaction

from kb.errors import DomainError
from postmortems import roles, search
from postmortems.models import ActionDuePolicy, ActionItem, Incident, Postmortem, User
from postmortems.workflows import auditing, telling


class NotTheirs(DomainError):
    """This person cannot own it."""


def propose_due(home: Postmortem | Incident, *, priority: str, at: datetime) -> date | None:
    """By when, as the policy says for the severity of where it is promised."""
    return ActionDuePolicy.objects.propose(severity=home.severity, priority=priority, at=at)


@transaction.atomic
def create(
    home: Postmortem | Incident,
    *,
    by: User | None,
    at: datetime,
    title: str,
    kind: str,
    done_when: str,
    owner: User | None,
    due_on: date | None = None,
    priority: str,
    ticket: str = "",
    details: str = "",
) -> ActionItem:
    """A new promise. Without a date it gets the one that the policy proposes."""
    roles.require(by, "follow_up")
    place = {"incident": home} if isinstance(home, Incident) else {"postmortem": home}
    item = ActionItem(
        **place,
        title=title,
        kind=kind,
        done_when=done_when,
        details=details,
        ticket=ticket,
        priority=priority,
        due_on=due_on or propose_due(home, priority=priority, at=at),
        created_at=at,
    )
    _refuse_blind([item], owner)
    item.promise(owner=owner)
    changes = {name: ("", value) for name, value in item.content().items() if value}
    auditing.record("action.create", on=item, by=by, at=at, changes=changes)
    search.changed(*item.homes)
    _tell(item, f"is promised{_to(owner)}", "create", by=by, at=at)
    return item


@transaction.atomic
def edit(item: ActionItem, *, by: User | None, at: datetime, **fields: Any) -> None:
    """Words, kind, priority, ticket: `models.action_item.DESCRIBED`. Owner, date and state have steps of their own."""
    roles.require(by, "follow_up")
    _change(item, lambda: item.describe(**fields), "edit", by=by, at=at)


@transaction.atomic
def assign(item: ActionItem, *, owner: User | None, by: User | None, at: datetime) -> None:
    """One owner, who can see it; or nobody."""
    roles.require(by, "follow_up")
    _refuse_blind([item], owner)
    if _change(item, lambda: item.hand_to(owner), "assign", by=by, at=at):
        _tell(item, f"has an owner: {owner}" if owner else "has no owner any more", "assign", by=by, at=at)


@transaction.atomic
def start(item: ActionItem, *, by: User | None, at: datetime) -> None:
    """Somebody works on it. Nobody is told: it is on the board."""
    roles.require(by, "follow_up")
    _change(item, item.start, "start", by=by, at=at)


@transaction.atomic
def complete(item: ActionItem, *, evidence: str, by: User | None, at: datetime) -> None:
    """Done, says who did it; somebody else verifies it."""
    roles.require(by, "follow_up")
    _change(item, lambda: item.complete(evidence=evidence.strip(), by=by, at=at), "complete", by=by, at=at)
    _tell(item, "is done, and waits for somebody to verify it", "complete", by=by, at=at)


@transaction.atomic
def verify(item: ActionItem, *, evidence: str, by: User | None, at: datetime) -> None:
    """Somebody other than its owner has seen that it holds."""
    roles.require(by, "follow_up")
    _change(item, lambda: item.verify(evidence=evidence, by=by, at=at), "verify", by=by, at=at)
    _tell(item, "is verified", "verify", by=by, at=at)


@transaction.atomic
def decline(item: ActionItem, *, reason: str, by: User | None, at: datetime) -> None:
    """It will not be done. Who approves that answers for it."""
    roles.require(by, "decline")
    reason = reason.strip()
    _change(item, lambda: item.decline(reason=reason, by=by, at=at), "decline", by=by, at=at, reason=reason)
    _tell(item, "will not be done", "decline", by=by, at=at)


@transaction.atomic
def reopen(item: ActionItem, *, reason: str, by: User | None, at: datetime) -> None:
    """It did not hold, or is wanted after all. What ended it stays in its history."""
    roles.require(by, "follow_up")
    reopen_because(item, reason=reason.strip(), by=by, at=at)
    _tell(item, "is open again", "reopen", by=by, at=at)


def reopen_because(item: ActionItem, *, reason: str, by: User | None, at: datetime, **facts: tuple[Any, Any]) -> None:
    """The step itself. `facts`: what else its history should hold, before and after."""
    if not reason:
        raise DomainError("Why is it open again? Its owner will ask.")
    _change(item, lambda: item.reopen(at=at), "reopen", by=by, at=at, reason=reason, facts=facts)


def end_as_before(item: ActionItem, ending: Mapping[str, str], *, reason: str, at: datetime) -> None:
    """What the program opened again by mistake is as it was. `ending`: what it was before, as its history tells."""
    _change(item, lambda: item.end_as_before(ending), "hold", by=None, at=at, reason=reason)


@transaction.atomic
def reschedule(item: ActionItem, *, due_on: date | None, reason: str, by: User | None, at: datetime) -> None:
    """Another date, with a reason."""
    roles.require(by, "follow_up")
    step = _mover(item, due_on, reason)
    if _change(item, step, "reschedule", by=by, at=at, reason=reason.strip()):
        _tell(item, f"is due on {due_on}" if due_on else "has no date any more", "reschedule", by=by, at=at)


@transaction.atomic
def identify_owner(owner_text: str, *, user: User, by: User | None, at: datetime) -> int:
    """ "This is Bob": of all items that `by` may see and that only this name owns; how many there were.

    Those that Bob may not see keep the name.
    """
    roles.require(by, "follow_up")
    rows = ActionItem.objects.visible_to(user).named(owner_text)
    if by is not None:
        rows = rows.filter(pk__in=ActionItem.objects.visible_to(by).values("pk"))
    items = list(rows.select_related("owner", "postmortem", "incident"))
    for item in items:
        _change(
            item, _hander(item, user), "assign", by=by, at=at, reason=f"{owner_text.strip()} is {user}.", learn=False
        )
    _learn(items)
    _tell_owner(items, user, by=by, at=at)
    return len(items)


@transaction.atomic
def change_many(
    items: Iterable[ActionItem],
    *,
    owner: User | None = None,
    due_on: date | None = None,
    reason: str,
    by: User | None,
    at: datetime,
) -> int:
    """Another owner, another date, or both, for all of them or for none; how many were changed."""
    roles.require(by, "follow_up")
    chosen, reason = list(items), reason.strip()
    if owner is None and due_on is None:
        raise DomainError("Say what changes: the owner, the date, or both.")
    _refuse_blind(chosen, owner)
    handed = [item for item in chosen if owner and _give(item, owner, by=by, at=at, reason=reason)]
    moved = [item for item in chosen if due_on and _move(item, due_on, by=by, at=at, reason=reason)]
    changed = list({item.pk: item for item in (*handed, *moved)}.values())
    _learn(changed)
    if owner:
        _tell_owner(handed, owner, by=by, at=at)
    return len(changed)


def _give(item: ActionItem, owner: User, *, reason: str, by: User | None, at: datetime) -> bool:
    return _change(item, _hander(item, owner), "assign", by=by, at=at, reason=reason, learn=False)


def _move(item: ActionItem, due_on: date, *, reason: str, by: User | None, at: datetime) -> bool:
    return _change(item, _mover(item, due_on, reason), "reschedule", by=by, at=at, reason=reason, learn=False)


# --- what each step has in common ---


def _hander(item: ActionItem, owner: User) -> Callable[[], None]:
    return lambda: item.hand_to(owner)


def _mover(item: ActionItem, due_on: date | None, reason: str) -> Callable[[], None]:
    return lambda: item.put_off(due_on=due_on, reason=reason)


def _change(
    item: ActionItem,
    step: Callable[[], None],
    verb: str,
    *,
    by: User | None,
    at: datetime,
    reason: str = "",
    facts: dict[str, tuple[Any, Any]] | None = None,
    learn: bool = True,
) -> bool:
    """Take the step and write down what it changed; whether it changed anything."""
    item.lock()  # what somebody else changed meanwhile is no change of this step, and its rules hold for it, too
    before = item.content()
    step()
    changes = auditing.differences(before, item.content())
    if not changes:
        return False
    auditing.record(f"action.{verb}", on=item, by=by, at=at, reason=reason, changes={**changes, **(facts or {})})
    if learn:
        _learn([item])
    return True


def _learn(items: Sequence[ActionItem]) -> None:
    homes = {home.search_key: home for item in items for home in item.homes}
    search.changed(*homes.values())


def _refuse_blind(items: Sequence[ActionItem], owner: User | None) -> None:
    """Nobody owns what they cannot read, what a program's account would forget, or what somebody who left had."""
    if owner is None:
        return
    if not owner.is_active or owner.is_integration:
        raise NotTheirs(f"{owner} is no account that somebody signs in with.")
    for home in {home.search_key: home for item in items for home in item.homes}.values():
        if not type(home)._default_manager.visible_to(owner).filter(pk=home.pk).exists():
            raise NotTheirs(f"{owner} may not see {home.ref}: share it with them first, or choose somebody else.")


def _tell(item: ActionItem, what: str, verb: str, *, by: User | None, at: datetime) -> None:
    text = f"{item.ref} {what}: {item.title}"
    telling.tell_watchers([item.owner], action=f"action.{verb}", text=text, about=item.home, by=by, at=at)


def _tell_owner(items: Sequence[ActionItem], owner: User, *, by: User | None, at: datetime) -> None:
    """Once for all of them. It names one: the notification is about its home."""
    if items:
        more = f", and {len(items) - 1} more," if len(items) > 1 else ""
        text = f"{items[0].ref}{more} {'are' if more else 'is'} yours now: {items[0].title}"
        telling.tell([owner], action="action.assign", text=text, about=items[0].home, by=by, at=at)


def _to(owner: User | None) -> str:
    return f" by {owner}" if owner else ""
