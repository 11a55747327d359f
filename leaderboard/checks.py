"""What can be told of a submission without a model: does it add up, and does it keep to its track."""

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from lse_gym.envs.models.base import TaskModel
from lse_gym.leaderboard.leaks import find_leaks
from lse_gym.leaderboard.submission import SPENT, best_context, best_row, chain, contestant, digest, text_digest
from lse_gym.leaderboard.text import name_problem
from lse_gym.leaderboard.track import Track, base_name

EPSILON = 1e-6
MAX_SEEDS = 30  # runs on one domain
MAX_SPLITS = 6  # split seeds of a submission: the questions of each are drawn to check it
Document = Mapping[str, Any]


def problems(document: Document, track: Track) -> list[str]:
    """Everything that is wrong with a document of the right schema; empty when all is well."""
    found = [*_identity(document, track)]
    if found:  # what follows builds on it
        return found
    runs = [(f"run {run['domain']}, seed {run['seed']}", run) for run in document["runs"]]
    found = [*_coverage(document, track)]
    found += [f"{where}: {problem}" for where, run in runs for problem in _run(run, document, track)]
    if found:  # what follows draws questions, and builds on it
        return found
    return [f"{where}: {problem}" for where, run in runs for problem in _content(run, document, track)]


def _identity(document: Document, track: Track) -> Iterator[str]:
    for part in ("team", "agent"):
        problem = name_problem(document[part]["name"])
        if problem:
            yield f"its {part} name {document[part]['name']!a} {problem}."
    if document["sha256"] != digest(document):
        yield "its sha256 is not that of its content: it was changed after it was packed."
    if document["suite_sha256"] != track.suite_sha256:
        yield f"its suite {document['suite_sha256'][:12]} is not that of {track.id}, {track.suite_sha256[:12]}."
    wrong = [key for key, text in document["contexts"].items() if text_digest(text) != key]
    if wrong:
        yield f"{len(wrong)} contexts are not those of their digests, first {wrong[0][:12]}."
    if document["declarations"]["saw_test"]:
        yield "it declares that its agent saw test questions: it cannot be ranked."
    named = {row["context"] for run in document["runs"] for row in run["trajectory"]}
    if named != document["contexts"].keys():
        odd = sorted(named ^ document["contexts"].keys())
        yield f"contexts and trajectories do not name the same digests, first {odd[0][:12]}."


def _coverage(document: Document, track: Track) -> Iterator[str]:
    places = Counter((run["domain"], run["seed"]) for run in document["runs"])
    twice = [place for place, times in places.items() if times > 1]
    if twice:
        yield f"domain and seed {twice[0]} occur {places[twice[0]]} times."
    foreign = sorted({domain for domain, _ in places} - {*track.domains})
    if foreign:
        yield f"{', '.join(foreign)} is not of this track; it has {', '.join(track.domains)}."
    for domain in track.domains:
        seeds = sum(place[0] == domain for place in places)
        if seeds < track.seeds:
            yield f"domain {domain} has {seeds} runs; the track wants {track.seeds} or more, each of another seed."
        if seeds > MAX_SEEDS:
            yield f"domain {domain} has {seeds} runs; at most {MAX_SEEDS} are taken."
    splits = {run["config"]["split_seed"] for run in document["runs"]}
    if len(splits) > MAX_SPLITS:
        yield f"its runs have {len(splits)} split seeds; at most {MAX_SPLITS} are taken. More runs may share one."
    if len({contestant(run["config"]) for run in document["runs"]}) > 1:
        yield "its runs have different settings: an entry is one agent."


def _run(run: Mapping[str, Any], document: Document, track: Track) -> Iterator[str]:
    config, rows = run["config"], run["trajectory"]
    yield from _settings(run, document, track)
    if [row["id"] for row in rows] != [*range(len(rows))]:
        yield "the rows of its trajectory are not numbered from 0."
        return
    parents = [row["parent_id"] for row in rows]
    if parents[0] is not None or any(p is None or p >= i for i, p in enumerate(parents) if i):
        yield "a row of its trajectory has no parent before it."
        return
    if [row["hash"] for row in rows] != chain(run):
        yield "its hash chain is broken: a row was changed, added or left out."
    if run["best"] != best_row(rows)["id"]:
        yield f"its best row is {best_row(rows)['id']} by the held-out scores, not {run['best']!r}."
    if len(rows) > config["rounds"] + 1:
        yield f"it has {len(rows) - 1} edits, and its config allows {config['rounds']}."
    yield from _ledger(run, track)


