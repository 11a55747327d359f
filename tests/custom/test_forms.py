"""The forms that people's files have: read as what they mean, or refused with the place, never as something else."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lse_gym.envs.custom.family import CustomFamily
from lse_gym.envs.domain import SPLITS
from lse_gym.envs.errors import ArgumentError, DataError
from tests.custom.questions import SUMS, refusal, write_questions

ROOT = Path(__file__).parents[2]
CASES = ROOT / ".." / "shared" / "cases"


def read(questions, scorer="exact", **arguments):
    """The domain, its questions in the order of their ids, and what was told."""
    family = CustomFamily(questions, scorer, **arguments)
    domain = family.load(family.select(None)[0])
    found = sorted((q for split in SPLITS for q in domain.splits[split]), key=lambda q: (len(q.id), q.id))
    assert domain.verify() == []
    return domain, found, family.note(domain.name)


def written(path, text):
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def choice(**values):
    return [{"question": f"Which is {n}?", **values} for n in range(6)]


TEXTS = ["red", "green", "blue"]
LABELLED = {
    "ARC with numbers": choice(choices={"text": TEXTS, "label": ["1", "2", "3"]}, answerKey="2"),
    "ARC with letters": choice(choices={"text": TEXTS, "label": ["P", "Q", "R"]}, answerKey="q"),
    "objects": choice(choices=[{"label": str(n), "text": text} for n, text in enumerate(TEXTS)], answer="1"),
    "letters": choice(options={"A": "red", "B": "green", "C": "blue"}, answer="B"),
    "labels that are texts of others": choice(choices={"text": ["2", "3", "4"], "label": ["1", "2", "3"]}, answer="2"),
    "columns": choice(A="red", B="green", C="blue", answer="B"),
    "columns by text": choice(A="red", B="green", C="blue", answer="green"),
    "columns by index": choice(A="red", B="green", C="blue", answer=1),
    "trailing empty": choice(A="red", B="green", C="", D=None, answer="B"),
    "numbered columns": choice(choice0="red", choice1="green", choice2="blue", label=1),
    "from one": choice(option1="red", option2="green", answer="2"),
    "medical": choice(opa="red", opb="green", opc="blue", opd="grey", correct_option="B"),
    "endings": choice(ending0="red", ending1="green", ending2="blue", label="1"),
    "stem": [{"question": {"stem": f"Which is {n}?", "choices": [{"label": "X", "text": "red"},
              {"label": "Y", "text": "green"}]}, "answerKey": "Y"} for n in range(6)],
    "scores": [{"input": f"Which is {n}?", "target_scores": {"red": 0, "green": 1}} for n in range(6)],
    "scores beside a target": [{"input": f"Which is {n}?", "target": "green", "target_scores": {"red": 0, "green": 1}}
                               for n in range(6)],
    "JSON in a cell": choice(choices='["red", "green"]', answer="B"),
}  # fmt: skip


@pytest.mark.parametrize("records", LABELLED.values(), ids=LABELLED)
def test_the_choice_is_the_one_that_the_data_call_so(records):
    domain, questions, told = read(records, "multiple_choice")
    assert {question.gold for question in questions} == {"B"}
    assert all(f"Question: Which is {n}?\nA) " in domain.user(question) for n, question in enumerate(questions))
    assert not any("{" in domain.user(question) for question in questions)
    assert "choices ← " in told
    assert domain.score(questions[:2], ["<answer>B</answer>", "A"])[0].score == 1.0


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"A": "red", "B": "", "C": "blue", "answer": "C"}, "3 choices, 2 of them different"),
        ({"choices": {"text": ["red", "blue"], "label": ["1"]}, "answer": "1"}, "with the labels"),
        ({"choices": {"text": ["red", "blue"], "label": ["1", "1"]}, "answer": "1"}, "with the labels"),
        ({"choices": {"text": ["red", "blue"], "label": ["1", "2"]}, "answer": "0"}, "'0' is none of"),
        ({"choice1": "red", "choice2": "blue", "answer": 0}, "'0' is none of"),
        ({"choices": [["red"], ["red"]], "answer": "A"}, "1 of them different"),
        ({"choices": "red, blue", "answer": "A"}, "no JSON list"),
    ],
)
def test_choices_that_could_mean_something_else_are_refused(values, told):
    assert told in refusal(choice(**values), "multiple_choice")


def test_columns_of_choices_are_named_in_one():
    records = choice(wrong="red", right="green", correct="right")
    roles = {"choices": "wrong,right", "answer": "correct"}
    assert read(records, "multiple_choice", columns=roles)[1][0].gold == "B"
    assert read(records, "multiple_choice", columns=roles | {"choices": ["wrong", "right"]})[1][0].gold == "B"
    assert "'choices' is to be 'wrong,no'" in refusal(
        records, "multiple_choice", columns=roles | {"choices": "wrong,no"}
    )


def test_a_row_ends_where_a_line_ends(tmp_path):
    odd = "\u2028 \u2029 \x85 \x0b \x0c \x1c".replace("\x0b ", "").replace("\x0c ", "").replace(" \x1c", "")
    path = written(tmp_path / "a.csv", "question,answer\r\n" + "".join(f"{n}{odd}?,{n}\r\n" for n in range(5)))
    assert [question.text for question in read(path)[1]] == [f"{n}{odd}?" for n in range(5)]


def test_a_quote_in_a_tab_separated_file_is_a_quote(tmp_path):
    lines = [
        "question\tanswer",
        '"Stop, she said\tno',
        'they shouted bravo"\tyes',
        '"He said ""hi"""\tyes',
        'a\t"b" and "c"',
        "d\te",
    ]
    questions = read(written(tmp_path / "a.tsv", "\n".join(lines)))[1]
    assert [q.text for q in questions] == ['"Stop, she said', 'they shouted bravo"', 'He said "hi"', "a", "d"]
    assert questions[3].gold == '"b" and "c"'


