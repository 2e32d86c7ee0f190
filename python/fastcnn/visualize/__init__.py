"""Pictures of how training went, of what a model gets wrong, and of what it sees where.

matplotlib draws the curves and tables.
"""

from fastcnn.visualize.masks import draw_legend, draw_segmentation_masks, palette
from fastcnn.visualize.training import confusion_matrix, examples, history

__all__ = [
    "confusion_matrix",
    "draw_legend",
    "draw_segmentation_masks",
    "examples",
    "history",
    "palette",
]
