"""Work in an office: how the reader calls tools, by the playbook, literally where it is silent.

It remembers nothing: at each turn it goes through what it has called and seen so far, and says what comes next.
"""

from collections.abc import Sequence
from functools import lru_cache

from lse_gym.envs.offline.reader.prompt import Prompt
from lse_gym.envs.offline.reader.tools.hands import Calls, Steps, Stuck
from lse_gym.envs.offline.reader.tools.request import understand
from lse_gym.envs.offline.reader.tools.rules import Knowledge, Known, Meaning, gather
from lse_gym.envs.offline.reader.tools.sentences import parse_line
from lse_gym.envs.offline.reader.tools.toolbox import read_toolbox
from lse_gym.envs.offline.reader.tools.work import Worker
from lse_gym.envs.offline.stand_in import chance
from lse_gym.envs.report import Turn
from lse_gym.envs.tools.protocol import call_text, read_results

DONE, STUCK = "Done.", "I could not do that."


def recognises(prompt: Prompt) -> bool:
    """Whether the prompt shows the tools of an office."""
    return "<tools>\n" in prompt.frozen and read_toolbox(prompt.frozen) is not None


def answer(prompt: Prompt) -> str:
    """The next calls, or the answer in tags."""
    toolbox = read_toolbox(prompt.frozen)
    request = understand(prompt.question, toolbox) if toolbox else None
    if toolbox is None or request is None:
        return f"<answer>{STUCK}</answer>"

    def choose(meanings: Sequence[Meaning]) -> Meaning:
        """Of meanings that contradict each other, one or another, by the question."""
        return meanings[int(chance("choice", prompt.question, *meanings) * len(meanings))]

    worker = Worker(toolbox, read_lines(prompt.context.lines(), Known.of(toolbox)), choose)
    said = go_on(worker.do(request), prompt.turns)
    return (
        f"<answer>{said}</answer>" if isinstance(said, str) else "\n".join(call_text(c.name, c.arguments) for c in said)
    )


@lru_cache(maxsize=256)
def read_lines(lines: tuple[str, ...], known: Known) -> Knowledge:
    """The rules in the lines of a context."""
    return gather(rule for line in lines for rule in parse_line(line, known))


def go_on(steps: Steps[str], turns: Sequence[Turn]) -> Calls | str:
    """What comes after the turns: calls, or what is said at the end."""
    results = iter([read_results(turn) for turn in turns if turn.role == "tool"])
    try:
        calls = next(steps)
        for seen in results:
            calls = steps.send(seen)
    except StopIteration as end:
        return end.value or DONE
    except Stuck:
        return STUCK
    return calls
