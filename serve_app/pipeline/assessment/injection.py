"""Speech that is meant for the grader, not for the interviewer.

What is surely meant so is a red flag; what may be is not judged either. This is the second line of defence. The first
is that the judge of a competency reads only what is about it (see `exchanges.about`), and that the default judge weighs
the rubric's own statements, so there is no instruction to follow.
"""

import re
from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from typing import Literal, NamedTuple

from serve_app.pipeline.sentences import is_question

_SCORE = (
    r"(?:scor(?:e|es|ed|ing)|rat(?:e|es|ed|ing|ings)|mark(?:s|ed)?|grad(?:e|es|ed|ing)|points?|stars?|evaluat\w+|"
    r"assess\w*)"
)
_TOP = r"(?:five|5|ten|10|full|top|highest|maximum|max|perfect|best|hundred|100)"
_UNIT = r"(?:percent|%|years?|months?|weeks?|days?|hours?|minutes?|(?:milli)?seconds?|times|people|engineers)"
_GRADER = (
    r"(?:a\.?i\.?|artificial intelligence|language model|l\.?l\.?m\.?|(?:chat ?)?gpt|assistant|model|system|algorithm"
    r"|bot|machine|grader|evaluator|assessor|reviewer|screening (?:tool|software|system))"
)
_RULES = r"(?:instructions?|prompts?|rubrics?|rules|guidelines|criteria|anchors|constraints|directions|orders|commands)"
_ME = r"(?:me|this (?:candidate|answer|interview|person)|the candidate|every\w*|all\w*)"
_DROP = r"(?:ignore|disregard|forget|override|bypass|skip|drop|overwrite|set aside)"
_PUT = r"(?:give|award|assign|grant|put|set|output|return|write|print|enter|record|report)"

PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{_DROP}\b.{{0,60}}\b{_RULES}\b",
        (
            rf"\b(?:new|updated|revised|real|actual|following|these)\s+{_RULES}\b.{{0,80}}"
            rf"\b(?:{_SCORE}|recommend\w*|hire)\b"
        ),
        rf"\b{_PUT}\b.{{0,50}}\b{_TOP}\b.{{0,30}}\b(?:{_SCORE}|out of)\b",
        rf"\b(?:give|award|assign|grant)\s+{_ME}\b.{{0,40}}\b(?:{_TOP}|{_SCORE})\b",
        rf"\b{_SCORE}\b.{{0,40}}\b(?:as|at|to|with|of|a|be|is)\s+(?:a\s+)?{_TOP}\b(?!\s*{_UNIT})",
        rf"\b(?:score|rate|grade|mark|assess|evaluate)\s+{_ME}\b",
        (
            r"\b(?:recommend|advance|approve|select|hire|pass)\s+(?:me|this candidate|the candidate)\b.{0,60}"
            r"\b(?:regardless|anyway|without|no matter|immediately|automatically|must|now|recommendation|strongly)\b"
        ),
        r"\brecommendation\b.{0,30}\b(?:must|should|shall|is|to|as|equals?|set)\b.{0,20}\b(?:advance|hire|strong)\b",
        (
            rf"\b(?:if|as|dear|hello|hey|hi|attention|note (?:to|for)|message (?:to|for)|to)\s+"
            rf"(?:you(?:'re| are)?\s+|the\s+|an?\s+|any\s+|this\s+)*{_GRADER}\b.{{0,100}}"
            rf"\b(?:{_SCORE}|recommend\w*|advance|instruct\w*|output|{_TOP})\b"
        ),
        rf"\b(?:you are|you're|act as|pretend|behave as|respond as)\b.{{0,40}}\b{_GRADER}\b",
        r"\bsystem\s+(?:prompt|message|override)\b|\b(?:system|assistant|developer|user)\s*:",
        r"\b(?:begin|end|start)(?: of)? (?:transcript|interview|system|instructions|prompt|answer|data)\b",
        r"\bred flags?\b.{0,40}\b(?:empty|none|no|remove|delete|ignore|clear)\b",
        r"\b(?:no|remove|delete|ignore|clear|omit)\b.{0,30}\bred flags?\b",
        (
            rf"\b(?:must|should|shall|have to|need to)\s+(?:now\s+)?(?:score|rate|grade|give|award|output|recommend)\b"
            rf".{{0,60}}\b(?:{_TOP}|me|candidate|advance)\b"
        ),
        r"\b(?:do not|don't|stop|never)\s+(?:apply|use|follow)\w*\b.{0,20}\b(?:scoring|grading|marking|rubric|guide)\b",
        (
            r"\b(?:choose|pick|select|take)\s+(?:statement|option|letter|anchor|level)\s+"
            r"(?:[a-e]|one|two|three|four|five|[1-5])\b"
        ),
        r"\b(?:processed|scored|graded|read) automatically\b.{0,60}\b(?:result|score|rating|hire|recommend\w*)\b",
        rf"\bI\s+(?:get|deserve|receive|earn(?:ed)?)\s+(?:an?|the)\s+{_TOP}\b(?!\s*{_UNIT}).{{0,20}}\b(?:on|for|in)\b",
        r"\bevidence for my (?:score|rating|grade|result)\b",
        (
            r"^(?:(?:hey|dear|hello|hi|ok|okay|so|and),? )?(?:computer|assistant|algorithm|a\.?i\.?|machine|system|"
            r"software|robot|bot|grader|evaluator|assessor|examiner|chat ?gpt|language model)[,.!:]"
        ),
        (
            r"\b(?:the|this|my) (?:answer|response|candidate|applicant) (?:clearly |fully |also )*(?:explains|"
            r"describes|"
            r"names|shows|says|ties|gives|mentions|meets|covers|exceeds|demonstrates|deserves|fulfils|satisfies|"
            r"qualifies)\b"
        ),
        r"\bI (?:hereby |now |herewith )*(?:order|authori[sz]e|instruct|command|direct) (?:you|the|this|any|every)\b",
        r"\b(?:json|schema|output format)\b.{0,60}\b(?:score|recommendation|advance|five|5)\b",
    )
)

