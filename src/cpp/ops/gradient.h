// Gradient rules: how an op tells which nodes compute the gradient of its operands. A rule stands beside its op
// (Op::gradient), adds nodes and computes nothing; graph/differentiate.h joins the rules of a graph.
#pragma once

#include "ops/op.h"

namespace fastcnn {

// One node of a graph whose gradient is being described. "Gradient of a value" is that of a scalar target with respect
// to the value.
class NodeGradient {
 public:
  virtual ~NodeGradient() = default;

  // ---- the node ----------------------------------------------------------------------------------
  virtual const Params& params() const = 0;
  virtual int num_inputs() const = 0;
  virtual ValueId input(int i) = 0;  // to be read: it may have to be computed again
  virtual ValueId output(int i = 0) = 0;
  virtual const Shape& input_shape(int i) const = 0;
  virtual const Shape& output_shape(int i = 0) const = 0;
  virtual const TensorType& type(ValueId value) const = 0;

  // ---- what is known and what is asked for -------------------------------------------------------
  // The gradient of an output; for an output that the target does not depend on, a constant of zeros.
  virtual ValueId upstream(int output = 0) = 0;
  virtual bool has_upstream(int output) const = 0;
  // Whether the gradient of this input is needed: rules that compute each by a node of its own should ask.
  virtual bool wants(int input) const = 0;

  // ---- what a rule adds --------------------------------------------------------------------------
  virtual std::vector<ValueId> add_all(const Op& op, const Params& params, const std::vector<ValueId>& inputs) = 0;
  virtual std::vector<ValueId> add_all(const Op& op, const Attrs& attrs, const std::vector<ValueId>& inputs) = 0;
  ValueId add(const Op& op, const Params& params, const std::vector<ValueId>& inputs) {
    return add_all(op, params, inputs)[0];
  }
  ValueId add(const Op& op, const Attrs& attrs, const std::vector<ValueId>& inputs) {
    return add_all(op, attrs, inputs)[0];
  }
  // A float32 constant of this shape with one value everywhere.
  virtual ValueId constant(float value, const Shape& shape = {}) = 0;
  // Says that `gradient`, of the operand's shape, is the gradient of this input. An operand that nobody asked for is
  // ignored; an operand given to several nodes gets the sum.
  virtual void set(int input, ValueId gradient) = 0;
};

// ---- what rules of several rooms need --------------------------------------------------------------

// The rule of ops whose results do not vary with their operands, or not continuously.
void no_gradient(NodeGradient& node);

// The gradient of an operand that was repeated to the shape of `gradient`: sums it over the axes it was repeated along.
ValueId sum_to_shape(NodeGradient& node, ValueId gradient, const Shape& shape);

// The gradients of an Epilogue's operands, which follow the op's own from `first` on; `upstream` is the gradient of
// what it makes. Activations are no part of a node when it is differentiated.
void set_epilogue_gradients(NodeGradient& node, const Epilogue& epilogue, int first, ValueId upstream);

}  // namespace fastcnn
