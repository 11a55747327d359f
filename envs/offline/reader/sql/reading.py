"""One pass over the words of a question: which of them the rules and the schema know."""

import re
from collections.abc import Callable

from lse_gym.envs.offline.reader.english import stem
from lse_gym.envs.offline.reader.sql.rules import Knowledge, Rule
from lse_gym.envs.offline.reader.sql.schema import Schema

TOKEN = re.compile(r"[^\W\d_][\w'-]*|\d+(?:\.\d+)?")
STOP = frozenset(
    "a an the of in on at by for from to with and or is are was were be there their its it that which who what how "
    "many much list give show count number all each every per find tell me name add up has have had do does did among "
    "than whose where when as any please these those out using into".split()
)
Choose = Callable[[list[Rule]], Rule]  # picks one of several rules that contradict each other


class Reading:
    """One pass over the words of a question."""

    def __init__(self, question: str, schema: Schema, knowledge: Knowledge, choose: Choose):
        self.schema, self.knowledge = schema, knowledge
        self.words = TOKEN.findall(question)
        self.stems = [stem(word) for word in self.words]
        self.lower = [word.lower() for word in self.words]
        self.tables: dict[int, str] = {}
        self.rules: dict[int, Rule] = {}
        self.columns: dict[int, tuple[int, list[tuple[str, str]]]] = {}  # position -> words, candidates
        self.used: set[int] = set()
        self.idle: set[int] = set()  # positions of column words that have played no part yet
        self._match(choose)

    def _match(self, choose: Choose) -> None:
        nouns, names = self.schema.nouns, self.schema.columns
        longest = max([self.schema.longest, *map(len, self.knowledge.phrases)])
        at = 0
        while at < len(self.words):
            for size in range(min(longest, len(self.words) - at), 0, -1):
                key = tuple(self.stems[at : at + size])
                if key in self.knowledge.phrases:
                    rule = choose(self.knowledge.phrases[key])
                    if rule.kind == "table":
                        self.tables[at + size - 1] = rule.sql
                    else:
                        self.rules[at] = rule
                elif key in nouns:
                    self.tables[at + size - 1] = nouns[key]
                elif key in names and not (size == 1 and self.lower[at] in STOP):
                    self.columns[at] = (size, names[key])
                    self.idle.update(range(at, at + size))
                else:
                    continue
                self.used.update(range(at, at + size))
                at += size - 1
                break
            at += 1
