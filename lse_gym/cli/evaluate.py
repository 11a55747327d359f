"""``lse-gym evaluate``."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, cast

import typer

from lse_gym.agents.bench.domains import evaluate_domains
from lse_gym.agents.bench.statistics import over_domains
from lse_gym.agents.parallel import Engine, make_engine
from lse_gym.agents.settings import Config, Settings
from lse_gym.cli.common import (
    DEFAULT,
    Address,
    CpusPerWorker,
    DataDir,
    Domain,
    EngineName,
    Env,
    EnvSet,
    Exclude,
    GpusPerWorker,
    MaxTokens,
    NoCache,
    Questions,
    Scorer,
    Scoring,
    SplitSeed,
    TaskModel,
    Workers,
    app,
    env_settings,
    group_or_names,
    out_console,
)
from lse_gym.cli.evolve import on_a_domain, tell_answers
from lse_gym.envs.archive import read_context
from lse_gym.envs.domain import SPLITS, Split
from lse_gym.envs.errors import ArgumentError, DataError, unknown
from lse_gym.envs.evaluation import Score, core_env, evaluate_context


@app.command("evaluate")
def evaluate_command(
    context_file: Annotated[Path, typer.Argument(help="Text file with the context; - for standard input.")],
    env: Env = DEFAULT.env,
    domain: Domain = None,
    domains: Annotated[
        str | None,
        typer.Option(
            help="Several domains, comma-separated, or a group: each, and their mean.", rich_help_panel="What"
        ),
    ] = None,
    split: Annotated[str, typer.Option(help=f"Split: {', '.join(SPLITS)}.", rich_help_panel="What")] = "test",
    task_model: TaskModel = DEFAULT.task_model,
    questions: Questions = None,
    scorer: Scorer = None,
    env_set: EnvSet = None,
    data_dir: DataDir = None,
    exclude: Exclude = None,
    split_seed: SplitSeed = DEFAULT.split_seed,
    scoring: Scoring = DEFAULT.scoring,
    max_tokens: MaxTokens = DEFAULT.max_tokens,
    no_cache: NoCache = False,
    workers: Workers = None,
    engine: EngineName = "processes",
    address: Address = None,
    cpus_per_worker: CpusPerWorker = None,
    gpus_per_worker: GpusPerWorker = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.", rich_help_panel="Output")] = False,
) -> None:
    """Score a context file on a split, with a 95 % confidence interval."""
    try:
        context = read_context(sys.stdin.buffer.read() if str(context_file) == "-" else context_file.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{str(context_file)!r} cannot be read: {error}. Pass a text file with a context.") from None
    settings = Settings(
        **env_settings(env, questions, scorer, env_set, data_dir, exclude),
        domain=domain,
        task_model=task_model,
        split_seed=split_seed,
        scoring=scoring,
        max_tokens=max_tokens,
    )
    spread = make_engine(engine, workers, address=address, cpus=cpus_per_worker, gpus=gpus_per_worker)
    if domains:
        if domain:
            raise ArgumentError(f"--domain {domain!r} and --domains {domains!r} are both given. Leave one out.")
        _evaluate_domains(settings.config(), context, domains, cast(Split, split), spread, as_json)
        return
    config = on_a_domain(settings).config()
    made = config.make_env()
    score = evaluate_context(made, context, cast(Split, split))
    tally = core_env(made).model.tally
    if tally:
        tell_answers(tally.facts(), "task_model", "--max-tokens")
    _tell_score(config, split, as_json)(config.domain or "", score)


def _tell_score(config: Config, split: str, as_json: bool) -> Callable[[str, Score], None]:
    """What tells the score of a domain, a line each."""

    def tell(domain: str, score: Score) -> None:
        low, high = score.ci95
        if as_json:
            facts = {"env_id": config.env, "domain": domain, "split": split, "task_model": config.task_model}
            print(json.dumps(facts | {"score": score.mean, "n": score.n, "ci95": score.ci95}))  # noqa: T201
            return
        told = f"95 % interval {low:.3f} to {high:.3f}, n = {score.n}, split {split}"
        out_console.print(f"{score.mean:.3f}  ({told})  {domain}", highlight=False)

    return tell


def _evaluate_domains(config: Config, context: str, domains: str, split: Split, workers: Engine, as_json: bool) -> None:
    names = core_env(config.make_env()).family.select(group_or_names(domains))
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    tell = _tell_score(config, split, as_json)
    scores = evaluate_domains(config, context, names, split, workers=workers, on_score=tell)
    if len(scores) > 1 and not as_json:
        mean = over_domains([[score.mean] for score in scores.values()]).within(0.0, 1.0)
        told = f"95 % interval {mean.low:.3f} to {mean.high:.3f}, {mean.domains} domains, split {split}"
        out_console.print(f"{mean.mean:.3f}  ({told})", highlight=False)
