"""Sentences in which a candidate only asks for a person to look at the interview, or declines a machine.

That is a right and never a flag, whatever the tagger says. Every word must be in a closed list, which has no mark, no
outcome, no praise and no order to write, give or set something: nothing that an attack asks for can be said with it.
One other word in the sentence, and the tagger decides.
"""

import re


def _listed(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


PEOPLE = _listed("""
    human humans person persons person's people somebody someone anybody anyone recruiter colleague colleagues staff
    hr manager
""")
MACHINES = _listed("""
    ai artificial intelligence algorithm algorithms computer computers machine machines robot robots bot bots
    chatbot software program programs tool tools system systems automated automatic automatically
""")
DECLINES = re.compile(
    r"\bnot\b|n't\b|\b(?:no|uncomfortable|uneasy|decline|refuse|object|opt out|against|rather|prefer)\b"
)
_GRAMMAR = _listed("""
    a an the this that these it its it's that's there there's here i me my mine you your we us our they them their
    he she who which what when where how i'm i'd i'll i've you're you'd we'd they're who's is are am was were be
    been being do does did have has had having will would can could may might should not no don't doesn't didn't
    isn't aren't won't wouldn't can't couldn't haven't yes and or but if so then than as of to in on at by with
    without for from about into over after before during through any some each all both another other else only just
    also too even still again ever never always maybe please thanks thank okay ok well um uh oh sorry hello hi now
    later afterwards today really actually honestly quite very more less much bit little alone instead rather end
    point process
""")
_PROCESS = _listed("""
    review reviews reviewed reviewing reviewer look looks looked looking check checks checked checking see sees seen
    listen listens listened listening hear hears heard read reads reading watch watches watched watching speak talk
    talking evaluate evaluates evaluated evaluating evaluation assess assesses assessed assessing assessment judge
    judges judged judging analyse analysed analysing analyze analyzed analyzing grading scoring decide decides
    decided deciding decision decisions making involved answer answers interview interviews application applications
    recording recordings recorded transcript video data case file result call conversation face voice object
    objection consent agree allow refuse decline opt out want like prefer request ask asking uncomfortable
    comfortable uneasy happy keen fine okay right possible alternative real actual living different trust against
    use used using
""")
WORDS = PEOPLE | MACHINES | _GRAMMAR | _PROCESS


def is_a_right(sentence: str) -> bool:
    """Whether a sentence only asks for a person, or only declines a machine."""
    text = sentence.lower().replace("’", "'")
    words = set(re.findall(r"[^\W_]+(?:['-][^\W_]+)*", text))
    asked = not words.isdisjoint(PEOPLE) or (not words.isdisjoint(MACHINES) and DECLINES.search(text) is not None)
    return asked and words <= WORDS
