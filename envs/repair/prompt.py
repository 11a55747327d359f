"""The text around a function that is to be repaired."""

from lse_gym.envs.prompt import OUTPUT_HEADER, system_message

OVERVIEW = (
    "You repair Python functions of a code base. Each of them fails some of its unit tests, which you do not see."
)
SEED_CONTEXT = "Repair the function."
FROZEN = (
    f"{OVERVIEW}\n\n{OUTPUT_HEADER}\nPut the whole repaired function between <answer> and </answer>. Keep its name and "
    "its parameters.\n\n"
)


def system(context: str) -> str:
    """The whole system message."""
    return system_message(FROZEN, context)
