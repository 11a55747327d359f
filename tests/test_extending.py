"""Everything on the page for those who add their own runs as it stands there."""

import json
import re
from pathlib import Path

import pytest

from tests import command

PAGE = (Path(__file__).parents[1] / "envs" / "EXTENDING.md").read_text(encoding="utf-8")
FILES = dict(re.findall(r"```python\n# (\w+\.py)\n(.*?)```", PAGE, flags=re.DOTALL))
FAMILY = ["--env", "LSE/Family-v0", "--env-set", "family=my_family:Purse", "--domain", "large"]


@pytest.fixture
def folder(tmp_path):
    assert set(FILES) >= {
        f"my_{what}.py" for what in ("family", "turns", "tools", "model", "scorer", "agent", "wrapper")
    }
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def run(folder, *arguments, code=None):
    done = command.run(*arguments, cwd=folder, code=code)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_family_model_agent_and_wrapper_work_together(folder):
    out = run(folder, code=FILES["all_together.py"])
    assert "One crown is 12 pence." in out
    assert "\n1.0\n" in out
    assert out.endswith("ONE CROWN IS 12 PENCE.\n")


def test_the_command_line_takes_them_all(folder):
    mine = [*FAMILY, "--task-model", "my_model:Clerk", "--agent", "my_agent:Ratio"]
    run(folder, "evolve", *mine, "--rounds", "2", "--out", "out")
    summary = json.loads((folder / "out" / "summary.json").read_text())
    assert (summary["test_score_seed"], summary["test_score_best"]) == (0.0, 1.0)
    done = command.run("leaderboard", "submit", "out", "--team", "mine", cwd=folder)
    assert "fit no track" in done.stderr
    assert "damaged" not in done.stderr


def test_several_turns(folder):
    code = (
        "import gymnasium as gym, lse_gym; from my_turns import Checked; assert not Checked('small', 1).verify(); "
        "env = gym.make('LSE/Family-v0', family='my_turns:CheckedPurse', task_model='my_model:Clerk', domain='small'); "
        "env.reset(seed=0); print(env.step('One crown is 12 pence.')[1])"
    )
    assert run(folder, code=code) == "1.0\n"


def test_tools(folder):
    code = (
        "import gymnasium as gym, lse_gym; from my_tools import Wages; assert not Wages().verify(); "
        "env = gym.make('LSE/Family-v0', family='my_tools:Workshop', task_model='my_tools:Payer'); "
        "print(env.reset(seed=0)[0]['feedback'].splitlines()[-1], env.step('One crown is 12 pence.')[1])"
    )
    out = run(folder, code=code)
    assert out.startswith('Correct changes: {"paid": {"added": [{"name": "feedback", "pence": ')
    assert out.endswith(" 1.0\n")


@pytest.mark.parametrize("scorer", ["my_scorer:within_one", "my_scorer:Near"])
def test_a_scorer(folder, scorer):
    rows = [{"question": f"What is {n} + 1?", "answer": str(n + 1)} for n in range(12)]
    (folder / "sums.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    code = (
        "import gymnasium as gym, lse_gym; "
        f"env = gym.make('LSE/Custom-v1', questions='sums.jsonl', scorer='{scorer}').unwrapped; "
        "domain = env.family.load(env.domains[0]); q = domain.splits['test'][0]; near = int(q.gold) + 1; "
        "print([o.score for o in domain.score([q, q], [f'<answer>{near}</answer>', '<answer>999</answer>'])])"
    )
    assert run(folder, code=code) == "[1.0, 0.0]\n"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"task_model": "my_model:Nobody"}, "'my_model:Nobody' cannot be imported"),
        ({"task_model": "my_family:Purse"}, "is no subclass of lse_gym.envs.models.base.TaskModel"),
        ({"family": "my_model:Clerk"}, "is no subclass of lse_gym.envs.domain.Family"),
        ({"family": None}, "needs family="),
    ],
)
def test_what_is_wrong_is_told(folder, arguments, told):
    given = {"family": "my_family:Purse"} | arguments
    code = (
        "import gymnasium as gym, lse_gym\ntry:\n    gym.make('LSE/Family-v0', **"
        f"{given!r})\nexcept Exception as error:\n    print(error, [c.__name__ for c in type(error).__mro__])"
    )
    out = run(folder, code=code)
    assert told in out
    assert ("MissingArgument" in out) == (given["family"] is None)
