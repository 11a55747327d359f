"""A question has one class for ever: no split seed shows another's test questions, and no seed a sealed one."""

import sqlite3
from collections import defaultdict
from contextlib import closing, contextmanager
from itertools import combinations

import pytest

from lse_gym.envs.cache import cache_dir
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError
from lse_gym.envs.splits import CLASSES, class_of
from lse_gym.envs.sql.procedural import family as family_module
from lse_gym.envs.sql.procedural.bank import GUESSABLE, Bank
from lse_gym.envs.sql.procedural.family import SIZES, ProceduralFamily, draw_questions, fill, make_world, words_of
from lse_gym.envs.sql.procedural.forms import compile_form, literal_reading
from lse_gym.envs.sql.procedural.theme import ROLES

GROUPS = ProceduralFamily.groups
HARD = "shop-0"  # a world of which hardly anything can be guessed
SPLIT_SEEDS, SECRETS, SEALED = range(50), (0, 1, 2**255), 200


def some(*names: str) -> pytest.MarkDecorator:
    """These domains always, and all others of the test group with the long tests."""
    rest = [pytest.param(name, marks=pytest.mark.long) for name in GROUPS["test"] if name not in names]
    return pytest.mark.parametrize("name", [*names, *rest])


@contextmanager
def opened(name: str):
    world, script = make_world(name)
    with closing(sqlite3.connect(":memory:")) as connection:
        fill(connection, script)
        yield Bank(name, world, connection)


@some("lab-0")
def test_no_split_seed_and_no_secret_mixes_the_classes(name):
    texts, golds = defaultdict(set), defaultdict(set)
    with opened(name) as bank:
        for split_seed in SPLIT_SEEDS:
            drawn = draw_questions(bank, [0, split_seed])
            heard = words_of(question for question, _ in drawn["feedback"])
            for split, items in drawn.items():
                assert len(items) == len({question.gold for question, _ in items}) == SIZES[split]
                assert words_of(question for question, _ in items) <= heard
                texts[split] |= {question.text for question, _ in items}
                golds[split] |= {question.gold for question, _ in items}
        for secret in SECRETS:
            sealed = bank.draw("sealed", [0, 0, 3, secret], SEALED)
            texts["sealed"] |= {question.text for question, _ in sealed}
            golds["sealed"] |= {question.gold for question, _ in sealed}
    for one, other in combinations(CLASSES, 2):
        assert not texts[one] & texts[other]
        assert not golds[one] & golds[other]
    for split in SPLITS:  # and the seeds do draw anew
        assert len(golds[split]) > 5 * SIZES[split]


@some("clinic-0", HARD)
def test_a_domain_has_two_thousand_questions_and_every_class_its_share(name):
    with opened(name) as bank:
        drawn = {group: bank.draw(group, [5], 500) for group in CLASSES}
    questions = [question for items in drawn.values() for question, _ in items]
    assert len({question.text for question in questions}) >= 2000
    assert len({question.gold for question in questions}) >= 2000
    assert all(class_of(name, question.gold) == group for group, items in drawn.items() for question, _ in items)


def test_a_text_means_one_gold():
    with opened("hotel-1") as bank:
        drawn = [item for group in CLASSES for seed in range(3) for item in bank.draw(group, [seed], 300)]
    meaning = {question.text: question.gold for question, _ in drawn}
    assert all(meaning[question.text] == question.gold for question, _ in drawn)


def test_about_a_quarter_can_be_guessed():
    shares = []
    for name in GROUPS["test"][:6]:
        with opened(name) as bank:
            literal, theme = literal_reading(bank.world), bank.world.theme
            items = [item for items in draw_questions(bank, [7]).values() for item in items]
            others = [theme.entity(role).other for role in ROLES]
            right = [
                {*bank.run(compile_form(form, theme, literal))} == {*bank.run(question.gold)}
                for question, form in items
                if not any(other in question.text for other in others)
            ]
        shares.append(sum(right) / len(items))
    assert GUESSABLE - 0.07 < sum(shares) / len(shares) < GUESSABLE + 0.05, shares


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    def forget():
        for memory in (cache_dir, family_module._load, family_module._sealed):
            memory.cache_clear()

    monkeypatch.setenv("LSE_GYM_CACHE", str(tmp_path))
    forget()
    yield tmp_path
    forget()


def test_sealed_questions_follow_from_the_secret_alone_and_are_in_no_file(empty_cache):
    family = ProceduralFamily()
    one, other = family.sealed("lab-1", 2**200, 60), family.sealed("lab-1", 2**200 + 1, 60)
    assert len({q.gold for q in one.splits["test"]} & {q.gold for q in other.splits["test"]}) < 30
    family_module._sealed.cache_clear()
    assert family.sealed("lab-1", 2**200, 60).splits == one.splits
    assert one.verify() == []
    assert {split: one.splits[split] for split in SPLITS if split != "test"} == {
        split: family.load("lab-1").splits[split] for split in SPLITS if split != "test"
    }
    kept = b"".join(path.read_bytes() for path in empty_cache.rglob("*") if path.is_file())
    assert family.load("lab-1").splits["test"][0].text.encode() in kept
    assert not any(question.text.encode() in kept for question in one.splits["test"])


def test_more_questions_than_there_are_is_an_error():
    with pytest.raises(ArgumentError, match="Ask for fewer"), opened("lab-0") as bank:
        bank.draw("sealed", [1], 3, {"words", "that", "nobody", "says"})
