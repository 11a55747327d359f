"""Small directories in the form of MMLU-Redux, and where the real one is."""

import json
from pathlib import Path

REDUX = Path(__file__).parents[2] / ".." / "shared" / "data" / "mmlu_redux"
SUBJECTS = ("world_capitals", "sums")


def record(question: str, choices: list[str], answer: int, error_type: str = "ok", correct: str = "", **more) -> dict:
    facts = {"question": question, "choices": choices, "answer": answer, "error_type": error_type}
    return facts | {"source": "", "correct_answer": correct, "potential_reason": ""} | more


def write_redux(folder: Path, each: int = 14) -> Path:
    """A directory with two subjects; the last record of each has a wrong original answer, corrected by annotation."""
    for subject in SUBJECTS:
        rows = [
            record(f"In {subject}, what is {i} plus {i}?", [str(2 * i + k) for k in range(4)], 0)
            for i in range(each - 1)
        ]
        rows.append(record(f"In {subject}, what is 1 plus 0?", ["0", "1", "2", "3"], 3, "wrong_groundtruth", "B"))
        (folder / f"{subject}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n", encoding="utf-8")
    return folder
