"""Known problems: the list, and one with all its occurrences, fixes and look-alikes."""

from functools import partial

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from postmortems import roles
from postmortems.filters import ProblemFilter
from postmortems.models import Comparison, Problem
from postmortems.review_forms import LinkForm, MergeForm, ProblemForm, StateForm
from postmortems.views.permalinks import by_ref
from postmortems.views.steps import stepped
from postmortems.workflows import problems

PER_PAGE = 25
PROMISES = 5  # the longest overdue


@require_safe
def problem_list(request: HttpRequest) -> HttpResponse:
    rows = Problem.objects.visible_to(request.user).with_counts(request.user)
    found = ProblemFilter(request.GET, queryset=rows)
    page = Paginator(found.qs.order_by("-occurrences", "title", "pk"), PER_PAGE).get_page(request.GET.get("page"))
    return render(request, "postmortems/problem_list.html", {"filter": found, "page": page})


def _seen(request: HttpRequest, ref: str) -> Problem:
    return by_ref(Problem.objects.visible_to(request.user), ref)


@require_safe
def problem_detail(request: HttpRequest, ref: str, slug: str = "") -> HttpResponse:
    return _page(request, _seen(request, ref))


def _page(
    request: HttpRequest, problem: Problem, *, link: LinkForm | None = None, merge: MergeForm | None = None
) -> HttpResponse:
    seen = problems.occurrences(problem, user=request.user)
    context = {
        "problem": problem,
        "occurrences": seen,
        "picture": problems.picture_of(seen),
        "fixes": problems.fixes_of(problem, user=request.user),
        "promises": problems.promises_of(problem, user=request.user)[:PROMISES],
        "lookalikes": Comparison.objects.visible_to(request.user).kept_apart(problem),
        "link_form": link or LinkForm(reader=request.user),
        "merge_form": merge or MergeForm(reader=request.user, auto_id="merge_%s"),
        "merging": merge is not None,
    }
    return render(request, "postmortems/problem_detail.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def problem_edit(request: HttpRequest, ref: str) -> HttpResponse:
    problem = _seen(request, ref)
    roles.require(request.user, "curate")
    names = ("title", "cause_category", "discriminating_check")
    form = ProblemForm(request.POST or None, initial={name: getattr(problem, name) for name in names})
    if form.is_valid():
        problems.edit(problem, **form.cleaned_data, by=request.user, at=timezone.now())
        messages.success(request, f"{problem.ref} is saved.")
        return redirect(problem)
    return render(request, "postmortems/problem_edit.html", {"problem": problem, "form": form})


@require_POST
def problem_state(request: HttpRequest, ref: str) -> HttpResponse:
    problem = _seen(request, ref)
    form = StateForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Choose one of the states.")
        return redirect(problem)
    step = partial(problems.set_state, problem, form.cleaned_data["state"], by=request.user, at=timezone.now())
    return stepped(request, problem, step, "The state is changed.")


@require_POST
def problem_link(request: HttpRequest, ref: str) -> HttpResponse:
    problem = _seen(request, ref)
    form = LinkForm(request.POST, reader=request.user)
    if not form.is_valid():
        return _page(request, problem, link=form)
    row = form.cleaned_data["ref"]
    step = partial(problems.link, problem, row, by=request.user, at=timezone.now())
    return stepped(request, problem, step, f"{row.ref} belongs to {problem.ref} now.")


@require_POST
def problem_unlink(request: HttpRequest, ref: str) -> HttpResponse:
    problem = _seen(request, ref)
    form = LinkForm(request.POST, reader=request.user)
    if not form.is_valid():
        return _page(request, problem, link=form)
    row = form.cleaned_data["ref"]
    step = partial(problems.unlink, problem, row, by=request.user, at=timezone.now())
    done = stepped(request, problem, step, f"{row.ref} is taken off {problem.ref}.")
    # With the last one that they see, the problem goes out of their sight.
    still_seen = Problem.objects.visible_to(request.user).filter(pk=problem.pk).exists()
    return done if still_seen else redirect("problem_list")


@require_POST
def problem_merge(request: HttpRequest, ref: str) -> HttpResponse:
    """Another problem becomes part of this one."""
    problem = _seen(request, ref)
    form = MergeForm(request.POST, reader=request.user, auto_id="merge_%s")
    if not form.is_valid():
        return _page(request, problem, merge=form)
    other = form.cleaned_data["ref"]
    gone = other.ref
    step = partial(problems.merge, other, into=problem, by=request.user, at=timezone.now())
    return stepped(request, problem, step, f"{gone} is part of {problem.ref} now.")
