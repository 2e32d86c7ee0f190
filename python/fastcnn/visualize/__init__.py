"""Pictures of how training went, of what was found in photos, of what goes on inside a model.

The functions that look inside give arrays; what they give is drawn by those called ``draw_...``.
Their models take one tensor of pictures, (n, h, w, c); put
`fastcnn.applications.imagenet.preprocessing` before a network to look inside with plain RGB.
"""

from fastcnn.visualize._targets import Unit
from fastcnn.visualize.attribution import (
    grad_cam,
    guided_backprop,
    occlusion,
    saliency,
    smooth_grad,
)
from fastcnn.visualize.deconvnet import TopActivations, deconvnet, top_activations, top_patterns
from fastcnn.visualize.drawing import class_color, draw_bounding_boxes, draw_keypoints
from fastcnn.visualize.features import feature_maps, filters, project
from fastcnn.visualize.inner_figures import (
    as_picture,
    draw_feature_maps,
    draw_filters,
    draw_pictures,
    draw_projection,
    draw_receptive_fields,
    mosaic,
    overlay,
)
from fastcnn.visualize.masks import draw_legend, draw_segmentation_masks, palette
from fastcnn.visualize.maximization import maximize_activation
from fastcnn.visualize.receptive_fields import ReceptiveField, receptive_fields
from fastcnn.visualize.training import confusion_matrix, examples, history

__all__ = [
    "ReceptiveField",
    "TopActivations",
    "Unit",
    "as_picture",
    "class_color",
    "confusion_matrix",
    "deconvnet",
    "draw_bounding_boxes",
    "draw_feature_maps",
    "draw_filters",
    "draw_keypoints",
    "draw_legend",
    "draw_pictures",
    "draw_projection",
    "draw_receptive_fields",
    "draw_segmentation_masks",
    "examples",
    "feature_maps",
    "filters",
    "grad_cam",
    "guided_backprop",
    "history",
    "maximize_activation",
    "mosaic",
    "occlusion",
    "overlay",
    "palette",
    "project",
    "receptive_fields",
    "saliency",
    "smooth_grad",
    "top_activations",
    "top_patterns",
]
