"""Shorter SQL with exactly the same rows: no white space and no aliases that could be done without."""

import re
from functools import lru_cache

MAX_SQL_CHARS = 4000  # longer statements only lose their white space
_TOKEN = re.compile(
    r"(?P<string>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|`[^`]*`|\[[^\]]*\])|(?P<space>(?:\s|--[^\n]*(?:\n|$)|/\*.*?\*/)+)"
    r"|(?P<word>\w+)|(?P<sign>.)",
    re.S,
)
_AFTER_FROM = frozenset("WHERE GROUP ORDER HAVING LIMIT WINDOW UNION EXCEPT INTERSECT".split())


def _tokens(sql: str) -> list[str]:
    """The tokens of a statement; every run of white space and comments is one space."""
    return [" " if match.lastgroup == "space" else match.group() for match in _TOKEN.finditer(sql.strip())]


def _collapse(sql: str) -> str:
    """The statement without comments, final semicolon and needless white space; strings stay as they are."""
    tokens = _tokens(sql)
    while tokens and tokens[-1] in {" ", ";"}:
        tokens.pop()
    around = zip(["(", *tokens], tokens, [*tokens[1:], ")"], strict=False)
    return "".join(token for a, token, b in around if token != " " or not (a in "(,=<>" or b in "),=<>"))


class _Statement:
    """The tokens of a statement without white space, in capitals and as they stand, and the SELECT each belongs to."""

    def __init__(self, sql: str, schema: str) -> None:
        self.tokens = _tokens(sql)
        self.at = [i for i, token in enumerate(self.tokens) if token != " "]  # where the words are among the tokens
        self.words = [self.tokens[i].upper() for i in self.at]
        self.around = ["", "", *self.words, "", ""]  # self.around[k + 2 + n] is n words after word k
        self.schema = {word.upper() for word in re.findall(r"\w+", schema)}
        self.tables = {self._near(k, 1) for k in self._all("FROM", "JOIN")} - {"("}
        self.scopes = self._scopes()

    def _near(self, k: int, n: int) -> str:
        return self.around[k + 2 + n]

    def _all(self, *words: str) -> list[int]:
        return [k for k, word in enumerate(self.words) if word in words]

    def _scopes(self) -> list[int]:
        stack, scopes = [-1], []
        for k, word in enumerate(self.words):
            if word == ")" and len(stack) > 1:
                stack.pop()
            if word == "SELECT":
                stack[-1] = k
            scopes.append(stack[-1])
            if word == "(":
                stack.append(stack[-1])
        return scopes

    def _write(self, k: int, text: str) -> None:
        self.tokens[self.at[k]] = text

    def _fresh(self, start: str) -> str:
        taken = {*self.words, *self.schema, *(token.upper() for token in self.tokens)}
        return next(name for n in range(1, 10**6) if (name := f"{start}{n if n > 1 else ''}").upper() not in taken)

    def sources(self) -> None:
        """Drop the alias of a statement's only source, shorten the aliases of several."""
        qualifiers = dict.fromkeys(self.words[k - 1] for k in self._all(".") if k)
        for alias in [name for name in qualifiers if name.isidentifier() and name not in self.tables]:
            found = [k for k in self._all(alias) if self._near(k, -1) != "."]
            uses = [k for k in found if self._near(k, 1) == "."]
            declared = [k for k in found if k not in uses]
            if len(declared) != 1:
                continue
            marked = self._near(declared[0], -1) == "AS"
            source = declared[0] - 1 - marked
            if source < 1 or not (self.words[source] == ")" or self._near(source, -1) in ("FROM", "JOIN", ",")):
                continue
            short = self._fresh(self.words[source][0].lower() if self.words[source] != ")" else "t")
            if self._alone(declared[0], uses) and self.words[source] not in qualifiers:
                for k in (*uses, *(k + 1 for k in uses), declared[0]):
                    self._write(k, "")
            elif len(alias) > 2:
                for k in (*uses, declared[0]):
                    self._write(k, short)
            else:
                continue
            if marked:
                self._write(declared[0] - 1, "")

    def _alone(self, declared: int, uses: list[int]) -> bool:
        """Whether a source has a SELECT to itself, and nothing else goes by the names of its columns there."""
        own = [k for k, scope in enumerate(self.scopes) if scope == self.scopes[declared]]
        starts = [k for k in own if self.words[k] == "FROM"]
        if len(starts) != 1 or any(self.words[k] == "JOIN" for k in own):
            return False
        end = next((k for k in own if k > starts[0] and self.words[k] in _AFTER_FROM), len(self.words))
        renamed = {self._near(k, 1) for k in own if self.words[k] == "AS" and k < starts[0]}
        return (
            starts[0] < declared < end
            and not any(self.words[k] == "," for k in own if starts[0] < k < end)
            and all(k in own and self._near(k, 2) not in {"*", *renamed} for k in uses)
        )


@lru_cache(maxsize=4096)
def compact_sql(sql: str, schema: str = "") -> str:
    """Shorter SQL with exactly the same rows; where in doubt, the input without needless white space.

    Args:
        sql: one SQLite statement.
        schema: the schema text, whose names no short alias takes.

    >>> compact_sql("SELECT Talias0.A FROM T AS Talias0 WHERE Talias0.B = 'x'")
    "SELECT A FROM T WHERE B='x'"
    """
    plain = _collapse(sql)
    if len(plain) > MAX_SQL_CHARS:
        return plain
    statement = _Statement(plain, schema)
    statement.sources()
    short = _collapse("".join(statement.tokens))
    return short if len(short) <= len(plain) else plain