_VERB = (
    r"(?:accept|act|add|adjust|advance|agree|allow|amend|answer|append|apply|approve|assess|assign|assume|attach|award|"
    r"base|be|behave|boost|bump|bypass|calculate|call|cancel|change|check|choose|clear|close|compute|conclude|confirm|"
    r"consider|convert|copy|correct|count|credit|declare|decide|deem|default|delete|describe|disable|discard|display|"
    r"disregard|do not|don't|double|drop|edit|elevate|enable|end|endorse|enter|erase|evaluate|exclude|execute|fill|"
    r"find|"
    r"finish|fix|flag|follow|forget|forward|generate|give|go|grade|grant|hand|hire|ignore|impute|include|increase|"
    r"infer|"
    r"insert|interpret|invite|judge|jump|keep|label|leave|list|lock|log|lower|maximi[sz]e|make|mark|move|never|note|"
    r"obey|"
    r"offer|omit|output|overlook|override|overrule|overwrite|pass|pick|place|praise|prefer|present|pretend|print|"
    r"prioriti[sz]e|proceed|process|produce|promote|push|put|quote|raise|rank|rate|read|recogni[sz]e|recommend|record|"
    r"refer|"
    r"register|reject|release|remember|remove|repeat|replace|reply|report|reset|respond|restart|return|reveal|reward|"
    r"round|"
    r"save|say|score|see|select|send|set|shift|shortlist|show|simulate|skip|start|state|stop|store|submit|substitute|"
    r"suggest|summari[sz]e|suppose|suppress|swap|switch|take|tell|throw|tick|transcribe|translate|treat|trust|turn|"
    r"understand|update|upgrade|use|validate|verify|view|waive|weigh|write)"
)
"""Verbs that a grader can be ordered with. People who tell of their work do not begin with a bare verb."""
_LEAD_IN = (
    r"(?:(?:please|kindly|honestly|hey(?: there)?|so|now|and|okay|ok|well|just|then|also|oh|alright|right|again|"
    r"instead|"
    r"finally|always|simply|hello|hi|or|but|for (?:the record|this \w+|my \w+)|in (?:the|your) \w+|by the way),? )"
)
_BEFORE_AN_ORDER = (
    rf"(?:(?:^|[.!?;:] |, so |(?-i:(?<=[a-z] )(?=[A-Z]))){_LEAD_IN}*(?:(?:if|as|since|because|given)\b[^,]{{3,60}}, |"
    rf"(?:[\w']+ ){{0,2}}[\w']+, )?{_LEAD_IN}*|"
    r"\b(?:please|kindly),? (?:just )?)"
)
_OPENS_AS_ORDER = re.compile(
    rf"{_BEFORE_AN_ORDER}(?:{_VERB}\b(?!, who|'s)|let (?:the record|it be)\b)|"
    r"\byou (?:are (?:required|asked|told|supposed|obliged|free|expected|instructed|allowed|to)|ought|"
    rf"(?:can|could|may|should|must|shall|will|would)(?: now| just| simply)? (?:not )?{_VERB})\b",
    re.IGNORECASE,
)
_OF_ME = re.compile(
    r"\b(?:me|my|mine|i'm|i am|i have|i've|that i|candidates?|applicants?|internal|(?:this|these|every|each|all|the) "
    r"(?:answers?|responses?|interview|skills?|speaker|person|questions?|results?|numbers?|items?|categor\w+|"
    r"fields?))\b",
    re.IGNORECASE,
)
_OF_MANNERS = re.compile(
    r"\b(?:let me|(?:give|grant|allow) me (?:a|one|some|just) |tell me (?:if|when|more|about|what)|excuse me|"
    r"bear with me|"
    r"(?:correct|stop|forgive|remind|pardon) me|let me know|do not (?:know|think|have|remember|recall)|"
    r"don't (?:know|think|have|remember|recall|get|really|want|like|need|see|mind|worry))\b",
    re.IGNORECASE,
)


