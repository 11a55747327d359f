"""Where sibling edits come from: the trees of finished runs (off-policy), or an editor's own samples (on-policy)."""

import json
import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from lse_gym.agents.editor_agent import EditorAgent, edit_seed
from lse_gym.agents.files import read_object, write_text
from lse_gym.agents.lse.advantage import INVALID, advantages
from lse_gym.agents.lse.preferences import Edit, Siblings, merged
from lse_gym.agents.lse.reward import scores_after, state_prompt
from lse_gym.agents.lse.states import State
from lse_gym.agents.run import read_config
from lse_gym.agents.search import SearchAgent
from lse_gym.agents.tree import Node
from lse_gym.envs.core import ContextEnv, Info
from lse_gym.envs.errors import ArgumentError, DataError, ProviderError, RunDirectoryError, unknown
from lse_gym.envs.metered import MeteredModel
from lse_gym.envs.models.base import Request, Response, TaskModel

Form = Literal["lines", "answer"]
FORMS: tuple[Form, ...] = ("lines", "answer")
STATES_AT_ONCE = 8  # whose samples are scored in one batch, and kept together


def siblings_of(folder: str | os.PathLike[str], form: Form = "lines") -> list[Siblings]:
    """The sibling edits in one run directory, those of every context that was edited.

    A tree keeps contexts; what the editor was shown and wrote is found by replaying the run from its records, which
    asks no model anything.

    Args:
        folder: the directory of a finished run without a gate, and with an editor that makes one call an edit.
        form: "lines" writes each edit as the lines that it adds and removes, which any editor can learn, whoever made
            it; "answer" keeps what the editor wrote, reasoning included.

    Raises:
        DataError: it is no such directory, or its records do not hold the run.
    """
    if form not in FORMS:
        raise unknown("form of edits", form, FORMS)
    folder = Path(folder)
    agent, count = _replayed(folder)
    heard, edits = _Listener(agent.editor), dict[int, list[Edit]]()

    def keep(running: SearchAgent, node: Node, info: Info) -> None:
        if node["parent_id"] is None:
            return
        before = running.tree.nodes[node["parent_id"]]["context"]
        answer = heard.answer if form == "answer" else as_lines(before, node["context"])
        if answer:  # an edit that leaves the context as it is has no lines
            edits.setdefault(node["parent_id"], []).append(Edit(heard.prompt, answer, node["improvement"]))

    try:
        agent.learn(count, keep)
    except ProviderError as error:
        raise DataError(f"{str(folder)!r} cannot be replayed: {error}") from None
    nodes = agent.tree.nodes
    config = read_config(folder)
    return [
        Siblings(config.domain or "", nodes[parent]["context"], nodes[parent]["performance"], tuple(children))
        for parent, children in edits.items()
    ]


def _replayed(folder: Path) -> tuple[EditorAgent, int]:
    """The agent of a finished run, made to repeat it, and how many edits it made."""
    try:
        config = read_config(folder)
        count = int(read_object(folder / "summary.json")["rounds"])
    except (RunDirectoryError, KeyError) as error:
        raise DataError(f"{str(folder)!r} is not the directory of a finished run: {error}.") from None
    if config.editor is None:
        raise DataError(f"agent {config.agent!r} of {str(folder)!r} has no editor, so there are no answers to compare.")
    if config.of_env("gate"):
        raise DataError(f"the run in {str(folder)!r} has a gate: a score there is one of several edits.")
    records = {name: f"replay:{folder / file}" for name, file in (("task", "responses"), ("editor", "edits"))}
    paid = replace(
        config,
        budget={},  # it was paid then
        env_args={**config.env_args, "task_model": f"{records['task']}.jsonl"},
        agent_args={**config.agent_args, "editor": f"{records['editor']}.jsonl"},
    )
    agent = paid.make_agent(paid.make_env())
    if not isinstance(agent, EditorAgent) or agent.most_editor_calls() != 1:
        raise DataError(f"an edit of agent {config.agent!r} in {str(folder)!r} takes several calls of the editor.")
    if len(agent.editors) > 1:
        raise DataError(f"several editors wrote in {str(folder)!r}: {', '.join(config.make_agent(None).editors)}.")
    return agent, count


class _Listener:
    """Hears the last prompt and answer of an editor."""

    def __init__(self, editor: MeteredModel):
        self.prompt = self.answer = ""
        self._complete = editor.complete
        editor.complete = self

    def __call__(self, requests: Sequence[Request]) -> list[Response]:
        responses = self._complete(requests)
        self.prompt, self.answer = requests[-1].user, responses[-1].text
        return responses


