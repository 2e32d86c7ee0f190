"""Neural style transfer: the content of one picture in the style of others (Gatys et al. 2016)."""

from fastcnn.style.colors import match_colors, match_luminance, replace_luminance
from fastcnn.style.costs import (
    content_cost,
    layer_style_cost,
    style_matrix,
    total_variation_cost,
)
from fastcnn.style.descent import Descent
from fastcnn.style.network import feature_network
from fastcnn.style.objective import Costs, Objective
from fastcnn.style.run import Progress
from fastcnn.style.transfer import CONTENT_LAYERS, STYLE_LAYERS, StyleTransfer, transfer

__all__ = [
    "CONTENT_LAYERS",
    "STYLE_LAYERS",
    "Costs",
    "Descent",
    "Objective",
    "Progress",
    "StyleTransfer",
    "content_cost",
    "feature_network",
    "layer_style_cost",
    "match_colors",
    "match_luminance",
    "replace_luminance",
    "style_matrix",
    "total_variation_cost",
    "transfer",
]
