"""A report: what an editor is told of a feedback batch. Data first; its text is made here, once, at the boundary.

Who needs parts of a report reads them; nobody parses the text back. The bytes of the text are frozen, as the shipped
editors were trained on them.
"""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Self

from lse_gym.envs.text import TextOf

FeedbackMode = Literal["gold", "error", "score"]
FEEDBACK_MODES: tuple[FeedbackMode, ...] = ("gold", "error", "score")

RULER = "=" * 50  # between problems in a report; LSE's released code uses the same 50 signs (github chenyn66)
VERDICTS = {1.0: "right", 0.0: "wrong"}


class Turn(NamedTuple):
    """One message of an attempt after the question: "assistant" is the task model, "user" or "tool" what came back."""

    role: str
    content: str


class Problem(NamedTuple):
    """What a report says of one question, as it is shown: lines that are empty here are left out of the text.

    ``answer`` and ``gold`` are shown even if empty, unless the mode hides them. ``transcript`` is empty where the task
    model answered at once. ``example`` is the question with its right answer as a context shows them to the task model,
    where the family has such a form; it is not in the text. Where tools change something, ``changes`` tells what is
    different after the attempt, and ``gold_changes`` what should be, both as JSON; then an empty ``gold`` says that no
    answer is asked for.
    """

    question: str
    answer: str
    gold: str
    score: float
    evidence: str = ""
    response: str = ""
    error: str = ""
    explanation: str = ""
    transcript: tuple[Turn, ...] = ()
    changes: str = ""
    gold_changes: str = ""
    example: str = ""

    @property
    def right(self) -> bool:
        """Whether the answer has the full score."""
        return self.score == 1.0


class Report(NamedTuple):
    """The fixed prompt and how the batch went (``head``), then one problem a question.

    ``mode`` tells what is in it: with "score" only that, with "error" the model's answers too, with "gold" also the
    right ones. ``answer`` is what an answer is called, e.g. "SQL".
    """

    head: str
    problems: tuple[Problem, ...] = ()
    mode: FeedbackMode = "gold"
    answer: str = "answer"

    def in_mode(self, mode: FeedbackMode) -> Self:
        """The report without what ``mode`` hides."""
        if mode == "gold":
            return self
        hidden: dict = {"gold": "", "explanation": "", "gold_changes": "", "example": ""}
        if mode == "score":
            hidden |= {"answer": "", "response": "", "error": "", "transcript": (), "changes": ""}
        return self._replace(mode=mode, problems=tuple(problem._replace(**hidden) for problem in self.problems))

    def only(self, problems: Sequence[Problem]) -> Self:
        """The report with these problems alone."""
        return self._replace(problems=tuple(problems))

    def text(self, max_chars: int | None = None) -> "ReportText":
        """The report as editors and observations show it, with the data behind it."""
        parts = [self.head, *map(self.entry, range(len(self.problems)))]
        return ReportText(f"\n{RULER}\n".join(parts)[:max_chars], self)

    def entry(self, index: int) -> str:
        """The text of one problem."""
        return "\n".join(self.lines(index))

    def lines(self, index: int) -> list[str]:
        """What is told of one problem, the verdict first."""
        problem = self.problems[index]
        question, answer, gold, score, evidence, response, error, explanation, transcript, *_ = problem
        lines = [f"Problem {index + 1}: {VERDICTS.get(score) or f'score {score:.3g}'}"]
        if evidence:
            lines.append(f"Evidence: {evidence}")
        lines.append(f"Question: {question}")
        if self.mode != "score":
            lines += [f"{turn.role}: {turn.content}" for turn in transcript]
            lines.append(f"Model's {self.answer}: {answer}")
            if response:
                lines.append(f"Model's response: {response}")
            if problem.changes:
                lines.append(f"Model's changes: {problem.changes}")
            if error:
                lines.append(f"Error: {error}")
        if self.mode == "gold":
            if gold or not problem.gold_changes:
                lines.append(f"Correct {self.answer}: {gold}")
            if problem.gold_changes:
                lines.append(f"Correct changes: {problem.gold_changes}")
            if explanation:
                lines.append(f"Explanation: {explanation}")
        return lines

    @classmethod
    def from_json(cls, data: Sequence) -> "Report":
        """The inverse of ``list(report)`` through JSON."""
        head, problems, mode, answer = data
        read = (Problem(*fields) for fields in problems)
        with_turns = (one._replace(transcript=tuple(Turn(*turn) for turn in one.transcript)) for one in read)
        return cls(head, tuple(with_turns), mode, answer)


class ReportText(TextOf[Report]):
    """The text of a report, with the report behind it."""


def report_of(text: str) -> Report:
    """The data behind a report's text; a text that has none is all head, and has no problems."""
    return text.data if isinstance(text, ReportText) else Report(text)
