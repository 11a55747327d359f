"""What an editor of an editor's instruction is told first."""

HEAD = (
    "An editor improves the instructions of a language model from reports on its answers; it works by an instruction."
)
