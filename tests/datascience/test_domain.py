"""Data science as domains of an env: prompts, reports, the paper's reward, and runs that are repeated."""

import json

import gymnasium as gym
import pytest

from lse_gym.envs.datascience.dare import DAREFamily
from lse_gym.envs.datascience.domain import DataScienceDomain, is_cut
from lse_gym.envs.datascience.executor import Ending, Settings
from lse_gym.envs.datascience.layout import load_tasks
from lse_gym.envs.datascience.task import REFERENCE
from lse_gym.envs.domain import SPLITS, Attempt
from lse_gym.envs.errors import ArgumentError, DataError, LSEGymError, UnknownNameError
from lse_gym.envs.models.base import Response, TaskModel
from lse_gym.envs.session import Session
from tests.datascience.directories import record, write_directory, write_list
from tests.datascience.playing import call, play

pytestmark = pytest.mark.extra("ds")

RIGHT = "row_id,y\n1,1\n2,2\n3,3\n"
HALF = "row_id,y\n1,1\n2,3\n3,3\n"  # R2 is 1 - 1/2
NAMES = [f"pipes{i}_reg" for i in range(6)]


class Analyst(TaskModel):
    """Does what the context says: saves the truth, half of it, or nothing; then it is done."""

    name, revision = "analyst", "1"

    def complete(self, requests):
        return [Response(self._text(request), 1, 1) for request in requests]

    def count_tokens(self, text):
        return len(text)

    def _text(self, request):
        if request.turns:
            return "Done."
        content = RIGHT if "BE RIGHT" in request.system else HALF if "BE HALF" in request.system else ""
        return call(f"open('prediction.csv', 'w').write({content!r})") if content else "I do not know."


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    folder = write_directory(tmp_path_factory.mktemp("data"), NAMES)
    for name in NAMES:
        (folder / "databases" / name / "verify" / REFERENCE).write_text(RIGHT)
    return folder


def test_every_gold_scores_1_and_nothing_scores_0(directory):
    for name in ("reg_if", "reg_mm"):
        domain = DAREFamily(directory).load(name)
        assert domain.verify() == []
        for split in SPLITS:
            asked = domain.splits[split]
            for text in ("", asked[0].text, asked[0].gold, RIGHT):
                assert [found.score for found in domain.score(asked, [text] * len(asked))] == [0] * len(asked)


def test_splits_are_of_datasets_and_follow_the_seed(directory):
    seen = set()
    for seed in range(4):
        family = DAREFamily(directory, seed)
        both = [
            {split: [q.id.split("/")[0] for q in family.load(n).splits[split]] for split in SPLITS}
            for n in family.groups["all"]
        ]
        assert both[0] == both[1]
        assert sorted(name for split in SPLITS for name in both[0][split]) == NAMES
        assert [len(both[0][split]) for split in SPLITS] == [3, 1, 2]
        seen.add(json.dumps(both[0]))
    assert len(seen) > 1


def test_a_dataset_with_one_question_keeps_its_split(directory, tmp_path):
    """Leaving out one version of a question moves no dataset."""
    whole = DAREFamily(directory)
    records = [record(name, question_v1="" if name == NAMES[0] else "Predict.") for name in NAMES]
    write_list(tmp_path, records)
    (tmp_path / "databases").symlink_to(directory / "databases")
    part = DAREFamily(tmp_path)
    assert part._split == whole._split
    assert sum(part.sizes("reg_if").values()) == 5


@pytest.mark.parametrize(
    "wrong",
    [{"scoring": "paperr"}, {"split_seed": -1}, {"held_out_size": 0}, {"run_s": 0}, {"run_s": float("inf")}],
)
def test_wrong_arguments_are_told(directory, wrong):
    with pytest.raises((ArgumentError, UnknownNameError)):
        DAREFamily(directory, **wrong)


def test_the_prompt_has_the_tool_the_question_and_the_context(directory):
    domain = DAREFamily(directory).load("reg_mm")
    (question, *_) = domain.splits["feedback"]
    system = domain.system("Scale everything.")
    assert '"name": "python_executor"' in system
    assert "at most 200 seconds" in system
    assert system.endswith("Scale everything.")
    assert domain.user(question) == f"Question: {domain.tasks[question.id].question}"
    assert "ground_truth" not in system + domain.user(question)


def test_reports_tell_failures_and_hide_golds(directory):
    domain = DAREFamily(directory).load("reg_if")
    question = domain.splits["feedback"][0]
    attempts = []
    for text in (RIGHT, HALF):
        response, turns = play(domain, question, call(f"open('prediction.csv', 'w').write({text!r})"))
        attempts.append(Attempt(question, response, domain.score([question], [response])[0], tuple(turns)))
    report = domain.report(attempts)
    assert report.head.endswith("2 problems, mean score 0.5. Failures: 1 instruction adherence.")
    right, wrong = report.problems
    assert (right.score, right.error, right.explanation) == (1.0, "", "")
    assert wrong.error == "instruction adherence: y differs from the reference in 1 of 3 rows, first at row_id 2"
    assert wrong.explanation == "First differing row: row_id 2: y is 3, the reference has 2"
    assert "prediction.csv was saved" in wrong.transcript[-1].content
    assert "the reference has" in report.text()
    assert "the reference has" not in report.in_mode("error").text()
    assert "first at row_id 2" in report.in_mode("error").text()
    assert "first at" not in report.in_mode("score").text()


