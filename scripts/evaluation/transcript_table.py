"""The transcript figures as Markdown: one row for each set and system."""

from typing import Any

COLUMNS = {
    "n": "recordings",
    "WER %": "wer",
    "cpWER %": "cpwer",
    "WDER %": "wder",
    "DER %": "der",
    "speech covered %": "coverage",
    "RTFx": "rtfx",
    "ASR RTFx": "asr_rtfx",
    "diarizer RTFx": "diarizer_rtfx",
}
NOTES = """\
The service is `pipeline.run` from the file to the result over the pool in one process: decoding, ASR beside
diarization, alignment, metrics; without assessment, which the plain script has not either. The plain script is
faster-whisper with its defaults, then pyannote's own pipeline, then for each segment the speaker who has most of it;
same weights, precision and clustering threshold. Of the whole interviews it only made the words. RTFx is seconds of
audio per second of wall clock, each part's in the service while the other one runs beside it. With a load average
above the CPUs, other work slowed everything down, the second service run under Speed too. The script's rows come from
earlier runs where `transcript.json` says so. DER counts overlap; its collar is 0.25 s on either side, 0.5 s for the
interviews, whose turns were timed automatically. Nothing in the table is tuned per recording.
"""


def table(results: dict[str, Any]) -> str:
    """Everything a reader of the benchmark needs on one page."""
    systems: dict[str, Any] = results.get("systems", {})
    rows = [
        [group, name, *(str(found[group].get(key, "–")) for key in COLUMNS.values())]
        for group in next(iter(systems.values()), {})
        for name, found in systems.items()
        if group in found
    ]
    head = ["recordings", "system", *COLUMNS]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    silence = ", ".join(f"{name} {count}" for name, count in results.get("words_in_silence", {}).items())
    return "\n".join(
        [
            f"# Transcript quality, profile `{results['profile']}`{' (quick subset)' if results['quick'] else ''}",
            "",
            f"{results['asr']}; {results['diarizer']}; {results['cpus']} CPUs, load {results['load_average']} (sets).",
            "Made by `make eval`.",
            "",
            *lines,
            "",
            f"Words heard in silence, a tone and noise: {silence}.",
            "",
            "## Speed",
            "",
            *_speed(results.get("speed")),
            *_long(results.get("long")),
            "## What is measured",
            "",
            NOTES,
        ]
    )


def _speed(speed: dict[str, Any] | None) -> list[str]:
    if not speed:
        return []
    lines = [
        f"One interview of {speed['audio_s']} s, warm, service and script in turns in one process:",
        "",
        f"* service {speed['service_s']} s: ASR {speed['service_asr_s']}, beside it {speed['service_diarizer_s']}",
        f"* of it outside the models {speed['overhead_s']} s, **{100 * speed['overhead_share']:.1f} %**",
    ]
    if "script_s" in speed:
        lines += [
            f"* plain script {speed['script_s']} s: ASR {speed['script_asr_s']}, then {speed['script_diarizer_s']}",
            f"* **service over script: {speed['service_over_script']}**",
        ]
        lines += [
            f"* {name}: " + ", ".join(f"{label[:-2]} {found[key]} %" for label, key in list(COLUMNS.items())[1:5])
            for name, found in speed["quality"].items()
        ]
    return [*lines, ""]


def _long(long: dict[str, Any] | None) -> list[str]:
    if not long:
        return []
    head = ["audio s", "ASR s", "diarizer s", "peak memory of ASR MiB", "of the diarizer MiB"]
    keys = ("audio_s", "asr_s", "diarizer_s", "asr_peak_mib", "diarizer_peak_mib")
    rows = [[str(run[key]) for key in keys] for run in long["runs"]]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    return ["## Long recordings", "", *lines, "", long["note"], ""]
