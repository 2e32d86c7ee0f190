#include "ops/conv2d_transpose/conv2d_transpose_phases.h"

#include <cstring>

#include "ops/op.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

Params parse(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  require_rank(attrs.op(), "kernel", inputs[0], 4);
  Window2d w;
  w.h.size = inputs[0].shape[0], w.w.size = inputs[0].shape[1];
  std::tie(w.h.stride, w.w.stride) = attrs.pair("strides", 1, 1);
  std::tie(w.h.before, w.w.before) = attrs.pair("before", 0, 0);
  constexpr std::int64_t kLimit = std::int64_t{1} << 15;  // their product times a size stays inside int64
  require(w.h.stride < kLimit && w.w.stride < kLimit, ErrorKind::Config, attrs.op(), ": strides: expected less than ",
          kLimit);
  require(w.h.size >= 1 && w.w.size >= 1, ErrorKind::Shape, attrs.op(), ": empty window of shape ", inputs[0].shape);
  return Params(w);
}

std::vector<TensorType> infer(const Params& params, std::span<const TensorType> inputs) {
  require_f32("conv2d_transpose_phases", inputs);
  const auto& window = params.as<Window2d>();
  const Shape& w = inputs[0].shape;
  Shape s;
  s.push_back(SubpixelAxis(window.h).taps()), s.push_back(SubpixelAxis(window.w).taps());
  s.push_back(w[3]), s.push_back(window.h.stride * window.w.stride * w[2]);
  return {f32(s)};
}

void run(const KernelArgs& args) {
  const auto& window = args.problem.as<Window2d>();
  const SubpixelAxis h(window.h), w(window.w);
  const Shape& s = args.in[0].shape();
  const std::int64_t outputs = s[2], inputs = s[3], columns = args.out[0].shape()[3];
  const float* from = args.in[0].as<float>();
  float* to = args.out[0].as<float>();
  std::memset(to, 0, static_cast<std::size_t>(args.out[0].type.bytes()));
  for (std::int64_t a = 0; a < s[0]; ++a)
    for (std::int64_t b = 0; b < s[1]; ++b) {
      const std::int64_t tap = (h.shift(a) - h.first) * w.taps() + w.shift(b) - w.first;
      const std::int64_t phase = h.phase(a) * window.w.stride + w.phase(b);
      for (std::int64_t o = 0; o < outputs; ++o)
        for (std::int64_t i = 0; i < inputs; ++i)
          to[(tap * inputs + i) * columns + phase * outputs + o] = from[((a * s[1] + b) * outputs + o) * inputs + i];
    }
}

constexpr KernelInfo kKernels[] = {{.name = "conv2d_transpose_phases_f32_ref", .run = run}};

}  // namespace

const Op conv2d_transpose_phases_op{
    .name = "conv2d_transpose_phases", .parse = parse, .infer = infer, .kernels = kKernels};

}  // namespace fastcnn
