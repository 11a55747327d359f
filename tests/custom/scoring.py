"""Scoring functions as a user writes them."""


def same_letters(answer: str, gold: str) -> bool:
    """Right if both have the same letters."""
    return sorted(answer) == sorted(gold)


def weighted(answer: str, gold: str, doc: dict) -> float:
    """What the record says a right answer is worth; raises where it is empty."""
    if not answer:
        raise RuntimeError("an empty answer")
    return doc["worth"] if answer == "half" else float(answer == gold)
