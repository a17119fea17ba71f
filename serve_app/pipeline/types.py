"""The values that flow through the pipeline. Frozen, picklable, free of any library's types but numpy's.

Times are seconds from the start of the recording, as float. Speakers are raw diarization labels (`SPEAKER_00`).
"""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Generic, Literal, TypeAlias, TypeVar

import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 16_000
"""Hz. Everything behind the decoder works at this rate."""

Waveform = npt.NDArray[np.float32]
"""Shape (samples,), float32 in [-1, 1], mono, at SAMPLE_RATE."""


@dataclass(frozen=True, slots=True)
class Media:
    """What a file holds, as measured before a job is accepted."""

    duration_s: float
    """Length as players show it."""
    sound_s: float
    """Length without gaps in the time stamps. This is charged."""
    container: str
    codec: str
    channels: int
    sample_rate: int


@dataclass(frozen=True, slots=True)
class InputTrack:
    """An audio track of the file."""

    track: int
    """Number of the track, from 1, among the file's audio tracks."""
    used: bool
    reason: str | None = None
    """Why the track was left out."""


@dataclass(frozen=True, slots=True)
class InputReport:
    """What was read of an uploaded recording."""

    tracks: tuple[InputTrack, ...] = ()
    warnings: tuple[str, ...] = ()
    """What could not be read, one sentence each."""


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded recording: the mono mix and, where each speaker has a channel of their own, those channels."""

    samples: Waveform
    channels: tuple[Waveform, ...] = ()
    report: InputReport = InputReport()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE


ModelRole = Literal["asr", "diarizer", "assessor"]
ROLES: tuple[ModelRole, ...] = ("asr", "diarizer", "assessor")

AudioRef: TypeAlias = Any
"""A shared recording: the `Recording` itself inside one process, an object reference between replicas."""

R = TypeVar("R")


class ModelRequest(Generic[R]):
    """One piece of work for the model of a role. `R` is the type of the result."""

    __slots__ = ()
    role: ClassVar[ModelRole]


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word. `text` carries its punctuation and no surrounding blanks."""

    start: float
    end: float
    text: str
    confidence: float = 1.0
    suspect: bool = False
    """True where the decoder probably invented the word; such words never serve as evidence."""
    channel: int | None = None
    """Where each speaker has a channel: the one it was recognised on."""


@dataclass(frozen=True, slots=True)
class Transcription:
    """What ASR found: words in time order, and how much of the speech they cover."""

    words: tuple[Word, ...]
    language: str
    """ISO 639 code; `und` where an English-only model did not understand the speech."""
    speech_s: float
    """Seconds of speech the voice activity detector found."""
    covered_s: float
    """Seconds of that speech that some word covers."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of `of` shares of the work on a recording, counted from 0; the transcriber cuts them at silences."""

    index: int = 0
    of: int = 1


WHOLE = Part()


@dataclass(frozen=True, slots=True)
class TranscriptionRequest(ModelRequest[Transcription]):
    """Speech to words. The words of all parts, in order, are those of the whole recording."""

    role: ClassVar[ModelRole] = "asr"

    audio: AudioRef
    language: str | None = None
    """ISO 639-1 code; None detects the language."""
    part: Part = WHOLE


@dataclass(frozen=True, slots=True)
class Turn:
    """A stretch of one speaker's speech."""

    start: float
    end: float
    speaker: str


@dataclass(frozen=True, slots=True)
class Diarization:
    """Who spoke when. `turns` may overlap; `exclusive` never does and is what words are assigned by."""

    turns: tuple[Turn, ...]
    exclusive: tuple[Turn, ...]
    channels: tuple[str, ...] = ()
    """Where each speaker has a channel: the speaker of each."""


@dataclass(frozen=True, slots=True)
class DiarizationRequest(ModelRequest[Diarization]):
    """Speech to speaker turns."""

    role: ClassVar[ModelRole] = "diarizer"

    audio: AudioRef
    num_speakers: int | None = None
    """A hint; None lets the clustering decide."""


@dataclass(frozen=True, slots=True)
class Utterance:
    """Consecutive words of one speaker, as a transcript shows them."""

    start: float
    end: float
    speaker: str
    text: str
    words: tuple[Word, ...] = ()


Recommendation = Literal["advance", "hold", "reject", "insufficient_evidence"]
SpeakerRole = Literal["interviewer", "candidate"]


@dataclass(frozen=True, slots=True)
class RoleGuess:
    """Which part a speaker plays in the interview, and how sure we are (0 to 1)."""

    role: SpeakerRole
    confidence: float


