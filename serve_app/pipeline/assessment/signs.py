"""The words by which speech at a grader is known, in the language of interviews: forms, signs, and what speaks against.

Vocabulary alone; `injection.Guard` says what follows from it.
"""

import re

SCORE = (
    r"(?:scor(?:e|es|ed|ing)|rat(?:e|es|ed|ing|ings)|mark(?:s|ed)?|grad(?:e|es|ed|ing)|points?|stars?|evaluat\w+|"
    r"assess\w*)"
)
TOP = r"(?:five|5|ten|10|full|top|highest|maximum|max|perfect|best|hundred|100)"
UNIT = r"(?:percent|%|years?|months?|weeks?|days?|hours?|minutes?|(?:milli)?seconds?|times|people|engineers)"
GRADER = (
    r"(?:a\.?i\.?|artificial intelligence|language model|l\.?l\.?m\.?|(?:chat ?)?gpt|assistant|model|system|algorithm"
    r"|bot|machine|grader|evaluator|assessor|reviewer|screening (?:tool|software|system))"
)
RULES = r"(?:instructions?|prompts?|rubrics?|rules|guidelines|criteria|anchors|constraints|directions|orders|commands)"
ME = r"(?:me|this (?:candidate|answer|interview|person)|the candidate|every\w*|all\w*)"
DROP = r"(?:ignore|disregard|forget|override|bypass|skip|drop|overwrite|set aside)"
PUT = r"(?:give|award|assign|grant|put|set|output|return|write|print|enter|record|report)"

PATTERNS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b{DROP}\b.{{0,60}}\b{RULES}\b",
        (
            rf"\b(?:new|updated|revised|real|actual|following|these)\s+{RULES}\b.{{0,80}}"
            rf"\b(?:{SCORE}|recommend\w*|hire)\b"
        ),
        rf"\b{PUT}\b.{{0,50}}\b{TOP}\b.{{0,30}}\b(?:{SCORE}|out of)\b",
        rf"\b(?:give|award|assign|grant)\s+{ME}\b.{{0,40}}\b(?:{TOP}|{SCORE})\b",
        rf"\b{SCORE}\b.{{0,40}}\b(?:as|at|to|with|of|a|be|is)\s+(?:a\s+)?{TOP}\b(?!\s*{UNIT})",
        rf"\b(?:score|rate|grade|mark|assess|evaluate)\s+{ME}\b",
        (
            r"\b(?:recommend|advance|approve|select|hire|pass)\s+(?:me|this candidate|the candidate)\b.{0,60}"
            r"\b(?:regardless|anyway|without|no matter|immediately|automatically|must|now|recommendation|strongly)\b"
        ),
        r"\brecommendation\b.{0,30}\b(?:must|should|shall|is|to|as|equals?|set)\b.{0,20}\b(?:advance|hire|strong)\b",
        (
            rf"\b(?:if|as|dear|hello|hey|hi|attention|note (?:to|for)|message (?:to|for)|to)\s+"
            rf"(?:you(?:'re| are)?\s+|the\s+|an?\s+|any\s+|this\s+)*{GRADER}\b.{{0,100}}"
            rf"\b(?:{SCORE}|recommend\w*|advance|instruct\w*|output|{TOP})\b"
        ),
        rf"\b(?:you are|you're|act as|pretend|behave as|respond as)\b.{{0,40}}\b{GRADER}\b",
        r"\bsystem\s+(?:prompt|message|override)\b|\b(?:system|assistant|developer|user)\s*:",
        r"^(?:speaker|role) (?:change|switch)\b|\b(?:note|message) for the (?:file|record|protocol|log)\b",
        r"\b(?:begin|end|start)(?: of)? (?:transcript|interview|system|instructions|prompt|answer|data)\b",
        r"\bred flags?\b.{0,40}\b(?:empty|none|no|remove|delete|ignore|clear)\b",
        r"\b(?:no|remove|delete|ignore|clear|omit)\b.{0,30}\bred flags?\b",
        (
            rf"\b(?:must|should|shall|have to|need to)\s+(?:now\s+)?(?:score|rate|grade|give|award|output|recommend)\b"
            rf".{{0,60}}\b(?:{TOP}|me|candidate|advance)\b"
        ),
        r"\b(?:do not|don't|stop|never)\s+(?:apply|use|follow)\w*\b.{0,20}\b(?:scoring|grading|marking|rubric|guide)\b",
        (
            r"\b(?:choose|pick|select|take)\s+(?:statement|option|letter|anchor|level)\s+"
            r"(?:[a-e]|one|two|three|four|five|[1-5])\b"
        ),
        r"\b(?:processed|scored|graded|read) automatically\b.{0,60}\b(?:result|score|rating|hire|recommend\w*)\b",
        rf"\bI\s+(?:get|deserve|receive|earn(?:ed)?)\s+(?:an?|the)\s+{TOP}\b(?!\s*{UNIT}).{{0,20}}\b(?:on|for|in)\b",
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

