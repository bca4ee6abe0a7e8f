#!/bin/sh
# Style, types, import rules, workflows, compose file and shell scripts; runs all of them, names those that failed. Needs no network.
set -u
bin=${BIN:-.venv/bin}
failed=""

check() {
    name=$1
    shift
    if output=$("$@" 2>&1); then
        echo "ok      $name"
    else
        echo "FAILED  $name: $*"
        echo "$output" | sed 's/^/        /'
        failed="$failed $name,"
    fi
}

shells() {
    for script in scripts/*.sh; do sh -n "$script" || return 1; done
    bash -n .ci/run
}

check style "$bin/ruff" check .
check format "$bin/ruff" format --check .
check types "$bin/mypy"
check imports "$bin/lint-imports"
check workflows "$bin/check-jsonschema" --builtin-schema vendor.github-workflows .github/workflows/*.yml
check time-limits "$bin/check-jsonschema" --builtin-schema custom.github-workflows-require-timeout .github/workflows/*.yml
check compose "$bin/check-jsonschema" --builtin-schema vendor.compose-spec docker-compose.local.yml
check workflow-security "$bin/zizmor" --offline --no-progress --quiet --strict-collection .github/workflows
check policies "$bin/python" -m bot policy test
check shell shells
if command -v shellcheck >/dev/null 2>&1; then
    check shellcheck shellcheck scripts/*.sh .ci/run
fi

if [ -n "$failed" ]; then
    echo "lint: failed:${failed%,}" >&2
    exit 1
fi