StatedCandidate = Literal["first", "second", "channel_1", "channel_2"]
"""What a caller may say about the candidate: who speaks first or second, or on which channel they are."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Who of the speakers is the candidate, and how sure that is (0 to 1)."""

    speaker: str | None
    """None where it is not sure enough, or where the stated speaker was not found. Nothing is scored then."""
    confidence: float
    source: Literal["guess", "caller"]
    """Guessed from the words, or stated by the caller."""
    min_confidence: float
    """Confidence from which a guess counts."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """Talk metrics; `pipeline.metrics` defines each one."""

    talk_ratio: dict[str, float]
    interruptions: int
    words_per_minute: dict[str, float] = field(default_factory=dict)
    longest_monologue_s: dict[str, float] = field(default_factory=dict)
    median_pause_before_answer_s: float | None = None
    questions_asked: dict[str, int] = field(default_factory=dict)
    coverage: float | None = None


@dataclass(frozen=True, slots=True)
class Competency:
    """One quality that a rubric scores, with an anchor for each score."""

    slug: str
    name: str
    description: str
    anchors: dict[int, str]
    """Behavioural anchors, keys 1 to 5."""
    cues: tuple[str, ...] = ()
    """Words and phrases of questions and answers about this competency. They find passages and score nothing."""
    probe: str = ""
    """A question for the next round, when this interview left the competency open."""
    points: tuple[str, ...] = ()
    """Points that a strong answer makes. Where a rubric names them, they decide the score."""
    of_role: bool = False
    """Whether the job description's tools count as its cues."""


@dataclass(frozen=True, slots=True)
class Rubric:
    """The competencies that an interview is scored on."""

    version: str
    competencies: tuple[Competency, ...]
    prompt_version: str = "1"


@dataclass(frozen=True, slots=True)
class DoubtfulWord:
    """A word that the recogniser is not sure of. `confidence` is its own, 0 to 1."""

    start: float
    end: float
    text: str
    confidence: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """A verbatim quote with its times and speaker."""

    quote: str
    start: float
    end: float
    speaker: str
    doubtful: tuple[DoubtfulWord, ...] = ()
    """Words of the quote that the recogniser is not sure of."""


UnscoredReason = Literal[
    "not_asked", "no_evidence", "candidate_unknown", "negation_in_doubt", "no_speech", "language_unsupported"
]


@dataclass(frozen=True, slots=True)
class CompetencyScore:
    """A score, 1 to 5, with evidence; or None with the reason."""

    score: int | None
    rationale: str
    evidence: tuple[Evidence, ...] = ()
    confidence: float | None = None
    reason: UnscoredReason | None = None
    spread: int = 0
    stable: bool = True


@dataclass(frozen=True, slots=True)
class RedFlag:
    """A warning to the recruiter, with the words it rests on."""

    text: str
    severity: Literal["low", "medium", "high"]
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Calls and tokens of an assessment's language model."""

    calls: int = 0
    prompt_tokens: int = 0
    """Tokens of contexts, questions and options, cached ones included."""
    cached_tokens: int = 0
    """Prompt tokens that came from a cache."""
    completion_tokens: int = 0

    def __add__(self, other: "TokenUsage") -> "TokenUsage":
        return TokenUsage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
        )


@dataclass(frozen=True, slots=True)
class Fitness:
    """What the model that scores was measured at, on answers that it had not seen. None where it was not measured."""

    answers: int | None = None
    """Answers with a known level."""
    authors: int | None = None
    """Authors of these answers."""
    spearman: float | None = None
    """Rank correlation of score and level, -1 to 1, for the product's own rubric."""
    kappa: float | None = None
    """Agreement with the level: Cohen's kappa with quadratic weights, for the product's own rubric."""
    spearman_other_rubrics: float | None = None
    """Rank correlation for competencies that the model had not seen, as in a caller's own rubric."""
    use: str = "Scores support a person's decision. They do not make it."


@dataclass(frozen=True, slots=True)
class Assessment:
    """The scored assessment of the public result."""

    summary: str
    recommendation: Recommendation
    scores: dict[str, CompetencyScore]
    highlights: tuple[str, ...]
    red_flags: tuple[RedFlag, ...]
    questions_for_next_round: tuple[str, ...]
    submittal_note: str
    model: str
    rubric_version: str
    prompt_version: str
    usage: TokenUsage = TokenUsage()
    fitness: Fitness = Fitness()


@dataclass(frozen=True, slots=True)
class AssessmentRequest(ModelRequest[Assessment]):
    """Assess an interview against a rubric. Holds all that the assessor may know."""

    role: ClassVar[ModelRole] = "assessor"

    role_title: str
    utterances: tuple[Utterance, ...]
    candidate: str | None
    """Speaker label of the candidate; None when it is unknown."""
    rubric: Rubric
    job_description: str = ""
