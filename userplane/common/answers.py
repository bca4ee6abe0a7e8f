"""JSON in and out, the same in every service: read an object, and say in one line what went wrong."""

from __future__ import annotations

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from userplane.common.dependency import DependencyFailed
from userplane.common.risk import InvalidRisk


async def json_object(request: Request) -> dict[str, Any]:
    """The request's body as a JSON object. Raises HTTPException 400 when it is anything else."""
    try:
        value = json.loads(await request.body())
    except ValueError as error:
        raise HTTPException(400, "the body is not JSON") from error
    if not isinstance(value, dict):
        raise HTTPException(400, "the body is not a JSON object")
    return value


async def say_invalid(_: Request, error: Exception) -> Response:
    """422 with the problem of each field."""
    assert isinstance(error, InvalidRisk)
    return JSONResponse({"error": "some answers need another look", "problems": error.problems}, status_code=422)


async def say_dependency_failed(_: Request, error: Exception) -> Response:
    """The status that the failed dependency calls for (502, 503, 504, or its own 5xx)."""
    assert isinstance(error, DependencyFailed)
    return JSONResponse({"error": str(error)}, status_code=error.status if error.status >= 500 else 502)


async def say_refused(_: Request, error: Exception) -> Response:
    """An HTTPException as JSON."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, status_code=error.status_code, headers=dict(error.headers or {}))


async def say_internal_error(_: Request, __: Exception) -> Response:
    """500 without details; the exception is in the span and in the log."""
    return JSONResponse({"error": "internal error"}, status_code=500)


async def healthy(_: Request) -> Response:
    """`/healthz` of a service that is well when it answers."""
    return JSONResponse({"status": "ok"})
