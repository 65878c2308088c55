"""The few numbers that ranking depends on, in one place, with what chose them.

Chosen on two sets of real duplicate reports (27,627 and 14,695 documents) and one of postmortems (237), coarsely, by
coordinate descent; recall@10 of the two, recall@1 of the third:

    plain BM25 over title and text                                .403  .397  .842
    stems of whole words, 30 key terms, title x3 on both sides    .449  .482  .853
    + 50 terms, title x4 in documents, x6 in the question         .466  .487  .875
    + pieces of compound names (x0.3), log lines (x0.8)           .479  .488  .875
    + idf^1.7 in all instead of idf^1.5                           .483  .493  .886
    + synonyms (x0.1): recall@5 of the third from .957 to .967    .482  .490  .886

What did not help: whole identifiers as a channel beside their pieces (-.01), more than 60 terms, saturating the
question's term frequencies (-.02), b = .5 or .6 (-.02); b = .95 with k1 = 2 helps long reports (+.01) and hurts short
ones (-.02).
"""

from kb.search.similarity import Tuning

# BM25F boosts of a document's fields.
FIELD_BOOSTS = {"title": 4.0, "symptoms": 1.0, "fix": 1.0, "cause": 1.0, "summary": 1.0, "body": 1.0, "tags": 1.0}

# Fifty key terms; see kb/search/similarity.py for what each number means.
TUNING = Tuning()

# A match is judged by its share of an ideal match's score (see similarity.KeyTerms.ideal).
POSSIBLE = 0.3
STRONG = 0.6
