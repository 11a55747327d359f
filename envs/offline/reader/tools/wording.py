"""The words that people write playbooks with, as patterns."""

import re

QUOTED = re.compile(r'"([^"]{1,60})"|\u201c([^\u201d]{1,60})\u201d|`([^`]{1,60})`|(?<![\w])\'([^\']{1,60})\'(?![\w])')
SENTENCE_END = re.compile(r"(?<=[.!])\s+(?=[A-Z])")
REFUSES = re.compile(r"\b(?:never|not|leave|untouched|hands off|instead|keep|forbidden)\b|n't\b")
REASON = re.compile(r"\b(?:reason|about|because of|cause)\W*$")

PAGE = re.compile(r"\b(?:zero|one|0|1)[- ]?based\b|\bpag(?:e|es|ing)\b.*?\b(0|1|zero|one)\b|\b(0|1|zero|one)\b.*\bpage")
PAGE_CUE = re.compile(r"\b(?:count\w*|start\w*|begin\w*|first|number\w*|based)\b")

DATE_FORMAT = re.compile(r"\b([YMD]{1,4}[-./ ]?[YMD]{1,4}[-./ ]?[YMD]{1,4})\b", re.IGNORECASE)
DATE_CODES = re.compile(r"(?:%[YymdB][-./ ]?){3}")
DATE_EXAMPLE = re.compile(r"\b(\d{1,4})([-./])(\d{1,2})\2(\d{2,4})\b|\b((?:19|20)\d{6})\b")
DATE_WORDS = re.compile(
    r"\b(day|month|year)(?: ?([-./]) ?|,? (?:and )?)(day|month|year)(?: ?([-./]) ?|,? (?:and )?)(day|month|year)\b"
)

ROUND = re.compile(r"\bround\w*|\bmultiples?\b")
STEP_OF_ROUNDING = re.compile(
    r"\b(?:multiples? of|nearest|next|full|whole|lower|higher|steps of|(?:up|down) to(?: an?| the)?)\s+"
    r"(?:full |whole )?(\d{1,4})"
)

FIELD = re.compile(r"\b([a-z]\w*?)[_ ](id|no|number)\b")
DENIED = re.compile(
    r"\b(?:not|never|rather than|instead of|no|without|don't (?:use|pass))(?: (?:its|the|their|an?|with|pass|use))*\W*$"
    r"|\b(?:tell|tells|say|says|give|gives|mention|mentions|name|names|contain|contains|quote|quotes|turn|look up|swap"
    r"|from|by|replace|translate|for)(?: (?:only|you|its|the|their|an?|every|each|this|that))*\W*$"
)
INTERNAL = re.compile(r"\binternal id\b")

WRITTEN_FIRST = re.compile(
    r"^\W*(?:for|instead of|in place of|rather than|means|mean|stands for|is short for|denotes|when)\b"
    r"|^\W*(?:is )?(?:the )?code (?:of|for)\b"
)
TERM_FIRST = re.compile(
    r"^\s*(?:as|is|are|becomes|must be|should be|has to be|with|by|goes in as)\b|^\s*(?:→|->|=>|=|:)\s*$"
    r"|\b(?:write|writes|written|use|pass|say|send|put|give|spell|spelled|enter|coded|type)\b"
)
ARROW = re.compile(r"^(?:[\w ]+: )?([\w][\w -]*?)\s*(?:→|->|=>)\s*([\w][\w-]*)$")

NUMBER = re.compile(r"(?<![\w.])(\d{1,6}|dozen|hundred)(?![\w.]*\d)\b")
NUMBERS = {"dozen": 12, "hundred": 100}
FILLER = frozenset(
    "a an the its is are of be that have has must need with means only if when and or to at it they their there in by "
    "for one each every per as number numbers count counted counts pass give write use take times multiply "
    "divide".split()
)
VALUE_AFTER = (
    r"\b{argument}\b\W{{0,3}}(?:=|:|\bis\b|\bas\b|\bto\b|\bset to\b|\bof\b|\bbe\b|\balways\b|\s)*\s*[\"'`]?([\w][\w-]*)"
)
NO_VALUE = frozenset("argument to in when on for with of the a an always set by and is as be every call calls".split())
