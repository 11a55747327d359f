"""The words that people write rules about choices with, as patterns."""

import re

W = r"[\w-]+"
FILLER = frozenset(
    "a an the its is are of be that have has must need with means only if when and or to at it they their there "
    "there's as by for was were greater value number".split()
)
NUMBERS = {"whole": 1, "integer": 1, "unit": 1, "one": 1, "two": 2, "five": 5, "ten": 10, "twenty": 20, "fifty": 50}
COMPARISON = re.compile(
    r"(?P<least>(?:at least|no less than|not less than|not below|minimum of|>=|≥|=>)\s*(?P<n1>\d+)"
    r"|(?P<n2>\d+)\s*(?:or (?:more|above|over|greater|higher)|and (?:more|above|over|up)\b|upwards|\+))"
    r"|(?P<more>(?:more than|above|over|greater than|higher than|exceeds|exceeding|beyond|>)\s*(?P<n3>\d+))"
    r"|(?P<most>(?:at most|no more than|not more than|not above|up to|<=|≤)\s*(?P<n4>\d+)"
    r"|(?P<n5>\d+)\s*or (?:less|below|under|fewer|lower))"
    r"|(?P<less>(?:less than|below|under|lower than|fewer than|smaller than|short of|<)\s*(?P<n6>\d+))"
)
WHEN = re.compile(
    rf"^(?:for|with|in the case of|among|about|on)\s+(?:an?\s+|the\s+|all\s+|any\s+)?({W})(?:\s+{W})?\s*[,:]\s*(.+)"
)
WHEN_LAST = re.compile(rf"^(.+?)\s+(?:for|in the case of|when it comes to)\s+(?:an?\s+|the\s+|all\s+)?({W})\s+{W}$")
BUT = re.compile(r"\s*[,;]?\s+(?:but|except that|except|however|whereas|while)\s+")
MEANS = r"(?:means?|refers? to|stands? for|denotes?|is defined as|is short for|is another word for|equals?|is|=|:|->|→)"
QUOTED = re.compile(r"[\"\u201c'\u2018]([\w-]+)[\"\u201d'\u2019]")
DEFINED = re.compile(
    rf"(?:^|\b)(?:{W}\s+is|{W}\s+are|{W}\s+counts as|call (?:an? |the )?{W})\s+(?:called |considered |counted as )?"
    rf"({W})\s+(?:when|if|whenever|only|iff|where|once|as soon)\b"
)
HAVING = re.compile(rf"^(?:an? |the |all |every )?({W})(?: {W})?\s*(?:have|has|must have|need|needs|are|is|{MEANS})\s")
SUM = re.compile(
    rf"(?:the )?sum of (?:the |its )?({W}) and (?:the |its )?({W})"
    rf"|(?:the |its )?({W})\s*(?:plus|\+)\s*(?:the |its )?({W})"
)
DIFFERENCE = re.compile(
    rf"(?:the )?difference (?:between|of) (?:the |its )?({W}) and (?:the |its )?({W})"
    rf"|(?:the |its )?({W})\s*(?:minus|less|-)\s*(?:the |its )?({W})"
)
TERM = re.compile(
    rf"^(?:the |an? |read |by )?[\"\u201c'\u2018]?(?P<term>{W})[\"\u201d'\u2019]?\s*{MEANS}\s*(?P<rest>.+)$"
)
ONE = re.compile(rf"(?:(?:the|an?|its|simply|just) )*({W})")
UNIT = re.compile(
    rf"(?:\b(?:an?|one|1|each|every|the)\s+)?(?:(?P<when>(?!(?:an?|one|each|every|the)\b){W})\s+)?"
    rf"\b(?!there\b)(?P<large>{W})\s*"
    r"(?:has|have|is|are|equals?|=|contains?|makes?|counts|lasts?|holds?|consists of|comes to)\s+"
    r"(?:exactly |only |of )?"
    rf"(?P<n>\d+)\s+(?P<small>{W})"
)
UNIT_IN = re.compile(
    rf"(?P<n>\d+)\s+(?P<small>{W})\s+(?:in|to|make(?: up)?|per)\s+(?:an?|one|each|every|the)?\s*"
    rf"(?:(?P<when>{W})\s+)?(?P<large>{W})$"
)
DOCUMENT = re.compile(
    rf"\b(?:in|for|into|on|of)\s+(?:the|an?)\s+({W})|\b(?!round\b)({W})\s+(?:entries|figures|values|numbers|amounts)\b"
    rf"|\bthe\s+({W})\s+(?:always\s+)?rounds"
)
STEP = re.compile(rf"(?:of|nearest|next|lower|to|by)\s+(?:the\s+|an?\s+|full\s+)?(?=({W}))")
THING = rf"(?:\s+(?!out\b|count|twice|double|once){W})?"
COUNTS: tuple[tuple[re.Pattern[str], int], ...] = tuple(
    (re.compile(pattern), times)
    for pattern, times in (
        (rf"\b(?:leave|keep)\s+(?:the |any |all |every )?({W}){THING}\s+out\b", 0),
        (
            r"\b(?:leave out|exclude|ignore|skip|omit|drop|do not count|don't count|never count)\s+"
            rf"(?:the |any |all |every |an? )?({W})",
            0,
        ),
        (rf"\b({W}){THING}\s+(?:do not|does not|don't|doesn't|never|is not|are not|aren't|isn't)\s+count", 0),
        (rf"\b({W}){THING}\s+(?:are|is)\s+(?:left out|excluded|ignored|skipped|omitted|not counted)", 0),
        (rf"\bcount\s+(?:the |each |every |all |an? )?({W}){THING}\s+(?:twice|double|as two|two times)", 2),
        (rf"\b({W}){THING}\s+(?:counts?|(?:is|are) counted)\s+(?:twice|double|as two|two times)", 2),
        (rf"\bcount\s+(?:the |each |every |all |an? )?({W}){THING}\s+(?:once|as one|normally|like any other)", 1),
        (rf"\b({W}){THING}\s+(?:counts?|(?:is|are) counted)\s+(?:once|as one|normally|like any other)", 1),
    )
)
CHAIN = re.compile(rf"({W}(?:\s*(?:>|,|then)\s*(?:and |then )?(?:the |an? )?{W})+)\s*$")
UPWARDS = re.compile(r"lowest (?:to|first)|from (?:the )?(?:lowest|least|bottom)|least .* first|ascending")
OVER = re.compile(
    rf"({W})\s+(?:outranks?|ranks? (?:above|over|higher than)|beats?|overrides?|is above|is higher than|stands above"
    r"|wins (?:over|against)|prevails over|comes before|is (?:more reliable|more trusted|better) than"
    r"|takes precedence over)"
    rf"\s+(.+)$"
)
UNDER = re.compile(
    rf"({W})\s+(?:ranks? (?:below|under|lower than)|is (?:below|lower than|under|outranked by)"
    rf"|comes after|yields to)\s+(.+)$"
)
TRUST = re.compile(
    rf"\b(?:trust|believe|prefer|follow|take|use|go with|rely on)\s+(?:only |always )?(?:the\s+|an?\s+)?({W})"
    r"(?:\s*,?\s+(?:over|before|rather than|more than|instead of|against|to|and not|not|whatever)\s+(.+))?$"
)
DISAGREE = re.compile(
    rf"\b(?:when|if|where)\s+(?:the\s+)?({W})\s+and\s+(?:the\s+)?({W})\s+(?:disagree|differ|conflict|contradict)\w*"
    rf"(?:\s+\w+ other)?,?\s*(?:then )?(?:the\s+|trust the |believe the |follow the |take the |use the )({W})"
)
