"""Teach a reasoner and a hinter the habits of beginners, by supervised lessons.

    python -m lse_gym.agents.hill.warm_start --out start --seed 0

``start/reasoner`` and ``start/hinter`` are models for ``hf:``, of one tokenizer. The same seed gives the same lessons
in the same order. Both begin as ``nano`` with a tokenizer of word problems, or from scratch.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from lse_gym.agents.hill.lessons import CUES, HARD, SEEDS, SLIPS, Problem, hinter_lesson, problems, reasoner_lesson
from lse_gym.envs.extras import needs
from lse_gym.envs.models.nano.data import Sample
from lse_gym.envs.models.nano.tokenizer import split_around, train_tokenizer
from lse_gym.envs.models.nano.train import Optimizer, encode, losses, make_model, respell, save

with needs("hf", "Teaching a reasoner and a hinter"):
    import torch
    from transformers import AutoTokenizer, Lfm2ForCausalLM, PreTrainedTokenizerFast

NANO = Path(__file__).parents[2] / "envs" / "models" / "nano" / "weights"
LESSONS = 24  # a step
PEAK, WARM_UP = 1.0, 20  # scales the learning rates of nano's training; steps until the peak is reached
Lesson = Callable[[Problem, np.random.Generator], tuple[str, str]]


def make_tokenizer(asked: Sequence[Problem], seed: int, nudges: float = 0.0) -> PreTrainedTokenizerFast:
    """A tokenizer in which whatever recurs between two numbers is few tokens, and cues and digits are one each."""
    rng = np.random.default_rng((seed, 0))
    texts = [part for problem in asked[:1500] for part in reasoner_lesson(problem, rng, nudges=nudges)]
    texts += [part for problem in with_hard_step(asked[:900]) for part in hinter_lesson(problem, rng, nudges)]
    words = {word for text in texts for word in re.findall("[A-Za-z]+", text)} - {*CUES.values(), *"vab"}
    return train_tokenizer(texts, split_around(words))


def with_hard_step(asked: Sequence[Problem]) -> list[Problem]:
    """The problems that a hinter can be asked about."""
    return [problem for problem in asked if any(step.kind in HARD for step in problem[2])]


def teach(
    model: Lfm2ForCausalLM,
    tokenizer: PreTrainedTokenizerFast,
    lesson: Lesson,
    asked: Sequence[Problem],
    *,
    seed: int,
    steps: int,
    peak: float = PEAK,
) -> float:
    """Minimise the loss on the answers of lessons; returns the mean loss of the last tenth of the steps, in nats."""
    optimizer, told = Optimizer(model), []
    for step in range(steps):
        rng = np.random.default_rng((seed, 1, step))
        chosen = rng.integers(len(asked), size=LESSONS)
        turns = tuple(lesson(asked[int(i)], rng) for i in chosen)
        loss, _ = losses(model, *encode(Sample("", turns), tokenizer))
        loss.backward()
        optimizer.step(peak * min(1.0, (step + 1) / WARM_UP) * (1 - step / steps))
        told.append(float(loss.detach()))
    return float(np.mean(told[-max(1, steps // 10) :]))


def warm_start(
    out: Path,
    *,
    seed: int = 0,
    steps: int = 300,
    hinter_steps: int | None = None,
    start: Path | None = NANO,
    width: int = 128,
    layers: int = 6,
    peak: float = PEAK,
    slips: float = SLIPS,
    nudges: float = 0.0,
    seeds: Sequence[int] = SEEDS,
) -> dict[str, float]:
    """Teach both players and write them.

    Args:
        out: the directory to write.
        seed: of the lessons, and of the weights where there is no ``start``.
        steps: updates of the reasoner, >= 0.
        hinter_steps: updates of the hinter; as many where None.
        start: folder of a model of ``nano``'s architecture to begin from; None begins from scratch.
        width: of the hidden states, a multiple of 32, from scratch.
        layers: an even number, from scratch.
        peak: scales the learning rates.
        slips: share of the hard steps that a beginner does in any way, the right one among them; what GRPO starts from.
        nudges: share of the hints that rule out a habit and do not say what is right.
        seeds: of the domains that the lessons are on.

    Returns:
        The last losses of both and the seconds that it took, as in ``out/lessons.json``.
    """
    began, asked = time.monotonic(), problems(seeds)
    tokenizer = make_tokenizer(asked, seed, nudges)
    found: dict[str, float] = {}
    hinter_steps = steps if hinter_steps is None else hinter_steps
    for name, lesson, own, count in (
        ("reasoner", partial(reasoner_lesson, slips=slips, nudges=nudges), asked, steps),
        ("hinter", partial(hinter_lesson, nudges=nudges), with_hard_step(asked), hinter_steps),
    ):
        torch.manual_seed(seed)
        if start is None:
            model = make_model(tokenizer, width, layers)
        else:
            model = Lfm2ForCausalLM.from_pretrained(start, dtype=torch.float32)
            respell(model, AutoTokenizer.from_pretrained(start), tokenizer)
        if count:
            found[f"{name}_loss"] = teach(model, tokenizer, lesson, own, seed=seed, steps=count, peak=peak)
        save(model, tokenizer, out / name)
    seconds = round(time.monotonic() - began, 1)
    facts = {"seed": seed, "steps": steps, "slips": slips, "nudges": nudges, **found, "seconds": seconds}
    (out / "lessons.json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return facts


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--hinter-steps", type=int, help="by default as many")
    parser.add_argument("--slips", type=float, default=SLIPS, help="share of the hard steps done in any way")
    parser.add_argument("--nudges", type=float, default=0.0, help="share of the hints that only rule out a habit")
    parser.add_argument("--scratch", action="store_true", help="begin from random weights, not from nano")
    parser.add_argument("--width", type=int, default=128, help="from scratch")
    parser.add_argument("--layers", type=int, default=6, help="from scratch")
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)  # small tensors
    start = None if given.scratch else NANO
    names = ("seed", "steps", "hinter_steps", "slips", "nudges", "width", "layers")
    options = {name: getattr(given, name) for name in names}
    facts = warm_start(given.out, start=start, **options)
    sys.stdout.write(json.dumps(facts) + "\n")


if __name__ == "__main__":
    main()