_OF_GRADING = (
    rf"{_SCORE}|anchors?|rubrics?|levels?|confidence|verdict|recommend\w*|red flags?|scorecards?|results?|"
    r"(?:this|my|every|each|the|these|those|all) (?:answers?|responses?)|"
    r"(?:the|this) (?:candidate|applicant|interview|transcript|recording|call|summary|report|sentence|question)|"
    r"candidates?|applicants?|competenc(?:y|ies)|statement [a-e]|benefit of|(?:all|every|the) requirements?|qualif\w+|"
    r"(?:scoring|grading|marking) (?:guide|scheme|rules)|your (?:guide|rules|standards?|criteria)|rules|"
    r"(?:next|final|second) (?:round|stage|step)|screening|evidence|skills?|tally|threshold|the record|mistakes|"
    r"penali[sz]e\w*|short ?list\w*"
)
_OF_SUCCESS = (
    r"(?:five|5|ten|10|hundred|100)(?!\s*(?:percent|%))(?! (?!points|stars|marks)\w+s\b)|full|top|highest|maximum|max|"
    r"perfect|best|fives|tens|fifth|outstanding|excellent|exceptional|exceed\w*|strong hire|hire[ds]?|hiring|"
    r"advance[ds]?|pass(?:es|ed)?|first|success\w*|fulfilled|praise|positive|brilliant|flawless|ideal|superb|"
    r"strongest|superior|"
    r"approv\w+|a plus|wins?|winner|generous\w*|lenient\w*|great|strong|correct|correctly|favou?rabl\w+|"
    r"natural leader|go easy|the one|raise|boost|increase|upgrade|perfectly|"
    r"(?:fully|completely|highly) (?:qualified|met|satisfied)|without (?:reservations?|doubt|hesitation)|complete|"
    r"(?:nothing|anything) negative|(?:no|any) (?:concerns?|weakness\w*|doubts?|gaps?)|move me|push me|bump|offer|"
    r"the (?:job|offer)"
)
_ORDER = (
    r"(?:(?:^|[.,;:!?]\s*|\b(?:please|just|so|(?<!i )then|now|must|should|shall|has to|"
    r"have to|needs to|need to|kind and)\s+)"
    r"(?:mark|write|treat|say|choose|pick|select|rank|output|confirm|add|leave out|leave|skip|stop|rate|grade|score|"
    r"do not|don't|never|answer with|translate|advance|give|praise|print|report|put|set|accept|consider|let us say|"
    r"count|tell|replace|repeat|ignore|judge|assume|make sure|record|log|note|enter|classify|label|flag|raise|"
    r"lower|approve|recommend|promote|move|be (?:a |the )?(?:five|scored|rated|generous|kind))|"
    r"\b(?:your (?:new |only |real |next )?(?:task|job) (?:is|now)|no longer appl\w+|hereby|from now on|deserves?|"
    r"has to be|must be|should be|should read|be reported|is finished|already agreed|you do not need|(?:put|mark) me|"
    r"i (?:hereby |now )?(?:(?:order|authori[sz]e|instruct|command|demand) (?:you|the|this|any|every|that)|want you)|"
    r"instructions?|the (?:correct|right|final|only) (?:score|rating|result|grade)))"
)
_READER = (
    r"a\.?i\.?|artificial intelligence|language model|l\.?l\.?m\.?|(?:chat ?)?gpt|assistant(?! manager)|algorithm|bot|"
    r"grader|evaluator|assessor|reviewer|computer|software|robot|neural network|recruiter|examiner|administrator|"
    r"(?:dear|the) reader|whoever (?:is )?(?:read|listen|hear|grad|scor|rat|mark)\w*|developer message|"
    r"(?:processed|scored|graded|read) automatically|automat\w+ (?:scor\w+|grad\w+|assess\w*|rat\w+)|"
    r"(?:reading|listening to|hearing|processing|reads|hears) (?:this|these|my)|authori[sz]e|tell the|"
    r"your (?:final |own |new )?(?:scorecard|verdict|rubric|rules|scoring|grading|prompt|instructions|"
    r"evaluation|assessment|guide|report|summary|algorithm)|"
    r"(?:dear|hey|hello|this|any|the (?:\w+ )?(?:screening|assessment|scoring|grading|rating|hiring|evaluation)) "
    r"(?:system|model|machine|tool|program)|(?:system|model|machine|tool|program),|"
    r"(?:system|model|machine|tool|program|bot|computer) (?:is |that is |that's )?(?:listening|reading|hearing|"
    r"scoring|grading)|"
    r"(?:system|model|machine|tool|program) (?:should|must|has to|needs to|knows?|that reads)"
)
_YOU = (
    r"(?<!thank )(?<!thanks )(?<!do )(?<!tell )(?<!if )(?<!when )(?<!how )(?<!what )(?<!that )(?<!as )you(?:r|'re|'ll)?"
    r"(?! know\b| guys\b| have to\b| want\b| need to\b| get\b)"
)

