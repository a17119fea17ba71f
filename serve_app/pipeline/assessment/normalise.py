"""Removes from the judge's input what must not count: fillers, hedges, names, gendered pronouns, national spelling.

Quotes stay verbatim. A likelihood changes with every word of the prompt, so two phrasings of one answer get the same
score only if the judge reads the same words.
"""

import re

_ASIDES = re.compile(
    r"(?:,\s*)?\b(?:u+m+|u+h+|e+r+m*|h+m+|mhm|you know|i mean|sort of|kind of|basically|actually|literally|honestly|"
    r"to be honest|i think|i thought|i guess|i suppose|i believe|i would say|in my opinion|maybe|perhaps|probably|"
    r"more or less|if i remember correctly|if i recall correctly|if that makes sense|as i said|like i said|"
    r"at the end of the day|so to speak|or something like that|or whatever|and stuff like that)\b(?:\s*,)?\s*",
    re.IGNORECASE,
)
_REPEATED = re.compile(r"\b(\w+)(?:[\s,]+\1\b)+", re.IGNORECASE)
"""A stumble: "the the", "I, I"."""
_NAME = r"[A-Z][\w'-]+(?: [A-Z][\w'-]+)*"
_INTRODUCTION = re.compile(
    rf"(?i:\b(?:(?:hi|hello|well|so|yes),? +)*)(?:(?i:my name is|my name's|i am called|i'm called|call me) {_NAME}|"
    rf"(?i:this is) {_NAME} (?:speaking|here))[.,!]?\s*"
)
_PRONOUNS = {
    "he": "they", "she": "they", "him": "their", "his": "their", "her": "their", "hers": "theirs",
    "himself": "themself", "herself": "themself", "he's": "they're", "she's": "they're",
}  # fmt: skip
"""One word for all of them: "her" may stand for "his" or for "him". The result need not be grammatical."""
_PRONOUN = re.compile(rf"\b(?:{'|'.join(_PRONOUNS)})\b", re.IGNORECASE)
_OUR = re.compile(r"\b(behavi|col|fav|harb|hon|lab|neighb|hum|vap|endeav)our", re.IGNORECASE)
_ISE = re.compile(
    r"\b(anal|organ|optim|real|recogn|prior|minim|maxim|summar|author|custom|final|standard|util|visual|initial|"
    r"serial|synchron|normal|general|central)(y|i)s(e[ds]?|ing|ation|ations)\b",
    re.IGNORECASE,
)
_RE = re.compile(r"\b(cent|fib|met|theat)re(s?)\b", re.IGNORECASE)
_LL = re.compile(r"\b(travel|model|label|cancel|signal)l(ed|ing)\b", re.IGNORECASE)


def normalise(text: str) -> str:
    """Return `text` as the judge reads it. Sentences start with a capital letter."""
    for pattern, by in ((_INTRODUCTION, ""), (_ASIDES, " "), (_REPEATED, r"\1")):
        text = pattern.sub(by, text)
    text = _PRONOUN.sub(lambda match: _PRONOUNS[match.group().lower()], text)
    for pattern, by in ((_OUR, r"\1or"), (_ISE, r"\1\2z\3"), (_RE, r"\1er\2"), (_LL, r"\1\2")):
        text = pattern.sub(by, text)
    return _tidy(text)


def _tidy(text: str) -> str:
    """Repair blanks, punctuation and capitals where words were removed."""
    text = re.sub(r"\s+([.,;:?!])", r"\1", re.sub(r"\s+", " ", text)).strip(" ,")
    text = re.sub(r"(?:(?<=[.?!])\s*[.,]+|(?<=^)[.,]+)", "", text)
    return re.sub(r"(?:^|(?<=[.?!] ))[a-z]", lambda match: match.group().upper(), text)
