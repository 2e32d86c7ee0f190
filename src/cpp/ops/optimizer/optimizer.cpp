#include "ops/optimizer/optimizer.h"

#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

double fraction(AttrReader& attrs, const char* name, double fallback) {
  const double value = attrs.number(name, fallback);
  require(value >= 0 && value <= 1, ErrorKind::Config, attrs.op(), ": ", name, ": expected a number from 0 to 1, got ",
          value);
  return value;
}

double epsilon(AttrReader& attrs) {
  const double value = attrs.number("epsilon", 1e-7);
  require(value >= 0, ErrorKind::Config, attrs.op(), ": epsilon: expected a number >= 0, got ", value);
  return value;
}

// Checks w, the states, g, rate and perhaps `kept`, and tells whether that is there.
bool check_operands(const char* op, int states, std::span<const TensorType> inputs) {
  const int own = states + 3;
  require_inputs(op, inputs, own, own + 1);
  require_f32(op, inputs);
  for (int i = 1; i < own + 1 && i < static_cast<int>(inputs.size()); ++i) {
    const Shape& shape = inputs[static_cast<std::size_t>(i)].shape;
    if (i < own - 1)
      require(shape == inputs[0].shape, ErrorKind::Shape, op, ": operand ", i, " must have the weight's shape ",
              inputs[0].shape, ", got shape ", shape);
    else
      require(shape.rank == 0, ErrorKind::Shape, op, ": operand ", i, " must be a number of shape (), got shape ",
              shape);
  }
  return static_cast<int>(inputs.size()) == own + 1;
}

std::vector<TensorType> results(int states, std::span<const TensorType> inputs) {
  return std::vector<TensorType>(static_cast<std::size_t>(states + 1), inputs[0]);
}

int states_of(const SgdParams& p) { return p.momentum != 0; }
int states_of(const RmspropParams& p) { return 1 + (p.centered != 0) + (p.momentum != 0); }
int states_of(const AdamParams& p) { return 2 + (p.amsgrad != 0); }

Params parse_sgd(AttrReader& attrs, std::span<const TensorType> inputs) {
  SgdParams p;
  p.momentum = fraction(attrs, "momentum", p.momentum);
  p.nesterov = attrs.boolean("nesterov", false);
  p.decay = check_operands(attrs.op(), states_of(p), inputs);
  return Params(p);
}

Params parse_rmsprop(AttrReader& attrs, std::span<const TensorType> inputs) {
  RmspropParams p;
  p.rho = fraction(attrs, "rho", p.rho);
  p.momentum = fraction(attrs, "momentum", p.momentum);
  p.epsilon = epsilon(attrs);
  p.centered = attrs.boolean("centered", false);
  p.decay = check_operands(attrs.op(), states_of(p), inputs);
  return Params(p);
}

Params parse_adam(AttrReader& attrs, std::span<const TensorType> inputs) {
  AdamParams p;
  p.beta_1 = fraction(attrs, "beta_1", p.beta_1);
  p.beta_2 = fraction(attrs, "beta_2", p.beta_2);
  p.epsilon = epsilon(attrs);
  p.amsgrad = attrs.boolean("amsgrad", false);
  p.decay = check_operands(attrs.op(), states_of(p), inputs);
  return Params(p);
}

template <class P>
std::vector<TensorType> infer_update(const Params& params, std::span<const TensorType> inputs) {
  return results(states_of(params.as<P>()), inputs);
}

Params parse_moving_average(AttrReader& attrs, std::span<const TensorType> inputs) {
  MovingAverageParams p;
  p.momentum = fraction(attrs, "momentum", p.momentum);
  require_inputs(attrs.op(), inputs, 2, 2);
  return Params(p);
}

std::vector<TensorType> infer_moving_average(const Params&, std::span<const TensorType> inputs) {
  require_f32("moving_average", inputs);
  require(inputs[0] == inputs[1], ErrorKind::Shape, "moving_average: expected operands of one shape, got shapes ",
          inputs[0].shape, " and ", inputs[1].shape);
  return {inputs[0]};
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kSgdKernels[] = {
#if FC_X86
    {.name = "sgd_update_f32_avx512", .isa = Isa::Avx512, .run = avx512::sgd_update},
    {.name = "sgd_update_f32_avx2", .isa = Isa::Avx2, .run = avx2::sgd_update},
#endif
    {.name = "sgd_update_f32_ref", .run = ref::sgd_update},
};
constexpr KernelInfo kRmspropKernels[] = {
#if FC_X86
    {.name = "rmsprop_update_f32_avx512", .isa = Isa::Avx512, .run = avx512::rmsprop_update},
    {.name = "rmsprop_update_f32_avx2", .isa = Isa::Avx2, .run = avx2::rmsprop_update},
#endif
    {.name = "rmsprop_update_f32_ref", .run = ref::rmsprop_update},
};
constexpr KernelInfo kAdamKernels[] = {
#if FC_X86
    {.name = "adam_update_f32_avx512", .isa = Isa::Avx512, .run = avx512::adam_update},
    {.name = "adam_update_f32_avx2", .isa = Isa::Avx2, .run = avx2::adam_update},
#endif
    {.name = "adam_update_f32_ref", .run = ref::adam_update},
};
constexpr KernelInfo kMovingAverageKernels[] = {
#if FC_X86
    {.name = "moving_average_f32_avx512", .isa = Isa::Avx512, .run = avx512::moving_average},
    {.name = "moving_average_f32_avx2", .isa = Isa::Avx2, .run = avx2::moving_average},
#endif
    {.name = "moving_average_f32_ref", .run = ref::moving_average},
};

}  // namespace

const Op sgd_update_op{.name = "sgd_update",
                       .parse = parse_sgd,
                       .infer = infer_update<SgdParams>,
                       .kernels = kSgdKernels,
                       .in_place_operands = 2};
const Op rmsprop_update_op{.name = "rmsprop_update",
                           .parse = parse_rmsprop,
                           .infer = infer_update<RmspropParams>,
                           .kernels = kRmspropKernels,
                           .in_place_operands = 4};
const Op adam_update_op{.name = "adam_update",
                        .parse = parse_adam,
                        .infer = infer_update<AdamParams>,
                        .kernels = kAdamKernels,
                        .in_place_operands = 4};
const Op moving_average_op{.name = "moving_average",
                           .parse = parse_moving_average,
                           .infer = infer_moving_average,
                           .kernels = kMovingAverageKernels,
                           .in_place_operands = 1};

}  // namespace fastcnn
