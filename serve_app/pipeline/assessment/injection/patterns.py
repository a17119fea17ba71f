"""Patterns of unmistakable instructions to an assessor. They confirm the injection tagger.

`injection.policy` combines both into a verdict.
"""

import re

_SCORE = r"(?:scor(?:e|es|ed|ing)|rat(?:e|es|ed|ing|ings)|mark(?:s|ed)?|grad(?:e|es|ed|ing)|points?|stars?)"
_TOP = r"(?:five|5|ten|10|full|top|highest|maximum|max|perfect|best|excellent|hundred|100)"
_ASSESSOR = (
    r"(?:a\.?i\.?|artificial intelligence|language model|l\.?l\.?m\.?|(?:chat ?)?gpt|assistant|model|system|algorithm|"
    r"bot|machine|computer|software|grader|evaluator|assessor|reviewer|screening (?:tool|software|system))"
)
_ADDRESSED = rf"(?:you(?:'re| are)?\s+|the\s+|an?\s+|any\s+|this\s+)*{_ASSESSOR}"
_ASKED = rf"(?:{_SCORE}|recommend\w*|advance|instruct\w*|output|{_TOP})"
_RULES = r"(?:instructions?|prompts?|rubrics?|guidelines|criteria|anchors)"
_ME = r"(?:me|this (?:candidate|answer|interview|person)|the candidate|every\w*|all\w*)"

PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:ignore|disregard|forget|override|bypass|skip)\b.{{0,60}}\b{_RULES}\b",
        rf"\b(?:give|award|assign|grant|put|set|output|return|write|print|enter)\b.{{0,50}}\b{_TOP}\b.{{0,30}}\b{_SCORE}\b",
        rf"\b(?:give|award|assign|grant)\s+{_ME}\b.{{0,40}}\b(?:{_TOP}|{_SCORE})\b",
        rf"\b(?:score|rate|grade|mark|assess|evaluate)\s+{_ME}\b",
        r"\brecommendation\b.{0,30}\b(?:must|should|shall|is|to|as|equals?)\b.{0,20}\b(?:advance|hire|strong)\b",
        rf"\b(?:if|as|dear|hello|hey|attention|note (?:to|for)|to)\s+{_ADDRESSED}\b.{{0,100}}\b{_ASKED}\b",
        rf"^(?:new|updated|revised) {_RULES}\b",
        r"\b(?:system|assistant|developer|user)\s*(?::|message|prompt|override)",
        r"\b(?:begin|end|start)(?: of)? (?:transcript|interview|instructions|prompt)\b",
        r"\b(?:no|remove|delete|ignore|clear|omit)\b.{0,30}\bred flags?\b",
        rf"^(?:(?:hey|dear|hello|hi|okay?|so|and),? )?{_ASSESSOR}[,.!:]",
    )
)


def is_instruction(sentence: str) -> bool:
    """Whether a sentence matches a pattern of an instruction to an assessor."""
    return any(pattern.search(sentence) for pattern in PATTERNS)
