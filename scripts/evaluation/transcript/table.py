"""The figures of the transcripts as Markdown: one row per set and system."""

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
The service is `pipeline.interview.run` from the file to the result, with its models in one process: decoding, ASR in
parallel with diarization, alignment, metrics; no assessment, because the plain script has none. The plain script is
faster-whisper with its defaults, then pyannote's own pipeline, then for each segment the speaker with the largest share
of it; with the same weights, precision and clustering threshold. It did not diarize the whole interviews. RTFx is
seconds of audio per second of wall-clock time; in the service, ASR and diarizer run at the same time. Where the load
average exceeds the CPUs, other work slowed everything down, including the second service run under Speed. The script's
rows come from earlier runs where `transcript.json` says so. DER counts overlap. Its collar is 0.25 s on either side; it
is 0.5 s for the interviews, because their turns were timed automatically. No setting is tuned per recording.
"""


def table(results: dict[str, Any]) -> str:
    """Return the page `docs/benchmarks/transcript.md`."""
    systems: dict[str, Any] = results.get("systems", {})
    rows = [
        [group, name, *(str(figures[group].get(key, "–")) for key in COLUMNS.values())]
        for group in next(iter(systems.values()), {})
        for name, figures in systems.items()
        if group in figures
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
            f"Words recognised in silence, a tone and noise: {silence}.",
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
        f"One interview of {speed['audio_s']} s, warm; service, script, service in one process:",
        "",
        f"* service {speed['service_s']} s: ASR {speed['service_asr_s']}, in parallel {speed['service_diarizer_s']}",
        f"* outside the models {speed['overhead_s']} s, **{100 * speed['overhead_share']:.1f} %**",
    ]
    if "script_s" in speed:
        lines += [
            f"* plain script {speed['script_s']} s: ASR {speed['script_asr_s']}, then {speed['script_diarizer_s']}",
            f"* **service over script: {speed['service_over_script']}**",
        ]
        lines += [
            f"* {name}: " + ", ".join(f"{label[:-2]} {figures[key]} %" for label, key in list(COLUMNS.items())[1:5])
            for name, figures in speed["quality"].items()
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
