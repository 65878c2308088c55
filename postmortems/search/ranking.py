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

import math

from kb.search.similarity import Tuning

# BM25F boosts of a document's fields.
FIELD_BOOSTS = {"title": 4.0, "symptoms": 1.0, "fix": 1.0, "cause": 1.0, "summary": 1.0, "body": 1.0, "tags": 1.0}

# Fifty key terms; see kb/search/similarity.py for what each number means.
TUNING = Tuning()

# A match is judged by its evidence (see likeness.evidence_of): short texts count as FEWEST_WORDS, long as MOST_WORDS.
FEWEST_WORDS, USUAL_WORDS, MOST_WORDS = 8, 20, 50
STRONG = 2.0  # times what is enough


def enough(documents: int) -> float:
    """The evidence below which the answer is "nothing similar": the more documents, the likelier a chance resemblance.

    Found on the same sets and on parts of them, with their queries as related ones, and as unrelated ones the queries
    of the other sets and paragraphs of manuals. Of these the most similar tenth has .33, .33, .31 and .44 among 20, 60,
    237 and 27,627 documents. At this line 97 % of the unrelated get "nothing similar" among 237 postmortems, and of
    the related 95 % are answered rightly among the first three; of texts of the same trade about something never seen,
    half are told so. Those are the hard ones.
    """
    return 0.34 + 0.012 * math.log(max(documents, 1))
