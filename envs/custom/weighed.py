"""Choices that are weighed instead of written: the answer is the choice that the task model finds likeliest."""

from collections.abc import Generator
from typing import Any

from lse_gym.envs.custom.domain import CustomDomain
from lse_gym.envs.custom.scorers import LETTERS, MultipleChoice
from lse_gym.envs.domain import Asked, Likelihood, Question
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.prompt import ANSWER


class WeighedDomain(CustomDomain):
    """Questions with choices, which the prompt does not list: each is weighed by its log-probability behind them.

    That is how lm-evaluation-harness scores ARC, HellaSwag or PIQA: `acc`, or with ``normalize`` `acc_norm`, where a
    log-probability counts by the byte. Each choice costs a call.

    Args:
        args: as of :class:`CustomDomain`.
        options: as there.
    """

    scorer: MultipleChoice

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.cue = self.cue or ANSWER
        self.max_turns = max((len(item.choices) for item in self.items.values()), default=1)

    def user(self, question: Question) -> str:
        """Evidence and question, without its choices."""
        return super().user(question._replace(text=self._stem(question)))

    def example(self, question: Question) -> str:
        """A worked example: the question as it is asked, and behind the cue the text of the right choice."""
        right = self.items[question.id].choices[LETTERS.index(question.gold)]
        return f"{self.user(question)}\n{self.cue} {right}"

    def attempt(self, context: str, question: Question) -> Generator[Asked, Any, str]:
        """Weigh the choices; the answer is the letter of the likeliest, the first of equals.

        Raises:
            ArgumentError: the task model has no log-probabilities.
        """
        prompt, choices = self.prompt(context, question), self.items[question.id].choices
        told = yield [Likelihood(prompt, f" {choice}") for choice in choices]
        if any(one is None for one in told):
            raise ArgumentError(
                "the task model has no log-probabilities, which scorer='multiple_choice,by=logprob' weighs choices by. "
                "Pass task_model='hf:ID', 'vllm:ID' or a model of a package as 'smollm2', or leave by=logprob out."
            )
        sizes = [len(choice.encode()) if self.scorer.normalize else 1 for choice in choices]
        weights = [sum(one) / max(1, size) for one, size in zip(told, sizes, strict=True)]
        return LETTERS[weights.index(max(weights))]

    def _stem(self, question: Question) -> str:
        listed = zip(LETTERS, self.items[question.id].choices, strict=False)
        return question.text.removesuffix("".join(f"\n{letter}) {choice}" for letter, choice in listed))
