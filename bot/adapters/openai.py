"""The model behind the Reasoner port: OpenAI or any endpoint that speaks its chat completions.

The model only ranks and explains candidates that the evidence shows, and asks for lookups; what it says is challenged afterwards and
cannot raise confidence. Everything that is sent has been redacted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import openai

from bot.diagnosis.budget import Meter, RateLimited
from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise
from bot.diagnosis.prompt import INSTRUCTIONS, SCHEMA, evidence_text, read_answer
from bot.errors import Refused, Retry
from bot.model import Opinion
from bot.redact import redact
from bot.tls import trusted

TRIES = 2  # an unusable answer gets one more
CHARS_PER_TOKEN = 3  # at least, in English and JSON: so that a request is never dearer than expected
RETRY_AFTER_S = 20.0  # when a rate limit does not say


@dataclass(frozen=True)
class Style:
    """How an answer in JSON is asked for. Endpoints differ in what they understand; the last one asks in words alone."""

    name: str
    options: dict[str, Any]
    limit: str  # what the limit of the answer is called
    in_words: bool = False  # the form stands in the instructions


_BY_SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"name": "opinion", "strict": True, "schema": SCHEMA}}}
STYLES: tuple[Style, ...] = (
    Style("a JSON schema", {**_BY_SCHEMA, "temperature": 0}, "max_completion_tokens"),
    Style("a JSON schema, at its own temperature", _BY_SCHEMA, "max_completion_tokens"),
    Style("some JSON object", {"response_format": {"type": "json_object"}, "temperature": 0}, "max_tokens", in_words=True),
    Style("JSON in plain words", {}, "max_tokens", in_words=True),
)
IN_WORDS = f"{INSTRUCTIONS}\nAnswer with nothing but one JSON object that fits this JSON schema:\n{json.dumps(SCHEMA)}"


class _NotUnderstood(Refused):
    """The endpoint rejects the request as it is put."""


class OpenAIReasoner:
    """`base_url` "" means OpenAI's own. Each request takes at most `timeout_s` and gives at most `max_output_tokens`."""

    def __init__(self, api_key: str, base_url: str, model: str, timeout_s: float, max_output_tokens: int) -> None:
        if not model:
            raise Refused("no model is named: set OPENAI_MODEL")
        if not api_key and not base_url:
            raise Refused("no key for the model: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server that needs none")
        self._model = model
        self._timeout_s = timeout_s
        self._max_output_tokens = max_output_tokens
        self._styles = STYLES
        url = base_url or "https://api.openai.com/v1"
        http = openai.DefaultHttpxClient(verify=trusted(url))
        self._client = openai.OpenAI(api_key=api_key or "none", base_url=url, max_retries=0, http_client=http)

    @property
    def name(self) -> str:
        return self._model

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def opine(self, case: Case, meter: Meter) -> Opinion:
        """Raises Retry (time-out, no connection, 5xx; RateLimited) or Refused (nothing to rank, bad request or key, budget spent,
        answers that are refusals, cut off or unusable)."""
        localisation = localise(case)
        if not localisation.candidates:
            raise Refused("the evidence shows no candidate that a model could rank")
        question = evidence_text(case, localisation, redact)
        for tries_left in reversed(range(TRIES)):
            answer = self._in_some_style(question, meter)
            try:
                return read_answer(answer, case, localisation, self._model)
            except Refused:
                if not tries_left:
                    raise
        raise AssertionError("unreachable")

    def _in_some_style(self, question: str, meter: Meter) -> str:
        """Steps down to what the endpoint understands, and stays there."""
        while True:
            try:
                return self._complete(self._styles[0], question, meter)
            except _NotUnderstood:
                if len(self._styles) == 1:
                    raise
                self._styles = self._styles[1:]
                meter.note(f"{self._model} does not take that request; I ask it for {self._styles[0].name}")

    def _complete(self, style: Style, question: str, meter: Meter) -> str:
        instructions = IN_WORDS if style.in_words else INSTRUCTIONS
        expected = (len(instructions + question) // CHARS_PER_TOKEN, self._max_output_tokens)
        timeout_s = min(self._timeout_s, meter.begin(*expected))
        try:
            completion = self._client.chat.completions.create(
                model=self._model,
                messages=[{"role": "system", "content": instructions}, {"role": "user", "content": question}],
                timeout=timeout_s,
                **{**style.options, style.limit: self._max_output_tokens},
            )
        except openai.OpenAIError as problem:
            raise self._failure(problem) from problem
        except ValueError as problem:
            raise Refused(f"{self._model} gave an answer that is not a chat completion") from problem
        meter.settle(expected, _used(completion, expected))
        return self._content(completion)

    def _failure(self, problem: openai.OpenAIError) -> Retry | Refused:
        """What a failed request means for us. Nothing of the endpoint's own text is repeated."""
        match problem:
            case openai.RateLimitError():
                return RateLimited(f"{self._model} is rate-limited or out of credit", _retry_after_s(problem))
            case openai.APITimeoutError():
                return Retry(f"{self._model} did not answer in time")
            case openai.APIConnectionError():
                return Retry(f"{self._model} cannot be reached")
            case openai.InternalServerError():
                return Retry(f"{self._model} answered {problem.status_code}")
            case openai.BadRequestError() | openai.UnprocessableEntityError():
                return _NotUnderstood(f"{self._model} answered {problem.status_code}: it does not take our requests")
            case openai.APIStatusError():
                return Refused(f"{self._model} answered {problem.status_code}: check its key, name and address")
            case _:
                return Refused(f"{self._model} gave an answer that is not a chat completion")

    def _content(self, completion: object) -> str:
        """The first choice's text, "" when there is none: servers differ in what they leave out. Raises Refused when it is no answer."""
        choices = getattr(completion, "choices", None)
        choice = choices[0] if isinstance(choices, list) and choices else None
        message = getattr(choice, "message", None)
        if getattr(message, "refusal", None) or getattr(choice, "finish_reason", None) == "content_filter":
            raise Refused(f"{self._model} refuses to answer")
        if getattr(choice, "finish_reason", None) == "length":
            raise Refused(f"{self._model} was cut off after {self._max_output_tokens} tokens")
        content = getattr(message, "content", None)
        return content if isinstance(content, str) else ""


def _used(completion: object, expected: tuple[int, int]) -> tuple[int, int]:
    """(tokens in, tokens out) by the endpoint's own account; as expected where it keeps none."""
    usage = getattr(completion, "usage", None)
    stated = [getattr(usage, name, None) for name in ("prompt_tokens", "completion_tokens")]
    tokens_in, tokens_out = (one if type(one) is int and one >= 0 else more for one, more in zip(stated, expected, strict=True))
    return tokens_in, tokens_out


def _retry_after_s(problem: openai.RateLimitError) -> float:
    stated = problem.response.headers.get("retry-after", "")
    return min(float(stated), 3600.0) if stated.isdigit() else RETRY_AFTER_S
