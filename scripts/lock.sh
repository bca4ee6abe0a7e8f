#!/bin/sh
# The lock files anew, for every Python that is supported and without naming a registry. Needs uv.
set -eu
compile() {
    out=$1
    shift
    uv pip compile --quiet --universal --python-version 3.11 --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" "$@" -o "requirements/$out.lock"
}
compile dev --extra dev pyproject.toml
compile serve -c requirements/dev.lock pyproject.toml
compile think -c requirements/dev.lock --extra think pyproject.toml
compile userplane -c requirements/dev.lock requirements/userplane.in
