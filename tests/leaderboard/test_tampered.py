"""Submissions that were tampered with: each is refused with its reason, or harmless, and the board stays whole."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from lse_gym import leaderboard
from lse_gym.agents.run import FACTS
from lse_gym.leaderboard.board import Board
from lse_gym.leaderboard.document import MAX_BYTES, MAX_DEPTH, read_document
from lse_gym.leaderboard.errors import SubmissionError
from lse_gym.leaderboard.pages import build
from lse_gym.leaderboard.submission import text_digest
from lse_gym.leaderboard.track import all_tracks
from tests.leaderboard.conftest import TRACK, sent

HOSTILE = {
    "script": "<script>document.title='owned'</script>",
    "handler": '"><img src=x onerror="document.title=\'owned\'">',
    "template": "{{ config }}{% for x in range(10**9) %}{% endfor %}@@script@@",
    "sql": "'; DROP TABLE entries; DELETE FROM audit; --",
    "path": "../../../../etc/passwd",
    "windows path": "..\\..\\CON",
    "formula": '=HYPERLINK("http://evil.example")',
    "comment": "--><!--]]>&lt;",
    "markup of the console": "[bold red]x[/] [link=file:///etc/passwd]y[/link]",
}
PLACES = [("team", "name"), ("team", "contact"), ("agent", "name"), ("agent", "version"), ("agent", "description")]
PLACES += [
    ("agent", "editor"),
    ("environment", "platform"),
    ("declarations", "training_data"),
    ("declarations", "licence"),
]


def best(document):
    run = document["runs"][0]
    return run["trajectory"][run["best"]]


def replace_context(document, text):
    """The best context exchanged for another, everywhere it is named."""
    old, new = best(document)["context"], text_digest(text)
    document["contexts"][new] = text
    del document["contexts"][old]
    for row in document["runs"][0]["trajectory"]:
        row["context"] = new if row["context"] == old else row["context"]


def dump(split, count):
    domain = all_tracks()[TRACK].core("reader").family.load("clinic-0")
    return "\n".join(f"{domain.user(q)}\n{domain.gold_response(q)}" for q in domain.splits[split][:count])


def setter(*path, value):
    def change(document):
        place = document
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = value(place.get(path[-1])) if callable(value) else value

    return change


def row_setter(index, name, value):
    def change(document):
        document["runs"][0]["trajectory"][index][name] = value

    return change


def duplicate_run(document):
    document["runs"].append(document["runs"][0])


def drop_row(document):
    row = document["runs"][0]["trajectory"].pop(1)
    del document["contexts"][row["context"]]


def swap_rows(document):
    rows = document["runs"][0]["trajectory"]
    rows[1], rows[2] = rows[2], rows[1]


def orphan_context(document):
    document["contexts"][text_digest("x")] = "x"


def other_text(document):
    document["contexts"][best(document)["context"]] += " "


def worse_is_best(document):
    document["runs"][0]["best"] = 0


def less_calls(document):
    run = document["runs"][0]
    for row in run["trajectory"]:
        row["spent"]["calls"] = row["spent"]["tokens"] = 1.0
    run["ledger"] |= {"calls": 1.0, "tokens": 1.0, "editor_calls": 0.0, "editor_tokens": 0.0}


def too_many_calls(document):
    run = document["runs"][0]
    run["trajectory"][-1]["spent"]["calls"] = run["ledger"]["calls"] = 1301.0


RUN = ("runs", 0)
# name -> what is changed, and what the reason says; the forger has made digest and chain right again
FORGED = {
    "another suite": (setter("suite_sha256", value="0" * 64), "its suite"),
    "another format": (setter("format", value="other"), r"\$\.format"),
    "a later schema": (setter("schema_version", value=2), r"\$\.schema_version"),
    "an unknown track": (setter("track", value="sql-reader-500-v9"), "there is no track"),
    "a track of a path": (setter("track", value="../../salt"), r"\$\.track"),
    "another track": (setter("track", value="sql-reader-500-v2"), "its suite"),
    "an unknown key": (setter("evil", value=1), "evil"),
    "a missing key": (lambda d: d.pop("runs"), "'runs' is a required"),
    "no runs": (setter("runs", value=[]), "runs"),
    "runs of another type": (setter("runs", value={"0": 1}), r"\$\.runs"),
    "a domain of another track": (setter(*RUN, "domain", value="clinic-7"), "is not of this track"),
    "a domain that is a path": (setter(*RUN, "domain", value="../clinic-0"), "is not of this track"),
    "another domain in the config": (setter(*RUN, "config", "domain", value="lab-0"), "domain='lab-0'"),
    "another seed": (setter(*RUN, "seed", value=7), "its config has seed=0"),
    "a seed that is no int": (setter(*RUN, "seed", value="0"), "seed"),
    "a negative seed": (setter(*RUN, "seed", value=-1), "minimum"),
    "the same run twice": (duplicate_run, "occur 2 times"),
    "another env": (setter(*RUN, "config", "env", value="LSE/BIRD-v0"), "env='LSE/BIRD-v0'"),
    "another task model": (setter(*RUN, "config", "task_model", value="nano"), "evolved for 'nano'"),
    "another revision": (setter(*RUN, "config", "task_model_revision", value="0"), "of revision '0'"),
    "another split seed": (setter(*RUN, "config", "split_seed", value=5), "split_seed=5"),
    "true for a number": (setter(*RUN, "config", "split_seed", value=False), "split_seed: False is not of type"),
    "another scoring": (setter(*RUN, "config", "scoring", value="strict"), "scoring='strict'"),
    "another feedback size": (setter(*RUN, "config", "feedback_size", value=60), "feedback_size=60"),
    "longer answers": (setter(*RUN, "config", "max_tokens", value=4096), "max_tokens=4096"),
    "a larger budget": (setter(*RUN, "config", "budget_calls", value=5000), "budget of 5000"),
    "a budget that is text": (
        setter(*RUN, "config", "budget_calls", value="1300"),
        "budget_calls: '1300' is not",
    ),
    "a ledger over budget": (too_many_calls, "budget is 1,300"),
    "a ledger under its trajectory": (setter(*RUN, "ledger", "calls", value=1.0), "less than its trajectory spent"),
    "an editor that spent more than all": (
        setter(*RUN, "ledger", "editor_tokens", value=1e9),
        "more tokens than",
    ),
    "fewer calls than contexts take": (less_calls, "on held-out questions alone"),
    "calls that shrink": (row_setter(2, "spent", {"edits": 0, "calls": 0, "tokens": 0, "usd": 0}), "spent less than"),
    "a negative cost": (setter(*RUN, "ledger", "usd", value=-1.0), "minimum"),
    "a best row that is not": (worse_is_best, "its best row is"),
    "a best row that is not there": (setter(*RUN, "best", value=99), "its best row is"),
    "a held-out score over 1": (row_setter(1, "performance", 1.5), "maximum"),
    "a claim over 1": (setter(*RUN, "claimed", "test_scores_best", value=[2.0] * 60), "maximum"),
    "a claim on fewer items": (setter(*RUN, "claimed", "test_scores_best", value=[1.0] * 10), "claims 10"),
    "a claim on more items": (setter(*RUN, "claimed", "test_scores_seed", value=[0.0] * 99), "claims 99"),
    "a row left out": (drop_row, "not numbered"),
    "rows in another order": (swap_rows, "not numbered"),
    "a parent from the future": (row_setter(1, "parent_id", 3), "no parent before it"),
    "a parent that is no int": (row_setter(1, "parent_id", 0.0), "parent_id: 0.0 is not of type"),
    "two roots": (row_setter(2, "parent_id", None), "no parent before it"),
    "a first row with a parent": (row_setter(0, "parent_id", 0), "no parent before it"),
    "more edits than rounds": (setter(*RUN, "config", "rounds", value=1), "its config allows 1"),
    "a digest of no context": (row_setter(1, "context", "0" * 64), "do not name the same"),
    "a context that nothing names": (orphan_context, "do not name the same"),
    "another text under a digest": (other_text, "not those of their digests"),
    "another start": (row_setter(0, "context", None), "is not of type 'string'"),
    "a context of all test answers": (lambda d: replace_context(d, dump("test", 20)), "word for word"),
    "a context of held-out answers": (lambda d: replace_context(d, dump("held_out", 20)), "word for word"),
    "a context of bare answers": (
        lambda d: replace_context(d, "\n".join(dump("test", 20).lower().replace("question:", "").splitlines()[1::2])),
        "word for word",
    ),
    "a context over the length": (lambda d: replace_context(d, "word " * 1700), "characters; 8,000 fit"),
    "a context over the tokens": (lambda d: replace_context(d, "é " * 4000), None),
    "it saw the test": (setter("declarations", "saw_test", value=True), "cannot be ranked"),
    "an address that runs": (setter("agent", "url", value="javascript:alert(1)"), r"\$\.agent\.url"),
    "an address that ends its attribute": (setter("agent", "url", value='https://x"onclick="y'), r"\$\.agent\.url"),
    "a kind that is a path": (setter("agent", "kind", value="../../x"), r"\$\.agent\.kind"),
    "a name of two lines": (setter("team", "name", value="a\n"), r"\$\.team\.name"),
    "an empty name": (setter("agent", "name", value=""), r"\$\.agent\.name"),
    "a name of spaces": (setter("agent", "name", value="  "), r"\$\.agent\.name"),
    "a very long name": (setter("agent", "name", value="a" * 81), r"\$\.agent\.name"),
    "a long description": (setter("agent", "description", value="a" * 2001), "description"),
    "a name that turns around": (setter("agent", "name", value="\u202egnp.exe"), r"U\+202E"),
    "a name with an escape": (setter("agent", "name", value="\x1b[31m"), r"U\+001B"),
    "a null character": (setter("team", "contact", value="a\0b"), r"U\+0000"),
    "a huge number": (setter(*RUN, "ledger", "tokens", value=1e300), "beyond"),
    "a nested config": (setter(*RUN, "config", "agent_args", value={"a": {"b": 1}}), "agent_args"),
    "a module to import": (setter("agent", "kind", value="os:system"), "agent='lse'"),
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_submissions_are_refused_with_the_reason(board, document, name):
    change, reason = FORGED[name]
    change(document)
    data = sent(document)
    if reason is None:  # 8,000 characters are 2,000 tokens: just within
        assert board.submit(data) == 1
        return
    with pytest.raises(SubmissionError, match=reason):
        board.submit(data)
    assert board.store.entries() == []
    ((action, details),) = board.store.db.execute("SELECT action, details FROM audit")
    assert action == "refused"
    assert details
    board.store.check_log()


def test_a_context_over_the_tokens_of_its_track_is_refused(board, document):
    board.tracks[TRACK] = replace(board.tracks[TRACK], max_context_tokens=10)
    with pytest.raises(SubmissionError, match="ranks up to 10"):
        board.submit(sent(document))


CARELESS = {
    "a score": setter(*RUN, "claimed", "test_scores_best", value=[1.0] * 60),
    "a held-out score": row_setter(1, "performance", 0.5),
    "a context": lambda d: replace_context(d, "another context"),
    "a seed": setter(*RUN, "seed", value=3),
    "a team": setter("team", "name", value="thief"),
    "a chain": row_setter(1, "hash", "0" * 64),
}


@pytest.mark.parametrize("name", CARELESS)
def test_whoever_changes_a_packed_submission_breaks_its_digest(board, document, name):
    CARELESS[name](document)
    with pytest.raises(SubmissionError, match="changed after it was packed"):
        board.submit(sent(document, reseal=False))


def test_a_chain_that_was_not_made_again_shows(board, document):
    sealed = json.loads(sent(document))
    sealed["runs"][0]["trajectory"][1]["feedback_score"] = 1.0
    from lse_gym.leaderboard.submission import digest

    sealed["sha256"] = digest(sealed)
    with pytest.raises(SubmissionError, match="hash chain is broken"):
        board.submit(json.dumps(sealed).encode())


RAW = {
    "nothing": (b"", "no JSON"),
    "no JSON": (b"{", "no JSON"),
    "a list": (b"[]", "JSON list"),
    "a number": (b"1", "JSON int"),
    "invalid UTF-8": (b'{"a": "\xff\xfe"}', "not UTF-8"),
    "half a character": (b'{"a": "\xc3"}', "not UTF-8"),
    "UTF-16": ('{"a": 1}'.encode("utf-16"), "not UTF-8"),
    "a byte order mark": (b"\xef\xbb\xbf{}", "no JSON"),
    "lone surrogate": (rb'{"a": "\ud800"}', r"U\+D800"),
    "deeply nested": (b"[" * 100_000 + b"]" * 100_000, "nested"),
    "deeply nested objects": (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "nested"),
    "deep in a string is not deep": (b'"' + b"[" * 1000 + b'"', "JSON str"),
    "oversized": (b" " * (MAX_BYTES + 1), "at most"),
    "a key twice": (b'{"track": "a", "track": "b"}', "key twice"),
    "not a number": (b'{"a": NaN}', "NaN"),
    "infinite": (b'{"a": 1e999}', "beyond"),
    "minus infinity": (b'{"a": -Infinity}', "Infinity"),
    "many digits": (b'{"a": ' + b"9" * 5000 + b"}", "digits"),
    "a pickle": (b"\x80\x04cos\nsystem\n(S'id'\ntR.", "not UTF-8"),
    "YAML": (b"!!python/object/apply:os.system ['id']", "no JSON"),
    "an archive": (b"PK\x03\x04", "no JSON"),
}


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_document_is_refused(board, name):
    data, reason = RAW[name]
    with pytest.raises(SubmissionError, match=reason):
        board.submit(data)
    assert board.store.entries() == []


def test_depth_that_is_allowed_is_read():
    assert read_document(b'{"a":' * MAX_DEPTH + b"1" + b"}" * MAX_DEPTH)


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_text_in_every_field_is_stored_and_shown_as_text(tmp_path, board, document, kind):
    for part, name in PLACES:
        document[part][name] = HOSTILE[kind]
    document["runs"][0]["config"]["editor"] = HOSTILE[kind]
    document["environment"]["packages"] = {HOSTILE[kind]: HOSTILE[kind]}
    document["runs"][0]["config"]["agent_args"] = {"x": HOSTILE[kind]}
    replace_context(document, HOSTILE[kind])
    number = board.submit(sent(document))
    board.store.add_verification(number, "rejected", HOSTILE[kind], {})
    build(board, tmp_path / "site")
    written = sorted(path.relative_to(tmp_path / "site").as_posix() for path in (tmp_path / "site").rglob("entry/*"))
    assert written == ["entry/1-0.html", "entry/1.html", "entry/1.json"]
    for path in (tmp_path / "site").rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        assert "<img" not in page
        assert page.count("<script") == page.count("</script>") <= 2
        assert 'onerror="document' not in page
    assert board.store.entries()[0]["team"] == HOSTILE[kind]
    with Board(board.path) as again:
        again.store.check_log()
        assert len(again.store.entries()) == 1


def test_the_schema_knows_every_fact_of_a_run():
    def configs(part):
        if isinstance(part, dict):
            if "task_model_revision" in part.get("properties", ()):
                yield part["properties"]
            for one in part.values():
                yield from configs(one)

    schema = Path(leaderboard.__path__[0]) / "submission.schema.json"
    (properties,) = configs(json.loads(schema.read_text(encoding="utf-8")))
    assert properties.keys() >= {*FACTS}
