"""Pictures: of how training went, of what a model gets wrong, of what was found in photos."""

from fastcnn.visualize.drawing import class_color, draw_bounding_boxes, draw_keypoints
from fastcnn.visualize.masks import draw_legend, draw_segmentation_masks, palette
from fastcnn.visualize.training import confusion_matrix, examples, history

__all__ = [
    "class_color",
    "confusion_matrix",
    "draw_bounding_boxes",
    "draw_keypoints",
    "draw_legend",
    "draw_segmentation_masks",
    "examples",
    "history",
    "palette",
]
