"""A run: one agent on one domain, kept in a directory that survives kill -9 and resumes to the identical result.

Nothing of an agent's inner state is stored. A resumed run is executed again from its start; every response that was
paid for comes from the recorded files, and each round is checked against the journal, which then goes on.
"""

import inspect
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Self

import numpy as np

import lse_gym
from lse_gym.agents import agent_class
from lse_gym.agents.differences import changes, differences
from lse_gym.agents.editor_agent import EditorAgent
from lse_gym.agents.files import check_out, held, read_object, read_objects, write_text
from lse_gym.agents.journal import Journal
from lse_gym.agents.pictures import curve_svg, tree_page, tree_svg
from lse_gym.agents.search import Callback, SearchAgent
from lse_gym.agents.settings import Config
from lse_gym.agents.tree import Node
from lse_gym.agents.watch import FILES, Probes, Watch, kept_probes
from lse_gym.envs.budget import Usage
from lse_gym.envs.core import ContextEnv, Info
from lse_gym.envs.errors import ArgumentError, BudgetExhausted, RunDirectoryError, Withheld
from lse_gym.envs.evaluation import Score, cap_of_test, core_env, final_scores, paired_interval, score_of
from lse_gym.envs.models.tally import Tally
from lse_gym.envs.plugins import is_reference
from lse_gym.envs.redaction import MASK, without_secrets
from lse_gym.envs.state import TOLD

ROWS = ("trajectory.jsonl", "responses.jsonl", "edits.jsonl", *FILES)  # what is added to as it happens


class RunDirectory:
    """The files of a run. Use as a context manager; one process at a time.

    Args:
        path: the directory; made when missing.
        config: what ``config.json`` holds; a directory with another one is refused.
        resume: continue a run of the same configuration that is there already.
    """

    def __init__(self, path: str | os.PathLike[str], config: dict[str, Any], resume: bool = False):
        self.path, self.config, self.resume = Path(path), config, resume
        self._open = ExitStack()
        self._made: list[Path] = []  # directories that this process has made, outermost first
        self._new = False  # whether the run begins here
        self._journal: Journal

    def __enter__(self) -> Self:
        try:
            self._make()
            self._open.enter_context(held(self.path))
            self._claim()
            self._journal = self.keep(Journal(self.file("trajectory.jsonl")))
        except BaseException:
            self._end(failed=True)
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self._end(failed=kind is not None)

    def _make(self) -> None:
        missing = [one for one in (*reversed(self.path.parents), self.path) if not one.exists()]
        for one in missing:
            one.mkdir(exist_ok=True)
            self._made.append(one)

    def _end(self, failed: bool) -> None:
        """Let go of the directory; a start that failed before anything was paid for or found leaves none behind."""
        self._open.close()
        if not failed or self._has_rows():
            return
        with suppress(OSError):  # something else is there by now
            for name in (".lock", "config.json", *ROWS) if self._new else ():
                Path(self.file(name)).unlink(missing_ok=True)
            for one in reversed(self._made):
                one.rmdir()

    def _has_rows(self) -> bool:
        return any(path.exists() and path.stat().st_size for path in map(Path, map(self.file, ROWS)))

    def file(self, name: str) -> str:
        """The path of a file of the run."""
        return str(self.path / name)

    def record(self, agent: SearchAgent, node: Node, info: Info) -> None:
        """Append a round to the journal; a round that an earlier process wrote is compared with it instead."""
        self._journal.add(_row(agent, node, info))

    def keep(self, journal: Journal) -> Journal:
        """Open a journal for as long as the run."""
        return self._open.enter_context(journal)

    def _claim(self) -> None:
        config = Path(self.file("config.json"))
        if not config.exists():
            if any(not entry.name.startswith(".") for entry in self.path.iterdir()):
                raise RunDirectoryError(
                    f"{str(self.path)!r} is neither empty nor a run directory. Pass another --out; nothing was changed."
                )
            self._new = True
            write_text(config, json.dumps(self.config, indent=1) + "\n")
            return
        there = _read_config(config)
        changed = changes(self.path, there, self.config, self.resume)
        if not self.resume:
            raise RunDirectoryError(
                f"{str(self.path)!r} holds this run already. Pass --resume to continue it, or another --out."
            )
        if changed:
            Path(self.file("summary.json")).unlink(missing_ok=True)  # it is not finished any more
            if self.config.get("rounds", 0) > (rounds := there.get("rounds", 0)):
                self._forget_end(rounds)
            write_text(config, json.dumps(self.config, indent=1) + "\n")

    def _forget_end(self, rounds: int) -> None:
        """Drop the row of the last round: it may be there because the run ended, and comes again if not."""
        path = Path(self.file("trajectory.jsonl"))
        rows = read_objects(path) if path.exists() else []
        kept = [row for row in rows if row["round_idx"] < rounds or not rounds]
        write_text(path, "".join(json.dumps(row) + "\n" for row in kept))


