"""`python -m userplane.marketplace`: the marketplace on $HOST:$PORT, as three processes of one deploy."""

from __future__ import annotations

import os
import secrets
import socket
import sqlite3
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from userplane.common.dependency import dependency_url, url_variable
from userplane.common.manifest import Manifest, load_manifest
from userplane.common.serving import bind, listen_address, run
from userplane.common.telemetry import deployment_from, new_provider
from userplane.engine import app as engine
from userplane.gateway import app as gateway
from userplane.marketplace.supervisor import Service, supervise
from userplane.web import app as web
from userplane.web.store import Store

DEFAULT_DB = "marketplace.sqlite"


def main() -> int:
    """Check manifests and environment, bind all three sockets, then fork. Returns 2 with one line on standard error when that fails."""
    try:
        manifests = {service: load_manifest(service) for service in (web.SERVICE, engine.SERVICE, gateway.SERVICE)}
        for carrier in manifests[gateway.SERVICE].dependencies:
            dependency_url(carrier, os.environ)
        public = bind(*listen_address(os.environ))
        inner = {name: bind("127.0.0.1", 0) for name in (engine.SERVICE, gateway.SERVICE)}
    except (ValueError, OSError) as error:
        print(f"marketplace: {error}", file=sys.stderr)
        return 2
    urls = {name: f"http://127.0.0.1:{listener.getsockname()[1]}" for name, listener in inner.items()}
    environ = {**os.environ, **{url_variable(name): url for name, url in urls.items()}}
    needed = tuple(urls.values())
    return supervise(
        [
            Service(web.SERVICE, public, lambda own, lifeline: run_web(manifests[web.SERVICE], environ, needed, own, lifeline)),
            Service(
                engine.SERVICE, inner[engine.SERVICE], lambda own, lifeline: run_engine(manifests[engine.SERVICE], environ, own, lifeline)
            ),
            Service(
                gateway.SERVICE,
                inner[gateway.SERVICE],
                lambda own, lifeline: run_gateway(manifests[gateway.SERVICE], environ, own, lifeline),
            ),
        ]
    )


def run_web(manifest: Manifest, environ: Mapping[str, str], needed: tuple[str, ...], listener: socket.socket, lifeline: int) -> None:
    """The public service; `needed` are base URLs of the services that must be well for it to be well."""
    path = Path(environ.get("MARKETPLACE_DB", "") or DEFAULT_DB)
    try:
        store = Store(path)
    except (OSError, sqlite3.Error) as error:
        raise SystemExit(f"marketplace: MARKETPLACE_DB: {path} cannot be opened: {error}") from error
    provider = new_provider(web.SERVICE, deployment_from(environ), environ)
    tracer = provider.get_tracer("userplane")
    app = web.build(manifest, environ, needed, store, tracer, time.monotonic, time.time, lambda: secrets.token_hex(8))
    run(app, listener, provider, lifeline)


def run_engine(manifest: Manifest, environ: Mapping[str, str], listener: socket.socket, lifeline: int) -> None:
    """The quote engine."""
    provider = new_provider(engine.SERVICE, deployment_from(environ), environ)
    run(engine.build(manifest, environ, provider.get_tracer("userplane"), time.monotonic), listener, provider, lifeline)


def run_gateway(manifest: Manifest, environ: Mapping[str, str], listener: socket.socket, lifeline: int) -> None:
    """The carrier gateway."""
    provider = new_provider(gateway.SERVICE, deployment_from(environ), environ)
    run(gateway.build(manifest, environ, provider.get_tracer("userplane"), time.monotonic), listener, provider, lifeline)


if __name__ == "__main__":
    sys.exit(main())
