"""Questions of one's own: every way to give them, every way to score them, and a whole evolution through a server."""

import csv
import json
import pickle
import shutil
from datetime import date
from decimal import Decimal
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import data_equivalence

from lse_gym.agents.lse import LSEAgent
from lse_gym.envs.custom.family import CustomFamily
from lse_gym.envs.domain import SPLITS, Attempt
from lse_gym.envs.errors import ArgumentError, DataError, UnknownNameError
from lse_gym.envs.evaluation import evaluate_context
from tests import command
from tests.custom.questions import SUMS, write_questions
from tests.custom.scoring import same_letters, weighted
from tests.models.chat_server import serve
from tests.sql.layouts import GEOQUERY, write_database

ID = "LSE/Custom-v1"
ROOT = Path(__file__).parents[2]


def domain(questions=SUMS, scorer="numeric", **arguments):
    family = CustomFamily(questions, scorer, **arguments)
    return family.load(family.select(None)[0])


def asked(loaded):
    return {split: [question.text for question in loaded.splits[split]] for split in SPLITS}


def write_table(path, delimiter=","):
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        csv.writer(file, delimiter=delimiter).writerows([[*SUMS[0]], *(list(r.values()) for r in SUMS)])
    return path


def test_every_format_is_the_same_data(tmp_path):
    paths = [write_questions(tmp_path / "sums.jsonl"), write_table(tmp_path / "sums.csv")]
    paths += [write_table(tmp_path / "sums.tsv", "\t"), tmp_path / "sums.json"]
    paths[-1].write_text(json.dumps(SUMS))
    prints = {domain(path).fingerprint() for path in paths} | {domain(list(SUMS)).fingerprint()}
    assert len(prints) == 1
    assert {domain(path).name for path in paths} == {"sums"}
    assert len({domain(SUMS[1:]).fingerprint(), domain(SUMS, "numeric,tolerance=1").fingerprint(), *prints}) == 3


