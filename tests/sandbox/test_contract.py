"""What a sandbox promises to who uses it, under each confinement that works here."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from lse_gym.envs.sandbox import Limits, Result, SandboxError, SetupError, check, confinement, landlock
from tests.sandbox.started import descendants, living, run, start, why_not

HERE = Path(__file__).parent


@pytest.fixture
def box(sandbox):
    with sandbox.open() as box:
        yield box


@pytest.mark.parametrize("value", [None, 1.5, "é — \x00 \U0001f600", [1, [2, {"a": None}]], {"k": "v" * 300_000}])
def test_values_pass_as_json(box, value):
    assert box.call("inside:echo", value).result(20) == Result(value)


def test_state_lives_between_calls_and_not_between_boxes(sandbox, box):
    assert [box.call("inside:count").result(20).value for _ in range(3)] == [1, 2, 3]
    with sandbox.open() as other:
        assert other.call("inside:count").result(20).value == 1


def test_calls_of_a_box_are_answered_in_order(box):
    assert [future.result(20).value for future in [box.call("inside:count") for _ in range(20)]] == [*range(1, 21)]


def test_boxes_run_side_by_side(sandbox):
    boxes = [sandbox.open() for _ in range(6)]
    start = time.monotonic()
    futures = [box.call("inside:run", "import time; time.sleep(0.5)") for box in boxes]
    assert all(future.result(20) == Result(None) for future in futures)
    assert time.monotonic() - start < 2
    for box in boxes:
        box.close()


def test_files_go_in_and_out(sandbox, tmp_path):
    (tmp_path / "table.csv").write_text("a,b\n")
    files = {"in/deep/table.csv": tmp_path / "table.csv", "text": str(tmp_path / "table.csv"), "bytes": b"\x00\xff"}
    with sandbox.open(files) as box:
        program = "import pathlib\nfound = [p for p in pathlib.Path('.').rglob('*') if p.is_file()]\n"
        program += "result = {p.name: p.read_bytes().hex() for p in found}"
        assert run(box, program).value == {"table.csv": b"a,b\n".hex(), "text": b"a,b\n".hex(), "bytes": "00ff"}
        run(box, "import os\nos.mkdir('out')\nopen('out/answer.txt', 'w').write('42')\nopen('in/deep/table.csv', 'w')")
        assert box.file("out/answer.txt") == b"42"
        assert box.file("in/deep/table.csv") == b""
        assert box.file("none") is None
    assert (tmp_path / "table.csv").read_text() == "a,b\n"
    assert box.file("out/answer.txt") is None


@pytest.mark.parametrize("name", ["/etc/passwd", "../up", "a/../../up", "", ".", "nul\0"])
def test_names_outside_are_refused(sandbox, box, name):
    with pytest.raises(ValueError, match="not a name inside"):
        sandbox.open({name: b""})
    with pytest.raises(ValueError, match="not a name inside"):
        box.file(name)


def test_too_much_for_the_scratch_directory_is_refused(sandbox):
    with pytest.raises(ValueError, match="Raise scratch_bytes"):
        sandbox.open({"large": bytes(5 << 20)})


def test_what_raises_is_told_without_paths(box):
    result = run(box, "import json\njson.loads('{')")
    assert result.failure == "error"
    assert result.message.endswith(
        "JSONDecodeError: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)"
    )
    assert 'File "program.py", line 2' in result.message
    for secret in (str(HERE), sys.prefix, sys.base_prefix, os.path.expanduser("~")):
        assert secret not in result.message
    assert run(box, "result = 1") == Result(1), "an error does not end a box"


def test_paths_are_cut_where_they_are_the_machines_own(box):
    told = "import json, os\nprint(json.__file__, os.getcwd(), os.path.abspath('a/b.csv'), './usr/lib/x', 'http://a/bin/c')"
    assert run(box, told).printed == "json/__init__.py . a/b.csv ./usr/lib/x http://a/bin/c\n"


def test_what_is_printed_is_kept_up_to_the_limit(box):
    result = run(box, "import os, sys\nprint('out')\nprint('err', file=sys.stderr)\nos.write(1, b'raw')")
    assert result.printed == "out\nerr\nraw"
    assert len(run(box, "print('x' * 100_000)").printed) == 4 << 10
    assert run(box, "print('again')").printed == "again\n"


@pytest.mark.parametrize(
    ("program", "failure"),
    [
        ("while True: pass", "cpu"),
        ("import time; time.sleep(60)", "time"),
        ("x = bytearray(1 << 30)", "memory"),
        ("x = []\nwhile True: x.append(bytearray(1 << 20))", "memory"),
        ("while True: print('x' * 1000)", "output"),
        ("result = 'x' * (2 << 20)", "output"),
        ("import os; os._exit(0)", "died"),
        ("import sys; sys.exit(3)", "died"),
        ("import ctypes; ctypes.string_at(0)", "died"),
    ],
)
def test_limits_end_a_box(make, program, failure):
    with make(limits=Limits(cpu_s=0.3, memory_bytes=64 << 20, output_bytes=1 << 10)) as sandbox:
        box = sandbox.open()
        source = "open('left', 'w').write('here')\nprint('before', flush=True)\n" + program
        result = run(box, source, wall_s=0.5 if failure == "time" else 15)
        assert result.failure == failure
        assert result.printed.startswith("before\n")
        assert result.message
        assert run(box, "result = 1") == Result(None, "died", result.message)
        assert box.file("left") == b"here"
        assert sandbox.open().call("inside:echo", 1).result(20) == Result(1)


def test_a_closed_box_answers_that_it_died(sandbox):
    box = sandbox.open()
    waiting = box.call("inside:run", "import time; time.sleep(60)")
    box.close()
    box.close()
    assert waiting.result(20).failure == "died"
    assert box.call("inside:echo").result(20).failure == "died"


def test_a_closed_sandbox(make):
    sandbox = make()
    box = sandbox.open()
    waiting = box.call("inside:run", "import time; time.sleep(60)")
    sandbox.close()
    sandbox.close()
    assert waiting.result(20).failure == "died"
    with pytest.raises(SandboxError, match="closed"):
        sandbox.open()


def test_a_set_up_is_paid_once(make):
    with make(setup=("inside:prepare", 41)) as sandbox:
        assert [sandbox.open().call("inside:count").result(20).value for _ in range(2)] == [42, 42]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"setup": ("inside:run", "1/0")}, "ZeroDivisionError"),
        ({"setup": ("inside:run", "import os; os._exit(0)")}, "its process ended"),
        ({"setup": ("inside:run", "open('/proc/1/environ')")}, "Permission denied"),
    ],
)
def test_a_set_up_that_fails_is_told(make, options, told):
    with pytest.raises(SetupError, match=told):
        make(**options)


def test_modules_must_be_there(make, box):
    with pytest.raises(ModuleNotFoundError):
        make(preload=["no_such_module"])
    with pytest.raises(ValueError, match="preload"):
        box.call("json:dumps", 1)


def test_readable_folders(make, tmp_path):
    (tmp_path / "shared.txt").write_text("read me")
    program = f"result = open({str(tmp_path / 'shared.txt')!r}).read()"
    with make(readable=[tmp_path]) as sandbox:
        assert run(sandbox.open(), program) == Result("read me")
        assert run(sandbox.open(), f"open({str(tmp_path / 'new')!r}, 'w')").failure == "error"
    with make() as sandbox:
        assert run(sandbox.open(), program).failure == "error"


def test_no_key_comes_in(make, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    with make() as sandbox:
        assert "secret" not in run(sandbox.open(), "import os; result = str(dict(os.environ))").value


def test_nothing_is_left_of_a_killed_host(kind):
    program = (
        "import os, signal, time\nfrom tests.sandbox.started import descendants, start\n"
        f"box = start({kind!r}).open()\nbox.call('inside:echo').result()\n"
        "box.call('inside:run', 'while True: pass')\ntime.sleep(0.3)\n"
        "print(*descendants(os.getpid()), flush=True)\nos.kill(os.getpid(), signal.SIGKILL)"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), *sys.path])}
    done = subprocess.run([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, timeout=60)
    assert done.returncode == -signal.SIGKILL
    processes = done.stdout.decode().split()
    assert len(processes) >= 3, "the supervisor, the warm process and the box"
    assert not living(processes)


def test_an_interpreter_that_ends_takes_its_sandboxes_along(kind):
    program = (
        "import os\nfrom tests.sandbox.started import descendants, start\n"
        f"sandbox = start({kind!r})\nbox = sandbox.open()\nbox.call('inside:run', 'while True: pass')\n"
        "sandbox.open().call('inside:echo').result()\nprint(*descendants(os.getpid()))"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), *sys.path])}
    command = [sys.executable, "-W", "error", "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, timeout=60, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.split()) >= 4
    assert not living(done.stdout.split())


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_has_to_make_its_own(make):
    with make() as sandbox, sandbox.open() as box:
        assert box.call("inside:echo", 1).result(20) == Result(1)
        pid = os.fork()
        if pid == 0:
            try:
                with pytest.raises(SandboxError, match="belongs to the process"):
                    sandbox.open()
                with pytest.raises(SandboxError, match="belongs to the process"):
                    box.call("inside:echo", 2)
                sandbox.close()
                os._exit(0)
            finally:
                os._exit(1)
        assert os.waitpid(pid, 0)[1] == 0
        assert box.call("inside:echo", 3).result(20) == Result(3), "what the other process closed was not this one's"


def test_a_supervisor_that_is_killed_is_a_failure_of_the_sandbox(make, monkeypatch):
    monkeypatch.syspath_prepend(str(HERE))  # for the next warm process
    before = {*descendants(os.getpid())}
    sandbox = make()
    box = sandbox.open()
    box.call("inside:echo").result(20)
    waiting = box.call("inside:run", "import time; time.sleep(60)")
    own = {*descendants(os.getpid())} - before
    for process in sorted(own):  # the supervisor first, or it tells of a script that ended
        with suppress(ProcessLookupError):  # bubblewrap's end with the one that was killed before them
            os.kill(process, signal.SIGKILL)
    with pytest.raises(SandboxError, match="ended with status"):
        waiting.result(20)
    assert sandbox.open().call("inside:echo", "again").result(20).value == "again", "another one is started"
    sandbox.close()
    with pytest.raises(SandboxError, match="closed"):
        sandbox.open()
    assert not living(own)
    assert not living({*descendants(os.getpid())} - before)


def test_a_warm_process_that_the_machine_ends_is_a_failure_of_the_sandbox(make, monkeypatch):
    """Else every later script would seem to end its interpreter, and score 0 without a word."""
    monkeypatch.syspath_prepend(str(HERE))  # for the next warm process
    before = {*descendants(os.getpid())}
    sandbox = make()
    warm = [process for process in descendants(os.getpid()) if process not in before][-1]
    box = sandbox.open()
    box.call("inside:echo").result(20)
    waiting = box.call("inside:run", "import time; time.sleep(60)")
    os.kill(warm, signal.SIGKILL)
    with pytest.raises(SandboxError, match="warm process ended; is there too little memory"):
        waiting.result(20)
    assert sandbox.open().call("inside:echo", "again").result(20).value == "again", "another one is started"
    sandbox.close()
    assert not living({*descendants(os.getpid())} - before)


def test_nothing_is_left_of_many_boxes(make):
    before = {*descendants(os.getpid())}
    with make() as sandbox:
        for _ in range(30):
            with sandbox.open({"a": b"x"}) as box:
                box.call("inside:echo")
        with sandbox.open() as box:
            assert box.call("inside:echo", 1).result(20) == Result(1)
            left = {*descendants(os.getpid())} - before
            assert len(left) <= 4, "bubblewrap, the supervisor, the warm process and one box"


def test_a_callback_that_would_wait_for_itself_is_told(sandbox):
    told = Future()
    with sandbox.open() as box:

        def ask(_):
            with pytest.raises(SandboxError, match="another thread") as error:
                box.file("a")
            told.set_result(error)

        box.call("inside:run", "import time; time.sleep(0.2)").add_done_callback(ask)
        assert told.result(20)


def test_more_boxes_than_a_process_has_files_by_default(sandbox):
    boxes = [sandbox.open() for _ in range(300)]
    assert [box.call("inside:echo", 1).result(60) for box in boxes[::50]] == [Result(1)] * 6
    for box in boxes:
        box.close()


def test_where_the_kernel_cannot_tell_whom_signals_reach_none_are_sent(kind, monkeypatch):
    monkeypatch.setattr(landlock, "SCOPES_SINCE", 99)
    with start(kind) as sandbox, sandbox.open() as box:
        assert run(box, "import os; os.kill(os.getpid(), 10)").failure == "error"
        assert run(box, f"import os; os.kill({os.getpid()}, 9)").failure == "error"
        assert run(box, "import signal; signal.raise_signal(10)").failure == "error"
        assert run(box, "result = 1") == Result(1)


def test_boxes_may_be_opened_and_called_by_many_threads(sandbox):
    def use(number):
        with sandbox.open({"n": str(number).encode()}) as box:
            return run(box, "result = int(open('n').read())").value

    with ThreadPoolExecutor(8) as pool:
        assert [*pool.map(use, range(150))] == [*range(150)]


def test_what_boxes_may_read_leaves_this_package_out(tmp_path):
    package = tmp_path / "site-packages" / "lse_gym"
    package.mkdir(parents=True)
    for name in ("numpy", "pandas"):
        (package.parent / name).mkdir()
    (tmp_path / "lib64").symlink_to(package.parent)
    code = confinement.Code([str(package)], [str(tmp_path), str(package)])
    own = [path for path in code.untrusted() if path.startswith(str(tmp_path))]
    assert sorted(own) == [str(package.parent / name) for name in ("numpy", "pandas")]


def test_bubblewrap_alone_holds_but_between_boxes(monkeypatch, tmp_path):
    if problem := why_not(confinement.BUBBLEWRAP):
        pytest.skip(problem)
    monkeypatch.setattr(landlock, "version", lambda: 0)
    (tmp_path / "secret").write_text("secret")
    with start(confinement.BUBBLEWRAP) as sandbox, sandbox.open({"a": b"x"}) as other, sandbox.open() as box:
        assert other.call("inside:echo", 1).result(20) == Result(1)
        assert "without Landlock" in sandbox.description
        assert run(box, f"open({str(tmp_path / 'secret')!r})").failure == "error"
        assert run(box, "open('/etc/shadow')").failure == "error"
        assert run(box, "import os; os.kill(os.getppid(), 9)").failure == "error"
        assert run(box, "import os; os.kill(1, 9)").failure == "error"
        assert run(box, "import json; open(json.__file__, 'a')").failure == "error"
        assert run(box, "result = open('../1/a').read()") == Result("x"), "as its description says"


def test_the_check_names_a_confinement_or_says_what_to_install(monkeypatch):
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(confinement.CHOICE, raising=False)
        try:
            told = check()
        except SandboxError as error:
            told = str(error)
    assert told.startswith(tuple(confinement.KINDS.values())) or "pip install" in told
    monkeypatch.setenv(confinement.CHOICE, "nothing")
    with pytest.raises(SandboxError, match="names no confinement"):
        check()