def as_lines(before: str, after: str) -> str:
    """An edit as the lines that it removes and adds, in the form that editors are asked for; "" where none differs.

    Lines that only change their place are left out: what is added comes last.

    >>> as_lines("Be brief.\\nCount.", "Be brief.\\nCount rows.")
    '<remove>Count.</remove>\\n<add>Count rows.</add>'
    """
    old, new = ([line.strip() for line in text.split("\n") if line.strip()] for text in (before, after))
    removed = [f"<remove>{line}</remove>" for line in dict.fromkeys(old) if line not in new]
    return "\n".join([*removed, *(f"<add>{line}</add>" for line in dict.fromkeys(new) if line not in old)])


def tree_siblings(archive: str | os.PathLike[str], form: Form = "lines") -> list[Siblings]:
    """The sibling edits of a run directory, or of all runs below a folder such as ``lse-gym archive`` writes.

    Raises:
        DataError: there is no run, or one cannot be replayed.
    """
    root = Path(archive)
    folders = sorted(path.parent for path in root.rglob("summary.json") if (path.parent / "config.json").exists())
    if not folders:
        raise DataError(f"{str(root)!r} holds no finished run. `lse-gym archive` and `lse-gym evolve` write some.")
    groups: list[Siblings] = []
    for folder in folders:
        groups += siblings_of(folder, form)
    return merged(groups)


def sample_siblings(
    editor: TaskModel,
    env: ContextEnv,
    states: Sequence[State],
    path: str | os.PathLike[str],
    *,
    samples: int,
    temperature: float,
    max_tokens: int,
    seed: int,
    on_states: Callable[[int], None] | None = None,
) -> tuple[list[Siblings], Counter[str]]:
    """Several edits of each state by one editor, every one evaluated; whole batches in ``path`` are not made again.

    Args:
        editor: who writes the edits.
        env: the env whose task model, domains and limits hold; it pays for the evaluations.
        states: what to edit.
        path: file of JSON lines that is appended to, a batch a line, in the order of ``states``.
        samples: edits of each state, >= 2.
        temperature: > 0.
        max_tokens: longest answer; a longer one is cut, and left out.
        seed: of the sampling.
        on_states: called with the number of states done, after each batch.

    Returns:
        The siblings, and how many answers there were: "answers", "cut" (left out), "no edit" (kept, delta -1).
    """
    if samples < 2 or not temperature > 0:
        raise ArgumentError(f"samples={samples}, temperature={temperature}: siblings need 2 samples or more, above 0.")
    path = Path(path)
    rows = _whole_rows(path)
    for start in range(len(rows), len(states), STATES_AT_ONCE):
        part = states[start : start + STATES_AT_ONCE]
        asked = [
            Request("", state_prompt(env, state), max_tokens, temperature, edit_seed(seed, start + i), sample)
            for i, state in enumerate(part)
            for sample in range(samples)
        ]
        answers = editor.complete(asked)
        each = [state for state in part for _ in range(samples)]
        after = scores_after(env, each, [answer.text for answer in answers]).reshape(len(part), samples)
        deltas = advantages("delta", np.array([state.performance for state in part]), after)
        fresh = []
        for i, row in enumerate(deltas.tolist()):
            written = answers[i * samples : (i + 1) * samples]
            whole = [(a.text, delta) for a, delta in zip(written, row, strict=True) if a.finish_reason != "length"]
            fresh.append({"state": start + i, "cut": samples - len(whole), "edits": whole})
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(fresh) + "\n")
        rows += fresh
        if on_states:
            on_states(len(rows))
    return _groups(env, states, rows), _counts(rows)


def _groups(env: ContextEnv, states: Sequence[State], rows: Sequence[dict[str, Any]]) -> list[Siblings]:
    return [
        Siblings(
            state.domain,
            state.context,
            state.performance,
            tuple(Edit(str(state_prompt(env, state)), answer, delta) for answer, delta in row["edits"]),
        )
        for state, row in zip(states, rows, strict=True)
    ]


def _counts(rows: Sequence[dict[str, Any]]) -> Counter[str]:
    told = Counter({"answers": 0, "cut": 0, "no edit": 0})
    for row in rows:
        told["answers"] += len(row["edits"]) + row["cut"]
        told["cut"] += row["cut"]
        told["no edit"] += sum(delta == INVALID for _, delta in row["edits"])
    return told


def _whole_rows(path: Path) -> list[dict[str, Any]]:
    """The rows of whole batches, one a line; what a kill cut short is dropped from the file."""
    lines = path.read_bytes().splitlines(keepends=True) if path.exists() else []
    whole = [line for line in lines if line.endswith(b"\n")]
    if len(whole) < len(lines):
        write_text(path, b"".join(whole).decode())
    return [row for line in whole for row in json.loads(line)]
