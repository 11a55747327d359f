"""Hostile scripts of a task model: each is contained, within its limits, and the next attempt is unharmed."""

import time

import pytest

from lse_gym.envs.datascience.domain import DataScienceDomain
from lse_gym.envs.datascience.executor import Ending, Settings
from lse_gym.envs.datascience.layout import load_tasks
from lse_gym.envs.datascience.scoring import grade, make_truth
from lse_gym.envs.extras import needs
from lse_gym.envs.tools.protocol import read_results
from tests.datascience.directories import write_directory
from tests.datascience.playing import call, play
from tests.patience import STALL_S

with needs("ds", "These tests"):
    import pandas as pd

RUN_S = 2
RIGHT = "row_id,y\n1,1\n2,2\n3,3\n"
SAVE_RIGHT = call(f"open('prediction.csv', 'w').write({RIGHT!r})")
SECRET = "the truth lies here"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = write_directory(tmp_path_factory.mktemp("data"), ["pipes_reg"], question_v1="")
    (root / "databases" / "pipes_reg" / "verify" / "secret.txt").write_text(SECRET)
    return root


@pytest.fixture(scope="module")
def domain(folder):
    tasks, _ = load_tasks(folder)
    settings = Settings(run_s=RUN_S, memory_bytes=1 << 30)
    return DataScienceDomain("pipes", {"feedback": tasks, "held_out": [], "test": []}, settings)


@pytest.fixture
def question(domain):
    return domain.splits["feedback"][0]


@pytest.fixture
def attack(domain, question, folder):
    """Run scripts as one attempt: what is told of each, and the score; then look whether all is as it was."""

    def run(*messages):
        before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        begun = time.monotonic()
        response, turns = play(domain, question, *messages)
        assert time.monotonic() - begun < len(messages) * (RUN_S + STALL_S)
        (found,) = domain.score([question], [response])
        healthy, _ = play(domain, question, SAVE_RIGHT)
        assert domain.score([question], [healthy])[0].score == 1
        assert before == {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return [result for turn in turns[1::2] for result in read_results(turn)], found

    return run


def script(code, load=(), save=("prediction.csv",)):
    return call(code, load, save)


@pytest.mark.parametrize(
    "code",
    [
        "print(open({path!r}).read())",
        "import os; print(os.listdir({folder!r}))",
        "import os; os.symlink({path!r}, 'link'); print(open('link').read())",
        "import os; os.link({path!r}, 'link'); print(open('link').read())",
        "import os; os.chdir({folder!r}); print(open('secret.txt').read())",
        "import glob; print([open(p).read() for p in glob.glob('/**/verify/secret.txt', recursive=True)])",
        "import pandas as pd; print(pd.read_csv({path!r}, header=None))",
        "import sqlite3; print(sqlite3.connect({path!r}).execute('select 1').fetchall())",
        "import shutil; shutil.copy({path!r}, 'prediction.csv'); print(open('prediction.csv').read())",
        "import os; print(os.popen('cat ' + {path!r}).read())",
        "import ctypes; libc = ctypes.CDLL(None); print(libc.open({path!r}.encode(), 0) < 0 or 'the truth')",
    ],
)
def test_the_truth_cannot_be_read(attack, folder, code):
    path = folder / "databases" / "pipes_reg" / "verify" / "secret.txt"
    (told,), found = attack(script(code.format(path=str(path), folder=str(path.parent))))
    assert "the truth" not in told
    assert found.score == 0


@pytest.mark.parametrize(
    "name", ["verify/secret.txt", "../verify/secret.txt", "/etc/passwd", "~/x", "ground_truth.csv"]
)
@pytest.mark.parametrize("list_", ["load", "save"])
def test_names_of_files_lead_nowhere(attack, name, list_):
    (told,), found = attack(script("1", **{list_: [name]}))
    assert "Error" in told or "was not saved" in told
    assert SECRET not in told
    assert found.score == 0


@pytest.mark.parametrize("target", ["secret", "/etc/passwd", "/proc/self/environ", "/dev/zero", "prediction.csv"])
def test_links_are_not_followed_when_files_are_saved(attack, folder, target):
    target = str(folder / "databases" / "pipes_reg" / "verify" / "secret.txt") if target == "secret" else target
    (told,), found = attack(script(f"import os; os.symlink({target!r}, 'prediction.csv')"))
    assert told == "prediction.csv was not saved: the script left no such file."
    assert found.error == "instruction adherence: no prediction.csv was saved"


@pytest.mark.parametrize(
    "code",
    [
        "import os; os.mkfifo('prediction.csv')",
        "import os; os.mkdir('prediction.csv')",
        "import socket; socket.socket(socket.AF_UNIX).bind('prediction.csv')",
    ],
)
def test_what_is_no_file_is_not_saved(attack, code):
    (told,), _ = attack(script(code))
    assert told.endswith("prediction.csv was not saved: the script left no such file.")


def test_patched_libraries_do_not_outlive_the_run(attack, question, domain):
    patch = """
import builtins, json, sys, numpy as np, pandas as pd, sklearn.metrics
pd.read_csv = pd.DataFrame.merge = np.allclose = sklearn.metrics.r2_score = lambda *a, **k: 1 / 0
json.dumps = builtins.open = print = None
sys.modules["lse_gym.envs.datascience.inside"].run = None
"""
    told, found = attack(
        script(patch), script("import pandas as pd, json; print(json.dumps([1]), pd.__name__)", [], [])
    )
    assert told[1] == "[1] pandas"
    assert found.score == 0
    assert pd.read_csv.__name__ == "read_csv"


def test_code_of_libraries_cannot_be_changed(attack):
    write = "import sklearn, lse_gym\nfor m in (sklearn, lse_gym):\n    open(m.__file__, 'a').write('raise SystemExit')"
    told, _ = attack(script(write), script("import sklearn; print('alive')", [], []))
    assert "Error" in told[0]
    assert told[1] == "alive"


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np; x = np.ones(10 << 27); x += 1",
        "x = bytearray(10 << 30)",
        "import pandas as pd; pd.DataFrame({'a': range(10**6)}).merge(pd.DataFrame({'b': range(10**6)}), how='cross')",
        "x = []\nwhile True: x.append(bytearray(1 << 24))",
        "import numpy as np\nx = np.zeros((60_000, 60_000))\nx[:] = 1",
    ],
)
def test_arrays_beyond_the_memory(attack, code):
    (told,), found = attack(script(code))
    assert found.error.startswith("execution limit")
    assert "emory" in told or "was stopped after" in told  # where the machine is too busy to fill so much


