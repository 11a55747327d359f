"""Train ``nano`` and those that come from it, and write them in Hugging Face format.

``rebuild`` beside this file has the stages. The same lessons give the same data in the same order, whatever the clock
says; an interrupted training continues from ``checkpoint.pt`` to the same weights, on the same machine and threads.
"""

import hashlib
import json
import math
import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence, Set
from itertools import takewhile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from lse_gym.envs.extras import needs
from lse_gym.envs.models.nano.data import Sample, draw_sample
from lse_gym.envs.models.nano.demonstrations import draw_demonstration
from lse_gym.envs.models.nano.evaluate import FAMILIES, accuracy
from lse_gym.envs.models.nano.optimizer import Optimizer
from lse_gym.envs.models.nano.packed import run
from lse_gym.envs.models.nano.qa_data import draw_qa_sample
from lse_gym.envs.models.nano.tokenizer import VOCABULARY, chat_parts, split_around, train_tokenizer

with needs("hf", "Training nano"):
    import torch
    from torch import Tensor
    from torch.nn.functional import cross_entropy
    from transformers import AutoTokenizer, GenerationConfig, Lfm2Config, Lfm2ForCausalLM, PreTrainedTokenizerFast

DEV = {
    "sql": ("library-0", "shop-1", "transit-2", "farm-3", "studio-4"),
    "qa": ("brewing-0", "masonry-1", "weaving-2", "orchard-3", "harbour-4"),
}
PROMPT_WEIGHT = 0.2  # of the loss on the prompt: names recur in it, so it teaches to copy them
WARM_UP, TURNS, WORLDS = 50, 10, 2
RENAMED = 0.4  # share of the samples whose words are exchanged
DRILLS = 0.45  # share of the multiple-choice samples on single steps
FRAME = 0.15  # share of the samples that a word stands in if it is no name
DECIDED = frozenset(  # words that are tokens of their own, as an answer hangs on them
    "A B C D yes no max min highest lowest greatest least below once twice Leave plus minus up down nearest "
    "else".split()
)
GROUPS = 3  # of turns of one sample, by length
COPY_STEPS, COPY_EVERY = 700, 25  # steps on repeated sequences alone, at first; then one in so many


def make_model(tokenizer: PreTrainedTokenizerFast, width: int = 128, layers: int = 6) -> Lfm2ForCausalLM:
    """An untrained model: convolutions and attention in turn."""
    config = Lfm2Config(
        vocab_size=VOCABULARY,
        hidden_size=width,
        intermediate_size=2 * width,
        block_auto_adjust_ff_dim=False,
        block_dim=width,  # this and the next two are what vLLM reads
        conv_dim=width,
        conv_dim_out=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        num_key_value_heads=width // 32,
        max_position_embeddings=4096,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        layer_types=["conv", "full_attention"] * (layers // 2),
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=True,
    )
    model = Lfm2ForCausalLM(config)
    model.generation_config = GenerationConfig(
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id, do_sample=False
    )
    return model


def renaming(tokenizer: PreTrainedTokenizerFast, rng: np.random.Generator, kept: Set[int] = frozenset()) -> np.ndarray:
    """Other ids for the tokens that words are made of, so that every token is met in names and not the usual ones."""
    mapping = np.arange(VOCABULARY)
    for kind in ("[a-z]+", "[A-Z][a-z]*"):
        names = (i for token, i in tokenizer.get_vocab().items() if re.fullmatch(kind, token) and i not in kept)
        ids = np.array(sorted(names))
        mapping[ids] = ids[rng.permutation(len(ids))]
    return mapping


def shared_words(samples: Sequence[Sample]) -> list[str]:
    """The words that many samples share, such as "plus" or "nearest"."""
    words = Counter(
        word
        for sample in samples
        for word in set(re.findall("[A-Za-z]+", " ".join([sample.system, *(t for turn in sample.turns for t in turn)])))
    )
    return sorted(word for word, number in words.items() if number >= FRAME * len(samples))


def frame(tokenizer: PreTrainedTokenizerFast, samples: Sequence[Sample]) -> Set[int]:
    """The tokens of the words that many samples share: renamed, they would mean nothing."""
    return frozenset(tokenizer(" ".join(shared_words(samples))).input_ids)


def respell(model: Lfm2ForCausalLM, old: PreTrainedTokenizerFast, new: PreTrainedTokenizerFast) -> None:
    """Let the model read another tokenizer: a token that it does not know begins as the mean of its old pieces."""
    known, embedding = old.get_vocab(), model.get_input_embeddings().weight
    before = embedding.detach().clone()
    with torch.no_grad():
        for token, index in new.get_vocab().items():
            pieces = [known[token]] if token in known else old(new.decode([index])).input_ids
            embedding[index] = before[pieces].mean(0)


def encode(
    sample: Sample, tokenizer: PreTrainedTokenizerFast, mapping: np.ndarray | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """Ids of what the turns begin with (1 by tokens), ids of the rest of them, and their targets (-100 where none)."""
    parts = [chat_parts(sample.system, user, answer) for user, answer in sample.turns]
    encoded = tokenizer([text for turn in parts for text in turn]).input_ids
    if mapping is not None:
        encoded = [mapping[ids].tolist() for ids in encoded]
    prompts = [shared + own for shared, own in zip(encoded[::3], encoded[1::3], strict=True)]
    alike = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*prompts, strict=False)))
    common = min(alike, min(map(len, prompts)) - 1)
    asked, answered = [ids[common:] for ids in prompts], encoded[2::3]
    longest = max(len(q) + len(a) for q, a in zip(asked, answered, strict=True))
    turns = torch.full((len(asked), longest), tokenizer.pad_token_id)
    targets = torch.full((len(asked), longest), -100)
    for i, (q, a) in enumerate(zip(asked, answered, strict=True)):
        turns[i, : len(q) + len(a)] = torch.tensor(q + a)
        targets[i, len(q) - 1 : len(q) + len(a) - 1] = torch.tensor(a)
    return torch.tensor([prompts[0][:common]]), turns, targets


