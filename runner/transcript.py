"""What the steps of one run print, gathered into chunks worth a row."""

from events.commands import OutputChunk
from runner.output import Stream

CHUNK_CHARACTERS = 64 * 1024


class Transcript:
    """The output of one run on its way; neighbours of the same step and stream become one chunk."""

    def __init__(self, task_id: str, run_id: int) -> None:
        self._task_id = task_id
        self._run_id = run_id
        self._number = 0
        self._pieces: list[tuple[int, Stream, list[str]]] = []
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """True when there is nothing to take."""
        return not self._pieces

    @property
    def is_full(self) -> bool:
        """True when it is time to take the chunks."""
        return self._size >= CHUNK_CHARACTERS

    def add(self, step: int, stream: Stream, text: str) -> None:
        """One more piece of text."""
        self._size += len(text)
        if self._pieces and self._pieces[-1][:2] == (step, stream):
            self._pieces[-1][2].append(text)
        else:
            self._pieces.append((step, stream, [text]))

    def take(self) -> list[OutputChunk]:
        """What has gathered, numbered in order."""
        pieces, self._pieces, self._size = self._pieces, [], 0
        chunks = []
        for step, stream, texts in pieces:
            self._number += 1
            chunks.append(OutputChunk(self._task_id, self._run_id, self._number, step, stream, "".join(texts)))
        return chunks