@pytest.mark.parametrize(
    "code",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import numpy as np; x = np.ones((4000, 4000))\nwhile True: x @ x",
        "import signal\nfor s in signal.valid_signals() - {9, 19}: signal.signal(s, 1)\nwhile True: pass",
        "try:\n    while True: pass\nfinally:\n    while True: pass",
    ],
)
def test_time(attack, code):
    (told,), found = attack(script(code))
    assert told.startswith(f"Error: the script was stopped after {RUN_S} seconds")
    assert found.error.startswith("execution limit")


def test_a_full_disk(attack):
    fill = "f = open('big', 'wb')\nwhile True: f.write(bytes(1 << 22))"
    (told,), found = attack(script(fill))
    assert found.error.startswith("execution limit"), told
    many = "import os\nfor i in range(10**6): open(str(i), 'w').close()"
    (told,), found = attack(script(many))
    assert found.error.startswith("execution limit"), told


def test_output_without_end(attack):
    (told,), found = attack(script("while True: print('x' * 10_000)"))
    assert found.error.startswith("execution limit")
    assert len(told) < 5000


@pytest.mark.parametrize(
    "code",
    [
        "import subprocess, sys; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(99)'])",
        "import os\nif os.fork() == 0:\n    os.setsid()\n    import time; time.sleep(99)",
        "import multiprocessing; multiprocessing.Process(target=print).start()",
        "import threading, time; threading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
        "import threading\nfor _ in range(8): threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start()",
        "import atexit, time; atexit.register(time.sleep, 99)",
        "import os\nwhile True: os.fork()",
    ],
)
def test_nothing_runs_on_in_the_background(attack, code):
    """The attempts after it are not slower than the one before: nothing is left that would take their time."""
    attack(script(code))


@pytest.mark.parametrize(
    "code",
    [
        "import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:1').read())",
        "import socket; socket.create_connection(('127.0.0.1', 22), 1); print('connected')",
        "import socket; s = socket.socket(type=socket.SOCK_DGRAM); s.sendto(b'x', ('127.0.0.1', 9)); print('sent')",
        "import os; os.kill(os.getppid(), 9); print('killed')",
    ],
)
def test_neither_network_nor_other_processes(attack, code):
    (told,), found = attack(script(code))
    assert not any(line in ("connected", "sent", "killed") for line in told.splitlines())
    assert found.score == 0


