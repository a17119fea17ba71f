"""Protected attributes: no rubric may name one, and no text that names one is shown."""

import re

_ATTRIBUTES = {
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
_PATTERNS = {attribute: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for attribute, words in _ATTRIBUTES.items()}


def protected_attribute(text: str) -> str | None:
    """Return the first protected attribute that `text` names, e.g. `accent`; None when it names none."""
    text = text.replace("_", " ")
    return next((attribute for attribute, pattern in _PATTERNS.items() if pattern.search(text)), None)
