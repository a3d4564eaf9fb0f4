"""The contract of a model as data, and what follows from it: validation of commands and the OpenAPI document.

Imports nothing of ours and neither numpy nor pydantic: the service process loads it, and the model process too.
"""

from __future__ import annotations

from reactor_runtime.contract.capabilities import PROTOCOL_VERSION, capabilities
from reactor_runtime.contract.model import (
    MAX_METADATA_BYTES,
    Argument,
    Command,
    Contract,
    Direction,
    Kind,
    Message,
    Track,
    TypeName,
    TypeSpec,
)
from reactor_runtime.contract.openapi import openapi
from reactor_runtime.contract.references import Reference, references, takes_files
from reactor_runtime.contract.validation import Rejection, check, validate
from reactor_runtime.contract.values import json_equal

__all__ = [
    "MAX_METADATA_BYTES",
    "PROTOCOL_VERSION",
    "Argument",
    "Command",
    "Contract",
    "Direction",
    "Kind",
    "Message",
    "Reference",
    "Rejection",
    "Track",
    "TypeName",
    "TypeSpec",
    "capabilities",
    "check",
    "json_equal",
    "openapi",
    "references",
    "takes_files",
    "validate",
]
