"""What can be wrong with somebody's questions, and what a person does about it."""

from collections.abc import Mapping

KINDS: Mapping[str, str] = {
    "unreadable file": "Pass the path of a .jsonl, .json, .csv, .tsv, .yaml or .parquet file, or 'hf:ID' for a dataset "
    "of the Hugging Face Hub.",
    "bad encodings": "Save the file as UTF-8, e.g. iconv -f WINDOWS-1252 -t UTF-8 old.csv > new.csv.",
    "damaged text": "These characters are left from a wrong decoding or a cut; export the data again as UTF-8.",
    "malformed lines": "A .jsonl file has one JSON object a line, a .json file one list of objects.",
    "malformed rows": "A .csv file has one header, and as many cells in every row; put cells with commas, quotes or "
    "line breaks in double quotes. Tabs need the suffix .tsv.",
    "missing columns": "Rename the column, or name it: columns={'question': 'body'}. A table without a header needs "
    "header=False.",
    "ambiguous columns": "Say which one is meant: columns={'answer': 'label'}.",
    "empty questions": "Write the question, or delete the line.",
    "empty answers": "Write the answer, or delete the line: a question without an answer cannot be scored.",
    "values of a wrong type": "A question is text; an answer is text, a number, or a list of texts of which each is "
    "right.",
    "over-long texts": "Usually a quote that is never closed, or a whole document; shorten it.",
    "wrong choices": "Give 2 to 26 different texts as a list in the column 'choices', or in columns A, B, C, …",
    "answers that are no choice": "Answer with the letter of a choice, its text, or its index from 0.",
    "answers without a name": "Name every answer of the data, in a dict or a list by number: "
    "labels={'0': 'negative', '1': 'positive'}.",
    "answers that do not score 1": "The scorer must accept the right answer: correct it, or choose another scorer.",
    "repeated ids": "Ids tell questions apart: correct them, or delete the column.",
    "contradictions": "The same question cannot have two answers: keep one, list all right ones in one line, or say in "
    "the question what makes the difference.",
    "questions in two splits": "What is tested must not be seen before: delete all but one, or delete the column "
    "'split' and let the splits be made.",
    "unknown splits": "Write train, validation or test (or feedback, held_out, test) into every line, or delete the "
    "column 'split' and let the splits be made.",
    "too few questions": "Three splits need at least 3 different questions in each domain; 100 or more make scores "
    "that tell contexts apart.",
    "database": "Pass database='path/to/file.sqlite' with the scorer 'sql', and with no other.",
}
"""kind of fault -> advice, for :class:`lse_gym.envs.faults.Faults`"""