def _read_config(path: Path) -> dict[str, Any]:
    """What a ``config.json`` holds, whatever version wrote it."""
    data = read_object(path)
    if "env" not in data:
        return data
    known = {name: data[name] for name in FACTS if name in data}
    return known | asdict(Config.from_json(data))  # not .settings(), which imports what the file names


def read_config(folder: str | os.PathLike[str]) -> Config:
    """The configuration of the run in a folder.

    Raises:
        RunDirectoryError: there is none, its file is damaged, or lacks a secret.
    """
    data = read_object(Path(folder) / "config.json")
    if MASK in json.dumps(data):
        raise RunDirectoryError(
            f"{os.fspath(folder)!r} keeps no secrets ({MASK} in its config.json). Pass all options of the run again, "
            "--resume beside them."
        )
    return Config.from_json(data)


def has_run(folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds a run, finished or not."""
    return (Path(folder) / "config.json").exists()


def check_goes_on(config: Config, folder: str | os.PathLike[str]) -> None:
    """Check that a run with this configuration can begin in a folder, or go on with what is there.

    Raises:
        RunDirectoryError: the folder holds a run of another configuration.
    """
    path = Path(folder)
    try:
        kept = _read_config(path / "config.json")
    except RunDirectoryError:
        return  # there is none, or a damaged one, which the run tells
    there = {name: value for name, value in kept.items() if name not in FACTS}  # which the run compares, too
    changes(path, there, without_secrets(config.settings()), resume=True)


def is_finished(config: Config, folder: str | os.PathLike[str]) -> bool:
    """Whether a folder holds this run, of the same questions and models, done to its end."""
    path = Path(folder)
    if not (has_run(path) and (path / "summary.json").exists()) or "test_n" not in read_object(path / "summary.json"):
        return False
    kept = _kept(config, core_env(config.make_env()))
    return not differences(_read_config(path / "config.json"), kept, {"lse_gym"})


def evolve(
    config: Config,
    out: str | os.PathLike[str],
    *,
    resume: bool = False,
    on_node: Callback | None = None,
    on_start: Callable[[], None] | None = None,
    probes: Probes | None = None,
) -> dict[str, Any]:
    """Run an agent and write the run directory; returns what ``summary.json`` holds.

    At a host sealed scores are told once all runs of a play have ended. Until then the summary has no ``test_n`` nor
    any score of the test, and the run is not finished: :func:`complete`, or the same call with ``resume``, adds them.

    Args:
        config: what to run.
        out: the run directory.
        resume: continue the run that is there; with more ``rounds`` than it has, a finished one is made longer.
        on_node: called with (agent, node, info) after every visited context.
        on_start: called once all is checked, before the first evaluation.
        probes: what to watch the visited contexts by, beside the run; None is what a run to resume was watched by.

    Raises:
        RunDirectoryError: the directory cannot be written, belongs to another configuration, is in use, or has no run
            to resume.
    """
    if config.rounds < 0:
        raise ArgumentError(f"rounds={config.rounds} is negative. Pass how many edits to make, e.g. 20.")
    if resume and not has_run(out):
        raise RunDirectoryError(f"{os.fspath(out)!r} holds no run to resume. Leave --resume out to start one there.")
    check_out(out)
    config = config.on_one_domain()
    with closing(config.make_env()) as env:  # every argument is checked before anything is written
        config.make_agent(env)
        _check_affordable(core_env(env))
        probes = probes or kept_probes(Path(out))
        if probes:
            Watch(probes, core_env(env))
        kept = _kept(config, core_env(env))
    with RunDirectory(out, kept, resume) as run, closing(config.make_env(run.file("responses.jsonl"))) as env:
        agent = config.make_agent(env, record=run.file("edits.jsonl"))
        watch = Watch(probes, core_env(env), run.file) if probes else None
        if watch:
            run.keep(watch.claim())

        def callback(running: SearchAgent, node: Node, info: Info) -> None:
            run.record(running, node, info)
            if watch:
                watch.visit(node)
            if on_node:
                on_node(running, node, info)

        if on_start:
            on_start()
        try:
            agent.learn(config.rounds, callback).measure(callback)
        except KeyboardInterrupt:
            if agent.tree.nodes:
                _draw(run.path, agent.tree.to_json(), {}, _title(run.config))
            raise
        summary = _summary(config, agent) | ({"probes": watch.summary(agent.tree.best)} if watch else {})
        write_text(run.file("best_context.txt"), agent.best_context)
        _draw(run.path, agent.tree.to_json(), summary, _title(run.config))
        write_text(run.file("summary.json"), json.dumps(summary, indent=1) + "\n")
    return summary


def complete(
    out: str | os.PathLike[str], scores: Sequence[Sequence[float]], used: Mapping[str, float]
) -> dict[str, Any]:
    """Add to the run in a folder the scores of its test, which a host told later; returns what the summary holds then.

    Args:
        out: the run directory.
        scores: of the first and of the best context, one a question.
        used: what they have cost, by the names of :data:`lse_gym.envs.state.TOLD`.

    Raises:
        RunDirectoryError: the run is in use, or has no summary.
    """
    with held(Path(out)):
        summary, tree = (read_object(Path(out) / name) for name in ("summary.json", "tree.json"))
        found = [score_of(np.asarray(of, dtype=np.float64)) for of in scores]
        summary |= _test_facts(found, Usage(**used), summary["test_calls_cap"])
        _draw(Path(out), tree, summary, _title(asdict(read_config(out))))
        write_text(Path(out) / "summary.json", json.dumps(summary, indent=1) + "\n")
    return summary


def _check_affordable(core: ContextEnv) -> None:
    """Raise :class:`ArgumentError` unless the cap on calls pays for the first evaluation."""
    domain = core.family.load(core.domain_name)
    questions = len(domain.splits["held_out"]) + min(core.feedback_size, len(domain.splits["feedback"]))
    try:
        core.budget.charge(Usage(calls=questions * core.session.samples * domain.max_turns))  # of an env made to check
    except BudgetExhausted as error:
        raise ArgumentError(
            f"the budget does not pay for the first evaluation, of {questions} questions: {error}"
        ) from None


def _row(agent: SearchAgent, node: Node, info: Info) -> dict[str, Any]:
    kept = ("id", "parent_id", "depth", "round_idx", "context", "performance", "feedback_score", "improvement", "batch")
    spent = core_env(agent.require_env()).budget.spent._asdict()
    return {key: node[key] for key in kept} | {"domain": info["domain"], "problem": info["problem"], "spent": spent}


# of a config.json, beside the Config
FACTS = ("lse_gym", "task_model_revision", "editor_revision", "agent_revision", "data_sha256")


def _kept(config: Config, core: ContextEnv) -> dict[str, Any]:
    """What ``config.json`` holds of a run."""
    return without_secrets({"lse_gym": lse_gym.__version__, **config.settings(), **_facts(core, config)})


def _facts(core: ContextEnv, config: Config) -> dict[str, Any]:
    domain, editors = core.family.load(core.domain_name), config.make_agent(None).editors if config.editor else {}
    facts = {"task_model_revision": core.model.revision, "data_sha256": _sha256(domain.fingerprint())}
    facts |= {"editor_revision": ", ".join(one.model.revision for one in editors.values())} if editors else {}
    return facts | ({"agent_revision": revision} if (revision := agent_revision(config.agent)) else {})


def agent_revision(agent: str) -> str:
    """A digest of the file that an agent of one's own is in; "" of one that comes with the package, or in no file."""
    if not is_reference(agent):
        return ""
    with suppress(OSError, TypeError):
        return sha256(Path(inspect.getfile(agent_class(agent))).read_bytes()).hexdigest()[:16]
    return ""


def _sha256(fingerprint: str) -> str:
    """A domain's fingerprint, or its digest where it is a text of another form, as one of one's own may be."""
    known = re.fullmatch("[0-9a-f]{64}", fingerprint)
    return fingerprint if known else sha256(fingerprint.encode("utf-8", "surrogatepass")).hexdigest()


def _summary(config: Config, agent: SearchAgent) -> dict[str, Any]:
    core, nodes = core_env(agent.require_env()), agent.tree.nodes
    if not nodes:
        problem = core.reset(seed=config.seed)[1]["problem"]
        raise ArgumentError(f"the budget does not pay for the first evaluation. {problem}")
    best, spent, own = agent.tree.best, core.budget.spent, core.session.spent
    tested = _tested(core, [nodes[0]["context"], best["context"]])
    return {
        "env_id": config.env,
        "domain": core.domain_name,
        "agent": config.agent,
        "task_model": config.task_model,
        "editor": config.editor,
        "seed": config.seed,
        "rounds": len(nodes) - 1,
        "edits": agent.edits if core.gate else len(nodes) - 1,  # with those that a gate did not keep
        "calls": spent.calls,
        "tokens": spent.tokens,
        "usd": spent.usd,
        **{f"task_model_{name}": getattr(own, name) for name in TOLD},
        **{f"editor_{name}": getattr(spent.minus(own), name) for name in TOLD},
        "answers": _answers(core, agent),
        "seed_score": nodes[0]["performance"],
        "best_held_out_score": best["performance"],
        "best_round": best["round_idx"],
        "best_context_chars": len(best["context"]),
        "diversity": agent.tree.diversity,
        **tested,
        **agent.facts(),
    }


def _tested(core: ContextEnv, contexts: Sequence[str]) -> dict[str, Any]:
    """What the test finds of the first and the best context; where a host tells that later, what it may cost."""
    try:
        return _test_facts(*final_scores(core, contexts))
    except Withheld:
        return {"test_calls_cap": cap_of_test(core, contexts)}


def _test_facts(scores: Sequence[Score], spent: Usage, cap: int) -> dict[str, Any]:
    before, after = scores
    return {
        **{f"test_{name}": getattr(spent, name) for name in ("calls", "tokens", "usd")},
        "test_calls_cap": cap,
        "test_score_seed": before.mean,
        "test_score_best": after.mean,
        "test_n": after.n,
        "test_ci95": list(after.ci95),
        "test_improvement_ci95": list(paired_interval(before.scores, after.scores)),
        "test_scores_seed": before.scores.tolist(),
        "test_scores_best": after.scores.tolist(),
    }


def _answers(core: ContextEnv, agent: SearchAgent) -> dict[str, Any]:
    """What the answers of the task model and of the editors were like: empty, cut, from the cache, and more."""
    editors = [editor.model for editor in agent.editors.values()] if isinstance(agent, EditorAgent) else []
    tallies = {
        who: [model.tally for model in models if model.tally is not None]
        for who, models in (("task_model", [core.model]), ("editor", editors))
    }
    return {who: Tally.of(parts).facts() for who, parts in tallies.items() if parts}


def _title(config: Mapping[str, Any]) -> str:
    return f"{config['env']} · {config['env_args']['domain']} · {config['agent']}"


def _draw(folder: Path, tree: dict[str, Any], summary: dict[str, Any], title: str) -> None:
    test = (summary["test_score_seed"], summary["test_score_best"]) if "test_n" in summary else None
    write_text(folder / "tree.json", json.dumps(tree, indent=1) + "\n")
    write_text(folder / "tree.svg", tree_svg(tree, title=title))
    write_text(folder / "curve.svg", curve_svg(tree, title=title, test=test))
    write_text(folder / "tree.html", tree_page(tree, summary, title=title))
