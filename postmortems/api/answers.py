"""The shapes of what search and suggestions answer, for the description of the API: the answers are made elsewhere."""

from typing import Any

from rest_framework import serializers


class WhySerializer(serializers.Serializer[Any]):
    """One thing in common; `weight` is its share of the score, 0 to 1."""

    term = serializers.CharField()
    field = serializers.CharField()
    weight = serializers.FloatField()


class PartSerializer(serializers.Serializer[Any]):
    """A part of the score."""

    name = serializers.CharField()
    value = serializers.FloatField()


class SuggestedFixSerializer(serializers.Serializer[Any]):
    """A fix and its record."""

    ref = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.CharField()
    worked = serializers.IntegerField()
    tried = serializers.IntegerField()
    last_outcome_on = serializers.DateField(allow_null=True)


class PromiseSerializer(serializers.Serializer[Any]):
    """An action item that is not finished, and by how many days it is late."""

    ref = serializers.CharField()
    promised_in = serializers.CharField()
    title = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    due_on = serializers.DateField(allow_null=True)
    days_late = serializers.IntegerField(allow_null=True)


class SuggestedProblemSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    discriminating_check = serializers.CharField(allow_null=True)


class SuggestionSerializer(serializers.Serializer[Any]):
    """An earlier incident, postmortem or fix that looks like it, why, and what fixed it."""

    ref = serializers.CharField()
    kind = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()
    score = serializers.FloatField()
    confidence = serializers.CharField()
    occurred_on = serializers.DateField(allow_null=True)
    severity = serializers.CharField(allow_null=True)
    services = serializers.ListField(child=serializers.CharField())
    why = WhySerializer(many=True)
    matched_line = serializers.CharField(allow_null=True)
    parts = PartSerializer(many=True)
    what_fixed_it = serializers.CharField(allow_null=True)
    problem = SuggestedProblemSerializer(allow_null=True)
    fixes = SuggestedFixSerializer(many=True)
    open_actions = PromiseSerializer(many=True)


class AskedSerializer(serializers.Serializer[Any]):
    title = serializers.CharField()
    symptoms = serializers.CharField()
    services = serializers.ListField(child=serializers.CharField())


class NearSerializer(serializers.Serializer[Any]):
    """A rare word of the question, and how many documents hold it."""

    term = serializers.CharField()
    documents = serializers.IntegerField()


class SuggestionsSerializer(serializers.Serializer[Any]):
    """What fixed it before. `abstained`: nothing is similar enough; `degraded`: why the index could not be asked."""

    query = AskedSerializer()
    abstained = serializers.BooleanField()
    degraded = serializers.CharField(allow_null=True)
    total_candidates = serializers.IntegerField()
    nearest_terms = NearSerializer(many=True)
    happening_now = SuggestionSerializer(many=True)
    results = SuggestionSerializer(many=True)


class FoundSerializer(serializers.Serializer[Any]):
    """One result of a search. `snippet`: text, with what matched in `<mark>`."""

    ref = serializers.CharField()
    kind = serializers.CharField()
    title = serializers.CharField()
    url = serializers.CharField()
    score = serializers.FloatField()
    occurred_on = serializers.DateField(allow_null=True)
    severity = serializers.CharField(allow_null=True)
    services = serializers.ListField(child=serializers.CharField())
    status = serializers.CharField()
    snippet = serializers.CharField()
    what_fixed_it = serializers.CharField(allow_null=True)


class FoundPageSerializer(serializers.Serializer[Any]):
    """A page of results, with the counts of each facet."""

    query = serializers.CharField()
    total = serializers.IntegerField()
    page = serializers.IntegerField()
    pages = serializers.IntegerField()
    degraded = serializers.CharField(allow_null=True)
    notes = serializers.ListField(child=serializers.CharField())
    did_you_mean = serializers.CharField(allow_null=True)
    results = FoundSerializer(many=True)
    facets = serializers.DictField(child=serializers.DictField(child=serializers.IntegerField()))
