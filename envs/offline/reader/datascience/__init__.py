"""Data science: how the reader answers, by a script that does what the question says and the context adds to it."""

from lse_gym.envs.datascience.plan import PREDICTION, script
from lse_gym.envs.offline.reader.datascience.knowledge import Knowledge, planned
from lse_gym.envs.offline.reader.datascience.question import understand
from lse_gym.envs.offline.reader.prompt import Prompt
from lse_gym.envs.offline.stand_in import chance
from lse_gym.envs.tools.protocol import call_text

EXECUTOR = "python_executor"


def recognises(prompt: Prompt) -> bool:
    """Whether there is a tool that runs Python over files."""
    return f'"name": "{EXECUTOR}"' in prompt.frozen


def answer(prompt: Prompt) -> str:
    """A script, as a call; once it has run, the name of the file that it wrote."""
    asked = understand(prompt.question, prompt.evidence)
    if prompt.turns or asked is None:
        return f"<answer>{PREDICTION if asked else ''}</answer>"

    def choose(meanings: list) -> object:
        """Of meanings that contradict each other, one or another, by the question."""
        return meanings[int(chance("choice", prompt.question, *meanings) * len(meanings))]

    plan = planned(asked, Knowledge(prompt.context.lines(), asked, choose))
    call = {"code": script(plan), "files_to_load": [plan.train, plan.val], "files_to_save": [PREDICTION]}
    return f"I run the analysis.\n{call_text(EXECUTOR, call)}"
