#!/bin/sh
# Makes .venv and installs the locked packages: by uv when it is there, else by venv and pip. Says what it does and how much it is.
set -eu
python=${PYTHON:-python3}
lock=requirements/dev.lock

if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    found=$("$python" --version 2>&1 || echo "no $python")
    echo "SRE-Space needs Python 3.11 or newer; found: $found." >&2
    echo "Install it and say which one to use: make demo PYTHON=/path/to/python3.11" >&2
    exit 1
fi
if ! command -v git >/dev/null 2>&1; then
    echo "SRE-Space needs git: install it and try again." >&2
    exit 1
fi

echo "Setting up .venv: about 140 packages, 100 MB to download, 700 MB on disk; once."
rm -f .venv/installed-locks
if command -v uv >/dev/null 2>&1; then
    [ -x .venv/bin/python ] || uv venv --quiet --python "$python" --seed .venv
    uv pip install --quiet --python .venv/bin/python -r "$lock"
    uv pip install --quiet --python .venv/bin/python --no-deps -e .
else
    [ -x .venv/bin/python ] || "$python" -m venv .venv
    .venv/bin/python -m pip install --disable-pip-version-check --progress-bar on -q -r "$lock" &
    pid=$!
    trap 'kill $pid 2>/dev/null' INT TERM
    seconds=0
    while kill -0 $pid 2>/dev/null; do
        sleep 1
        seconds=$((seconds + 1))
        if [ $((seconds % 10)) -eq 0 ]; then
            count=$(find .venv/lib -maxdepth 3 -name '*.dist-info' 2>/dev/null | wc -l | tr -d ' ')
            echo "  … $seconds s, $count packages so far"
        fi
    done
    wait $pid
    trap - INT TERM
    .venv/bin/python -m pip install --disable-pip-version-check -q --no-deps -e .
fi
.venv/bin/python - <<'PY' > .venv/installed-locks
import hashlib, pathlib
for lock in sorted(pathlib.Path("requirements").glob("*.lock")):
    print(hashlib.sha256(lock.read_bytes()).hexdigest())
PY
echo "Set up."