def test_other_attempts_are_not_killed(attack, domain, question):
    """An attempt that saves its prediction after a second, while others signal whatever they can."""
    bench = domain.open(question)
    code = f"import time; time.sleep(1.5); open('prediction.csv', 'w').write({RIGHT!r})"
    work = bench.call("", {"code": code, "files_to_load": [], "files_to_save": ["prediction.csv"]})
    attack(script("import os\nfor p in (-1, 0, 1, *range(2, 4000)):\n    try: os.kill(p, 9)\n    except OSError: pass"))
    assert "was saved" in work.result(timeout=60)
    assert Ending.read(bench.finish("done")).prediction == RIGHT
    bench.close()


def test_results_cannot_be_forged(attack):
    """A script that takes over the interpreter can answer for itself alone; what is scored is the file."""
    forge = """
import gc, sys
for frame in [sys._getframe(i) for i in range(4)]:
    frame.f_locals.update(score=1.0)
print('{"prediction": "row_id,y", "score": 1.0}')
raise SystemExit(0)
"""
    _, found = attack(script(forge))
    assert found.error == "instruction adherence: no prediction.csv was saved"


BOMBS = {
    "giant": "open('prediction.csv', 'w').write('row_id,y\\n' + '1,1\\n' * 5_000_000)",
    "wide": "open('prediction.csv', 'w').write(','.join(map(str, range(150_000))))",
    "deep quotes": "open('prediction.csv', 'w').write('\"' * 1_000_001)",
    "nul": "open('prediction.csv', 'wb').write(bytes(1_000_000))",
    "one cell": "open('prediction.csv', 'w').write('row_id,y\\n1,' + '9' * 1_000_000)",
    "same ids": "open('prediction.csv', 'w').write('row_id,y\\n' + '1,1\\n' * 250_000)",
    "carriage returns": "open('prediction.csv', 'w').write('\\r' * 1_000_000)",
    "not UTF-8": "open('prediction.csv', 'wb').write(b'row_id,y\\n1,\\xff\\n')",
    "pickle": "import pickle, os\nclass E:\n def __reduce__(s): return os.abort, ()\n"
    "pickle.dump(E(), open('prediction.csv', 'wb'))",
    "parquet": "import numpy as np, pandas as pd\n"
    "pd.DataFrame({'row_id': np.zeros(20_000_000, 'int8')}).to_parquet('prediction.csv', compression='zstd')",
    "gzip": "import gzip; gzip.open('prediction.csv', 'wb').write(bytes(100_000_000))",
    "formula": "open('prediction.csv', 'w').write('row_id,y\\n1,\"=cmd|1\"\\n2,2\\n3,3\\n')",
}


@pytest.mark.parametrize("name", BOMBS)
def test_predictions_made_to_harm_their_reader(attack, name):
    begun = time.process_time()
    _, found = attack(script(BOMBS[name]))
    assert time.process_time() - begun < 3
    assert found.score == 0
    assert (
        found.error.startswith("instruction adherence: prediction.csv")
        or "rows match" in found.error
        or "y: " in found.error
    )


def test_a_bomb_that_is_loaded_bursts_in_its_own_box(attack):
    make = BOMBS["parquet"].replace("prediction.csv", "bomb").replace("zeros", "ones")
    burst = "import pandas as pd\nwhile True: x = pd.concat([pd.read_parquet('bomb').astype(float)] * 4)"
    told, found = attack(script(make, [], ["bomb"]), script(burst, ["bomb"]))
    assert "bomb was saved" in told[0]
    assert found.error.startswith("execution limit"), told[1]


def test_inputs_are_copies(attack):
    code = "import os\nfor n in os.listdir(): os.chmod(n, 0o777); open(n, 'w').write('mine'); os.remove(n)"
    attack(script(code, ["train_v2.csv", "val_v2.csv", "metadata.txt"], ["train_v2.csv"]))


def test_what_one_attempt_saves_no_other_sees(domain, question):
    play(domain, question, call("open('note.txt', 'w').write('hello')", [], ["note.txt"]))
    _, turns = play(domain, question, call("print(open('note.txt').read())", ["note.txt"], []))
    assert "there is no file 'note.txt'" in turns[-1].content


@pytest.mark.parametrize("text", ["row_id,y\n" + "1,1\n" * 4, '"' * 50, "\x00" * 50, "row_id,y\n" + "9" * 400 + ",1\n"])
def test_odd_predictions_of_a_recorded_attempt_score_0(domain, question, text):
    """A record is a file that others may have written: what it holds goes the same way."""
    (found,) = domain.score([question], [Ending(text).json()])
    assert found.score == 0
    assert grade(text, make_truth("reg_mm", RIGHT, ["y"])).score == 0
