"""LiteLLM's StandardLoggingPayload, as its proxy's loggers write it (checked against version 1.106)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np

    from stillwatch.worlds.messages import Messages
    from stillwatch.worlds.view import Rendered

PRICES = {
    "meridian-4": (3.0, 15.0),
    "meridian-4-mini": (0.25, 1.25),
    "meridian-4-code": (3.0, 15.0),
    "meridian-5": (3.0, 15.0),
}
"""US dollars a million tokens in and out (made up)."""
_ERRORS = {
    429: "RateLimitError",
    500: "InternalServerError",
    400: "BadRequestError",
    403: "PermissionDeniedError",
}
_API_BASE = "https://models.example/v1"
_DONE = msgspec.Raw(b'{"llm_api_status":"success","guardrail_status":"not_run"}')
_FAILED = msgspec.Raw(b'{"llm_api_status":"failure","guardrail_status":"not_run"}')
_HIDDEN = msgspec.Raw(
    b'{"model_id":null,"cache_key":null,"api_base":"https://models.example/v1","response_cost":null,'
    b'"litellm_overhead_time_ms":null,"additional_headers":null,"batch_models":null,'
    b'"batch_successful_requests":null,"batch_failed_requests":null,"litellm_model_name":null,'
    b'"usage_object":null}'
)


class Metadata(msgspec.Struct):
    """The fields of a StandardLoggingMetadata."""

    user_api_key_hash: str
    user_api_key_user_id: str
    user_api_key_org_id: str | None
    requester_ip_address: str
    user_agent: str
    usage_object: dict[str, Any] | None
    user_api_key_end_user_id: str | None
    requester_custom_headers: dict[str, str] | None
    user_api_key_alias: None = None
    user_api_key_spend: float | None = None
    user_api_key_max_budget: None = None
    user_api_key_budget_reset_at: None = None
    user_api_key_user_spend: None = None
    user_api_key_user_max_budget: None = None
    user_api_key_team_spend: None = None
    user_api_key_team_max_budget: None = None
    user_api_key_org_alias: None = None
    user_api_key_team_id: None = None
    user_api_key_project_id: None = None
    user_api_key_project_alias: None = None
    user_api_key_user_email: None = None
    user_api_key_team_alias: None = None
    user_api_key_request_route: str = "/v1/chat/completions"
    user_api_key_auth_metadata: None = None
    spend_logs_metadata: None = None
    requester_metadata: None = None
    prompt_management_metadata: None = None
    mcp_tool_call_metadata: None = None
    vector_store_request_metadata: None = None
    routing_decision: None = None
    applied_guardrails: list[str] | None = None
    cold_storage_object_key: None = None
    team_alias: None = None
    team_id: None = None
    used_client_oauth_token: bool | None = None


class Payload(msgspec.Struct):
    """The fields of a StandardLoggingPayload."""

    id: str
    trace_id: str
    session_id: str
    litellm_call_id: str
    stream: bool
    response_cost: float
    status: str
    status_fields: msgspec.Raw
    total_tokens: int
    prompt_tokens: int
    completion_tokens: int
    startTime: float  # noqa: N815 - LiteLLM's names
    endTime: float  # noqa: N815
    completionStartTime: float  # noqa: N815
    response_time: float
    model_map_information: dict[str, str | None]
    model: str
    model_id: str
    model_group: str
    metadata: Metadata
    request_tags: list[str]
    end_user: str | None
    requester_ip_address: str
    user_agent: str
    messages: msgspec.Raw
    response: dict[str, Any] | None
    error_str: str | None
    error_information: dict[str, str] | None
    model_parameters: dict[str, Any]
    call_type: str = "acompletion"
    cost_breakdown: None = None
    autorouter_savings: None = None
    autorouter_savings_estimate: None = None
    autorouter_baseline_observation: None = None
    response_cost_failure_debug_info: None = None
    custom_llm_provider: str = "openai"
    api_base: str = _API_BASE
    cache_hit: bool | None = None
    cache_key: None = None
    saved_cache_cost: float = 0.0
    hidden_params: msgspec.Raw = _HIDDEN
    guardrail_information: None = None
    standard_built_in_tools_params: None = None


def lines(view: Rendered, rows: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Iterator[bytes]:
    """Render the exchanges `rows` (indexes into the world) as one JSON object a line, without line ends."""
    part, said = view.columns(rows), view.messages
    encode = msgspec.json.Encoder().encode
    for row, values in zip(rows.tolist(), zip(*part, strict=True), strict=True):
        yield encode(_payload(row, said, *values))


def _payload(
    row: int,
    said: Messages,
    exchange_id: str,
    conversation: str,
    ts: int,
    latency_ms: int,
    account_id: str,
    org_id: str | None,
    key_id: str,
    ip: str,
    user_agent: str,
    headers: dict[str, str] | None,
    end_user: str | None,
    channel: str,
    model: str,
    status: int,
    input_tokens: int,
    output_tokens: int,
    reasoning_tokens: int,
    cached_tokens: int,
    finish: str,
    parameters: dict[str, Any],
) -> Payload:
    start, end, good = ts / 1e6, (ts + latency_ms * 1000) / 1e6, status == 200
    price_in, price_out = PRICES[model]
    cost = (input_tokens * price_in + output_tokens * price_out) / 1e6 if good else 0.0
    usage = {
        "prompt_tokens": input_tokens,
        "completion_tokens": output_tokens,
        "total_tokens": input_tokens + output_tokens,
        "completion_tokens_details": {"reasoning_tokens": reasoning_tokens},
        "prompt_tokens_details": {"cached_tokens": cached_tokens},
    }
    return Payload(
        id=f"chatcmpl-{exchange_id}",
        trace_id=exchange_id,
        session_id=conversation,
        litellm_call_id=exchange_id,
        stream=parameters.get("stream", False),
        response_cost=round(cost, 9),
        status="success" if good else "failure",
        status_fields=_DONE if good else _FAILED,
        total_tokens=input_tokens + output_tokens if good else 0,
        prompt_tokens=input_tokens if good else 0,
        completion_tokens=output_tokens,
        startTime=start,
        endTime=end,
        completionStartTime=(ts + min(latency_ms, 400) * 1000) / 1e6,
        response_time=latency_ms / 1e3,
        model_map_information={"model_map_key": model, "model_map_value": None},
        model=model,
        model_id=model,
        model_group=model,
        metadata=Metadata(
            user_api_key_hash=key_id,
            user_api_key_user_id=account_id,
            user_api_key_org_id=org_id,
            requester_ip_address=ip,
            user_agent=user_agent,
            usage_object=usage if good else None,
            user_api_key_end_user_id=end_user,
            requester_custom_headers=headers,
        ),
        request_tags=[f"User-Agent: {user_agent}", f"channel:{channel}"],
        end_user=end_user,
        requester_ip_address=ip,
        user_agent=user_agent,
        messages=msgspec.Raw(said.sent(row)),
        response=_response(row, said, exchange_id, int(start), model, finish, usage) if good else None,
        error_str=None if good else f"litellm.{_ERRORS[status]}: error code {status}",
        error_information=None if good else {"error_code": str(status), "error_class": _ERRORS[status]},
        model_parameters=parameters,
    )


def _response(
    row: int, said: Messages, exchange_id: str, created: int, model: str, finish: str, usage: dict[str, Any]
) -> dict[str, Any]:
    message = msgspec.Raw(said.answered(row))
    return {
        "id": f"chatcmpl-{exchange_id}",
        "created": created,
        "model": model,
        "object": "chat.completion",
        "choices": [{"finish_reason": finish, "index": 0, "message": message}],
        "usage": usage,
    }
