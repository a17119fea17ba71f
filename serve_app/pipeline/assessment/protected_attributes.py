"""Protected attributes: no rubric may ask for one, and no text that names one is shown.

Many of their words have other senses: an accent colour, a race condition, the age of a cache. A sense is judged by the
words around it, in the same sentence: a word counts, unless they name another sense and none of them is about how
people speak, look or are.
"""

import re
from typing import NamedTuple

_SERVED = (
    r"customers?|patients?|clients?|residents?|relatives|callers?|users?|guests?|pupils|students|child(?:ren)?|"
    r"passengers?|tenants?|famil(?:y|ies)|visitors?"
)
"""People that the work is for. What the candidate does for them may be asked."""
_TECHNICAL = r"data\w*|models?|software|systems?|sensors?|algorithms?|API|detect\w*|recogni\w*|classif\w*"
_LAW = r"laws?|legal|courts?|polic(?:y|ies)|complian\w+|discriminat\w+|bias\w*|harassment"
_SPEECH = (
    r"speak\w*|spoke\w*|speech|talk\w*|voices?|sounds?|pronounc\w*|native|listen\w*|understand\w*|intelligib\w*|"
    r"english|german|french|spanish|foreign|regional|strong|heavy|thick|neutral|phone"
)
_CANDIDATE = r"(?:candidates?|applicants?|interviewees?|speakers?)"


class _Attribute(NamedTuple):
    words: str
    compounds: str
    """Expressions with these words that always mean something else."""
    other: str
    """Words that name another sense of it, in the same sentence."""
    person: str
    """Words that make it about a person all the same."""
    example: str
    """An expression that may be asked for."""


_ATTRIBUTES = {
    "accent": _Attribute(
        r"accents?|accented|pronunciations?|dialects?",
        r"accent[ -](?:colou?rs?|lights?|lighting|walls?|pieces?|marks?|characters?|chairs?|fabrics?|pillows?|tokens?)|"
        r"(?:colou?r|visual|design|graphic|acute|grave|sql) (?:accents?|dialects?)|accented (?:letters?|characters?)",
        r"colou?r\w*|ui|ux|css|design\w*|themes?|palettes?|contrast|buttons?|typograph\w*|fonts?|layouts?|furni\w+|decor\w*"
        r"|interiors?|lighting|paint\w*|diacritics?|unicode|letters?|characters?|keyboards?|music\w*|rhythm\w*|brands?|sql|"
        r"quer(?:y|ies)|databases?|compilers?|lisp|programming",
        _SPEECH,
        "accent colours",
    ),
    "fluency": _Attribute(
        r"fluen(?:t|tly|cy)|native[- ](?:speakers?|level|english|language)|mother tongue|stutter\w*|disfluen\w+",
        r"fluent (?:interfaces?|apis?|builders?|design|assertions?|bit)|ansys fluent|(?:video|audio|frame) stutter\w*",
        r"sql|python|java\w*|rust|golang|c\+\+|excel|code|coding|programming|spreadsheets?|frames?|render\w*|playback",
        _SPEECH,
        "fluent interface of an API",
    ),
    "emotion": _Attribute(
        r"emotions?|emotional\w*|enthusias\w+|moods?|nervous\w*|charisma\w*|tone of voice|facial|smil(?:e[sd]?|ing)|"
        r"sound(?:s|ed)? (?:\w+ ){0,2}(?:confident|nervous|friendly|happy|sad|warm|energetic)|(?:pleasant|nice) voice",
        r"mood ?boards?|nervous system|facial (?:recognition|treatments?|surgery|nerves?)",
        rf"{_SERVED}|{_TECHNICAL}",
        r"shows?|showing|sounds?|smil\w*|enthusias\w+|charisma\w*|with emotion|voice",
        "emotions of customers",
    ),
    "age": _Attribute(
        r"age|aged|years old|young(?:er)?|elderly",
        r"age(?:d|s)? (?:of (?:the |an? )?(?:data|caches?|records?|stock|assets?|equipment|machines?|buildings?|debt)|"
        r"verification|checks?|gates?|restrictions?|ratings?|groups? of (?:patients|pupils|children)|receivables?|"
        r"debts?|stock|care|beef|cheese|wine)|cache age|with young people",
        rf"{_SERVED}|caches?|records?|receivables?|stock|inventor(?:y|ies)|cheese|wine|concrete",
        r"how old|years old|dynamic|energetic|mature",
        "age of the data",
    ),
    "gender": _Attribute(
        r"genders?|male|female|masculin\w+|feminin\w+|pregnan\w+|marital|married|sexual\w*",
        r"(?:fe)?male[ -](?:connectors?|plugs?|sockets?|threads?|fittings?|headers?|adapters?|ends?)|gender pay gap|"
        r"sexual harassment|grammatical gender",
        rf"{_SERVED}|{_LAW}|{_TECHNICAL}|connectors?|plugs?|sockets?|threads?|animals?|cattle|mice|breeding",
        r"whether",
        "female connector",
    ),
    "origin": _Attribute(
        r"origins?|ethnic\w*|nationalit\w+|races?|racial\w*|religio\w+|citizenship|immigra\w+|skin colou?r|foreigners?",
        r"origins? (?:servers?|polic\w+)|(?:cross|same)[ -]origin|race conditions?|data races?|race (?:tracks?|cars?)|"
        r"origins? of (?:the |an? )?(?:problems?|faults?|errors?|defects?|failures?|bugs?|outages?|data|request|goods|"
        r"leaks?|noise|deviations?|complaints?|damages?)|(?:certificates?|rules) of origin|immigration (?:law|cases?)",
        rf"{_LAW}|caches?|servers?|requests?|cors|git|goods|customs|shipments?|products?|labels?|threads?|locks?|traffic|"
        r"visas?|faults?|defects?|errors?|materials?|food|meat",
        r"skin colou?r|foreigners?",
        "origin of the fault",
    ),
    "health": _Attribute(
        r"disabilit\w+|disabled (?:people|persons?|candidates?)|illness\w*",
        r"disability (?:law|insurance|claims?|benefits?|services?|support)",
        rf"{_SERVED}|{_LAW}|accessib\w+|inclusi\w+|ramps?|screen readers?|wards?|clinics?|hospitals?|care|nurs\w+",
        r"free of|without",
        "users with disabilities",
    ),
}  # fmt: skip


