"""The forms of data sets and tools that people have: read as what they mean, or refused with the place."""

import json

import pytest

from lse_gym.envs.custom.choices import SAME_PLACE
from tests.custom.questions import refusal
from tests.custom.test_forms import read, written

N = range(12)
TEXTS = ["red", "green", "blue", "grey"]
LETTERS = "ABCD"


def each(make):
    return [make(n) for n in N]


# name -> records, scorer, columns, what is told, the question as it is asked, the golds of the second one
RECORDS = {
    "PIQA": (each(lambda n: {"goal": f"do {n}", "sol1": f"cut {n}", "sol2": f"glue {n}", "label": n % 2}),
             "multiple_choice", {"question": "goal", "choices": "sol1,sol2"}, "choices ← sol1, sol2",
             "Question: do 1\nA) cut 1\nB) glue 1", ("B",)),
    "HellaSwag": (each(lambda n: {"ctx": f"A man {n}", "endings": TEXTS, "label": str(n % 4), "split": "val"}),
                  "multiple_choice", {"question": "ctx", "choices": "endings", "split": ""}, "unused: split",
                  "Question: A man 1\nA) red\nB) green\nC) blue\nD) grey", ("B",)),
    "SocialIQA": (each(lambda n: {"context": f"c{n}", "question": f"{n}?", "answerA": "a", "answerB": "b",
                                  "answerC": "c", "label": str(1 + n % 3)}),
                  "multiple_choice", {}, "answers count the choices from 1",
                  "Evidence: c1\nQuestion: 1?\nA) a\nB) b\nC) c", ("B",)),
    "MedMCQA": (each(lambda n: {"question": f"{n}?", "cop": 1 + n % 4, "opa": "a", "opb": "b", "opc": "c", "opd": "d"}),
                "multiple_choice", {}, "answers count the choices from 1",
                "Question: 1?\nA) a\nB) b\nC) c\nD) d", ("B",)),
    "AQuA-RAT": (each(lambda n: {"question": f"{n}?", "options": ["A)21", "B)21.5", "C)(22"], "correct": "ABC"[n % 3]}),
                 "multiple_choice", {}, "answer ← correct", "Question: 1?\nA) 21\nB) 21.5\nC) (22", ("B",)),
    "a quiz with letters": (each(lambda n: {"question": f"{n}?", "options": ["A. red", "B. blue"],
                                            "correctAnswer": ["A. red", "B. blue"][n % 2]}),
                            "multiple_choice", {}, "", "Question: 1?\nA) red\nB) blue", ("B",)),
    "a quiz with numbers": (each(lambda n: {"question": f"{n}?", "options": ["1. red", "2. blue"],
                                            "answer": 1 + n % 2}),
                            "multiple_choice", {}, "", "Question: 1?\nA) red\nB) blue", ("B",)),
    "RACE": ([{"article": f"a{n}", "questions": [f"{n}a?", f"{n}b?"], "options": [TEXTS, TEXTS[::-1]],
               "answers": ["A", "B"], "id": f"{n}.txt"} for n in N], "multiple_choice", {}, "evidence ← article",
             "Evidence: a0\nQuestion: 0b?\nA) grey\nB) blue\nC) green\nD) red", ("B",)),
    "QuALITY": (each(lambda n: {"article": f"a{n}", "questions": [
                    {"question": f"{n}?", "options": TEXTS, "gold_label": 1 + n % 4}]}),
                "multiple_choice", {"answer": "gold_label"}, "answers count the choices from 1",
                "Evidence: a1\nQuestion: 1?\nA) red\nB) green\nC) blue\nD) grey", ("B",)),
    "DROP on the hub": (each(lambda n: {"passage": f"p{n}", "question": f"{n}?",
                                        "answers_spans": {"spans": [f"s{n}"], "types": ["span"]}}),
                        "f1", {"answer": "answers_spans"}, "", "Evidence: p1\nQuestion: 1?", ("s1",)),
    "TriviaQA": (each(lambda n: {"Question": f"{n}?", "Answer": {"Value": f"v{n}", "Aliases": [f"a{n}"],
                                                                 "NormalizedValue": "x", "Type": "Wiki"}}),
                 "exact", {}, "", "Question: 1?", ("v1", "a1")),
    "MuSiQue": (each(lambda n: {"question": f"{n}?", "answer": f"a{n}", "paragraphs": [
                    {"idx": 0, "title": "T", "paragraph_text": f"p{n}", "is_supporting": True}]}),
                "exact", {"evidence": "paragraphs"}, "", "Evidence: T: p1\nQuestion: 1?", ("a1",)),
    "Alpaca": (each(lambda n: {"instruction": "Translate.", "input": f"{n}" if n else "", "output": f"o{n}"}),
               "exact", {}, "question ← instruction, input", "Question: Translate.\n1", ("o1",)),
    "SVAMP": (each(lambda n: {"Body": f"He has {n}.", "Question": "How many?", "Answer": float(n)}),
              "numeric", {"question": "Body,Question"}, "question ← Body, Question",
              "Question: He has 1.\nHow many?", ("1.0",)),
    "ShareGPT": (each(lambda n: {"conversations": [{"from": "human", "value": f"{n}?"},
                                                   {"from": "gpt", "value": f"a{n}"}]}),
                 "exact", {}, "", "Question: 1?", ("a1",)),
    "samples of lm-eval": (each(lambda n: {"doc_id": n, "doc": {"question": f"{n}?", "answer": "x"},
                                           "target": f"a{n}", "resps": [["y"]], "filtered_resps": ["y"]}),
                           "exact", {}, "question ← doc.question, answer ← target", "Question: 1?", ("a1",)),
    "LangSmith": (each(lambda n: {"inputs": {"question": f"{n}?"}, "outputs": {"answer": f"a{n}"}}),
                  "exact", {}, "question ← inputs.question", "Question: 1?", ("a1",)),
    "Langfuse": (each(lambda n: {"input": {"query": f"{n}?"}, "expectedOutput": {"answer": f"a{n}"}, "metadata": {}}),
                 "exact", {}, "question ← input.query, answer ← expectedOutput", "Question: 1?", ("a1",)),
    "Braintrust": (each(lambda n: {"input": f"{n}?", "output": f"a model's {n}", "expected": f"a{n}"}),
                   "exact", {}, "answer ← expected; unused: output", "Question: 1?", ("a1",)),
    "DeepEval": (each(lambda n: {"input": f"{n}?", "actual_output": "no", "expected_output": f"a{n}",
                                 "context": [f"c{n}"]}),
                 "exact", {}, "answer ← expected_output, evidence ← context", "Evidence: c1\nQuestion: 1?", ("a1",)),
    "Ragas": (each(lambda n: {"question": f"{n}?", "answer": f"a model's {n}", "contexts": ["c"],
                              "ground_truth": f"a{n}"}),
              "exact", {}, "answer ← ground_truth; unused: answer, contexts", "Question: 1?", ("a1",)),
    "Inspect": (each(lambda n: {"input": [{"role": "user", "content": f"{n}?"}], "choices": TEXTS,
                                "target": LETTERS[n % 4], "metadata": {"answer": "x"}}),
                "multiple_choice", {}, "answer ← target", "Question: 1?\nA) red\nB) green\nC) blue\nD) grey", ("B",)),
    "FLAN": (each(lambda n: {"inputs": f"{n}?", "targets": f"a{n}"}), "exact", {}, "", "Question: 1?", ("a1",)),
    "OpenBookQA": (each(lambda n: {"question_stem": f"{n}?", "choices": {"text": TEXTS, "label": [*LETTERS]},
                                   "answerKey": LETTERS[n % 4]}),
                   "multiple_choice", {}, "", "Question: 1?\nA) red\nB) green\nC) blue\nD) grey", ("B",)),
}  # fmt: skip


