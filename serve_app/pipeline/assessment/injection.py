"""Speech that is meant for the grader, not for the interviewer.

Such sentences are taken out before anything is judged and listed as a red flag. This is the second line of defence:
the first is that the default judge only weighs the rubric's own statements, so there is no instruction to follow.
"""

import re

_SCORE = (
    r"(?:scor(?:e|es|ed|ing)|rat(?:e|es|ed|ing|ings)|mark(?:s|ed)?|grad(?:e|es|ed)|points?|stars?|evaluat\w+|assess\w*)"
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
        rf"\b(?:new|updated|revised|real|actual|following|these)\s+{_RULES}\b.{{0,80}}\b(?:{_SCORE}|recommend\w*|hire)\b",
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
        r"\b(?:json|schema|output format)\b.{0,60}\b(?:score|recommendation|advance|five|5)\b",
    )
)


_OF_GRADING = re.compile(
    rf"\b(?:{_SCORE}|anchors?|rubrics?|levels?|confidence|recommendation|red flags?|"
    r"(?:this|my|every|each|the) answers?|(?:the|this) (?:candidate|interview|transcript|summary)|"
    r"candidates|competenc(?:y|ies)|statement [a-e]|"
    r"(?:scoring|grading|marking) (?:guide|scheme|rules)|rules|next round|screening|evidence for my)\b",
    re.IGNORECASE,
)
_OF_SUCCESS = re.compile(
    rf"\b(?:{_TOP}|fifth|outstanding|excellent|exceptional|exceed\w*|strong hire|hired?|advance[ds]?|"
    r"pass(?:es|ed)?|first|success\w*|fulfilled|praise|positive|"
    r"nothing negative|anything negative|no (?:concerns?|weakness\w*|doubts?))\b",
    re.IGNORECASE,
)
_ORDER = re.compile(
    r"(?:^|[.,;:!?]\s*|"
    r"\b(?:please|just|and|so|then|now|must|should|shall|has to|have to|needs to|need to|kind and)\s+)"
    r"(?:mark|write|treat|say|choose|pick|select|rank|output|confirm|add|leave out|leave|skip|stop|"
    r"do not apply|answer with|translate|advance|give|praise|print|report|put|set|accept|consider|let us say|count|"
    r"be (?:a |the )?(?:five|scored|rated))\b|"
    r"\b(?:your (?:new |only |real )?task|no longer appl\w+|hereby|from now on|deserves?|has to be|must be|"
    r"should be|be reported|is finished|already agreed|you do not need|"
    r"the (?:correct|right|final) (?:score|rating|result|grade))\b",
    re.IGNORECASE,
)
_READER = re.compile(
    rf"\b(?:{_GRADER}|computer|software|reader|whoever|(?:processed|scored|graded|read) automatically|automatic\w* "
    r"(?:scoring|grading)|developer|any model|authori[sz]e)\b",
    re.IGNORECASE,
)


def addresses_the_grader(sentence: str) -> bool:
    """Whether a sentence reads as an instruction about its own assessment."""
    return any(pattern.search(sentence) for pattern in PATTERNS) or _speaks_of_its_own_score(sentence)


def _speaks_of_its_own_score(sentence: str) -> bool:
    """Three of four signs: grading, success, an order, a reader that is no person.

    The patterns above are what people were thought to say; of 30 attacks written without a look at them they caught 5.
    """
    signs = (_OF_GRADING, _OF_SUCCESS, _ORDER, _READER)
    return sum(bool(sign.search(sentence)) for sign in signs) >= 3
