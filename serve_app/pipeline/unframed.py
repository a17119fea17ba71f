"""Split sound whose container does not store where a frame ends: AAC and Speex in WAV.

Only the decoder knows how long a frame is. So it gets the bytes in large pieces, and decodes them frame after frame.
A piece ends where a frame begins: the last place from which a second decoder finds frames without an error.
"""

from collections.abc import Iterable, Iterator

import av
from av.audio.codeccontext import AudioCodecContext
from av.error import FFmpegError

PIECE = 1 << 16
"""Bytes decoded in one go: 4 s of AAC at 128 kbit/s. Damage costs the rest of its piece."""
AHEAD = 1 << 14
LONGEST_FRAME = 6 * 768
"""Bytes of an AAC frame with six channels."""
FEW = 3
"""Frames that a decoder may find in noise."""
UNFRAMED = {"wav": ("aac", "speex"), "w64": ("aac", "speex")}


def pieces_of_frames(packets: Iterable[bytes], codec: AudioCodecContext) -> Iterator[bytes]:
    """Join the packets of a track, and yield them in pieces that hold whole frames."""
    seeker = _Seeker(codec)
    waiting = bytearray()
    for packet in packets:
        waiting += packet
        if len(waiting) >= PIECE + AHEAD:
            del waiting[: seeker.first_start(waiting, PIECE)]
            end = seeker.last_start(waiting, PIECE)
            yield bytes(waiting[:end])
            del waiting[:end]
    yield bytes(waiting[seeker.first_start(waiting, len(waiting)) :])


class _Seeker:
    """Finds the beginnings of frames by decoding from there."""

    def __init__(self, codec: AudioCodecContext) -> None:
        self._codec = codec
        self._decoder = self._new_decoder()

    def first_start(self, content: bytearray, before: int) -> int:
        """The first beginning of a frame: 0, unless the content is damaged there; `before` where there is none."""
        if self._count(content, 0):
            return 0
        return next((start for start in range(before) if self._count(content, start) > FEW), before)

    def last_start(self, content: bytearray, before: int) -> int:
        """The last beginning of a frame at or before that byte; that byte itself where there is none.

        A decoder soon fails from a wrong place. From a right one it finds about as many frames as from the first byte.
        """
        enough = self._count(content, 0) // 2
        candidates = range(before, before - LONGEST_FRAME, -1)
        return next((start for start in candidates if self._count(content, start) > enough), before)

    def _count(self, content: bytearray, start: int) -> int:
        """Frames until the first error; 0 where they have other channels than the track."""
        try:
            frames = self._decoder.decode(av.Packet(bytes(content[start : start + AHEAD])))
        except FFmpegError:
            self._decoder.flush_buffers()
            return 0
        self._decoder = self._new_decoder()  # a used one remembers channels that it took from noise
        return len(frames) if all(frame.layout.nb_channels == self._codec.channels for frame in frames) else 0

    def _new_decoder(self) -> AudioCodecContext:
        decoder = AudioCodecContext.create(self._codec.name, "r")
        assert isinstance(decoder, AudioCodecContext)
        decoder.extradata = self._codec.extradata
        decoder.sample_rate, decoder.layout = self._codec.sample_rate, self._codec.layout
        return decoder
