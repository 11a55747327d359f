"""The words that people write rules with, as patterns."""

import re

SENTENCE = re.compile(r"(?<=[\w)'\"”*])(?:[.;]\s+|;)(?=\S)")
LISTED = re.compile(
    r"(?<=[\w)'])(?:\s*,\s*(?:and\s+)?|\s+and\s+)(?=(?:[\"“*'][^\"”*']{1,40}[\"”*']{1,2}|[A-Za-z-]+)\s*"
    r"(?:=|:|->|=>|→|means?\b|refers? to\b|is stored\b|stands? for\b|denotes?\b))"
)
ARROWS = r"<=>|=>|->|→|⇒|:=|=="
PASSIVE = r"stored|recorded|coded|encoded|written|given|those|the ones|rows|measured|defined|understood|read|found|in"
MEANS = re.compile(
    r"\s(?:means?|refers? to|stands? for|denotes?|corresponds? to|equals?|translates? to|should be|has|have|as|=|:"
    rf"|{ARROWS}|(?:is|are)(?: (?:{PASSIVE})(?: as| by| in| where| when| with)?)?)\s|:\s",
    re.IGNORECASE,
)
STATE = re.compile(
    r"\b(?:is|are|counts? as)\s+(?:considered |regarded as |deemed |called )?(?P<words>[\w -]{1,40}?)"
    r"\s+(?:when|if|whenever|where|iff)\s+(?P<sql>.+)",
    re.IGNORECASE,
)
CALLED = re.compile(r"\b(?:is|are) (?:called|considered|termed|regarded as)\s+(?P<words>[^,.]{1,60})$", re.IGNORECASE)
USE = re.compile(
    r"^(?:for|if|when|whenever|to|where)\s(?P<words>[^,:]{1,80}?)[,:]?\s(?:then |always |only )*"
    r"(?:use|filter(?: with| by| on)?|apply|add|write|take|check|select)\s(?P<sql>.+)",
    re.IGNORECASE,
)
APPENDED = re.compile(r"^(?P<words>[\w\"'* -]{1,60}?)\s*\((?P<sql>.+)\)")
USED_FOR = re.compile(
    r"^use (?P<sql>.{1,400}?)\s(?:for|to (?:mean|express|compute|get))\s(?P<words>[^,.]{1,60})", re.IGNORECASE
)
QUOTED = re.compile(r'"([^"]+)"|“([^”]+)”|(?<![=<>])(?<![=<>] )\'([A-Za-z][\w -]*)\'|\*\*([^*]+)\*\*')
VALUE_FIRST = re.compile(
    r"'(?P<value>[^']*)'[\"”]?\s*(?:=|:|->|=>|→|means?|is|stands? for|for|denotes?)\s*"
    r"[\"“'*]{0,2}(?P<word>[A-Za-z][\w-]*)",
    re.IGNORECASE,
)
WORD_FIRST = re.compile(
    r"(?P<word>[A-Za-z][\w-]*)[\"”'*]{0,2}\s*(?:=|:|->|=>|→|means?|is|as"
    r"|(?:is )?(?:stored|coded|encoded|recorded|written) as)\s*'(?P<value>[^']*)'",
    re.IGNORECASE,
)
DEMAND = re.compile(
    r"\b(always|never|only|exclud\w*|ignor\w*|skip\w*|omit\w*|discard\w*|remov\w*|requir\w*|keep|drop|leave out"
    r"|do not|don't|add|unless|must|filter\w*|without|(?:every|all|each|any) (?:quer\w+|questions?|statements?))\b",
    re.IGNORECASE,
)
REFUSE = re.compile(
    r"\b(exclud\w*|ignor\w*|skip\w*|omit\w*|discard\w*|remov\w*|drop|leave out|do not|don't|never|without)\b",
    re.IGNORECASE,
)
REMIND = re.compile(r"\b(?:(?:do not|don't|never) forget|remember|make sure|be sure)(?: to)?\b", re.IGNORECASE)
GUARD = re.compile(
    r"\b(when|whenever|if|for|in)\b.*?\b(us\w+|comput\w*|averag\w*|rank\w*|comparing|working)\b", re.IGNORECASE
)
LINK = re.compile(r"\b(join\w*|link\w*|connect\w*|through|via|belong\w*|reach\w*)\b", re.IGNORECASE)
LABEL = re.compile(r"\W*(?:note|rules?|important|dates?|years?|filters?|defaults?)\W*", re.IGNORECASE)
FILLER = frozenset(
    "a an the word words term terms phrase value of rows row that which where any kind stored in to for get when if on "
    "is are question questions query says say mentions mention asks about user treat interpret read take understand as "
    "compute calculate always with by it only column table another name synonym same called answer".split()
)
OPPOSITE = {"=": "<>", "<": ">=", ">": "<=", "IS NULL": "IS NOT NULL"}
OPPOSITE |= {there: here for here, there in OPPOSITE.items()}
NO_WORD = frozenset("those ones rows year you we".split())
UNIT = re.compile(r"\sin\s\w+\s*$")  # "the fee in dollars"
DIVIDE = re.compile(r"\bdivid\w*\s+(?:\w+\s+)?by\s+(\d+(?:\.\d+)?)", re.IGNORECASE)