def test_a_table_without_a_header(tmp_path):
    rows = [f"Which is {n}?,red,green,blue,grey,B" for n in range(6)]
    path = written(tmp_path / "a.csv", "\n".join(rows))
    domain, questions, _ = read(path, "multiple_choice", header=False)
    assert len(questions) == 6
    assert domain.user(questions[0]) == "Question: Which is 0?\nA) red\nB) green\nC) blue\nD) grey"
    plain = written(tmp_path / "b.csv", "\n".join(f"{n} and {n}?,x,{2 * n}" for n in range(6)))
    assert len(read(plain, "numeric", header=False, columns=["question", "kind", "answer"])[1]) == 6
    assert len(read(plain, "numeric", header=False, columns={"question": "1", "answer": "3"})[1]) == 6
    assert "3 cells, the header has 2" in refusal(plain, header=False, columns=["question", "answer"])
    for columns in ("question", ["question", "answer"]):
        with pytest.raises(ArgumentError, match="header=False"):
            CustomFamily(plain, columns=columns)


def test_lists_inside_of_a_file(tmp_path):
    nested = {"name": "sums", "canary": "x", "examples": SUMS}
    assert len(read(written(tmp_path / "a.json", json.dumps(nested)))[1]) == 40
    deep = {"meta": SUMS, "data": {"items": SUMS[:9]}}
    assert len(read(written(tmp_path / "b.json", json.dumps(deep)), columns={"rows": "data.items"})[1]) == 9
    assert "has no list 'data.no'" in refusal(str(tmp_path / "b.json"), columns={"rows": "data.no"})
    lines = "".join(json.dumps(record) + "\n" for record in SUMS)
    assert len(read(written(tmp_path / "c.json", lines))[1]) == 40
    paths = [{"q": {"de": f"Was ist {n}?"}, "meta": {"a": [f"{n}"]}} for n in range(5)]
    assert read(paths, columns={"question": "q.de", "answer": "meta.a.0"})[1][2].text == "Was ist 2?"


def test_chats():
    evals = [{"input": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": f"After {n}?"}],
              "ideal": [str(n + 1), f"{n + 1}."]} for n in range(5)]  # fmt: skip
    domain, questions, _ = read(evals)
    assert questions[0].text == "Be brief.\nAfter 0?"
    assert domain.score([questions[0]], ["<answer>1.</answer>"])[0].score == 1.0
    tuned = [{"messages": [{"role": "user", "content": f"After {n}?"}, {"role": "assistant", "content": str(n + 1)}]}
             for n in range(5)]  # fmt: skip
    assert [(q.text, q.gold) for q in read(tuned)[1]][:2] == [("After 0?", "1"), ("After 1?", "2")]
    talk = [{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"},
                          {"role": "user", "content": f"After {n}?"}], "answer": n + 1} for n in range(5)]  # fmt: skip
    assert read(talk)[1][0].text == "User: Hi\nAssistant: Hello\nUser: After 0?"


