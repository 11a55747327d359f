"""Scripts of an attempt: what they see, what they leave, what the task model is told, and how an attempt fails."""

import multiprocessing
import time

import pytest

from lse_gym.envs.datascience import executor
from lse_gym.envs.datascience.domain import DataScienceDomain
from lse_gym.envs.datascience.executor import MAX_PRINTED_CHARS, Ending, Settings
from lse_gym.envs.datascience.layout import load_tasks
from lse_gym.envs.tools.protocol import read_results
from tests.datascience.directories import write_directory
from tests.datascience.playing import call, outcome, play

pytestmark = pytest.mark.extra("ds")

RIGHT = "row_id,y\n1,1\n2,2\n3,3\n"  # the truth of these directories
SAVE_RIGHT = f"open('prediction.csv', 'w').write({RIGHT!r})"


@pytest.fixture(scope="module")
def domain(tmp_path_factory):
    tasks, _ = load_tasks(write_directory(tmp_path_factory.mktemp("data"), ["pipes_reg"], question_v1=""))
    return DataScienceDomain("pipes", {"feedback": tasks, "held_out": [], "test": []}, Settings(run_s=3))


@pytest.fixture
def question(domain):
    return domain.splits["feedback"][0]


@pytest.fixture
def told(domain, question):
    """What the calls of messages return, in order."""

    def run(*messages):
        turns = play(domain, question, *messages)[1]
        return [result for turn in turns[1::2] for result in read_results(turn)]

    return run


@pytest.fixture
def scored(domain, question):
    return lambda *messages: outcome(domain, question, *messages)


def test_a_script_reads_what_it_loads_and_prints(told):
    (result,) = told(call("import pandas as pd\nprint(pd.read_csv('train_v2.csv').shape)", ["train_v2.csv"], []))
    assert result == "(2, 3)"
    (result,) = told(call("import os\nprint(sorted(os.listdir()))", ["metadata.txt", "val_v2.csv"], []))
    assert result == "['metadata.txt', 'val_v2.csv']"
    assert told(call("x = 1", save=[])) == ["(nothing was printed)"]


def test_nothing_is_left_of_a_run_but_what_it_saves(told):
    first = call("x = 1\nopen('a.txt', 'w').write('a')\nopen('b.txt', 'w').write('b')", save=["a.txt"])
    results = told(first, call("import os\nprint(os.listdir(), 'x' in globals())", ["a.txt"], []))
    assert results == ["a.txt was saved (1 bytes).", "['a.txt'] False"]


def test_a_script_is_the_main_program(told):
    code = "import sys, pickle\nclass A: pass\npickle.loads(pickle.dumps(A()))\nprint(__name__, sys.argv)"
    assert told(call(code, save=[])) == ["__main__ ['script.py']"]


def test_the_end_of_the_traceback_is_told(told):
    (result,) = told(call("print('so far')\ndef f():\n    return {}['y']\nf()", save=[]))
    assert result.startswith("so far\nError: Traceback")
    assert "script.py\", line 3, in f\n    return {}['y']" in result
    assert result.endswith("KeyError: 'y'")
    assert "inside.py" not in result
    (result,) = told(call("x = (", save=[]))
    assert "SyntaxError" in result
    assert "line 1" in result


@pytest.mark.parametrize(
    ("code", "end"),
    [
        ("import sys; sys.exit()", "(nothing was printed)"),
        ("raise SystemExit(3)", "Error: SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(Exception):\n def __str__(self): raise self\nraise E", "E: <exception str() failed>"),
        ("raise BaseExceptionGroup('g', [ValueError(1), KeyError(2)])", "+------------------------------------"),
    ],
)
def test_a_script_may_end_in_any_way(told, code, end):
    assert told(call(code, save=[]))[0].endswith(end)


def test_long_output_keeps_both_ends(told):
    (result,) = told(call("print('first')\nprint('x' * 20_000)\nprint('last')", save=[]))
    assert result.startswith("first")
    assert result.endswith("last")
    assert len(result) < MAX_PRINTED_CHARS + 100


def test_warnings_have_no_paths(told):
    (result,) = told(call("import warnings\nwarnings.warn('beware')", save=[]))
    assert result == "UserWarning: beware"


def test_tracebacks_have_no_paths(told):
    (result,) = told(call("import pandas as pd\npd.read_csv('nothing.csv')", save=[]))
    assert 'File "pandas/io/' in result
    assert "/site-packages" not in result
    assert result.endswith("No such file or directory: 'nothing.csv'")


def test_what_would_start_processes_has_threads(told):
    code = """
import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, cross_val_score
x = np.arange(60.0).reshape(30, 2)
print(GridSearchCV(Ridge(), {"alpha": [1, 2]}, n_jobs=-1).fit(x, x[:, 0]).best_params_)
print(len(cross_val_score(Ridge(), x, x[:, 0], n_jobs=2)))
"""
    assert told(call(code, save=[])) == ["{'alpha': 1}\n5"]


def test_what_a_script_does_not_seed_is_the_same_each_time(told):
    code = """
import random, numpy as np
from sklearn.ensemble import RandomForestRegressor
x = np.random.rand(30, 3)
print(np.random.default_rng().random() != np.random.default_rng().random(), np.random.default_rng(7).integers(9))
print(random.random(), np.random.default_rng().random(), np.random.rand(), {*"abcdef"})
print(RandomForestRegressor(5).fit(x, x[:, 0]).predict(x[:2]))
"""
    first, second = told(call(code, save=[])), told(call(code, save=[]))
    assert first == second
    assert first[0].startswith("True 8\n")


@pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "a/b.csv", "", ".", "..", "a\\b", "a\0b"])
def test_names_lead_nowhere_else(told, name):
    assert told(call("1", [name], []))[0].startswith("Error: ")
    assert "is no name of a file" in told(call("1", [], [name]))[0]


def test_what_cannot_be_loaded_or_saved_is_told(told):
    assert told(call("1", ["ground_truth.csv"], [])) == [
        "Error: there is no file 'ground_truth.csv' to load; there are metadata.txt, train_v2.csv, val_v2.csv"
    ]
    assert told(call("1", save=["x.csv"])) == ["x.csv was not saved: the script left no such file."]
    assert "at most 20" in told(call("1", save=[f"{i}" for i in range(21)]))[0]


def test_what_is_too_large_is_told(told, monkeypatch):
    monkeypatch.setattr(executor, "MAX_SAVED_BYTES", 10)
    monkeypatch.setattr(executor, "MAX_LOADED_BYTES", 20)
    first = call("for n in 'ab': open(n, 'w').write(n * 8)", [], ["a", "b"])
    results = told(first, call("1", ["a"], []), call("1", ["a", "train_v2.csv"], []))
    assert results[0] == "a was saved (8 bytes).\nb was not saved: there is room for 0 MB in all."
    assert results[1] == "(nothing was printed)"
    assert results[2] == "Error: the files to load are larger than 0 MB"


def test_a_saved_file_hides_the_given_one_in_this_attempt_alone(domain, told, question):
    path = domain.tasks[question.id].files["train_v2.csv"]
    before = path.read_bytes()
    over = call("open('train_v2.csv', 'w').write('mine')", ["train_v2.csv"], ["train_v2.csv"])
    look = call("print(open('train_v2.csv').read())", ["train_v2.csv"], [])
    assert told(over, look)[1] == "mine"
    assert told(look)[0] == before.decode().strip()
    assert path.read_bytes() == before


def test_the_prediction_saved_last_is_scored(scored):
    assert scored(call(SAVE_RIGHT)) == (1.0, "prediction.csv, score 1", "")
    assert scored(call("open('prediction.csv', 'w').write('1')"), call(SAVE_RIGHT)).score == 1
    assert scored(call(SAVE_RIGHT), call("1/0")).score == 1


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([], "instruction adherence: no prediction.csv was saved"),
        ([call("1")], "instruction adherence: no prediction.csv was saved"),
        ([call(SAVE_RIGHT, save=["pred.csv"])], "instruction adherence: no prediction.csv was saved"),
        ([call("open('prediction.csv', 'w').write('row_id,z\\n1,1')")], "instruction adherence: 1 rows match of 3"),
        ([call("open('prediction.csv', 'wb').write(b'\\xff')")], "instruction adherence: prediction.csv is no text in"),
        ([call("open('prediction.csv', 'w').write('1' * 2_000_000)")], "instruction adherence: prediction.csv has 2,0"),
        ([call("1/0")], "code error: ZeroDivisionError: division by zero"),
        ([call("import os; os._exit(3)")], "code error: the script ended the interpreter"),
        ([call("1", ["nothing.csv"])], "code error: there is no file 'nothing.csv' to load"),
        ([call("while True: pass")], "execution limit: the script was stopped after 3 seconds"),
        ([call("bytearray(64 << 30)")], "execution limit: out of memory: MemoryError"),
        ([call("1", save=[])] * 5, "execution limit: the turns were used up without a prediction.csv"),
        (["I think <tool_call>"] * 5, "token limit: the last message was cut off or empty"),
        ([call("1"), " "], "token limit: the last message was cut off or empty"),
        ([call("1/0"), "<think>Let me see"], "token limit: the last message was cut off or empty"),
    ],
)
def test_a_failure_has_one_of_the_classes_of_the_paper(scored, messages, error):
    found = scored(*messages)
    assert found.score == 0
    assert found.error.startswith(error)


def test_a_cut_message_after_a_prediction_does_no_harm(scored):
    assert scored(call(SAVE_RIGHT), "Done <think>or").score == 1


def test_what_an_attempt_leaves_is_gone(domain, question):
    bench = domain.open(question)
    bench.call(
        "python_executor", {"code": SAVE_RIGHT, "files_to_load": [], "files_to_save": ["prediction.csv"]}
    ).result()
    saved = bench._files["prediction.csv"]
    assert saved.is_file()
    assert Ending.read(bench.finish("")).prediction == RIGHT
    bench.close()
    assert not saved.exists()


def test_an_attempt_that_is_given_up_stops_its_script(domain, question):
    bench = domain.open(question)
    work = bench.call("python_executor", {"code": "while True: pass", "files_to_load": [], "files_to_save": []})
    time.sleep(0.3)
    begun = time.monotonic()
    bench.close()
    work.exception(timeout=60)
    assert time.monotonic() - begun < 2  # its own limit is at 3 s


def _solve(domain, question):
    assert outcome(domain, question, call(SAVE_RIGHT)).score == 1


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork")
def test_a_forked_process_has_a_sandbox_of_its_own(domain, question):
    _solve(domain, question)
    child = multiprocessing.get_context("fork").Process(target=_solve, args=(domain, question))
    child.start()
    child.join(90)
    assert child.exitcode == 0


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "7", "null", '{"prediction": 1}', '{"prediction": null, "x": 1}', "[" * 9999]
)
def test_any_other_text_is_an_attempt_without_a_file(domain, question, text):
    (found,) = domain.score([question], [text])
    assert found.score == 0
    assert found.error.startswith("instruction adherence")
