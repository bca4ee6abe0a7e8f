"""`python -m userplane.carriers NAME`: one insurer on $PORT."""

from __future__ import annotations

import argparse
import os
import random
import sys

from userplane.carriers.app import INSURERS, build, insurer
from userplane.common.serving import bind, listen_address, run
from userplane.common.telemetry import deployment_from, new_provider


def main(arguments: list[str]) -> int:
    """Start the insurer and serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m userplane.carriers", description="One insurer of the marketplace.")
    parser.add_argument("name", help=f"one of {', '.join(INSURERS)}")
    name = parser.parse_args(arguments).name
    try:
        insurer(name)
        listener = bind(*listen_address(os.environ))
    except (ValueError, OSError) as error:
        print(f"carriers: {error}", file=sys.stderr)
        return 2
    provider = new_provider(name, deployment_from(os.environ), os.environ)
    app = build(name, os.environ.get("ENGINEERING_CONTROLS_TOKEN", ""), provider.get_tracer("userplane"), random.Random())
    run(app, listener, provider)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