def test_passages_are_evidence_as_text():
    squad = [{"title": "T", "paragraphs": [{"context": f"Ada has {n} hats.", "qas": [
        {"id": f"q{n}{k}", "question": f"How many {k} {n}?", "answers": [{"text": str(n), "answer_start": 8}]}
        for k in "ab"
    ]}]} for n in range(4)]  # fmt: skip
    for records in (squad, [{**one, "question": "x"} for one in squad]):
        domain, questions, _ = read([{**one} for one in records])
        assert len(questions) == 8
        assert domain.user(questions[0]) == "Evidence: Ada has 0 hats.\nQuestion: How many a 0?"
    facts = [["Oslo", ["Oslo is a city.", " It is old."]], ["Rome", ["Rome is older."]]]
    hub = {"title": ["Oslo", "Rome"], "sentences": [facts[0][1], facts[1][1]]}
    for context in (facts, hub):
        hotpot = [{"question": f"Which {n}?", "answer": "Rome", "context": context} for n in range(5)]
        assert read(hotpot)[1][0].evidence == "Oslo: Oslo is a city. It is old.\nRome: Rome is older."


def test_final_answers_and_truth():
    gsm8k = [{"question": f"{n}?", "answer": f"It is\n#### {n}"} for n in range(5)]
    domain, questions, told = read(gsm8k)
    assert questions[3].gold == "3"
    assert "what stands after ####" in told
    math = [{"problem": f"{n}?", "solution": f"So $\\boxed{{\\frac{{{n}}}{{7}}}}$."} for n in range(5)]
    assert read(math)[1][3].gold == "\\frac{3}{7}"
    assert not read(math, "numeric")[0].verify()
    domain, questions, _ = read([{"question": f"Is {n} even?", "answer": n % 2 == 0} for n in range(6)])
    answers = ["True", "yes", "TRUE", "no", "false", "1"]
    assert [o.score for o in domain.score([questions[0]] * 6, answers)] == [1, 1, 1, 0, 0, 0]


def test_promptfoo_tests():
    tests = {"prompts": ["{{question}}"], "tests": [
        {"vars": {"question": f"After {n}?"}, "assert": [{"type": "equals", "value": str(n + 1)}]} for n in range(5)
    ]}  # fmt: skip
    assert [q.gold for q in read(tests["tests"])[1]] == ["1", "2", "3", "4", "5"]


PROMPTFOO = """\
prompts: ["{{question}}"]
providers:
  - id: openai:gpt-5
    config: {temperature: 0}
tests:
"""


@pytest.mark.extra("data")
def test_a_configuration_of_promptfoo_in_yaml(tmp_path):
    case = '  - vars: {{question: "After {n}?"}}\n    assert: [{{type: equals, value: "{next}"}}]\n'
    path = tmp_path / "promptfooconfig.yaml"
    path.write_text(PROMPTFOO + "".join(case.format(n=n, next=n + 1) for n in range(5)))
    questions = [q for part in CustomFamily(path).load("promptfooconfig").splits.values() for q in part]
    assert sorted((q.text, q.gold) for q in questions) == [(f"After {n}?", str(n + 1)) for n in range(5)]


@pytest.mark.extra("data")
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a: [1", "expected ',' or ']'"),
        ("a: &x [1]\nb: [*x, *x]", "alias"),
        ("[" * 5000, "malformed lines"),
        ("!!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("5", "the file holds a int"),
    ],
)
def test_yaml_that_is_no_list_of_tests(tmp_path, text, told):
    (tmp_path / "a.yml").write_text(text)
    with pytest.raises(DataError, match=re.escape(told)):
        CustomFamily(tmp_path / "a.yml")


def test_a_column_has_one_role_and_all_are_told():
    records = [{"context": f"What is {n}?", "target": n, "ID": n, "Body": "x"} for n in range(5)]
    domain, questions, told = read(records, columns={"question": "context"})
    assert domain.user(questions[0]) == "Question: What is 0?"
    assert told == "question ← context, answer ← target, id ← ID; unused: Body"


@pytest.mark.parametrize("name", ["val", "dev", "valid", "validation", "held-out", "Development"])
def test_split_names(name):
    domain = read([{**r, "split": ("train", name, "test")[i % 3]} for i, r in enumerate(SUMS)])[0]
    assert [len(domain.splits[split]) for split in SPLITS] == [14, 13, 13]


