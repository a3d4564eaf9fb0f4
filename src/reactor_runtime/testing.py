"""What a model's author tests with: `ModelTest`, and the second generation's `PipelineExecutor`."""

from __future__ import annotations

from reactor_runtime.worker.testing.client import Client
from reactor_runtime.worker.testing.executor import PipelineExecutor, StepResult
from reactor_runtime.worker.testing.media import Frame, Sound
from reactor_runtime.worker.testing.model_test import ModelTest
from reactor_runtime.worker.testing.receipts import Receipt
from reactor_runtime.worker.testing.stage import Stuck
from reactor_runtime.worker.testing.virtual_time import spend

__all__ = ["Client", "Frame", "ModelTest", "PipelineExecutor", "Receipt", "Sound", "StepResult", "Stuck", "spend"]
