"""The few numbers that ranking depends on, in one place, with what chose them."""

from kb.search.similarity import Tuning

# BM25F boosts of a document's fields. A word in the title says more than one in the body (recall@10 +.016 and +.024 on
# two sets of real duplicate reports when title words count three times).
FIELD_BOOSTS = {
    "title": 3.0,
    "symptoms": 1.0,
    "fix": 1.0,
    "cause": 1.0,
    "summary": 1.0,
    "body": 1.0,
    "tags": 1.0,
}

# Thirty key terms; see kb/search/similarity.py for what each number means.
TUNING = Tuning()

# A match is judged by its share of an ideal match's score (see similarity.KeyTerms.ideal).
POSSIBLE = 0.12
STRONG = 0.35
