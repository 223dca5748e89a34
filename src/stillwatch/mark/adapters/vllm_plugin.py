"""The class that `vllm serve --logits-processors` names; see `stillwatch.mark.adapters.vllm`.

It is not registered as an entry point: vLLM would then load it wherever stillwatch is installed.
"""

from __future__ import annotations

from stillwatch.mark.adapters.vllm import MarkingProcessor
from stillwatch.model.errors import MissingExtra

try:
    from vllm.v1.worker.gpu.sample.logits_processor import (  # type: ignore[import-not-found, unused-ignore]
        LogitsProcessor,
    )
except ImportError as error:
    raise MissingExtra("Marking in vLLM", "vllm") from error


class StillwatchMarking(MarkingProcessor, LogitsProcessor):  # type: ignore[misc, unused-ignore]
    """A key for each request in vLLM's V2 model runner (0.33)."""
