"""What an answer is worth: drafts that can be proposed, refusals with their reasons, problems the model could mend."""

from msgspec import Struct

from events.draft import Draft
from events.errors import InvalidInput
from events.guardrails import Redact, check
from events.planner import RefusedProposal
from events.proposal import read_answer, split_problem
from ops.planner.model import Answer


class Judgement(Struct, frozen=True):
    """`problems` are for the model; what of them stays after the last round is told as `refused`."""

    drafts: list[Draft]
    refused: list[RefusedProposal]
    problems: list[str]

    @property
    def unusable(self) -> bool:
        """Nothing in it can be proposed, though something should have been."""
        return bool(self.problems) and not self.drafts


def judge(answer: Answer, most: int, redact: Redact) -> Judgement:
    """Hold an answer against the shape and the guardrails. Of more than `most` good directives the first are taken."""
    if not answer.complete:
        return Judgement(
            [], [], ["it was cut off because it is too long; propose fewer directives, with shorter texts"]
        )
    try:
        reading = read_answer(answer.text)
    except InvalidInput as refusal:
        return Judgement([], [], [redact(refusal.detail)])
    problems = [redact(problem) for problem in reading.problems]
    refused = [RefusedProposal(*split_problem(problem)) for problem in problems]
    drafts: list[Draft] = []
    for proposed in reading.directives:
        checked = check(proposed, redact)
        if checked.draft is None:
            problems += [f"directive {checked.title!r}: {reason}" for reason in checked.reasons]
            refused.append(RefusedProposal(checked.title, "; ".join(checked.reasons)))
        elif len(drafts) == most:
            refused.append(RefusedProposal(checked.title, f"at most {most} directives are taken from one answer"))
        else:
            drafts.append(checked.draft)
    return Judgement(drafts, refused, problems)


def better(first: Judgement, second: Judgement) -> Judgement:
    """The one that proposes more; the later one if both propose as much."""
    return first if len(first.drafts) > len(second.drafts) else second