@pytest.mark.extra("data")
@pytest.mark.filterwarnings("ignore")
def test_hugging_face_datasets(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    import datasets

    data = datasets.Dataset.from_list(SUMS)
    data.to_parquet(tmp_path / "sums.parquet")
    data.save_to_disk(str(tmp_path / "saved"))
    write_questions(tmp_path / "hub" / "train.jsonl")
    expected = domain().fingerprint()
    hub = f"hf:{tmp_path / 'hub'}"
    (tmp_path / "answer=4").mkdir()  # no column, though partitioned data sets call folders so
    parted = shutil.copy(tmp_path / "sums.parquet", tmp_path / "answer=4")
    capfd.readouterr()
    assert domain(parted).fingerprint() == expected
    assert capfd.readouterr().err == ""
    for given in (data, tmp_path / "sums.parquet", tmp_path / "saved", hub, f"{hub}:default:train"):
        assert domain(given).fingerprint() == expected, given
    parts = {"train": SUMS[:20], "validation": SUMS[20:30], "test": SUMS[30:]}
    three = domain(datasets.DatasetDict({name: datasets.Dataset.from_list(part) for name, part in parts.items()}))
    assert [len(three.splits[split]) for split in SPLITS] == [20, 10, 10]
    two = domain(datasets.DatasetDict({n: datasets.Dataset.from_list(parts[n]) for n in ("train", "test")}))
    assert [len(two.splits[split]) for split in SPLITS] == [15, 5, len(parts["test"])]
    assert {q.text for q in two.splits["test"]} == {row["question"] for row in parts["test"]}
    with pytest.raises(DataError, match=r"splits train \(20\), other \(10\): name the one"):
        domain(
            datasets.DatasetDict(
                {"train": datasets.Dataset.from_list(SUMS[:20]), "other": datasets.Dataset.from_list(SUMS[20:30])}
            )
        )
    with pytest.raises(DataError, match="hf:ID:NAME:SPLIT"):
        domain("hf:a:b:c:d")
    with pytest.raises(DataError, match="unreadable file"):
        domain(f"{hub}:default:no-such-split")


def test_what_others_call_it():
    squad = [{"id": f"q{n}", "context": f"Ada has {n} hats.", "question": f"How many hats has Ada{n}?",
              "answers": {"text": [str(n), f"{n} hats"], "answer_start": [8, 8]}} for n in range(9)]  # fmt: skip
    loaded = domain(squad, "exact")
    question = loaded.splits["test"][0]
    number = question.id.removeprefix("q")
    assert loaded.user(question) == f"Evidence: Ada has {number} hats.\nQuestion: How many hats has Ada{number}?"
    right = [f"<answer>{number} hats</answer>", number, "<answer>99</answer>"]
    assert [o.score for o in loaded.score([question] * 3, right)] == [1.0, 1.0, 0.0]
    gsm8k = [
        {"question": f"{n} and {n}?", "answer": f"{n} + {n} = <<{n}+{n}={2 * n}>>\n#### {2 * n}"} for n in range(9)
    ]
    assert not domain(gsm8k).verify()
    arc = [{"question": f"Which {n}?", "choices": {"text": ["u", "v", "w"], "label": ["A", "B", "C"]}, "answerKey": "B"}
           for n in range(9)]  # fmt: skip
    mmlu = [{"question": f"Which {n}?", "choices": ["1", "2", "3", "4"], "answer": 1} for n in range(9)]
    table = [{"question": f"Which {n}?", "A": "2", "B": "4", "C": "8", "answer": "4"} for n in range(9)]
    for records, columns in ((arc, {"answer": "answerKey"}), (mmlu, None), (table, None)):
        loaded = domain(records, "multiple_choice", columns=columns)
        assert {question.gold for split in SPLITS for question in loaded.splits[split]} == {"B"}
        assert "\nB) " in loaded.user(loaded.splits["test"][0])
        assert not loaded.verify()
    lm_eval = [{"Input": f"Say {n}", "Target": n} for n in range(9)]
    assert not domain(lm_eval, "exact_match").verify()


def test_splits_are_disjoint_and_fixed_and_follow_the_seed():
    one = asked(domain())
    assert one == asked(domain(SUMS[::-1])) != asked(domain(split_seed=1))
    assert sorted(text for texts in one.values() for text in texts) == sorted(r["question"] for r in SUMS)
    assert [len(one[split]) for split in SPLITS] == [18, 10, 12]
    assert len(one["held_out"]) != len(asked(domain(held_out_size=5))["held_out"]) == 5
    copies = asked(domain([*SUMS, *({**r, "question": r["question"].upper() + " "} for r in SUMS)]))
    where = {text.strip().upper(): {s for s in SPLITS if text in copies[s]} for s in SPLITS for text in copies[s]}
    assert all(len(places) == 1 for places in where.values())


def test_given_splits_are_kept():
    names = ("train", "dev", "TEST")
    loaded = domain([{**r, "split": names[i % 3]} for i, r in enumerate(SUMS)])
    assert asked(loaded) == {s: [r["question"] for r in SUMS[i::3]] for i, s in enumerate(SPLITS)}


def test_a_limit_draws_alike_from_any_order():
    few = asked(domain(limit=12))
    assert sum(map(len, few.values())) == 12
    assert few == asked(domain(SUMS[::-1], limit=12))
    for wrong in (2, 2.5, True):
        with pytest.raises(ArgumentError, match="limit"):
            domain(limit=wrong)


def test_domains_of_one_file():
    family = CustomFamily([{**r, "domain": "even" if i % 2 else "odd"} for i, r in enumerate(SUMS)], "numeric")
    assert family.select(None) == ("even", "odd")
    assert sum(len(family.load("odd").splits[split]) for split in SPLITS) == 20
    with pytest.raises(UnknownNameError, match="'even'"):
        family.load("evn")


def test_functions_score(caplog):
    records = [{"question": f"Word {n}?", "answer": f"word{n}", "worth": 0.5} for n in range(9)]
    lettered, worth = domain(records, same_letters), domain(records, weighted)
    question = lettered.splits["test"][0]
    backwards = f"<answer>{question.gold[::-1]}</answer>"
    assert lettered.score([question], [backwards])[0].score == 1.0
    outcomes = worth.score([question] * 3, [backwards, "half", "<answer></answer>"])
    assert [outcome.score for outcome in outcomes] == [0.0, 0.5, 0.0]
    assert outcomes[2].error == "the scorer raised RuntimeError: an empty answer"
    worth.score([question], [""])
    (told,) = caplog.messages
    assert told == "On 1 of 3 answers, which score 0, the scorer raised RuntimeError: an empty answer"
    attempts = [Attempt(question, *pair) for pair in zip(["a", "half", ""], outcomes, strict=True)]
    report = worth.report(attempts).text()
    assert all(text in report for text in ("Problem 2: score 0.5", "Error: the scorer raised", "Correct answer: word"))
    assert "Correct answer" not in worth.report(attempts[:1]).in_mode("error").text()
    for value in (2.0, "no", float("nan"), None):
        with pytest.raises(ArgumentError, match=r"returned .* expected a number in \[0, 1\]"):
            domain(records, lambda answer, gold, value=value: True if answer == gold else value).score(
                [question], ["x"]
            )
    with pytest.raises(DataError, match="item 0: 'word0': it scores 0"):
        domain(records, lambda answer, gold: False)
    with pytest.raises(
        DataError, match=r"item 0: 'word0': the scorer .* returned 2.0 for the answer 'word0' where"
    ) as e:
        domain(records, lambda answer, gold: 2.0)
    assert str(e.value).startswith("questions=<list> cannot be used; 9 problems.")


def test_a_function_by_reference_is_that_function_in_specs_copies_and_processes():
    given = {"questions": SUMS, "scorer": "tests.custom.scoring:same_letters"}
    env, direct = gym.make(ID, **given), gym.make(ID, questions=SUMS, scorer=same_letters)
    assert gym.envs.registration.EnvSpec.from_json(env.spec.to_json()) == env.spec
    results = [[e.reset(seed=1), e.step("Add.")] for e in (env, direct, pickle.loads(pickle.dumps(direct.unwrapped)))]  # noqa: S301
    assert data_equivalence(results[0], results[1], exact=True)
    assert data_equivalence(results[0], results[2], exact=True)
    for more in ({}, {"vectorization_mode": "async", "vector_kwargs": {"shared_memory": False}}):
        envs = gym.make_vec(ID, num_envs=2, questions=SUMS, scorer=same_letters, **more)
        observations, _ = envs.reset(seed=[1, 1])
        assert observations["feedback"] == (results[0][0][0]["feedback"],) * 2
        envs.close()


def test_sql_needs_no_description():
    with pytest.raises(ArgumentError, match="description"):
        CustomFamily(SUMS, "sql", database="a.sqlite", description="x")


def test_records_of_bird_and_spider(tmp_path):
    database = write_database(tmp_path / "city.sqlite")
    rows = [(f"More than {n}?", f"SELECT name FROM city WHERE population > {n}") for n in range(8)]
    bird = [{"question_id": 5 * n, "question": q, "evidence": "", "SQL": s} for n, (q, s) in enumerate(rows)]
    spider = [{"question": q, "query": s} for q, s in rows]
    for records in (bird, spider):
        assert not domain(records, "sql,scoring=strict", database=database).verify()


@pytest.mark.skipif(not GEOQUERY.is_dir(), reason="the GeoQuery data is not at ../shared/data")
def test_sql_questions_score_as_in_bird(tmp_path):
    """The same questions as plain JSON lines: same splits, prompts, scores and evolution as in BIRD's layout."""
    records = json.loads((GEOQUERY / "dev.json").read_text(encoding="utf-8"))
    kept = [{key: record[key] for key in ("question_id", "question", "SQL")} for record in records]
    database = GEOQUERY / "dev_databases" / "geography" / "geography.sqlite"
    own = {"questions": str(write_questions(tmp_path / "geo.jsonl", kept)), "scorer": "sql", "database": str(database)}
    envs = [gym.make("LSE/BIRD-v0", data_dir=str(GEOQUERY)), gym.make(ID, **own)]
    bird, custom = (env.unwrapped.family.load(env.unwrapped.domains[0]) for env in envs)
    assert asked(bird) == asked(custom)
    assert bird.system("A rule.") == custom.system("A rule.")
    agents = [LSEAgent(env, seed=0).learn(3) for env in envs]
    nodes = [[(n["context"], n["performance"], n["feedback"]) for n in agent.tree.nodes] for agent in agents]
    assert nodes[0] == nodes[1]
    assert nodes[0][-1][1] > nodes[0][0][1] + 0.2
    for context, split in (
        (nodes[0][-1][0], "test"),
        ("", "held_out"),
        ("Q: what is the largest city\nSQL: x", "test"),
    ):
        scores = [evaluate_context(env, context, split).scores.tolist() for env in envs]
        assert scores[0] == scores[1]
    responses = [f"<answer>{sql}</answer>" for sql in ("SELECT 1", "DROP TABLE city", "SELECT * FROM city", "no SQL")]
    for question in bird.splits["test"][:5]:
        given = [question] * 5, [*responses, bird.gold_response(question)]
        assert bird.score(*given) == custom.score(*given)


def adder(handler, number):
    """A model that adds, but says only the number where it is told to; and an editor that tells it."""
    payload = handler.server.payloads[number]
    text = payload["messages"][-1]["content"]
    if "<prompt>" in text:
        said = "It talks too much.\n<prompt>Answer with the number alone.</prompt>"
    else:
        words = text.rstrip("?").split()
        total = int(words[-3]) + int(words[-1])
        alone = "number alone" in payload["messages"][0]["content"]
        said = f"<answer>{total}</answer>" if alone else f"<answer>{words[-3]} and {words[-1]} make {total}</answer>"
    usage = {"prompt_tokens": 10, "completion_tokens": 5}
    return handler.reply(200, {"choices": [{"message": {"role": "assistant", "content": said}}], "usage": usage})


def run(*arguments, cwd, **environment):
    return command.run(*arguments, cwd=cwd, env=environment)


def test_the_command_evolves_the_prompt_for_my_questions_on_my_model(tmp_path):
    write_questions(tmp_path / "my.jsonl")
    (tmp_path / "my.txt").write_text("Add the numbers.\n")
    models = ["--task-model", "openai:adder", "--editor", "openai:adder"]
    mine = ["--questions", "my.jsonl", "--scorer", "numeric"]
    with serve(adder) as server:
        environment = {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "none"}
        done = run("evolve", *mine, *models, "--context", "my.txt", "--rounds", 2, "--out", "run", cwd=tmp_path,
                   **environment)  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert (tmp_path / "run" / "best_context.txt").read_text() == "Answer with the number alone."
        summary = json.loads((tmp_path / "run" / "summary.json").read_text())
        first = json.loads((tmp_path / "run" / "trajectory.jsonl").read_text().splitlines()[0])
        assert first["context"] == "Add the numbers."
        assert (summary["test_score_seed"], summary["test_score_best"], summary["domain"]) == (0.0, 1.0, "my")
        scored = run("evaluate", "my.txt", *mine, *models[:2], "--json", cwd=tmp_path, **environment)
        assert json.loads(scored.stdout)["score"] == 0.0
    replayed = gym.make(ID, questions=str(tmp_path / "my.jsonl"), scorer="numeric", start=str(tmp_path / "my.txt"),
                        task_model=f"replay:{tmp_path / 'run' / 'responses.jsonl'}")  # fmt: skip
    replayed.reset(seed=0)
    assert replayed.step("Answer with the number alone.")[1] == 1.0


def test_mistakes_on_the_command_line_name_the_mend(tmp_path):
    write_questions(tmp_path / "my.jsonl", [*SUMS, {"question": "", "answer": 1}])
    broken = run("evolve", "--questions", "my.jsonl", "--scorer", "numeric", cwd=tmp_path)
    assert broken.returncode == 2
    assert "line 41: question is ''" in broken.stderr
    for arguments, told in (
        (["--questions", "my.jsonl", "--scorer", "numerical"], "Did you mean 'numeric'?"),
        (["--questions", "my.jsonl", "--env-set", "limits=3"], "Did you mean 'limit'?"),
        (["--questions", "my.jsonl", "--env-set", "limit"], "no key=value"),
        (["--questions", "absent.jsonl"], "No such file"),
        (["--env", ID], "needs --questions"),
        (["--scorer", "exact"], "needs --questions"),
        (["--context", "absent.txt"], "absent.txt"),
    ):
        done = run("evolve", *arguments, cwd=tmp_path)
        assert done.returncode == 2, arguments
        assert told in done.stderr, (arguments, done.stderr)
        assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["my.jsonl"], "nothing was written"


def test_a_scorer_of_the_working_directory(tmp_path):
    write_questions(tmp_path / "my.jsonl")
    (tmp_path / "mine.py").write_text("def close(answer, gold):\n    return answer == gold\n")
    arguments = ["--questions", "my.jsonl", "--scorer", "mine:close", "--rounds", 1, "--out", "run"]
    assert run("evolve", *arguments, cwd=tmp_path).returncode == 0
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert config["env_args"] == {"questions": "my.jsonl", "scorer": "mine:close", "domain": "my"}


def test_a_context_file_that_is_too_long_is_refused(tmp_path):
    (tmp_path / "long.txt").write_text("x" * 101)
    with pytest.raises(ArgumentError, match="max_chars=101"):
        gym.make(ID, questions=SUMS, scorer="numeric", start=str(tmp_path / "long.txt"), max_chars=100)
    (tmp_path / "latin.txt").write_bytes(b"\xe9")
    with pytest.raises(DataError, match="UTF-8 text file"):
        gym.make(ID, questions=SUMS, scorer="numeric", start=str(tmp_path / "latin.txt"))


@pytest.mark.parametrize(
    ("answers", "golds"),
    [
        ([np.int64(i) for i in range(9)], [str(i) for i in range(9)]),
        ([np.str_(f"a{i}") for i in range(9)], [f"a{i}" for i in range(9)]),
        ([Decimal(f"{i}.50") for i in range(9)], [f"{i}.50" for i in range(9)]),
        ([date(2020, 1, 1 + i) for i in range(9)], [f"2020-01-0{1 + i}" for i in range(9)]),
        ([np.datetime64(f"2020-01-0{1 + i}") for i in range(9)], [f"2020-01-0{1 + i}" for i in range(9)]),
        ([f"a{i}".encode() for i in range(9)], [f"a{i}" for i in range(9)]),
        ([np.array([f"a{i}"]) for i in range(9)], [f"a{i}" for i in range(9)]),
        ([[np.int64(i)] for i in range(9)], [str(i) for i in range(9)]),
        ([{f"a{i}"} for i in range(9)], [f"a{i}" for i in range(9)]),
    ],
    ids=lambda value: type(value[0]).__name__,
)
def test_answers_of_other_types_are_what_people_write(answers, golds):
    """They were JSON texts in quotes, which no answer equals."""
    questions = [{"question": f"Which is {i}?", "answer": answer} for i, answer in enumerate(answers)]
    domain = CustomFamily(questions).load("questions")
    found = {q.text: q.gold for split in domain.splits.values() for q in split}
    assert found == {f"Which is {i}?": gold for i, gold in enumerate(golds)}
    question = domain.splits["test"][0]
    assert domain.score([question], [question.gold])[0].score == 1.0


def test_what_is_no_value_is_no_answer_and_what_has_no_text_is_told():
    rows = [{"question": f"Which is {i}?", "answer": str(i)} for i in range(9)]
    with pytest.raises(DataError, match="values of a wrong type"):
        CustomFamily([*rows, {"question": "Which one?", "answer": object()}])
    with pytest.raises(DataError, match="empty answers"):
        CustomFamily([*rows, {"question": "Which one?", "answer": np.datetime64("NaT")}])
    with pytest.raises(DataError, match="wrong type"):
        CustomFamily([*rows, {"question": "Which one?", "answer": b"\xff"}])


def test_a_column_with_few_answers_is_not_taken_before_one_with_all():
    """MMLU-Redux corrects some answers in a column of its own."""
    rows = [{"question": f"Which is {i}?", "answer": i % 4, "choices": ["a", "b", "c", "d"]} for i in range(20)]
    rows = [row | {"correct_answer": "a" if i == 3 else None} for i, row in enumerate(rows)]
    family = CustomFamily(rows, "multiple_choice")
    assert {q.gold for split in family.load("questions").splits.values() for q in split} == set("ABCD")
    assert "answer ← answer" in family.told[0]
    whole = CustomFamily([row | {"correct_answer": "a"} for row in rows], "multiple_choice")
    assert "answer ← correct_answer" in whole.told[0]


def test_patterns_have_a_column_of_their_own():
    pytest.importorskip("regex")
    rows = [{"question": f"Which is {i}?", "answer": "colou?r"} for i in range(9)]
    with pytest.raises(DataError, match=r"no 'pattern'; there are 'question', 'answer'"):
        CustomFamily(rows, "regex")
    domain = CustomFamily([row | {"answer": "color", "pattern": "colou?r"} for row in rows], "regex").load("questions")
    assert domain.score(domain.splits["test"][:1], ["<answer>colour</answer>"])[0].score == 1.0
