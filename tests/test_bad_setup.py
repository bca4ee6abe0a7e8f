"""`make setup` on machines that lack something: it says what, and leaves nothing behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[1] / "scripts" / "setup.sh"
OLD_PYTHON = """#!/bin/sh
case "$1" in
  --version) echo "Python 3.9.2" ;;
  -c) exit 1 ;; # the version check fails
  *) touch ran-anyway ;;
esac
"""
GOOD_PYTHON = """#!/bin/sh
[ "$1" = -c ] || touch ran-anyway
"""


class Machine:
    """A folder with a checkout's setup script, and a PATH that holds only what a story needs."""

    def __init__(self, folder: Path) -> None:
        self.checkout = folder / "checkout"
        self.programs = folder / "bin"
        (self.checkout / "scripts").mkdir(parents=True)
        (self.checkout / "requirements").mkdir()
        shutil.copy(SETUP, self.checkout / "scripts")
        self.programs.mkdir()

    def install(self, name: str, script: str = "#!/bin/sh\n") -> None:
        (self.programs / name).write_text(script)
        (self.programs / name).chmod(0o755)

    def files(self) -> set[str]:
        return {str(path.relative_to(self.checkout)) for path in self.checkout.rglob("*") if path.is_file()}

    def setup(self, **env: str) -> subprocess.CompletedProcess[str]:
        shell = shutil.which("sh")
        assert shell is not None
        return subprocess.run(
            [shell, "scripts/setup.sh"],
            cwd=self.checkout,
            env={"PATH": str(self.programs), **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_an_old_python_is_named_with_what_to_do_and_nothing_is_written(machine: Machine) -> None:
    machine.install("python3", OLD_PYTHON)
    machine.install("git")
    before = machine.files()
    ended = machine.setup()
    assert ended.returncode == 1
    assert "needs Python 3.11 or newer; found: Python 3.9.2" in ended.stderr
    assert "make demo PYTHON=" in ended.stderr
    assert ended.stdout == "" and machine.files() == before


def test_no_python_at_all_is_said_as_clearly(machine: Machine) -> None:
    machine.install("git")
    before = machine.files()
    ended = machine.setup(PYTHON="python-that-is-not-there")
    assert ended.returncode == 1
    assert "needs Python 3.11 or newer" in ended.stderr and "python-that-is-not-there" in ended.stderr
    assert machine.files() == before


def test_another_python_can_be_named_and_a_missing_git_is_told_before_anything_is_made(machine: Machine) -> None:
    machine.install("python3", OLD_PYTHON)
    machine.install("python3.13", GOOD_PYTHON)
    before = machine.files()
    ended = machine.setup(PYTHON="python3.13")
    assert ended.returncode == 1
    assert "needs git" in ended.stderr and "Python 3.9" not in ended.stderr
    assert machine.files() == before