def losses(model: Lfm2ForCausalLM, system: Tensor, turns: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    """The mean loss on the answers and on the system message; turns of like length go together, for less padding."""
    prompt, cache = run(model, system)
    lengths = turns.shape[1] - (targets.flip(1) >= 0).int().argmax(1)
    states, wanted = [], []
    for rows in lengths.argsort().chunk(GROUPS):
        asked, sought = (part[rows, : int(lengths[rows].max())] for part in (turns, targets))
        hidden, _ = run(model, asked, cache, system.shape[1])
        states.append(hidden[sought >= 0])
        wanted.append(sought[sought >= 0])
    answer = cross_entropy(model.lm_head(torch.cat(states)).float(), torch.cat(wanted))
    return answer, cross_entropy(model.lm_head(prompt[0, :-1]).float(), system[0, 1:])


def repeated(rng: np.random.Generator, rows: int = 32, length: int = 96) -> Tensor:
    """Random sequences that repeat themselves, each from a small alphabet of its own: they teach to copy."""
    alphabet = rng.integers(3, VOCABULARY, (rows, 48))
    letters = alphabet[np.arange(rows)[:, None], (rng.random((rows, 48)) * rng.integers(6, 48, (rows, 1))).astype(int)]
    return torch.from_numpy(letters[np.arange(rows)[:, None], np.arange(length) % rng.integers(6, 40, (rows, 1))])


def draw(stream: tuple[int, ...], step: int, edits: float, qa: float = 0.0) -> Sample:
    """A sample of either job; of the steps a share ``qa`` is on multiple choice, ``edits`` on the editor's."""
    if math.floor((step + 1) * qa) > math.floor(step * qa):
        return draw_qa_sample(stream, TURNS, DRILLS)
    is_edit = math.floor((step + 1) * edits) > math.floor(step * edits)
    return draw_demonstration(stream) if is_edit else draw_sample(stream, TURNS)


def texts(seed: int, edits: float, qa: float = 0.0, number: int = 3000) -> Iterator[str]:
    """Text to learn the tokenizer from."""
    for index in range(number):
        sample = draw((seed, 0, index), index, edits, qa)
        yield sample.system
        for turn in sample.turns:
            yield from turn


def save(model: Lfm2ForCausalLM, tokenizer: PreTrainedTokenizerFast, out: Path) -> None:
    """Write model and tokenizer as Transformers reads them."""
    model.save_pretrained(out)
    tokenizer.save_pretrained(out)


class Size(NamedTuple):
    """How much of a training is done: all of it, or next to nothing to see that it runs."""

    texts: int = 3000
    """samples that the tokenizer is learnt from"""
    measured: int = 16
    """questions of each dev domain that a measurement asks; 0 makes none"""
    width: int | None = None
    """of the hidden states of a model from scratch, instead of the one asked for"""
    layers: int | None = None
    """of a model from scratch, instead of those asked for"""


class Lessons(NamedTuple):
    """What a training teaches: its result is a function of this, of the model that it starts from, and of the scripts.

    ``edits`` and ``qa`` are the shares of the steps on the editor's job and on multiple choice, ``peak`` scales the
    learning rates, which fall to zero in ``steps`` updates; ``stop`` ends before. ``width`` (a multiple of 32) and
    ``layers`` (even, half of them with attention) are of a model from scratch; ``respelled`` gives another model a
    tokenizer of its new job.
    """

    seed: int
    steps: int
    edits: float = 0.25
    qa: float = 0.0
    peak: float = 1.0
    stop: int | None = None
    width: int = 128
    layers: int = 6
    respelled: bool = False


def train(
    out: Path,
    lessons: Lessons,
    start: Path | None = None,
    *,
    size: Size = Size(),  # noqa: B008 - a constant
    evaluate_every: int = 1000,
    on_note: Callable[[str], None] | None = None,
) -> None:
    """Train, keeping in ``out`` the latest weights, a log, and what it takes to go on from there after a kill.

    Args:
        out: the directory to write, and to continue in.
        lessons: what to teach.
        start: folder of a model to go on from, which can copy already; its shape is kept.
        size: how much of it.
        evaluate_every: steps between two measurements on the dev domains of the jobs that are trained.
        on_note: called with each line of the log.
    """
    out.mkdir(parents=True, exist_ok=True)
    seed, edits, qa = lessons.seed, lessons.edits, lessons.qa
    torch.manual_seed(seed)
    first_samples = [draw((seed, 0, index), index, edits, qa) for index in range(min(100, size.texts))]
    if start:
        tokenizer, model = AutoTokenizer.from_pretrained(start), Lfm2ForCausalLM.from_pretrained(start)
        if lessons.respelled:
            merged = [word for word in shared_words(first_samples) if word not in DECIDED]
            old, tokenizer = tokenizer, train_tokenizer(texts(seed, edits, qa, size.texts), split_around(merged))
            respell(model, old, tokenizer)
    else:
        tokenizer = train_tokenizer(texts(seed, edits, qa, size.texts))
        model = make_model(tokenizer, size.width or lessons.width, size.layers or lessons.layers)
    kept = frame(tokenizer, first_samples) if qa else frozenset()
    model.to(torch.bfloat16)
    optimizer, checkpoint = Optimizer(model), out / "checkpoint.pt"
    first, tokens, before, running = 0, 0, 0.0, 0.0
    if checkpoint.exists():
        saved = torch.load(checkpoint, weights_only=True)
        optimizer.restore(saved["optimizer"])
        first, tokens, before, running = (saved[name] for name in ("step", "tokens", "seconds", "running"))
    began, log = time.monotonic(), out / "training_log.jsonl"
    _cut(log, first)

    def note(**values: object) -> None:
        line = json.dumps(values)
        with log.open("a") as file:
            file.write(line + "\n")
        if on_note:
            on_note(line)

    for step in range(first, lessons.steps + 1):
        seconds = before + time.monotonic() - began
        progress = step / lessons.steps
        last = step in (lessons.steps, lessons.stop)
        if step > first and (last or step % evaluate_every == 0):
            values = {}
            for name, share in {"sql": 1 - edits - qa, "qa": qa}.items():
                for kind in ("seed", "oracle") if share > 0 and size.measured else ():
                    asked = (DEV[name], "held_out", kind, size.measured, FAMILIES[name]())
                    right, n = accuracy(model, tokenizer, *asked)
                    values[f"dev_{name}_{kind}"] = round(right / n, 3)
            note(step=step, tokens=tokens, loss=round(running, 4), seconds=round(seconds), **values)
            save(model, tokenizer, out)
            state = {"optimizer": optimizer.state(), "step": step, "tokens": tokens, "running": running}
            torch.save(state | {"seconds": seconds}, out / ".checkpoint.tmp")
            os.replace(out / ".checkpoint.tmp", checkpoint)
        if last:
            break
        total = 0.0
        if (step < COPY_STEPS and not start) or step % COPY_EVERY == 0:
            ids = repeated(np.random.default_rng((seed, 2, step)))
            logits = model.lm_head(run(model, ids)[0][:, :-1]).float()
            copied = cross_entropy(logits.flatten(0, 1), ids[:, 1:].flatten())
            copied.backward()
            tokens += ids.numel()
        else:
            for index in range(WORLDS):
                sample = draw((seed, 1, step * WORLDS + index), step, edits, qa)
                rng = np.random.default_rng((seed, 3, step * WORLDS + index))
                parts = encode(sample, tokenizer, renaming(tokenizer, rng, kept) if rng.random() < RENAMED else None)
                answer, prompt = losses(model, *parts)
                ((answer + PROMPT_WEIGHT * prompt) / WORLDS).backward()
                tokens += parts[0].numel() + int((parts[1] != tokenizer.pad_token_id).sum())
                total += float(answer.detach()) / WORLDS
            running = total if not running else 0.9 * running + 0.1 * total
        optimizer.step(lessons.peak * min(1.0, (step + 1) / WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * progress)))
        if step % 50 == 0:
            note(step=step, tokens=tokens, loss=round(running, 4), seconds=int(seconds))
    hours = round((before + time.monotonic() - began) / 3600, 3)
    note(seed=seed, data_of_100_samples=data_digest(lessons), hours=hours, tokens=tokens)


def data_digest(lessons: Lessons) -> str:
    """What the first lessons are: another digest means that the scripts draw other ones."""
    samples = repr([draw((lessons.seed, 1, step), step, lessons.edits, lessons.qa) for step in range(100)])
    return hashlib.sha256(samples.encode()).hexdigest()[:16]


def _cut(log: Path, first: int) -> None:
    """Drop what was logged after the checkpoint at step ``first``: it comes again."""
    if not log.exists():
        return
    kept: list[str] = []
    for line in log.read_text().splitlines(keepends=True):
        if not first or json.loads(line)["step"] > first:
            break
        kept.append(line)
        if json.loads(line)["step"] == first:  # the measurement; what follows it is of the step to come
            break
    (log.parent / ".log.tmp").write_text("".join(kept))
    os.replace(log.parent / ".log.tmp", log)
