"""What a user should know of a run before it starts: who answers, who edits, and what neither of them can."""

from collections.abc import Iterator

from lse_gym.agents.console import counted
from lse_gym.agents.settings import Config, Settings
from lse_gym.envs.models import MODELS, SHIPPED
from lse_gym.envs.models.environment import server_url
from lse_gym.envs.models.packaged import PACKAGES
from lse_gym.envs.redaction import public_url

STAND_INS = ("reader", "writer", "apprentice")
REAL = "openai:MODEL (a server), hf:ID (Transformers) or vllm:ID"
WORLDLY = (  # whose questions ask for more than the prompt holds
    "LSE/AWM-v0",
    "LSE/Custom-v1",
    "LSE/DARE-v0",
    "LSE/MMLURedux-v0",
    "LSE/Family-v0",
)
UNTAUGHT = {  # where writer finds no rules, and what gets further without a language model
    "LSE/Editor-v0": "--editor apprentice",
}
SCRIPTED = ("LSE/DARE-v0",)  # whose answers are scripts
SCRIPT_TOKENS = 1024
TRAINED_EDITOR = "nano-lse"


def about_model(name: str) -> str:
    """A model in a few words.

    >>> about_model("reader")
    'reader, a scripted stand-in for a language model'
    """
    prefix, colon, _ = name.partition(":")
    if name in STAND_INS:
        return f"{name}, a scripted stand-in for a language model"
    if name == TRAINED_EDITOR:
        return f"{name}, a small transformer trained by LSE"
    if name in SHIPPED:
        return f"{name}, a small transformer that comes with the package"
    if name.partition("?")[0] in PACKAGES:
        return f"{name}, a language model that others pre-trained, in this process"
    if prefix == "openai" and colon:
        return f"{name} at {public_url(server_url())}"
    where = {"hf": "in this process", "vllm": "in this process", "replay": "recorded answers"}
    return f"{name}, {where[prefix]}" if prefix in where and name not in MODELS else name


def lines(config: Config, folder: object = None) -> Iterator[tuple[str, str]]:
    """What runs, as pairs of a label and a text."""
    yield "env", f"{config.env}, domain {config.domain}"
    yield "task model", about_model(config.task_model)
    if config.editor:
        yield "editor", about_model(config.editor)
    yield "agent", f"{config.agent}, {counted(config.rounds, 'edit')}, seed {config.seed}"
    caps = [f"{cap:,.10g} {'US dollars' if name == 'usd' else name}" for name, cap in config.budget.items()]
    yield "budget", f"at most {', '.join(caps)}; the test is beside it" if caps else "no caps"
    if folder is not None:
        yield "run", str(folder)


def limits(config: Config) -> Iterator[str]:
    """What the stand-ins and the settings of this run cannot do, a sentence each."""
    max_tokens = config.env_args.get("max_tokens", Settings.max_tokens)
    if config.env in SCRIPTED and max_tokens < SCRIPT_TOKENS:
        yield (
            f"A message of the task model holds a whole script, and ends after {max_tokens} tokens. "
            "Pass --max-tokens 4096."
        )
    if config.editor == "writer" and config.env in UNTAUGHT:
        yield (
            "The editor writer is a stand-in that finds no rules for such contexts, and leaves them as they are. "
            f"Pass {UNTAUGHT[config.env]}, or --editor {REAL}."
        )
    if config.env not in WORLDLY:
        return
    if config.task_model == "reader":
        yield (
            "The task model reader is a stand-in that knows nothing of the world: it finds an answer only where the "
            f"prompt spells it out. For questions of your own pass --task-model {REAL}."
        )
    if config.editor == "writer":
        yield (
            "The editor writer is a stand-in that copies from reports what it recognises, and knows nothing of the "
            f"world. Pass --editor {REAL}."
        )