def _settings(run: Mapping[str, Any], document: Document, track: Track) -> Iterator[str]:
    config = run["config"]
    wanted = {"env": track.env, "domain": run["domain"], "seed": run["seed"], **track.settings}
    for name, value in (wanted | {"agent": document["agent"]["kind"]}).items():
        if config.get(name) != value or type(config.get(name)) is not type(value):
            yield f"its config has {name}={config.get(name)!r}; this track and run want {value!r}."
    if config["split_seed"] not in (0, run["seed"]):
        yield f"its config has split_seed={config['split_seed']!r}; that is 0, or the seed of the run."
    model = config.get("task_model")
    if base_name(str(model)) != base_name(track.task_model):
        yield f"its contexts were evolved for {model!r}, and the track is about {track.task_model!r}."
    revision, pinned = str(config.get("task_model_revision", "")), track.models[track.task_model]
    if not str(model).startswith("openai:") and not revision.startswith(pinned):  # a server does not tell
        yield f"its task model was of revision {revision!r}; the track has {pinned!r}."
    if config.get("editor_revision") is not None and document["agent"]["editor"] != config.get("editor"):
        yield f"its editor is {document['agent']['editor']!r} in one place and {config.get('editor')!r} in another."
    for name, cap in track.budget.items():
        own = config.get(f"budget_{name}")
        if own is not None and own > cap:
            yield f"it ran with a budget of {own!r} {name}; the track has {cap:,.0f}."


def _ledger(run: Mapping[str, Any], track: Track) -> Iterator[str]:
    rows, ledger = run["trajectory"], run["ledger"]
    for before, after in pairwise(rows):
        if any(after["spent"][name] < before["spent"][name] for name in SPENT):
            yield f"row {after['id']} has spent less than the row before it."
            break
    for name in ("calls", "tokens", "usd"):
        if not rows[-1]["spent"][name] <= ledger[name] + EPSILON:
            yield f"its ledger has {ledger[name]:,.0f} {name}, less than its trajectory spent."
        if ledger[f"editor_{name}"] > ledger[name] + EPSILON:
            yield f"its editor spent more {name} than the whole run."
        if ledger[name] > track.budget.get(name, float("inf")):
            yield f"it spent {ledger[name]:,.0f} {name}; the track's budget is {track.budget[name]:,.0f}."


def length_problems(best: str, track: Track, model: TaskModel) -> Iterator[str]:
    """What is wrong with the length of a best context, in the tokens of a model."""
    tokens = model.count_tokens(best)
    if tokens > track.max_context_tokens:
        yield f"its best context has {tokens:,} tokens; the track ranks up to {track.max_context_tokens:,}."


def _content(run: Mapping[str, Any], document: Document, track: Track) -> Iterator[str]:
    core, contexts = track.core("reader", run["config"]["split_seed"]), document["contexts"]
    domain, rows = core.family.load(run["domain"]), run["trajectory"]
    held_out, tests = (len(domain.splits[split]) for split in ("held_out", "test"))
    samples = core.session.samples
    if contexts[rows[0]["context"]] != domain.seed_context:
        yield "its trajectory does not start from the seed context."
    paid = run["ledger"]["calls"] - run["ledger"]["editor_calls"]
    least = len({row["context"] for row in rows}) * held_out * samples
    if paid < least:
        yield f"its task model was called {paid:,.0f} times; its contexts on held-out questions alone take {least:,}."
    longest = max(len(contexts[row["context"]]) for row in rows)
    if longest > core.max_chars:
        yield f"a context of its trajectory has {longest:,} characters; {core.max_chars:,} fit."
    same = {row["context"]: row["performance"] for row in rows}
    if any(abs(same[row["context"]] - row["performance"]) > EPSILON for row in rows):
        yield "equal contexts have different held-out scores."
    for name, scores in run["claimed"].items():
        if len(scores) != tests:
            yield f"it claims {len(scores)} {name}; the public test split has {tests} questions."
    best = best_context(run, document)
    yield from length_problems(best, track, core.model)
    leak = find_leaks(best, [domain]).problem()
    if leak:
        yield f"its best context {leak}."
