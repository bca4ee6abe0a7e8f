"""A job's log: secrets masked, the last part in memory, the whole on disk up to a limit."""

from __future__ import annotations

from collections import deque
from pathlib import Path

MEMORY_BYTES = 1024 * 1024
DISK_BYTES = 16 * 1024 * 1024
MASK = "***"


class JobLog:
    """Lines of one job. Every secret registered before a line is written appears in it as `***`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._file = path.open("wb")
        self._lines: deque[bytes] = deque()
        self._kept = 0
        self._written = 0
        self._dropped = 0
        self._secrets: list[str] = []

    def hide(self, secret: str) -> None:
        """Masks the value, and each of its lines, from now on."""
        values = {secret, *secret.splitlines()}
        self._secrets = sorted({*self._secrets, *(value for value in values if value.strip())}, key=len, reverse=True)

    def masked(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return text

    def write(self, line: str) -> None:
        """One line without its newline; `::add-mask::` hides its value from then on."""
        if line.startswith("::add-mask::"):
            self.hide(line.removeprefix("::add-mask::"))
        data = self.masked(line).encode(errors="replace") + b"\n"
        self._lines.append(data)
        self._kept += len(data)
        while self._kept > MEMORY_BYTES:
            self._kept -= len(self._lines.popleft())
            self._dropped += 1
        if self._written < DISK_BYTES:
            self._file.write(data)
            self._written += len(data)

    def text(self) -> str:
        """What is kept: the end of the log, with a line that says how much is missing."""
        if self._file.closed:
            with self._path.open("rb") as file:
                file.seek(max(0, self._path.stat().st_size - self._kept))
                data = file.read()
        else:
            data = b"".join(self._lines)
        text = data.decode(errors="replace")
        return f"[{self._dropped} earlier lines are not kept]\n{text}" if self._dropped else text

    def close(self) -> None:
        """Ends the log: what was in memory is then read from the file."""
        if self._file.closed:
            return
        if self._written >= DISK_BYTES:
            self._file.write(b"[lines are missing here: the log is too long]\n" + b"".join(self._lines))
        self._file.close()
        self._lines.clear()
