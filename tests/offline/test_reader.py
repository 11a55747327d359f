from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lse_gym.envs.models import make_model
from lse_gym.envs.models.base import Request
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.offline.reader.prompt import ATTENTION_CHARS, SLIP_RATE
from lse_gym.envs.qa.procedural.family import ProceduralQAFamily
from lse_gym.envs.servicedesk.family import ServiceDeskFamily
from lse_gym.envs.sql.procedural.family import ProceduralFamily

ATTENTIVE = "lse_gym.envs.offline.reader:AttentiveReader"
FAMILY = ProceduralFamily()
CLINIC = FAMILY.load("clinic-1")
TEST = CLINIC.splits["test"]
ORACLE = CLINIC.oracle_context or ""
RULES = [line for line in ORACLE.splitlines() if line.startswith("- ")]


def answers(context, domain=CLINIC, questions=None, **sampling) -> list[str]:
    questions = questions or [q for split in ("test", "held_out") for q in domain.splits[split]]
    requests = [Request(domain.system(context), domain.user(q), **sampling) for q in questions]
    return [response.text for response in Reader().complete(requests)]


def score(context, domain=CLINIC, **sampling) -> float:
    outcomes = domain.score(TEST, answers(context, domain, TEST, **sampling))
    return sum(outcome.score for outcome in outcomes) / len(outcomes)


@cache
def oracle_answers() -> list[str]:
    return answers(ORACLE)


def test_the_attentive_reader_is_the_reader_without_its_slips():
    contexts = [f"{ORACLE}\n- Note {n}." for n in range(6)]
    requests = [Request(CLINIC.system(context), CLINIC.user(q)) for context in contexts for q in TEST]
    one, other = ([r.text for r in model.complete(requests)] for model in (Reader(), make_model(ATTENTIVE)))
    assert 0 < sum(map(str.__ne__, one, other)) < 0.05 * len(requests)
    assert len({*other[:: len(TEST)]}) == 1  # a note that says nothing changes nothing


def test_answers_depend_on_the_request_alone():
    requests = [Request(CLINIC.system(ORACLE), CLINIC.user(q)) for q in TEST]
    forwards = Reader().complete(requests)
    backwards = Reader().complete(requests[::-1])[::-1]
    alone = [Reader().complete([request])[0] for request in requests]
    assert forwards == backwards == alone
    copied = [Request(str(bytes(r.system, "utf8"), "utf8"), r.user) for r in requests]  # equal text, another object
    assert Reader().complete(copied) == forwards


