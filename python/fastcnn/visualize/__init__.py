"""Pictures of how training went and of what a model gets wrong. matplotlib draws them."""

from fastcnn.visualize.training import confusion_matrix, examples, history

__all__ = ["confusion_matrix", "examples", "history"]
