"""Questions of your own: what no inducer explains the writer keeps as worked examples, in the form of the questions."""

from lse_gym.envs.offline.writer.edit import Edit
from lse_gym.envs.offline.writer.prompt import Task


def recognises(task: Task) -> bool:
    """Whether a problem tells how it would stand in a context."""
    return any(problem.example for problem in task.problems)


def edit(task: Task, seed: int) -> Edit:
    """The context with the problems behind it that were wrong and are not in it yet, as many whole ones as fit."""
    del seed
    parts, kept = [task.context.strip()], 0
    for problem in task.problems:
        if problem.score < 1 and problem.example and problem.example not in task.context:
            if len("\n\n".join([*parts, problem.example])) > task.max_chars:
                break
            parts.append(problem.example)
            kept += 1
    return Edit("\n\n".join(filter(None, parts)) if kept else task.context, 0, kept)