def test_held_out_questions_are_drawn_from_train_where_there_are_none():
    records = [{**r, "split": "test" if i % 4 == 0 else "train"} for i, r in enumerate(SUMS)]
    domain, _, told = read(records)
    assert [len(domain.splits[split]) for split in SPLITS] == [23, 7, 10]
    assert "7 held-out questions are drawn from train" in told
    assert {q.text for q in domain.splits["test"]} == {r["question"] for r in SUMS[::4]}
    assert read(records[::-1])[0].splits["held_out"] != ()
    assert {q.text for q in read(records[::-1])[0].splits["held_out"]} == {q.text for q in domain.splits["held_out"]}


def test_a_held_out_split_of_another_size_than_asked_for_is_told():
    assert "held-out" not in read(SUMS)[2] + read(SUMS, held_out_size=8)[2]
    assert "questions: 10 held-out questions, at most a quarter, instead of 500" in read(SUMS, held_out_size=500)[2]
    named = [{**r, "split": ("train", "validation", "test")[i % 3]} for i, r in enumerate(SUMS)]
    assert "13 held-out questions, as the data name them, instead of 5" in read(named, held_out_size=5)[2]


def test_repeated_questions_are_told():
    assert "repeat" not in read(SUMS)[2]
    again = {**SUMS[1], "question": SUMS[1]["question"].upper()}
    assert "questions that repeat another one, and count as often: 2" in read([*SUMS, SUMS[0], again])[2]


def test_a_large_test_split_is_capped_and_told():
    domain, _, told = read(SUMS, test_size=5)
    whole = read(SUMS, test_size=None)[0]
    assert len(domain.splits["test"]) == 5
    assert {*domain.splits["test"]} < {*whole.splits["test"]}
    assert domain.splits["held_out"] == whole.splits["held_out"]
    assert "5 of 12 test questions are used" in told
    with pytest.raises(ArgumentError, match="test_size"):
        CustomFamily(SUMS, test_size=0)


LARGE = """
import json, sys, time
from tests.memory import peak_bytes
from lse_gym.envs.custom.family import CustomFamily
start = time.process_time()
family = CustomFamily(sys.argv[1], "numeric")
memory = peak_bytes()
print(json.dumps([time.process_time() - start, memory, len(family.load("a").splits["test"])]))
"""


def test_thirty_thousand_rows_take_no_time(tmp_path):
    path = write_questions(
        tmp_path / "a.jsonl", [{"question": f"What is {n} + {n}?", "answer": 2 * n} for n in range(30_000)]
    )
    done = subprocess.run(
        [sys.executable, "-c", LARGE, str(path)], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    seconds, memory, tested = json.loads(done.stdout)
    assert seconds < 6.0, "3 s on a quiet machine"
    assert memory < 300_000_000
    assert tested == 1000


@pytest.mark.skipif(not (CASES / "check.py").is_file(), reason="the cases are not at ../shared/cases")
def test_the_shared_cases_come_out_right():
    path = CASES / "check.py"
    code = path.read_text(encoding="utf-8").replace("LSE/Custom-v0", "LSE/Custom-v1")
    run = f"exec(compile({code!r}, {str(path)!r}, 'exec'), {{'__file__': {str(path)!r}}})"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout


def test_the_command_shows_what_became_of_the_file(tmp_path):
    path = write_questions(
        tmp_path / "my.jsonl",
        [{"Question": f"[b]What[/b] is {n}?", "Answer": n, "ID": n, "Body": "x"} for n in range(9)],
    )
    command = [
        sys.executable,
        "-m",
        "lse_gym",
        "envs",
        "LSE/Custom-v1",
        "--questions",
        str(path),
        "--scorer",
        "numeric",
    ]
    shown = subprocess.run(command, capture_output=True, text=True, timeout=120, env={**os.environ, "COLUMNS": "160"})
    assert shown.returncode == 0, shown.stderr
    assert "question ← Question, answer ← Answer, id ← ID; unused: Body" in shown.stdout
    assert shown.stdout.count("Question: [b]What[/b] is ") == shown.stdout.count("→ ") == 3
    assert "Give the answer alone." in shown.stdout
    run = [*command[:3], "evolve", *command[5:], "--rounds", "0", "--out", str(tmp_path / "run")]
    told = subprocess.run(run, capture_output=True, text=True, timeout=120)
    assert "question ← Question, answer ← Answer, id ← ID; unused: Body" in told.stderr, told.stderr
