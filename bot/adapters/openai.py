"""The model behind the Reasoner port: OpenAI or any endpoint that speaks its chat completions with JSON-schema answers.

The model only ranks and explains candidates that the evidence shows; what it says is challenged afterwards and cannot raise confidence.
"""

from __future__ import annotations

import openai

from bot.diagnosis.case import Case
from bot.diagnosis.localise import localise
from bot.diagnosis.prompt import INSTRUCTIONS, SCHEMA, evidence_text, read_answer
from bot.errors import Refused, Retry
from bot.model import Opinion

TRIES = 2  # requests per opinion: an unusable answer gets one more


class OpenAIReasoner:
    """`base_url` "" means OpenAI's own. At most TRIES requests an opinion, each at most `timeout_s` and `max_output_tokens` long."""

    def __init__(self, api_key: str, base_url: str, model: str, timeout_s: float, max_output_tokens: int) -> None:
        if not model:
            raise Refused("no model is named: set OPENAI_MODEL")
        if not api_key and not base_url:
            raise Refused("no key for the model: set OPENAI_API_KEY, or OPENAI_BASE_URL for a server that needs none")
        self._model = model
        self._max_output_tokens = max_output_tokens
        self._client = openai.OpenAI(
            api_key=api_key or "none", base_url=base_url or "https://api.openai.com/v1", timeout=timeout_s, max_retries=0
        )

    @property
    def name(self) -> str:
        return self._model

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def opine(self, case: Case) -> Opinion:
        """Raises Retry (time-out, no connection, rate limit, 5xx) or Refused (nothing to rank, bad request or key, unusable answers)."""
        localisation = localise(case)
        if not localisation.candidates:
            raise Refused("the evidence shows no candidate that a model could rank")
        question = evidence_text(case, localisation)
        for tries_left in reversed(range(TRIES)):
            answer = self._complete(question)
            try:
                return read_answer(answer, case, localisation, self._model)
            except Refused:
                if not tries_left:
                    raise
        raise AssertionError("unreachable")

    def _complete(self, question: str) -> str:
        try:
            completion = self._client.chat.completions.create(
                model=self._model,
                messages=[{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": question}],
                response_format={"type": "json_schema", "json_schema": {"name": "opinion", "strict": True, "schema": SCHEMA}},
                max_completion_tokens=self._max_output_tokens,
                temperature=0,
            )
        except openai.RateLimitError as problem:
            raise Retry(f"{self._model} is rate-limited or out of credit", _retry_after_s(problem)) from problem
        except openai.APITimeoutError as problem:
            raise Retry(f"{self._model} did not answer in time") from problem
        except openai.APIConnectionError as problem:
            raise Retry(f"{self._model} cannot be reached") from problem
        except openai.InternalServerError as problem:
            raise Retry(f"{self._model} answered {problem.status_code}") from problem
        except openai.APIStatusError as problem:
            raise Refused(f"{self._model} answered {problem.status_code}: check its key, name and address") from problem
        except (openai.OpenAIError, ValueError) as problem:
            raise Refused(f"{self._model} gave an answer that is not a chat completion") from problem
        return _content(completion)


def _content(completion: object) -> str:
    """The first choice's text, "" when there is none: servers differ in what they leave out."""
    choices = getattr(completion, "choices", None)
    message = getattr(choices[0], "message", None) if isinstance(choices, list) and choices else None
    content = getattr(message, "content", None)
    return content if isinstance(content, str) else ""


def _retry_after_s(problem: openai.RateLimitError) -> float:
    stated = problem.response.headers.get("retry-after", "")
    return min(float(stated), 3600.0) if stated.isdigit() else 20.0
