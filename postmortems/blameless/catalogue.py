"""The rules as a reader meets them: why a wording is worth a look, and what to ask instead."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """One kind of wording: its stable key, why it is marked, and a question about conditions."""

    key: str
    why: str
    question: str


RULES = (
    Rule(
        "agent",
        "A person stands here as the cause, which ends the search for conditions.",
        "What made it possible for one action to have this effect?",
    ),
    Rule(
        "omission",
        "It says what somebody did not do, which only looks like a cause afterwards.",
        "What made this step easy to miss, and what would have shown it?",
    ),
    Rule(
        "counterfactual",
        "It describes what did not happen instead of what did.",
        "What did people know and see at that moment, and how did it make sense to go on?",
    ),
    Rule(
        "error-label",
        "An error label on people ends the search where it should begin.",
        "How did the tool, the procedure or the situation make this action likely?",
    ),
    Rule(
        "judgement",
        "The word judges a person or their work; readers will hold back what they know.",
        "What was going on around this: load, tools, hand-overs, deadlines?",
    ),
    Rule(
        "blame",
        "It assigns fault to somebody.",
        "Which conditions came together, and what would have caught it?",
    ),
    Rule(
        "single-cause",
        "One root cause hides the other conditions that had to come together.",
        "Which factors contributed, and what else had to be true?",
    ),
)
BY_KEY = {rule.key: rule for rule in RULES}