class Mention(NamedTuple):
    """A protected attribute that a text names."""

    attribute: str
    """For example `accent`."""
    word: str
    """The word that names it."""
    example: str
    """An expression of such words in a sense that may be asked for."""


class _Patterns(NamedTuple):
    words: re.Pattern[str]
    compounds: re.Pattern[str]
    other: re.Pattern[str]
    person: re.Pattern[str]


def _compiled(attribute: _Attribute) -> _Patterns:
    words, compounds, other, person, _ = attribute
    owned = (
        rf"{_CANDIDATE}(?:'s|s'|'|’s)? (?:own )?(?:{words})|(?:{words}) of (?:the |an? |all )?{_CANDIDATE}|"
        rf"{_CANDIDATE} (?:is|are|looks?|seems?) (?:\w+ )?(?:{words})"
    )
    return _Patterns(
        *(re.compile(rf"\b(?:{part})\b", re.IGNORECASE) for part in (words, compounds, other, f"{person}|{owned}"))
    )


_PATTERNS = {name: _compiled(attribute) for name, attribute in _ATTRIBUTES.items()}
_SENTENCE_END = re.compile(r"[.;!?\n]+")


def protected_attribute(text: str) -> Mention | None:
    """Return the first protected attribute that `text` names in its sense about people; None when it names none."""
    sentences = _SENTENCE_END.split(text.replace("_", " "))
    return next(
        (
            Mention(name, match.group(), _ATTRIBUTES[name].example)
            for name, patterns in _PATTERNS.items()
            for sentence in sentences
            if (match := _match(sentence, patterns))
        ),
        None,
    )


def _match(sentence: str, patterns: _Patterns) -> re.Match[str] | None:
    """Return the word of the attribute, unless the sentence names another sense of it."""
    rest = patterns.compounds.sub(" ", sentence)
    match = patterns.words.search(rest)
    if match and patterns.other.search(sentence) and not patterns.person.search(rest):
        return None
    return match
