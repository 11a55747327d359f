"""What libraries need of the system, they have in a box; and what they do by chance, they do alike in every box."""

import random

import pytest

from lse_gym.envs.sandbox import Limits
from tests.sandbox.started import run

STANDARD = {
    "an event loop": (
        "import asyncio\nasync def f(): return await asyncio.to_thread(lambda: 42)\nresult = asyncio.run(f())",
        42,
    ),
    "threads": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(8) as pool: result = sum(pool.map(abs, range(-100, 0)))",
        5050,
    ),
    "a database": (
        "import sqlite3\nwith sqlite3.connect('d.sqlite') as c:\n    c.execute('CREATE TABLE t (x)')\n"
        "    c.execute('INSERT INTO t VALUES (1)')\n"
        "result = sqlite3.connect('d.sqlite').execute('SELECT * FROM t').fetchall()",
        [[1]],
    ),
    "temporary files": (
        "import os, tempfile\nwith tempfile.NamedTemporaryFile() as f: result = os.path.dirname(f.name) == os.getcwd()",
        True,
    ),
    "copies": ("import shutil\nopen('a', 'w').write('x')\nshutil.copy2('a', 'b')\nresult = open('b').read()", "x"),
    "a home": ("import os\nresult = os.path.expanduser('~') == os.getcwd()", True),
    "time zones": (
        "import datetime, zoneinfo\nt = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)\n"
        "result = t.astimezone(zoneinfo.ZoneInfo('Europe/Berlin')).isoformat()",
        "2026-01-01T01:00:00+01:00",
    ),
    "callbacks of C": ("import ctypes\nresult = ctypes.CFUNCTYPE(ctypes.c_int)(lambda: 3)()", 3),
    "signals to itself": ("import signal\nsignal.signal(10, lambda *_: None)\nsignal.raise_signal(10)\nresult = 1", 1),
}
DATA_SCIENCE = {
    "clusters": (
        "import numpy as np\nfrom sklearn.cluster import KMeans\n"
        "result = KMeans(2, n_init=1).fit(np.array([[0.0], [0.1], [5.0]])).labels_.tolist()",
        lambda labels: labels in ([0, 0, 1], [1, 1, 0]),
    ),
    "trees in parallel": (
        "import numpy as np\nfrom sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier\n"
        "from sklearn.model_selection import GridSearchCV\nx = np.arange(60.0).reshape(-1, 1)\ny = x[:, 0] > 30\n"
        "grid = GridSearchCV(RandomForestClassifier(5, n_jobs=2), {'max_depth': [1, 2]}, n_jobs=2, cv=2).fit(x, y)\n"
        "result = [grid.score(x, y) > 0.9, HistGradientBoostingClassifier(max_iter=5).fit(x, y).score(x, y) > 0.6]",
        lambda good: good == [True, True],
    ),
    "columnar files": (
        "import pandas as pd\npd.DataFrame({'a': [1, 2], 'b': ['x', 'y']}).to_parquet('t.parquet')\n"
        "result = pd.read_parquet('t.parquet').to_dict('list')",
        lambda table: table == {"a": [1, 2], "b": ["x", "y"]},
    ),
    "too much": ("import numpy as np\nnp.ones((40000, 40000))", "memory"),
}


@pytest.mark.parametrize("name", STANDARD)
def test_the_standard_library_works(sandbox, name):
    source, value = STANDARD[name]
    with sandbox.open() as box:
        result = run(box, source)
        assert (result.value, result.message) == (value, "")


def test_two_boxes_draw_the_same(sandbox):
    source = """
import os, random, secrets, uuid
chance = [random.Random(), random.SystemRandom()]
result = [random.random(), list({'a', 'b', 'c', 'd'}), hash('x'), os.urandom(4).hex(), secrets.token_hex(4)]
result += [uuid.uuid4().hex, *(one.random() for one in chance), random.Random(7).random()]
random.seed()
result.append(random.random())
"""
    with sandbox.open() as one, sandbox.open() as other:
        drawn = run(one, source)
        assert drawn == run(other, source)
        assert drawn.value[-2] == random.Random(7).random()
        assert len({*map(str, drawn.value)}) == len(drawn.value)


@pytest.mark.extra("ds")
def test_generators_that_nobody_seeds_draw_the_same(warm):
    source = """
from numpy.random import MT19937, PCG64, Generator, RandomState, SeedSequence, default_rng, seed, rand
made = [default_rng(), default_rng(), Generator(PCG64()), Generator(MT19937()), default_rng(7)]
result = [*(one.random() for one in made), RandomState().rand(), SeedSequence().entropy % 1000, rand()]
seed()
result.append(rand())
"""
    with warm.open() as one, warm.open() as other:
        drawn = run(one, source)
        assert drawn == run(other, source)
        assert drawn.failure == ""
        assert len({*drawn.value}) == len(drawn.value)


@pytest.fixture(scope="session")
def warm(make):
    preload = ["pandas", "pyarrow.parquet", "sklearn.cluster", "sklearn.ensemble", "sklearn.model_selection", "inside"]
    with make(preload=preload, limits=Limits(memory_bytes=1 << 30)) as sandbox:
        yield sandbox


@pytest.mark.extra("ds")
@pytest.mark.parametrize("name", DATA_SCIENCE)
def test_libraries_of_data_science_work(warm, name):
    source, good = DATA_SCIENCE[name]
    with warm.open() as box:
        result = run(box, source)
        if isinstance(good, str):
            assert result.failure == good
        else:
            assert not result.failure, result
            assert good(result.value)
            assert result.printed == "", "no warning that hints at the confinement"