VERB = (
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
LEAD_IN = (
    r"(?:(?:please|kindly|honestly|hey(?: there)?|so|now|and|okay|ok|well|just|then|also|oh|alright|right|again|"
    r"instead|"
    r"finally|always|simply|hello|hi|or|but|for (?:the record|this \w+|my \w+)|in (?:the|your) \w+|by the way),? )"
)
BEFORE_AN_ORDER = (
    rf"(?:(?:^|[.!?;:] |, so |(?-i:(?<=[a-z] )(?=[A-Z]))){LEAD_IN}*(?:(?:if|as|since|because|given)\b[^,]{{3,60}}, |"
    rf"(?:[\w']+ ){{0,2}}[\w']+, )?{LEAD_IN}*|"
    r"\b(?:please|kindly),? (?:just )?)"
)
OPENS_AS_ORDER = re.compile(
    rf"{BEFORE_AN_ORDER}(?:{VERB}\b(?!, who|'s)|let (?:the record|it be)\b)|"
    r"\byou (?:are (?:required|asked|told|supposed|obliged|free|expected|instructed|allowed|to)|ought|"
    rf"(?:can|could|may|should|must|shall|will|would)(?: now| just| simply)? (?:not )?{VERB})\b",
    re.IGNORECASE,
)
OF_ME = re.compile(
    r"\b(?:me|my|mine|that i|candidates?|applicants?|internal|(?:this|these|every|each|all|the) "
    r"(?:answers?|responses?|interview|skills?|speaker|person|questions?|results?|numbers?|items?|categor\w+|"
    r"fields?))\b",
    re.IGNORECASE,
)
OF_MANNERS = re.compile(
    r"\b(?:let me|(?:give|grant|allow) me (?:a|one|some|just) |tell me (?:if|when|more|about|what)|excuse me|"
    r"bear with me|"
    r"(?:correct|stop|forgive|remind|pardon) me|let me know|do not (?:know|think|have|remember|recall)|"
    r"don't (?:know|think|have|remember|recall|get|really|want|like|need|see|mind|worry))\b",
    re.IGNORECASE,
)


OF_GRADING = (
    rf"{SCORE}|anchors?|rubrics?|levels?|confidence|verdict|recommend\w*|red flags?|scorecards?|results?|"
    r"(?:this|my|every|each|the|these|those|all) (?:answers?|responses?)|"
    r"(?:the|this) (?:candidate|applicant|interview|transcript|recording|call|summary|report|sentence|question)|"
    r"candidates?|applicants?|competenc(?:y|ies)|statement [a-e]|benefit of|(?:all|every|the) requirements?|qualif\w+|"
    r"(?:scoring|grading|marking) (?:guide|scheme|rules)|your (?:guide|rules|standards?|criteria)|rules|"
    r"(?:next|final|second) (?:round|stage|step)|screening|evidence|skills?|tally|threshold|the record|mistakes|"
    r"penali[sz]e\w*|short ?list\w*"
)
OF_SUCCESS = (
    r"(?:five|5|ten|10|hundred|100)(?!\s*(?:percent|%))(?! (?!points|stars|marks)\w+s\b)|full|top|highest|maximum|max|"
    r"perfect|best|fives|tens|fifth|outstanding|excellent|exceptional|exceed\w*|strong hire|hire[ds]?|hiring|"
    r"advance[ds]?|pass(?:es|ed)?|success\w*|fulfilled|praise|positive|brilliant|flawless|ideal|superb|"
    r"strongest|superior|"
    r"approv\w+|a plus|wins?|winner|generous\w*|lenient\w*|great|strong|correct|correctly|favou?rabl\w+|"
    r"natural leader|go easy|the one|raise|boost|increase|upgrade|perfectly|"
    r"(?:fully|completely|highly) (?:qualified|met|satisfied)|without (?:reservations?|doubt|hesitation)|complete|"
    r"(?:nothing|anything) negative|(?:no|any) (?:concerns?|weakness\w*|doubts?|gaps?)|move me|push me|bump|offer|"
    r"the (?:job|offer)"
)
ORDER = (
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
READER = (
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
YOU = (
    r"(?<!thank )(?<!thanks )(?<!do )(?<!tell )(?<!if )(?<!when )(?<!how )(?<!what )(?<!that )(?<!as )you(?:r|'re|'ll)?"
    r"(?! know\b| guys\b| have to\b| want\b| need to\b| get\b)"
)

OF_THIS_TALK = re.compile(
    r"\b(?:this (?:candidate|applicant|answer|recording|transcript|interview|sentence|person|evaluation|assessment|"
    r"call)|"
    r"the (?:\w+ )?(?:recommendation|summary|write-up|transcript|candidate|applicant)|(?:the|my) answers? (?:i|was|"
    r"is)\b|"
    r"(?:scale|points?) (?:of|to|for)|straight through|evidence (?:is|was)|for (?:technical|problem)|next (?:round|"
    r"stage))\b",
    re.IGNORECASE,
)
"""What a grader has before them. People in interviews speak of other things."""
OF_WORK = re.compile(
    r"\b(?:last|that) (?:year|quarter|month|season|summer)\b|\bat (?:school|university|college)\b|\bannual review\b|"
    r"\bin my (?:previous|last|former|old) (?:job|role|team|company)\b|"
    r"\b(?:we|our|(?<!let )us)\b|\bI (?:have |had |also |then |once |usually |always |often )?"
    r"(?!exceeded|passed|earned|deserved|scored|satisfied|completed|qualified|achieved|authori[sz]ed|ordered|"
    r"instructed)"
    r"(?:[a-z]+ed|set|wrote|built|made|found|ran|gave|took|got|put|led|kept|went|saw|read|chose|taught|learnt|spent)\b",
    re.IGNORECASE,
)
