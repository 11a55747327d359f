"""The env of your own questions."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, ClassVar, Unpack

from lse_gym.envs.arguments import Count, Range, Seed, checked
from lse_gym.envs.core import ContextEnv
from lse_gym.envs.custom.checks import HELD_OUT_SIZE, TEST_SIZE
from lse_gym.envs.custom.family import CustomFamily
from lse_gym.envs.errors import MissingArgumentError
from lse_gym.envs.options import CoreOptions
from lse_gym.envs.vector import ContextVectorEnv


class CustomEnv(ContextEnv):
    """Edit the context of any model for questions of your own; the reward is its gain in your score on held-out ones.

    ## Description
    You bring questions with answers and say how an answer is scored; splits are made and sealed for you. Every answer
    of yours must score 1, and the data are checked as a whole before anything runs: one error names all that is wrong,
    by line. Source: your data; the problem is LSE's, arXiv 2603.18620.

    ``questions`` is the path of a .jsonl, .json (a list), .csv, .tsv or .parquet file; ``hf:ID``, ``hf:ID:NAME`` or
    ``hf:ID@REVISION:NAME:SPLIT``, which are loaded with Hugging Face datasets; a directory that `Dataset.save_to_disk`
    wrote; a ``Dataset``; or a list of dicts. Columns are found by their usual names:

    | for | names |
    |---|---|
    | question | question, input, prompt, problem, query, instruction, text |
    | answer | ground_truth, expected; answer, answers, target, output, label, …; for "sql" before these: SQL, query |
    | id | id, question_id; else the number of the row |
    | evidence | evidence, context, passage, article: stands before the question |
    | choices | choices, options, or columns A, B, C, … |
    | pattern | pattern, regex |
    | split | split: train, validation, test, or feedback, held_out, test; else splits are drawn |
    | domain | domain; else all questions are one domain, named after the file |

    ## Action Space
    ``FreeText(max_chars)``: the new context, whole; see :class:`lse_gym.envs.core.ContextEnv`.

    ## Observation Space
    As in :class:`lse_gym.envs.core.ContextEnv`: context, feedback, feedback_score, remaining_budget. The feedback holds
    the fixed part of the prompt, and per problem the question, the model's answer, what is wrong with it, and
    (``feedback="gold"``) the correct answer.

    ## Rewards
    ``r = S(c_after) - S(c_before)``, ``S`` being the mean score of the held-out questions; in [-1, 1]. Scorers:

    | scorer | an answer is right if | options |
    |---|---|---|
    | exact (or exact_match) | it is an answer of yours, whitespace aside | ignore_case, ignore_punctuation |
    | numeric | its one number is yours | tolerance (absolute), relative (a share) |
    | latex | it says in LaTeX what an answer of yours says: ``\\dfrac12`` is 1/2; symbols are not computed with | |
    | multiple_choice | it is the letter of your choice, given as letter, text or index from 0 | by, normalize |
    | regex | all of it matches the column pattern, or else the answer | ignore_case |
    | f1 | F1 of its words and yours, in [0, 1], as in SQuAD | |
    | json | it is JSON of an equal value | |
    | sql | it returns the same rows on ``database`` | scoring ("set" or "strict") |

    Options are written behind a name, ``"numeric,tolerance=0.01"``. A scorer of yours is a function
    ``f(answer, gold)`` or ``f(answer, gold, doc)`` that returns a number in [0, 1] or a bool, ``doc`` being the record;
    or ``"package.module:function"``, which a spec and a command line can hold. What it raises scores 0 and is reported.

    ## Starting State
    The domain is drawn by ``seed`` if there are several; the context is one sentence, or ``start``. Questions are split
    by ``split_seed``: 30 % test, ``held_out_size`` held-out (at most a quarter), the rest feedback; questions of equal
    wording stay in one split.

    ## Episode End
    As in :class:`lse_gym.envs.core.ContextEnv`: terminated after ``max_edits``, truncated when the budget is used up.

    ## Arguments
    | name | type | default | unit | effect |
    |---|---|---|---|---|
    | questions | str, path, list or Dataset | | | your questions; required |
    | scorer | str or function | "exact" | | how an answer is scored |
    | columns | dict, list or None | None | | column by role, ``{"question": "body"}``; or names, without a header |
    | header | bool | True | | whether the first line of a .csv or .tsv file names the columns |
    | database | str or None | None | path | SQLite file, for the scorer "sql" |
    | description | str | "" | | the task in a few sentences, at the head of every prompt |
    | labels | dict, list or None | None | | of texts to classify, ``{"0": "World"}``, or a list by number |
    | limit | int or None | None | questions | use that many of each domain |
    | domain | str, sequence or None | None | | a domain, several, or None for all |
    | split_seed | int | 0 | | another seed splits the questions otherwise |
    | held_out_size | int | 50 | questions | size of the held-out split |
    | test_size | int or None | 1000 | questions | so many of a larger test split are used; None for all |

    ``reset(options=...)`` takes ``context``, ``domain`` and ``batch``.

    ## Cost
    ``(feedback_size + held_out_size) * samples`` task-model calls per reset and per step: 60 by default.

    ## Version History
    v0: first version.
    v1: "exact", "numeric" and "multiple_choice" ask for the answer alone; ``tags=true`` brings back v0's prompts.
    """

    @checked
    def __init__(
        self,
        questions: Any = None,
        scorer: str | Callable[..., float | bool] = "exact",
        columns: Mapping[str, str] | Sequence[str] | None = None,
        header: bool = True,
        database: str | os.PathLike[str] | None = None,
        description: str = "",
        labels: Mapping[str, str] | Sequence[str] | None = None,
        limit: Annotated[int, Range(3)] | None = None,
        domain: str | Sequence[str] | None = None,
        split_seed: Seed = 0,
        held_out_size: Count = HELD_OUT_SIZE,
        test_size: Count | None = TEST_SIZE,
        **options: Unpack[CoreOptions],
    ):
        if questions is None:
            raise MissingArgumentError(
                'LSE/Custom-v1 needs questions="FILE", a .jsonl, .json, .csv, .tsv or .parquet file of yours, or '
                '"hf:ID" for a dataset of the Hugging Face Hub. envs/README.md, "Your own questions".'
            )
        family = CustomFamily(
            questions,
            scorer,
            columns=columns,
            header=header,
            database=database,
            description=description,
            labels=labels,
            limit=limit,
            split_seed=split_seed,
            held_out_size=held_out_size,
            test_size=test_size,
        )
        super().__init__(family, domain=domain, **options)


class CustomVectorEnv(ContextVectorEnv):
    """Many :class:`CustomEnv` side by side, one model batch a step."""

    env_class: ClassVar[Any] = CustomEnv
