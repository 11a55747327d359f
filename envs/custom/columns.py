"""Which column of somebody's rows is what."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lse_gym.envs.custom.choices import choice_columns
from lse_gym.envs.custom.files import Row
from lse_gym.envs.custom.forms import look_up, messages_of
from lse_gym.envs.custom.scorers import SQL, MultipleChoice, Regex, Scorer
from lse_gym.envs.errors import unknown
from lse_gym.envs.faults import Faults, shown

# What a column may be for -> names it goes by, the first before all others
ROLES: Mapping[str, Sequence[str]] = {
    "question": ("question", "input", "prompt", "problem", "query", "instruction", "text", "messages", "conversation"),
    "answer": (
        *("answer", "answers", "target", "output", "label", "solution", "gold", "completion", "answerKey", "ideal"),
        *("__expected", "correct_option", "cop"),
    ),
    "id": ("id", "question_id"),
    "evidence": ("evidence", "context", "passage", "article"),
    "choices": ("choices", "options", "question.choices", "question.options"),
    "pattern": ("pattern", "regex"),
    "split": ("split",),
    "domain": ("domain",),
}
# Names of right answers beyond doubt; `answer` or `output` beside them is what some model said (Ragas, Braintrust)
GOLDS = (
    *("ground_truth", "ground_truths", "expected", "expected_output", "expectedOutput", "reference_answer"),
    *("correct_answer", "correctAnswer"),
)
# Names that mean it only where no other does
WEAK: Mapping[str, Sequence[str]] = {
    "question": ("question_stem", "inputs", "user_input", "conversations"),
    "answer": ("correct", "targets", "outputs", "reference"),
}
# Objects that hold the question or the answer of a record, as tools export them; others, as `metadata`, do not
HOLDERS = ("doc", "row", "data", "inputs", "outputs", "example", "sample", "item", "record", "fields")
INSTRUCTION = ("instruction", "input")  # Alpaca: the task, and what it is to be done with
SCORED = ("target_scores", "mc1_targets")  # objects of choice to score: of BIG-bench and TruthfulQA
CHECKED = "__expected"  # promptfoo: an answer, or a check of another kind
SQL_ANSWERS = ("SQL", "query")  # BIRD's and Spider's names of the gold
REQUIRED = ("question", "answer")


def find_columns(
    rows: Sequence[Row], scorer: Scorer | SQL, chosen: Mapping[str, str] | None, faults: Faults
) -> dict[str, str]:
    """Role -> name of the column, or a dotted path; ``chosen`` ones come first.

    What is missing or ambiguous is recorded. Several columns of choices are one name with commas. A column that was
    chosen for one role has no other.

    Raises:
        UnknownNameError: a role that does not exist.
    """
    chosen = {role: ",".join(given) if isinstance(given, list) else given for role, given in (chosen or {}).items()}
    for role in chosen:
        if role not in ROLES:
            raise unknown("column role", role, [*ROLES, "rows"], "Write columns={'question': 'name of the column'}.")
    names = list(dict.fromkeys(name for row in rows for name in row.record if isinstance(name, str)))
    inside = [f"{name}.{key}" for name, one in rows[0].record.items() if isinstance(one, Mapping) for key in one]
    taken = {name for given in chosen.values() for name in (given, *given.split(","))}
    free = [name for name in (*names, *inside) if name not in taken]
    found = {}
    scores = next((name for name in SCORED if name in free), "")
    filled = [name for name in free if _is_filled(name, rows)]
    for role in ROLES:
        columns, known = _columns_of(role, filled, scorer)
        if not columns:
            columns, known = _columns_of(role, free, scorer)
        given = chosen.get(role)
        if given == "" and role not in REQUIRED:
            continue
        if given is not None and not _is_there(given, rows, names):
            faults.add("missing columns", "", f"{role!r} is to be {given!r}; there are {_listed(names)}")
        elif given is not None:
            found[role] = given
        elif len(columns) == 1:
            found[role] = columns[0]
        elif role == "question" and {*columns} == {*INSTRUCTION}:
            found[role] = ",".join(INSTRUCTION)
        elif columns:
            faults.add("ambiguous columns", "", f"{role!r} could be {_listed(columns)}")
        elif role == "answer" and scores:
            found[role] = scores
        elif role == "answer" and messages_of(cell_of(rows[0], found, "question")) is not None:
            found[role] = found["question"]  # the last word of a chat
        elif role in REQUIRED or (role == "pattern" and isinstance(scorer, Regex)):
            expected = ", ".join(map(repr, known))
            faults.add("missing columns", "", f"no {role!r}; there are {_listed(names)}; known names are {expected}")
    if isinstance(scorer, MultipleChoice) and "choices" not in found:
        if scores:
            found |= {"choices": scores} | ({} if "answer" in chosen else {"answer": scores})
        elif several := choice_columns([name for name in free if name not in found.values()]):
            found["choices"] = ",".join(name for name, _ in several)
    question = found.get("question", "")
    if isinstance(look_up(rows[0].record, question), Mapping):
        keys = ("stem", *ROLES["question"])
        stems = [path for key in keys if (path := f"{question}.{key}") in inside]
        found["question"] = (stems or [question])[0]
    return found


def _is_filled(name: str, rows: Sequence[Row]) -> bool:
    """Whether most rows have something there: a corrected answer, for instance, may stand in a few of them."""
    return 2 * sum(look_up(row.record, name) not in (None, "", []) for row in rows) >= len(rows)


def _columns_of(role: str, free: Sequence[str], scorer: Scorer | SQL) -> tuple[list[str], Sequence[str]]:
    """The columns that a role could be, those of the surest names only, and the names that it goes by."""
    known = ROLES[role]
    if isinstance(scorer, SQL) and role in REQUIRED:
        known = (*SQL_ANSWERS, *known) if role == "answer" else [name for name in known if name not in SQL_ANSWERS]
    golds = GOLDS if role == "answer" and not isinstance(scorer, SQL) else ()
    inner = known if role in REQUIRED else ()
    tiers = [(names, _whole) for names in (golds, known[:1], known, WEAK.get(role, ()))]
    for names, of in (*tiers, (inner, _last)):
        wanted = {name.lower() for name in names}
        if columns := [name for name in free if of(name) in wanted]:
            return columns, known
    return [], known


def _whole(name: str) -> str:
    return name.strip().lower()


def _last(path: str) -> str:
    holder, _, name = path.rpartition(".")
    return name.lower() if holder in HOLDERS else ""


def _is_there(given: str, rows: Sequence[Row], names: Sequence[str]) -> bool:
    several = [given] if given in names else given.split(",")
    return all(name in names or any(look_up(row.record, name) is not None for row in rows[:100]) for name in several)


def describe_columns(rows: Sequence[Row], columns: Mapping[str, str], scorer: Scorer | SQL) -> str:
    """What became what, in one line: ``question ← Question, answer ← Answer; unused: Body, ID``."""
    names = dict.fromkeys(name for row in rows for name in row.record if isinstance(name, str))
    idle = ({"choices"} if not isinstance(scorer, MultipleChoice) else set()) | (
        {"pattern"} if not isinstance(scorer, Regex) else set()
    )
    used = {role: name for role, name in columns.items() if role not in idle}
    parts = {part for name in used.values() for part in (name, name.partition(".")[0], *name.split(","))}
    unused = [name for name in names if name not in parts]
    line = ", ".join(f"{role} ← {name.replace(',', ', ')}" for role, name in used.items())
    return f"{line}; unused: {', '.join(unused[:20])}{', …' * (len(unused) > 20)}" if unused else line


def cell_of(row: Row, columns: Mapping[str, str], role: str) -> Any:
    """What a row holds for a role; None where there is nothing."""
    return look_up(row.record, columns[role]) if role in columns else None


def _listed(names: Collection[object]) -> str:
    listed = ", ".join(shown(name) for name in [*names][:20])
    return listed + (f", … ({len(names)} in all)" if len(names) > 20 else "") if names else "none"
