"""What a task does: one file per kind, and the choice between them."""

from runner.executors.choice import Executor, choose_executor

__all__ = ["Executor", "choose_executor"]