@pytest.mark.parametrize("form", RECORDS)
def test_records_are_what_they_mean(form):
    records, scorer, columns, told, asked, golds = RECORDS[form]
    domain, questions, note = read(records, scorer, columns=columns)
    assert domain.user(questions[1]) == asked
    assert domain.items[questions[1].id].golds == golds
    assert told in note


ROWS = each(lambda n: {"question": f"{n}?", "answer": f"a{n}"})
CELLS = [[f"{n}?", f"a{n}"] for n in N]
FILES = {
    "pandas, with its index": ("a.csv", ",question,answer\n" + "".join(f"{n},{n}?,a{n}\n" for n in N)),
    "Excel, semicolons": ("a.csv", "\ufeffquestion;answer\r\n" + "".join(f"{n}?;a{n}\r\n" for n in N)),
    "Excel, told": ("a.csv", "\ufeffsep=;\r\nquestion;answer\r\n" + "".join(f"{n}?;a{n}\r\n" for n in N)),
    "promptfoo": ("a.csv", "question,__expected\n" + "".join(f"{n}?,{'equals: ' * (n % 2)}a{n}\n" for n in N)),
    "columns": ("a.json", json.dumps({k: {str(i): row[k] for i, row in enumerate(ROWS)} for k in ROWS[0]})),
    "lists": ("a.json", json.dumps({k: [row[k] for row in ROWS] for k in ROWS[0]})),
    "split": ("a.json", json.dumps({"columns": ["question", "answer"], "index": [*N], "data": CELLS})),
    "by key": ("a.json", json.dumps({f"q{n}": row for n, row in enumerate(ROWS)})),
    "DROP": ("a.json", json.dumps({f"p{n}": {"passage": "", "qa_pairs": [{"question": f"{n}?", "answer": {
        "number": "", "date": {"day": "", "month": "", "year": ""}, "spans": [f"a{n}"]}}]} for n in N})),
}  # fmt: skip


@pytest.mark.parametrize("form", FILES)
def test_files_are_the_rows_that_they_hold(form, tmp_path):
    name, text = FILES[form]
    questions = read(written(tmp_path / name, text))[1]
    assert [(one.text, one.gold) for one in questions] == [(f"{n}?", f"a{n}") for n in N]


