"""What nobody may be assessed on. A rubric that asks for it is refused, a text that speaks of it is not shown."""

import re

_SUBJECTS = {
    "accent": r"accents?|accented|pronunciations?|dialects?",
    "fluency": r"fluen(?:t|tly|cy)|native[- ](?:speakers?|level|english|language)|mother tongue|stutter\w*|disfluen\w+",
    "emotion": (
        r"emotions?|emotional\w*|enthusias\w+|moods?|nervous\w*|charisma\w*|tone of voice|facial|smil(?:e[sd]?|ing)|"
        r"sound(?:s|ed)? (?:\w+ ){0,2}(?:confident|nervous|friendly|happy|sad|warm|energetic)|(?:pleasant|nice) voice"
    ),
    "age": r"age(?! of (?:the |a )?(?:data|cache|record))|aged|years old|young(?:er)?|elderly",
    "gender": r"genders?|male|female|masculin\w+|feminin\w+|pregnan\w+|marital|married|sexual\w*",
    "origin": (
        r"origins?(?! (?:servers?|polic))|ethnic\w*|nationalit\w+|races?(?! conditions?)|racial\w*|religio\w+|"
        r"citizenship|immigra\w+|skin colou?r|foreigners?"
    ),
    "health": r"disabilit\w+|disabled (?:people|persons?|candidates?)|illness\w*",
}
_PATTERNS = {subject: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for subject, words in _SUBJECTS.items()}


def barred_subject(text: str) -> str | None:
    """What `text` speaks of that must not count, e.g. `accent`; None when it speaks of none of it."""
    text = text.replace("_", " ")
    return next((subject for subject, pattern in _PATTERNS.items() if pattern.search(text)), None)
