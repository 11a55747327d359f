"""Multiple-choice questions: real ones in the form of MMLU-Redux, and embedded invented subjects."""

from lse_gym.envs.qa.answer import extract_choice

__all__ = ["extract_choice"]