_OF_THIS_TALK = re.compile(
    r"\b(?:this (?:candidate|applicant|answer|recording|transcript|interview|sentence|person|evaluation|assessment|"
    r"call)|"
    r"the (?:\w+ )?(?:recommendation|summary|write-up|transcript|candidate|applicant)|(?:the|my) answers? (?:i|was|"
    r"is)\b|"
    r"(?:scale|points?) (?:of|to|for)|straight through|evidence (?:is|was)|for (?:technical|problem)|next (?:round|"
    r"stage))\b",
    re.IGNORECASE,
)
"""What a grader has before them. People in interviews speak of other things."""
_OF_WORK = re.compile(
    r"\b(?:last|that) (?:year|quarter|month|season|summer)\b|\bat (?:school|university|college)\b|\bannual review\b|"
    r"\bin my (?:previous|last|former|old) (?:job|role|team|company)\b|"
    r"\b(?:we|our|(?<!let )us)\b|\bI (?:have |had |also |then |once |usually |always |often )?"
    r"(?!exceeded|passed|earned|deserved|scored|satisfied|completed|qualified|achieved|authori[sz]ed|ordered|"
    r"instructed)"
    r"(?:[a-z]+ed|set|wrote|built|made|found|ran|gave|took|got|put|led|kept|went|saw|read|chose|taught|learnt|spent)\b",
    re.IGNORECASE,
)

