// The gradient rules of the norm room.
#pragma once

namespace fastcnn {

class NodeGradient;

void group_norm_rule(NodeGradient& node);  // and instance_norm
void layer_norm_rule(NodeGradient& node);
void l2_normalize_rule(NodeGradient& node);
void lrn_rule(NodeGradient& node);

}  // namespace fastcnn
