"""Languages of recordings: which ones are assessed, and their names."""

JUDGED = frozenset({"en"})
"""Assessed languages: the rubric's cues, the injection tagger and the shipped judges know English."""
UNKNOWN = "und"
"""ISO 639-2 for "undetermined": speech that an English-only model did not understand."""
_NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh", "da": "Danish", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "fa": "Persian", "fi": "Finnish", "fr": "French", "he": "Hebrew",
    "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "ms": "Malay", "nl": "Dutch", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sr": "Serbian", "sv": "Swedish", "ta": "Tamil", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


def name_of(language: str) -> str:
    """English name of a language, by its ISO 639 code; the code itself where it is a rarer one."""
    return _NAMES.get(language, f"the language “{language}”")
