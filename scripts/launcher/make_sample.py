"""Synthesise the bundled interview: `config/sample/interview.{ogg,json,rttm}`.

The three files are committed. Run this module only to change the sample. It needs Debian's `flite` on the PATH
(`apt-get install flite`; voices `slt` and `rms`). The text was written for this project and names no real person.
Silence is cut from both ends of each synthesised turn before mixing, so reference times are exact to a few
milliseconds.
"""

import json
import subprocess
import tempfile
import wave
from dataclasses import dataclass
from pathlib import Path
from shutil import which

import av
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

RATE = 16_000
TARGET = Path(__file__).resolve().parents[2] / "config" / "sample"
VOICES = {"interviewer": "slt", "candidate": "rms"}
LEVELS = {"interviewer": 0.085, "candidate": 0.07}
"""RMS amplitude of each voice. Two speakers at two microphones are never equally loud."""
SILENCE = 0.01
"""Amplitude below which the ends of a synthesised turn count as silence."""
ROOM_TONE = 0.0008
"""RMS amplitude of the background noise, about -62 dBFS. Real calls have no digital silence."""
BITRATE = 28_000


@dataclass(frozen=True, slots=True)
class Line:
    """One turn: speaker role, gap to the end of the previous turn in seconds (negative: overlap), and text."""

    role: str
    gap_s: float
    text: str


SCRIPT = (
    Line("interviewer", 0.4, "Thanks for joining today. Why are you interested in this backend engineer role?"),
    Line(
        "candidate",
        0.7,
        "I like building systems that other teams depend on. For the last four years I have worked on a payments "
        "service, and I want to move to a product where reliability matters every day.",
    ),
    Line("interviewer", 0.6, "Tell me about a difficult problem that you solved in production."),
    Line(
        "candidate",
        1.1,
        "Last spring the checkout became slow every evening. I compared the traces and found that one report locked "
        "the orders table. I moved that report to a second database and added an index. "
        "Response time fell from two seconds to ninety milliseconds.",
    ),
    Line("interviewer", 0.5, "How did you make sure that it would not happen again?"),
    Line(
        "candidate",
        0.8,
        "I wrote an alert for long locks and shared a short review with the whole team. We also agreed that every new "
        "report has to be tested against a copy of the production data, and after that we started to look at",
    ),
    Line("interviewer", -0.9, "Sorry to interrupt. Was that your decision, or the team's?"),
    Line(
        "candidate",
        0.6,
        "The proposal was mine, but we decided together. A colleague disagreed at first, so I asked him to try it for "
        "two weeks, and then he supported it.",
    ),
    Line("interviewer", 0.6, "How would you explain what a message queue is to a sales manager?"),
    Line(
        "candidate",
        0.9,
        "I would say that it is like the order slips in a kitchen. The waiter leaves a slip and goes on working, and "
        "the chef picks up the next slip when there is time. Nothing is lost when the kitchen is busy.",
    ),
    Line("interviewer", 0.5, "And how much experience do you have with Kubernetes?"),
    Line(
        "candidate",
        1.8,
        "Not much, to be honest. I have only changed a few settings that somebody else wrote. "
        "I guess I would have to read about it.",
    ),
    Line("interviewer", 0.5, "Thank you. Do you have any questions for me?"),
    Line("candidate", 0.6, "Yes. How does the team share the work when something breaks at night?"),
    Line("interviewer", 0.6, "We have a weekly rotation, and nobody is on call alone. We will be in touch soon."),
)


def speak(line: Line, folder: Path) -> Samples:
    """Synthesise a line. Returns float32 samples at 16 kHz, without silence at either end."""
    target = folder / "line.wav"
    command = ["flite", "-voice", VOICES[line.role], "-t", line.text, "-o", str(target)]
    subprocess.run(command, check=True)
    with wave.open(str(target)) as source:
        assert source.getframerate() == RATE
        pcm = np.frombuffer(source.readframes(source.getnframes()), np.int16).astype(np.float32) / 32_768
    loud = np.flatnonzero(np.abs(pcm) > SILENCE)
    speech = pcm[loud[0] : loud[-1] + 1]
    take: Samples = (speech * (LEVELS[line.role] / np.sqrt(np.mean(speech**2)))).astype(np.float32)
    return take


def lay_out(takes: list[Samples]) -> tuple[Samples, list[tuple[float, float, str]]]:
    """Mix the turns. Returns the samples, and (start, end, role) of each turn in seconds."""
    starts, cursor = [], 0
    for line, take in zip(SCRIPT, takes, strict=True):
        starts.append(cursor + round(line.gap_s * RATE))
        cursor = starts[-1] + len(take)
    mix = np.random.default_rng(2026).normal(0, ROOM_TONE, cursor + RATE // 2).astype(np.float32)
    for start, take in zip(starts, takes, strict=True):
        mix[start : start + len(take)] += take
    ends = [start + len(take) for start, take in zip(starts, takes, strict=True)]
    roles = [line.role for line in SCRIPT]
    return mix, [(round(s / RATE, 3), round(e / RATE, 3), r) for s, e, r in zip(starts, ends, roles, strict=True)]


def write_opus(path: Path, samples: Samples) -> None:
    """Write mono samples as Opus in Ogg."""
    # without bitexact Ogg's serial number is random, and every run writes a different file
    with av.open(str(path), "w", format="ogg", options={"fflags": "+bitexact"}) as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono", options={"application": "voip"})
        stream.bit_rate = BITRATE
        pcm = (np.clip(samples, -1, 1) * 32_767).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(pcm[np.newaxis, :], format="s16", layout="mono")
        frame.sample_rate = RATE
        for piece in (frame, None):
            container.mux(stream.encode(piece))


def main() -> None:
    """Synthesise, mix and write the three files."""
    if which("flite") is None:
        raise SystemExit("flite is not installed; on Debian: apt-get install flite")
    with tempfile.TemporaryDirectory() as folder:
        samples, spans = lay_out([speak(line, Path(folder)) for line in SCRIPT])
    TARGET.mkdir(parents=True, exist_ok=True)
    write_opus(TARGET / "interview.ogg", samples)
    about = {
        "role_title": "Backend engineer",
        "language": "en",
        "duration_s": round(len(samples) / RATE, 3),
        "origin": "Written for this project; synthesised with flite 2.2, voices slt (interviewer) and rms (candidate).",
        "turns": [
            {"start": start, "end": end, "speaker": role, "text": line.text}
            for line, (start, end, role) in zip(SCRIPT, spans, strict=True)
        ],
    }
    (TARGET / "interview.json").write_text(json.dumps(about, indent=1) + "\n")
    rttm = [
        f"SPEAKER interview 1 {start:.3f} {end - start:.3f} <NA> <NA> {role} <NA> <NA>\n" for start, end, role in spans
    ]
    (TARGET / "interview.rttm").write_text("".join(rttm))
    print(f"{len(samples) / RATE:.1f} s, {(TARGET / 'interview.ogg').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
