"""Instructions by an editor times sets of worked examples; a race on few questions finds the pair worth a step.

Source: MIPROv2 of DSPy (Opsahl-Ong et al., arXiv 2406.11695), which chooses by a Bayesian search over minibatches; here
by successive halving (Jamieson and Talwalkar, arXiv 1502.07943), whose cost is known before.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import numpy as np

from lse_gym.agents.editor_agent import EditorAgent, EditorArgs
from lse_gym.agents.search import Callback
from lse_gym.agents.shots import drawn, pool_of, remember, with_shots
from lse_gym.agents.tree import Node
from lse_gym.envs.arguments import Range
from lse_gym.envs.budget import Usage
from lse_gym.envs.core import Info, Observation
from lse_gym.envs.editing import editor_prompt, parse_edit
from lse_gym.envs.errors import BudgetExhausted
from lse_gym.envs.evaluation import core_env

Pair = tuple[int, int]  # number of the instructions, number of the set of examples


@dataclass(frozen=True)
class Args(EditorArgs):
    """Arguments of instruct-and-shots."""

    shots: Annotated[int, Range(0, 1_000)] = 8
    """most examples of a set"""
    sets: Annotated[int, Range(1, 100)] = 3
    """sets that are drawn an edit; the first of all is empty"""
    balanced: bool = True
    """each answer is shown as often as any other, as far as the examples seen so far allow"""
    candidates: Annotated[int, Range(1, 1_000)] = 8
    """pairs that race for an edit; 1 is no race"""
    minibatch: Annotated[int, Range(1, 100_000)] = 5
    """held-out questions of the first heat; each heat doubles them and halves the pairs"""


class InstructAndShotsAgent(EditorAgent):
    """Instruct and shots: each edit races pairs of an editor's instructions and drawn examples; the winner is the step.

    An edit asks the editor for one rewrite of the best pair's instructions, draws sets of examples from all reports so
    far, and lets the most promising pairs that were never a step race on held-out questions: what a pair promises is
    the mean of what its two parts have scored, those not tried first. A race that the budget cannot pay beside the
    whole evaluation of its winner is cut short.

    Args:
        env: an env of the namespace ``LSE`` on one domain.
        args: see :class:`Args`.
    """

    name = "instruct-and-shots"
    Args = Args

    def most_answers(self, edits: int, held_out: int, batch: int) -> int:
        """Those of the steps, and of a whole race for each."""
        return super().most_answers(edits, held_out, batch) + edits * sum(
            pairs * questions for pairs, questions in _heats(self.args.candidates, self.args.minibatch, held_out)
        )

    def edit(self, observation: Observation, step: int, deterministic: bool = False) -> str:
        """The pair that wins the race."""
        rng = np.random.default_rng(np.random.SeedSequence([self.args.seed, step]))
        remember(self.memory, observation["feedback"])
        instructions, sets = self._parts(observation)
        new = self._rewritten(observation, instructions[self._pair_of(observation)[0]], step, deterministic)
        if new not in instructions:
            instructions.append(new)
        sets += self._new_sets(rng)
        pairs = self._promising(len(instructions), len(sets), rng)
        winner = self._race(pairs, rng) if self.env is not None and len(pairs) > 1 else pairs[0]
        self.memory["next"] = [*winner]
        return self._context(winner)

    def _rewritten(self, observation: Observation, instructions: str, step: int, deterministic: bool) -> str:
        """The editor's rewrite of instructions, without examples; they themselves where it gives none."""
        prompt = editor_prompt(instructions, observation["feedback"], self._max_chars())
        edit = parse_edit(self.ask(prompt, step, deterministic), instructions)
        return (instructions if edit is None else edit)[: self._max_chars()]

    def _parts(self, observation: Observation) -> tuple[list[str], list[list[int]]]:
        """Instructions and sets of examples so far; at first the context that is there, and none."""
        start = self.tree.nodes[0]["context"] if self.tree.nodes else observation["context"]
        return self.memory.setdefault("instructions", [start]), self.memory.setdefault("sets", [[]])

    def _pair_of(self, observation: Observation) -> Pair:
        """The pair that an observed context was made of; the start where it is none of ours."""
        nodes = zip(self.tree.nodes, self.memory.get("pairs", ()), strict=False)
        found = [pair for node, pair in nodes if node["context"] == observation["context"]]
        return (found[-1][0], found[-1][1]) if found else (0, 0)

    def _new_sets(self, rng: np.random.Generator) -> list[list[int]]:
        pool = pool_of(self.memory)
        if not (pool and self.args.shots):
            return []
        counts = [int(rng.integers(1, self.args.shots + 1)) for _ in range(self.args.sets)]
        return [drawn(pool, range(len(pool)), count, rng, self.args.balanced) for count in counts]

    def _promising(self, instructions: int, sets: int, rng: np.random.Generator) -> list[Pair]:
        """The pairs that race: of those that were no step yet the ones whose parts have scored most, untried first."""
        steps = {(int(i), int(s)) for i, s in self.memory.get("pairs", ())}
        pairs = [(i, s) for i in range(instructions) for s in range(sets) if (i, s) not in steps]
        scores = self.memory.get("scores", [])

        def promise(pair: Pair) -> float:
            means = [np.mean(told) for part in (0, 1) if (told := [s for *p, s in scores if p[part] == pair[part]])]
            return float(np.mean(means)) if len(means) == len(pair) else 1.0 + float(sum(means))

        luck = dict(zip(pairs, rng.random(len(pairs)), strict=True))
        return sorted(pairs, key=lambda pair: (-promise(pair), luck[pair]))[: self.args.candidates] or [(0, 0)]

    def _race(self, pairs: Sequence[Pair], rng: np.random.Generator) -> Pair:
        """Successive halving on held-out questions in an order drawn anew."""
        core = core_env(self.require_env())
        domain = core.family.load(core.domain_name)
        held_out = domain.splits["held_out"]
        order = [held_out[int(i)] for i in rng.permutation(len(held_out))]
        whole = len(held_out) + min(core.feedback_size, len(domain.splits["feedback"]))
        for count, size in _heats(len(pairs), self.args.minibatch, len(order)):
            pairs = pairs[:count]
            calls = (count * size + whole) * core.session.samples * domain.max_turns
            if not core.session.affords(Usage(calls=calls, edits=1)):
                break
            contexts = [self._context(pair) for pair in pairs]
            try:
                tasks = [core.session.evaluate(domain, context, order[:size]) for context in contexts]
                scores = [float(one.scores.mean()) for one in core.session.run(tasks)]
            except BudgetExhausted:  # of tokens or money
                break
            self.memory.setdefault("scores", []).extend([*p, s] for p, s in zip(pairs, scores, strict=True))
            pairs = [pairs[i] for i in sorted(range(count), key=lambda i: -scores[i])]
        return pairs[0]

    def _context(self, pair: Pair) -> str:
        pool, chosen = pool_of(self.memory), self.memory["sets"][pair[1]]
        return with_shots(self.memory["instructions"][pair[0]], [pool[i].text for i in chosen], self._max_chars())

    def _keep(self, parent: Node | None, observation: Observation, info: Info, callback: Callback | None) -> bool:
        if info["evaluated"]:
            remember(self.memory, observation["feedback"])
            pair = self.memory.get("next", [0, 0]) if parent else [0, 0]
            self.memory.setdefault("pairs", []).append(pair)
            self.memory.setdefault("scores", []).append([*pair, info["held_out_score"]])
        return super()._keep(parent, observation, info, callback)


def _heats(pairs: int, questions: int, most: int) -> list[tuple[int, int]]:
    """How many pairs and questions each heat has.

    >>> _heats(8, 5, 30)
    [(8, 5), (4, 10), (2, 20)]
    """
    heats = []
    while pairs > 1:
        heats.append((pairs, min(questions, most)))
        pairs, questions = -(-pairs // 2), 2 * questions
    return heats
