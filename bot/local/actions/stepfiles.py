"""The files through which a step talks to the runner: GITHUB_OUTPUT, GITHUB_ENV, GITHUB_PATH and GITHUB_STEP_SUMMARY."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

FILE_BYTES = 1024 * 1024


class StepFileError(ValueError):
    """A step wrote a file that GitHub would refuse."""


@dataclass(frozen=True)
class StepFiles:
    """One step's four files, fresh and empty."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> StepFiles:
        folder.mkdir(parents=True)
        for name in ("output", "env", "path", "summary"):
            (folder / name).touch()
        return cls(folder)

    def environment(self) -> dict[str, str]:
        return {
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_ENV": str(self.folder / "env"),
            "GITHUB_PATH": str(self.folder / "path"),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
        }

    def outputs(self) -> dict[str, str]:
        return parse_pairs("GITHUB_OUTPUT", self._read("output"))

    def env(self) -> dict[str, str]:
        """What the step adds for later steps. Raises StepFileError for names that belong to the runner."""
        pairs = parse_pairs("GITHUB_ENV", self._read("env"))
        for name in pairs:
            if name.upper().startswith(("GITHUB_", "RUNNER_")):
                raise StepFileError(f"GITHUB_ENV: {name} belongs to the runner and cannot be set")
        return pairs

    def path(self) -> list[str]:
        return [line for line in self._read("path").splitlines() if line.strip()]

    def summary(self) -> str:
        return self._read("summary")

    def _read(self, name: str) -> str:
        path = self.folder / name
        if not path.is_file() or path.is_symlink():
            return ""
        with path.open("rb") as file:
            return file.read(FILE_BYTES).decode(errors="replace")


def parse_pairs(file: str, text: str) -> dict[str, str]:
    """`name=value` lines and `name<<EOF` … `EOF` blocks. Raises StepFileError."""
    pairs: dict[str, str] = {}
    lines = iter(text.splitlines())
    for line in lines:
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if heredoc >= 0 and (equals < 0 or heredoc < equals):
            name, end = line[:heredoc], line[heredoc + 2 :]
            value: list[str] = []
            for inner in lines:
                if inner == end:
                    break
                value.append(inner)
            else:
                raise StepFileError(f"{file}: the block of {name!r} has no closing {end!r}")
            pairs[name] = "\n".join(value)
        elif equals > 0:
            pairs[line[:equals]] = line[equals + 1 :]
        else:
            raise StepFileError(f"{file}: {line[:80]!r} is neither name=value nor name<<END")
    return pairs
