"""The apprentice: what it heeds, what it does of itself, and the advice that it gives."""

from itertools import pairwise

import pytest

from lse_gym.envs.editing import INSTRUCTION, editor_prompt, parse_edit
from lse_gym.envs.editor.family import EditorFamily
from lse_gym.envs.editor.prompt import HEAD
from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.apprentice import ADVICE, ATTENTION_CHARS, Habits, read_habits
from lse_gym.envs.repair.family import RepairFamily
from lse_gym.envs.report import Report
from lse_gym.envs.session import Session

ALL = "Go through every problem of the report."


def test_it_earns_by_its_instruction():
    domain = EditorFamily(edits=1, feedback=1, held_out=2, size=6).load("program-repair")
    questions, scores = domain.splits["held_out"], {}
    for name in ("apprentice", "writer"):
        session = Session(make_model(name))
        for text in (INSTRUCTION, f"{INSTRUCTION} {ALL}", f"{INSTRUCTION} {ALL} Be brief."):
            scores[name, text] = session.run([session.evaluate(domain, text, questions)])[0].scores.mean()
    shipped, thorough, brief = (scores["apprentice", text] for _, text in [*scores][:3])
    assert thorough > shipped > 0
    assert brief < thorough
    assert {scores["writer", text] for _, text in [*scores][3:]} == {thorough}


def report_of_repairs():
    domain, session = RepairFamily().load("parking-0"), Session(make_model("reader"))
    batch = domain.splits["feedback"][:4]
    (found,) = session.run([session.evaluate(domain, domain.seed_context, batch)])
    return session.report(domain, found.attempts_from(0), "gold").text(100_000)


def edited(context, report, instruction, seed=0):
    prompt = editor_prompt(context, report, 8000, instruction=instruction)
    (answer,) = make_model("apprentice").complete([Request("", prompt, 4000, seed=seed)])
    return parse_edit(answer.text, context)


def test_of_itself_it_loses_rules_and_sees_one_mistake():
    report = report_of_repairs()
    rules = [f"- In attics, matter {i} is left alone." for i in range(30)]
    context = "\n".join(["Repair the function.", *rules])
    kept = {text: edited(context, report, text).splitlines() for text in ("", "Keep the rules.", f"Keep them. {ALL}")}
    old, careful, thorough = ([line for line in lines if line in rules] for lines in kept.values())
    assert 10 < len(old) < 30
    assert careful == thorough == rules
    new = [len(lines) - 31 for lines in kept.values()]
    assert 0 < new[1] < new[2]
    assert len(edited(context, report, f"Keep them. {ALL} Be brief.").splitlines()) == 32
    assert edited(context, report, "", seed=1) != edited(context, report, "")


@pytest.mark.parametrize(
    ("instruction", "habits"),
    [
        (INSTRUCTION, Habits(careful=True)),
        ("", Habits()),
        ("Write a poem about the sea.", Habits()),
        ("Look at EACH wrong answer; write a single rule", Habits(thorough=True, brief=True)),
        ("Do not look at every mistake.", Habits()),
        ("Be brief. Keep what is right. Don't be brief", Habits(careful=True)),
        ("Every rule is a line.", Habits()),
    ],
)
def test_habits(instruction, habits):
    assert read_habits(instruction) == habits


def test_of_a_long_instruction_it_overlooks_some():
    told = [read_habits(f"{ALL} {'Mind the gap number ' * (ATTENTION_CHARS // 5)}{i}.").thorough for i in range(40)]
    assert 0 < sum(told) < 40


def test_it_advises_editors_by_turns():
    report = Report(f"{HEAD} More.", report_of_repairs().data.problems).text(100_000)
    seen, context = [], INSTRUCTION
    for seed in range(40):
        context = edited(context, report, "", seed)
        seen.append({advice for advice in ADVICE if advice in context})
        assert context.startswith(INSTRUCTION)
    steps = [len(after) - len(before) for before, after in pairwise(seen)]
    assert {*steps} == {1, -1}
    assert set.union(*seen) == {*ADVICE}