def test_it_looks_at_no_file_while_it_answers(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the reader reached for something outside of its prompt")

    for name in ("builtins.open", "io.open", "os.open", "sqlite3.connect"):
        monkeypatch.setattr(name, refuse)
    assert answers(f"{ORACLE}\nA line of its own.", questions=TEST[:20])


def test_each_rule_of_the_oracle_matters():
    full = score(ORACLE)
    losses = [full - score(ORACLE.replace(rule, "")) for rule in RULES]
    assert sum(loss > 0 for loss in losses) >= len(RULES) // 2
    assert min(losses) > -0.05  # slips only


@pytest.mark.parametrize("theme", ["library", "hotel", "lab", "transit"])
def test_another_style_of_writing_is_as_good(theme):
    domain = FAMILY.load(f"{theme}-2")
    text = domain.oracle_context
    assert text is not None
    for old, new in [
        (" means ", " refers to "),
        ("- Always require ", "* Only count rows where "),
        ("- When using ", "3. Whenever you use "),
        (", keep only ", ", require "),
        ("- The year of ", "- **Years**: for the year of "),
        (" through ", " via "),
        ("- Join ", "- Link "),
        (".\n", "\n"),
    ]:
        text = text.replace(old, new)
    assert text != domain.oracle_context
    questions = domain.splits["test"]
    outcomes = domain.score(questions, answers(text, domain, questions))
    assert sum(outcome.score for outcome in outcomes) / len(outcomes) >= 0.93


def test_contradictions_confuse_it():
    other = FAMILY.load("clinic-3").oracle_context or ""
    assert score(ORACLE) - score(f"{ORACLE}\n{other}") > 0.2


def test_overlong_contexts_lose_a_share_of_their_rules():
    filler = "Think about what is being asked before you answer, and read the question twice."
    near = ORACLE + "\n" + "\n".join([filler] * ((ATTENTION_CHARS - 1500) // len(filler)))
    far = ORACLE + "\n" + "\n".join([filler] * (3 * ATTENTION_CHARS // len(filler)))
    assert len(near) < ATTENTION_CHARS < len(far)
    seed, full = score(CLINIC.seed_context), score(ORACLE)
    assert score(near) > full - 0.06  # other slips, that is all
    assert seed < score(far) < full - 0.2


def test_it_slips_at_its_rate():
    names = FAMILY.groups["test"][:9]
    slips = total = 0
    for name in names:
        domain = FAMILY.load(name)
        usual = answers(domain.oracle_context, domain)
        for number in range(3):  # a sentence without meaning: other slips, the same knowledge
            given_answers = answers(f"{domain.oracle_context}\nRemark {number}.", domain)
            slips += sum(a != b for a, b in zip(given_answers, usual, strict=True))
            total += len(usual)
    assert 0.5 * SLIP_RATE < slips / total < 3 * SLIP_RATE  # a difference is a slip on either side: about 2 %


def test_temperature_makes_it_sample():
    calm = oracle_answers()
    assert answers(ORACLE, seed=1, sample=3) == calm  # at temperature 0 neither matters
    warm = {seed: answers(ORACLE, temperature=1.0, seed=seed) for seed in (0, 1)}
    assert warm[0] == answers(ORACLE, temperature=1.0, seed=0)
    assert warm[0] != warm[1]
    assert warm[0] != answers(ORACLE, temperature=1.0, seed=0, sample=1)
    changed = sum(a != b for a, b in zip(warm[0], calm, strict=True)) / len(calm)
    assert 0.0 < changed < 0.2


BIRD_SCHEMA = (
    "You answer questions.\n\n### Schema\nCREATE TABLE loans (loan_id INTEGER PRIMARY KEY, fee INTEGER, "
    "returned_on TEXT);\n\n### Instructions\nBe exact."
)


def test_evidence_works_as_rules():
    evidence = "'overdue' refers to returned_on IS NULL; fee = fee / 100"
    user = f"Evidence: {evidence}\nQuestion: What is the average fee of overdue loans?"
    with_it, without = Reader().complete([Request(BIRD_SCHEMA, user), Request(BIRD_SCHEMA, user.split("\n")[1])])
    assert with_it.text == "<answer>SELECT AVG(loans.fee) / 100 FROM loans WHERE loans.returned_on IS NULL</answer>"
    assert without.text != with_it.text


def test_alternatives_stay_together_beside_other_conditions():
    context = '"odd" means fee = 1 OR fee = 2.\n"overdue" means returned_on IS NULL.'
    user = "Question: How many odd overdue loans are there?"
    text = Reader().complete([Request(BIRD_SCHEMA + context, user)])[0].text
    assert "(loans.fee = 1 OR loans.fee = 2)" in text
    assert " AND " in text


def test_a_worked_example_answers_its_own_question():
    question = TEST[3]
    context = f"Be brief.\n\nQ: {question.text}\nSQL: {question.gold}"
    assert answers(context, questions=[question]) == [f"<answer>{question.gold}</answer>"]


@settings(max_examples=150)
@given(st.text(max_size=400), st.text(max_size=200), st.floats(0, 2), st.integers(0, 3))
def test_no_request_raises(system, user, temperature, seed):
    response = Reader().complete([Request(system, user, temperature=temperature, seed=seed)])[0]
    assert response.text.startswith("<answer>")
    assert response.prompt_tokens >= 0


PIECES = st.sampled_from(
    [
        *RULES,
        "\n",
        "Q: ",
        "SQL: ",
        "SELECT ",
        "visits.",
        '"',
        "'",
        "(",
        "<prompt>",
        "### Schema\n",
        "CREATE TABLE visits (x);",
    ]
)


@settings(max_examples=100)
@given(st.lists(PIECES | st.text(max_size=12), max_size=25), st.text(max_size=60))
def test_no_context_raises_on_a_real_schema(pieces, question):
    context = "".join(pieces)
    users = [f"Question: {question}", f"Evidence: {context}\nQuestion: {question} visits", CLINIC.user(TEST[0])]
    for user in users:
        assert Reader().complete([Request(CLINIC.system(context), user)])[0].text.endswith("</answer>")


@pytest.mark.parametrize("number", ["\u00b2", "5\u00b2", "\u2460", "9" * 5000])
def test_numbers_that_are_none_end_no_run(number):
    """Whatever is in a context, the reader answers, as a language model does."""
    qa = ProceduralQAFamily().load("brewing-0")
    desk = ServiceDeskFamily().load("office-0")
    hostile = [
        (qa, f"In the ledger, round to the nearest multiple of {number}."),
        (desk, f"'it has retired' means: it came {number} days late."),
    ]
    for domain, line in hostile:
        questions = [*domain.splits["held_out"]]
        requests = [Request(domain.system(f"{domain.seed_context}\n- {line}"), domain.user(q)) for q in questions]
        assert all("<answer>" in response.text for response in Reader().complete(requests))


@pytest.mark.parametrize("name", ["reader", "writer"])
def test_an_answer_that_was_cut_says_so(name):
    model = make_model(name)
    whole = model.complete([Request("", "Anything.", 512)])[0]
    assert whole.text
    assert whole.finish_reason == ""
    for tokens in range(1, whole.completion_tokens + 1):
        cut = model.complete([Request("", "Anything.", tokens)])[0]
        assert cut.completion_tokens == tokens
        assert (cut.finish_reason == "length") == (cut.text != whole.text)