def test_the_reward_of_the_paper(directory):
    """0.1 for a file, 1.1 for an exact match, else 0.1 and the score; all divided by 1.1."""
    texts = (None, "row_id,y\n", HALF, RIGHT)
    responses = [Ending(text, "code error", "ZeroDivisionError").json() for text in texts]
    for name, scores in (("reg_mm", (0, 0, 0.5, 1)), ("reg_if", (0, 0, 0, 1))):
        plain = DAREFamily(directory).load(name)
        paper = DAREFamily(directory, scoring="paper").load(name)
        question = plain.splits["feedback"][0]
        found = [domain.score([question] * 4, responses) for domain in (plain, paper)]
        assert [one.score for one in found[0]] == pytest.approx(scores)
        rewards = [0, *(0.1 + score for score in scores[1:])]
        assert [one.score for one in found[1]] == pytest.approx([reward / 1.1 for reward in rewards])
        assert [one.answer for one in found[0]] == [one.answer for one in found[1]]  # the plain score is told
        assert plain.fingerprint() != paper.fingerprint()


def test_strict_scoring_wants_every_row(directory):
    response = Ending("row_id,y\n1,1\n1,1\n2,2\n").json()
    scores = []
    for scoring in ("benchmark", "strict"):
        domain = DAREFamily(directory, scoring=scoring).load("reg_mm")
        scores += [found.score for found in domain.score(domain.splits["test"][:1], [response])]
    assert scores == [1, 0]


def test_the_fingerprint_is_of_the_data(directory, tmp_path):
    first = DAREFamily(directory).load("reg_mm").fingerprint()
    assert DAREFamily(directory).load("reg_mm").fingerprint() == first
    folder = write_directory(tmp_path, NAMES)
    assert DAREFamily(folder).load("reg_mm").fingerprint() == first
    (folder / "databases" / NAMES[0] / "source" / "val_v2.csv").write_text("row_id,x\n1,1\n")
    assert DAREFamily(folder).load("reg_mm").fingerprint() != first


def test_an_evaluation_runs_all_attempts(directory):
    domain = DAREFamily(directory).load("reg_mm")
    session = Session(Analyst(), samples=2)
    for context, score in (("BE RIGHT", 1.0), ("BE HALF", 0.5), ("BE LOST", 0.0)):
        (found,) = session.run([session.evaluate(domain, context, domain.splits["feedback"])])
        assert found.scores.tolist() == [score] * 3
        assert all(transcript for transcript in found.transcripts) == (score > 0)


def test_the_env_steps_and_repeats_itself(directory):
    def rollout(env):
        first, info = env.reset(seed=3)
        steps = [env.step(text) for text in ("BE HALF", "BE RIGHT", "BE LOST")]
        return first, info, steps

    model = "tests.datascience.test_domain:Analyst"
    make = lambda: gym.make("LSE/DARE-v0", data_dir=str(directory), domain="reg_mm", task_model=model)  # noqa: E731
    (first, info, steps), again = rollout(make()), rollout(make())
    assert info["held_out_score"] == 0
    assert [step[1] for step in steps] == [0.5, 0.5, -1.0]
    assert "no prediction.csv was saved" in first["feedback"]
    assert repr([step[0]["feedback"] for step in steps]) == repr([step[0]["feedback"] for step in again[2]])
    assert [step[4] for step in steps] == [step[4] for step in again[2]]


def test_a_record_is_replayed_to_the_same_scores(directory, tmp_path):
    """Scripts of recorded messages run again, and come to the same."""
    record, seen = str(tmp_path / "record.jsonl"), []
    for options in ({"task_model": "tests.datascience.test_domain:Analyst", "record": record}, {}):
        options = options or {"task_model": f"replay:{record}"}
        env = gym.make("LSE/DARE-v0", data_dir=str(directory), domain="reg_mm", **options)
        env.reset(seed=3)
        observation, reward, *_ = env.step("BE HALF")
        seen.append((reward, str(observation["feedback"])))
    assert seen[0] == seen[1]
    assert seen[0][0] == 0.5


def test_many_envs_make_one_batch(directory):
    model = "tests.datascience.test_domain:Analyst"
    envs = gym.make_vec("LSE/DARE-v0", 2, data_dir=str(directory), domain="reg_mm", task_model=model)
    envs.reset(seed=0)
    assert envs.step(("BE RIGHT", "BE HALF"))[1].tolist() == [1.0, 0.5]


def test_without_data_the_error_says_what_to_get():
    with pytest.raises(DataError, match="Snowflake-Labs/dare-bench"):
        gym.make("LSE/DARE-v0")


def test_a_sealed_domain_is_refused(directory):
    with pytest.raises(LSEGymError, match="cannot draw sealed questions"):
        DAREFamily(directory).sealed("reg_mm", 7, 10)


def test_settings_are_limits_of_every_run(directory):
    assert DAREFamily(directory, run_s=7).load("reg_mm").settings == Settings(run_s=7)
    tasks, _ = load_tasks(directory)
    assert "at most 7 seconds" in DataScienceDomain("x", dict.fromkeys(SPLITS, tasks), Settings(run_s=7)).frozen


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("", True),
        ("Done.", False),
        ("<tool_call>{", True),
        ("<tool_call>{}</tool_call>", False),
        ("<think>a</think> b <think>c", True),
    ],
)
def test_a_cut_message_is_known_by_what_it_leaves_open(text, cut):
    assert is_cut(text) == cut
