"""Scripts on the questions of embedded houses, run here and now: they are our own, so that no sandbox is needed."""

import os
import tempfile
from pathlib import Path

from lse_gym.envs.datascience.executor import Ending
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.tools.protocol import read_calls

READER = Reader()
RAN: dict[tuple, str] = {}


def questions(domain, *splits):
    return [question for split in splits or SPLITS for question in domain.splits[split]]


def run(domain, question, code: str) -> str:
    """What is scored of an attempt that runs a script; runs are kept."""
    if (question.id, code) not in RAN:
        RAN[question.id, code] = _run(domain.files(question), code)
    return RAN[question.id, code]


def _run(files, code):
    back = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        os.chdir(folder)
        try:
            exec(code, {})  # noqa: S102 - our own script
            return Ending(Path("prediction.csv").read_text(encoding="utf-8")).json()
        except Exception as error:
            return Ending(None, "code error", str(error)).json()
        finally:
            os.chdir(back)


def code_of(domain, question, context: str) -> str:
    """The script that the reader writes; "" where it writes none."""
    text = READER.complete([Request(domain.system(context), domain.user(question), 1024)])[0].text
    calls = read_calls(text)
    return calls[0].arguments["code"] if calls else ""


def scores(domain, context: str, asked) -> list[float]:
    """How the reader does with a context."""
    responses = [run(domain, question, code_of(domain, question, context)) for question in asked]
    return [outcome.score for outcome in domain.score(asked, responses)]


def mean(values) -> float:
    values = [*values]
    return sum(values) / len(values)
