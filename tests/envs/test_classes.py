"""A question belongs to one split for good: no split seed and no secret can put it into another."""

import re
import secrets

import pytest

from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, UnknownNameError
from lse_gym.envs.passages.domain import PassageFamily
from lse_gym.envs.qa.procedural.draw import draw_questions
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily, make_world, stream
from lse_gym.envs.qa.procedural.forms import key
from lse_gym.envs.splits import CLASSES, class_of

SPLIT_SEEDS, SECRETS, SEALED = 50, 5, 200
FAMILIES = {"qa": ProceduralQAFamily, "passages": PassageFamily}


def drawn(family, name, split_seed, sealed=None):
    """By split, the text of every question and what makes it one, however it is said."""
    if family == "qa":
        splits = draw_questions(name, make_world(name), stream(name, split_seed), sealed)
        theme = make_world(name).theme
        return {s: {key(form, theme): item.question.text for item, form in rows} for s, rows in splits.items()}
    made = PassageFamily(split_seed=split_seed)
    domain = made.sealed(name, *sealed) if sealed else made.load(name)
    return {s: {re.sub(r"\d{4} or \d{4}\?", "or ?", q.text): q.text for q in domain.splits[s]} for s in SPLITS}


def check_classes(family, name, split_seeds):
    asked, texts = ({kind: set() for kind in CLASSES} for _ in range(2))
    for split_seed in range(split_seeds):
        for split, questions in drawn(family, name, split_seed).items():
            asked[split].update(questions)
            texts[split].update(questions.values())
    for split_seed in range(SECRETS):
        sealed = drawn(family, name, split_seed, (secrets.randbits(128), SEALED))["test"]
        assert len(sealed) == SEALED
        asked["sealed"].update(sealed)
        texts["sealed"].update(sealed.values())
    for found in (asked, texts):
        assert sum(map(len, found.values())) == len(set().union(*found.values())), "a question of two classes"
        assert sum(map(len, found.values())) >= 2000
        assert all(len(questions) > SEALED for questions in found.values())
    return asked


FEW = [("qa", "glasswork-2", 20), ("passages", "mill-0", SPLIT_SEEDS)]
ALL = [(family, name) for family, made in FAMILIES.items() for names in made.groups.values() for name in names]


@pytest.mark.parametrize(("family", "name", "split_seeds"), FEW)
def test_no_seed_and_no_secret_mixes_the_classes(family, name, split_seeds):
    for kind, questions in check_classes(family, name, split_seeds).items():
        assert {class_of(name, question) for question in questions} == {kind}


@pytest.mark.long
@pytest.mark.parametrize(("family", "name"), ALL)
def test_no_seed_and_no_secret_mixes_the_classes_of_any_domain(family, name):
    check_classes(family, name, SPLIT_SEEDS)


@pytest.mark.parametrize("made", FAMILIES.values())
def test_sealed_questions_are_others_that_score_alike(made):
    name = made.groups["test"][0]
    public, one, again, other = made().load(name), *(made().sealed(name, secret, 200) for secret in (3, 3, 2**200))
    assert [q.id for q in one.splits["test"]] == [f"sealed-{i}" for i in range(200)]
    assert one.verify() == []
    assert one.fingerprint() == again.fingerprint() != other.fingerprint()
    assert one.splits["feedback"] == public.splits["feedback"]
    assert one.system("x") == public.system("x")
    shared = {q.text for q in one.splits["test"]} & {q.text for q in other.splits["test"]}
    assert len(shared) < 150, "secrets draw different ones"
    empty, echo = (one.score(one.splits["test"], [r(q) for q in one.splits["test"]]) for r in (lambda _: "", one.user))
    assert {outcome.score for outcome in (*empty, *echo)} == {0.0}


@pytest.mark.parametrize("made", FAMILIES.values())
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("x-0", 1, 10), "x-0"),
        (("{name}", -1, 10), "secret="),
        (("{name}", "7", 10), "secret="),
        (("{name}", True, 10), "secret="),
        (("{name}", 1, 0), "count=0"),
        (("{name}", 1, 2.0), "count=2.0"),
    ],
)
def test_a_draw_that_makes_no_sense_is_refused(made, arguments, told):
    name, secret, count = arguments
    with pytest.raises((ArgumentError, UnknownNameError), match=re.escape(told)) as refused:
        made().sealed(name.format(name=made.groups["test"][0]), secret, count)
    assert repr(secret) not in str(refused.value) or secret in (1, True)


def test_more_than_there_is_is_refused():
    with pytest.raises(ArgumentError, match="count=2000"):
        PassageFamily().sealed("mill-0", 1, 2000)


@pytest.mark.parametrize("made", FAMILIES.values())
def test_sizes_are_known_without_making_a_domain(made):
    name = made.groups["train"][0]
    assert made().sizes(name) == {split: len(questions) for split, questions in made().load(name).splits.items()}
    with pytest.raises(UnknownNameError):
        made().sizes("x-0")