def test_the_number_or_the_date_of_an_answer_in_drop():
    answers = [
        {"number": "7", "date": {}, "spans": []},
        {"number": "", "date": {"day": "", "year": "1492"}, "spans": []},
    ]
    records = [{"question": f"{n}?", "answer": answers[n % 2]} for n in N]
    assert [one.gold for one in read(records)[1]][:2] == ["7", "1492"]


@pytest.mark.parametrize("check", ["icontains: a", "similar(0.8): a", "is-json", "not-contains: a", "llm-rubric: good"])
def test_a_check_of_promptfoo_is_no_answer(check):
    assert "a check and no answer" in refusal([{"question": f"{n}?", "__expected": check} for n in N])


FIRST = {
    "GPQA": ([{"Question": f"{n}?", "Right": f"r{n}", "Wrong 1": f"x{n}", "Wrong 2": f"y{n}"} for n in range(40)],
             {"question": "Question", "answer": "Right", "choices": "Right,Wrong 1,Wrong 2"}),
    "TruthfulQA": ([{"question": f"{n}?", "mc1_targets": {"choices": [f"r{n}", f"x{n}", f"y{n}"], "labels": [1, 0, 0]}}
                    for n in range(40)], {}),
    "TruthfulQA's own file": ([{"question": f"{n}?", "mc1_targets": {f"r{n}": 1, f"x{n}": 0, f"y{n}": 0}}
                               for n in range(40)], {}),
}  # fmt: skip


@pytest.mark.parametrize("form", FIRST)
def test_a_right_choice_that_always_stands_first_is_moved(form):
    records, columns = FIRST[form]
    domain, questions, told = read(records, "multiple_choice", columns=columns)
    assert "the right choice is A everywhere: the order of the choices is drawn" in told
    golds = [question.gold for question in questions]
    assert all(5 < golds.count(letter) < 25 for letter in "ABC")
    assert all(f"{question.gold}) r{question.text.split('?')[0]}" in domain.user(question) for question in questions)
    again = read(records[::-1], "multiple_choice", columns=columns)[1]
    assert {question.text for question in again} == {question.text for question in questions}
    few = read(records[: SAME_PLACE - 1], "multiple_choice", columns=columns)
    assert {question.gold for question in few[1]} == {"A"}
    assert "everywhere" not in few[2]


@pytest.mark.parametrize("golds", [["0", "3"], ["1", "4"], [0, 3]])
def test_an_index_beyond_the_choices_is_refused(golds):
    records = [{"question": f"{n}?", "choices": TEXTS[:3], "answer": golds[n % 2]} for n in N]
    assert "is none of A) 'red'" in refusal(records, "multiple_choice")


def test_numbers_that_choices_say_are_no_places():
    records = [{"question": f"{n}?", "choices": ["7", "3", "5"], "answer": ["7", "3", "5"][n % 3]} for n in N]
    _, questions, told = read(records, "multiple_choice")
    assert [one.gold for one in questions][:3] == ["A", "B", "C"]
    assert "from 1" not in told


def test_one_split_for_all_is_told_with_what_to_do():
    records = [{**row, "split": "val"} for row in ROWS]
    assert "none in the split test; columns={'split': ''} lets the splits be drawn" in refusal(records)
    assert len(read(records, columns={"split": ""})[1]) == len(N)


def test_what_is_said_of_a_question_is_not_its_answer():
    records = [{"question": f"{n}?", "metadata": {"label": "easy", "answer": "x"}} for n in N]
    assert "no 'answer'; there are 'question', 'metadata'" in refusal(records)


def test_choices_that_are_lists_are_their_texts():
    records = [{"question": f"{n}?", "choices": [["red"], ["a", "b"]], "answer": n % 2} for n in N]
    domain, questions, _ = read(records, "multiple_choice")
    assert domain.user(questions[0]) == "Question: 0?\nA) red\nB) a\nb"


def test_parts_of_a_question_are_texts():
    records = [{"a": f"{n}?", "b": {"x": 1}, "answer": n} for n in N]
    assert "{'x': 1}, expected text" in refusal(records, columns={"question": "a,b"})


def test_lines_are_counted_as_they_stand(tmp_path):
    path = written(tmp_path / "a.csv", "sep=;\nquestion;answer\na?;b\nc?\n")
    assert "line 4: 1 cells" in refusal(path)


def test_a_question_with_questions_of_its_own_is_one_question():
    records = [{"question": f"{n}?", "answer": n, "questions": [{"question": "why?", "answer": "so"}]} for n in N]
    assert len(read(records)[1]) == len(N)


def test_code_to_be_run_is_no_answer():
    records = each(lambda n: {"task_id": n, "prompt": "def f():", "canonical_solution": "  pass", "test": "f()"})
    assert "no 'answer'; there are 'task_id', 'prompt', 'canonical_solution', 'test'" in refusal(records)