Severity = Literal["low", "high"]
ENOUGH_FOR_DOUBT = 2
ENOUGH_FOR_A_FLAG = 3
RECITED = 7
"""Words in a row that somebody who says them has from the rubric's anchors."""


class Heard(NamedTuple):
    """What a guard makes of a sentence."""

    signs: int = 0
    """How many of five it bears: of grading, of success, an order, a reader that is no person, and "you"."""
    severity: Severity | None = None
    """How surely it is meant for the grader, as a red flag; None where that is not to be said aloud."""


class Guard:
    """Tells speech at the grader from talk about the work. Knows how the rubric names and words what is graded."""

    def __init__(self, names: Iterable[str] = (), anchors: Iterable[str] = ()) -> None:
        self._anchors = frozenset(run for anchor in anchors for run in _runs(anchor))
        graded = "|".join((_OF_GRADING, *(_as_graded(re.escape(name.lower())) for name in names if name.strip())))
        self._signs = {
            sign: re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)
            for sign, words in (
                ("grading", graded), ("success", _OF_SUCCESS), ("order", _ORDER), ("reader", _READER), ("you", _YOU),
            )
        }  # fmt: skip

    def of_the_candidate(self, sentence: str) -> Heard:
        """A sentence of the candidate's. With two signs or an order it is doubtful, with three of them a red flag.

        One that tells of work done needs a sign more to be flagged: people speak of scores and systems there, too.
        """
        signs = self._found(sentence)
        not_judged = commands(sentence) or opens_as_order(sentence)
        return Heard(max(len(signs), ENOUGH_FOR_DOUBT * not_judged), self._severity(sentence, signs))

    def of_another(self, sentence: str) -> Heard:
        """A sentence of somebody who asks: interviewers ask for grades, order, say "you"."""
        meant = commands(sentence) or {"grading", "success", "reader"} <= self._found(sentence)
        return Heard(0, "high" if meant and not is_question(sentence) else None)

    def _severity(self, sentence: str, signs: AbstractSet[str]) -> Severity | None:
        told = bool(_OF_WORK.search(sentence))
        if (commands(sentence) and not told) or len(signs - {"you"}) - told >= ENOUGH_FOR_A_FLAG:
            return "high"
        telling = "reader" in signs or {"grading", "order"} <= signs or bool(_OF_THIS_TALK.search(sentence))
        if len(signs) - told >= (ENOUGH_FOR_DOUBT if telling else ENOUGH_FOR_A_FLAG):
            return "low"
        orders = opens_as_order(sentence) and (_OF_ME.search(sentence) or "success" in signs)
        return "low" if orders or not self._anchors.isdisjoint(_runs(sentence)) else None

    def _found(self, sentence: str) -> set[str]:
        found = {name for name, sign in self._signs.items() if sign.search(sentence)}
        return found | {"order"} if opens_as_order(sentence) else found


def commands(sentence: str) -> bool:
    """Whether a sentence has the very form of an instruction to a grader."""
    return any(pattern.search(sentence) for pattern in PATTERNS)


def opens_as_order(sentence: str) -> bool:
    """Whether a sentence, or a part of it, begins as an order does."""
    return bool(_OPENS_AS_ORDER.search(sentence)) and not _OF_MANNERS.search(sentence)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9']+", text.lower())
    return {tuple(words[at : at + RECITED]) for at in range(len(words) - RECITED + 1)}


def _as_graded(name: str) -> str:
    """A competency's name as one speaks of its grade. A single word, "SQL", is also what people just work with."""
    if " " in name:
        return name
    return (
        rf"(?:rate|mark|grade|score|set|put|raise|pass|for|on) (?:my |me on |the )?{name}"
        r"(?= (?:to|at|as|a|is|with|up)\b|[.,!]|$)|"
        rf"{name} (?:to|at|is|as|gets?|should be|must be) (?:an? )?(?:five|5|ten|10|top|full|maximum|highest|perfect)"
    )
