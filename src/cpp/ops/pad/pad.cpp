#include "ops/pad/pad.h"

#include <cmath>
#include <limits>

#include "ops/item_copy.h"
#include "ops/gradient.h"
#include "ops/rooms.h"
#include "ops/slice/slice.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

template <class T>
bool put_value(double value, unsigned char* bytes) {
  if constexpr (std::numeric_limits<T>::is_integer) {
    // 2^63 is not an int64, but as a double it is its largest value: compare with the power of two itself.
    const double end = std::ldexp(1.0, std::numeric_limits<T>::digits);
    if (value != std::floor(value) || value >= end || value < static_cast<double>(std::numeric_limits<T>::min()))
      return false;
  }
  const T item = static_cast<T>(value);
  std::memcpy(bytes, &item, sizeof item);
  return true;
}

bool put_value(DType dtype, double value, unsigned char* bytes) {
  switch (dtype) {
    case DType::F32: return put_value<float>(value, bytes);
    case DType::F64: return put_value<double>(value, bytes);
    case DType::I64: return put_value<std::int64_t>(value, bytes);
    case DType::I32: return put_value<std::int32_t>(value, bytes);
    case DType::U8: return put_value<std::uint8_t>(value, bytes);
    case DType::S8: return put_value<std::int8_t>(value, bytes);
    case DType::Bool: return put_value<bool>(value, bytes);
    case DType::BF16: break;  // users have no such arrays
  }
  return false;
}

Params parse_pad(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  const TensorType& x = inputs[0];
  PadParams p;
  p.mode = static_cast<PadMode>(attrs.choice("mode", {"constant", "edge", "reflect", "symmetric"}, "constant"));
  const std::vector<std::int64_t> pads = attrs.integers("pads", {});
  require(static_cast<int>(pads.size()) == 2 * x.shape.rank, ErrorKind::Config, "pad: pads: expected ",
          2 * x.shape.rank, " numbers (before and after each axis of x), got ", pads.size());
  for (int i = 0; i < x.shape.rank; ++i) {
    const std::int64_t n = x.shape[i], most = max_i64(pads[2 * i], pads[2 * i + 1]);
    p.before[i] = pads[2 * i], p.after[i] = pads[2 * i + 1];
    require(p.before[i] >= 0 && p.after[i] >= 0 && most < (std::int64_t{1} << 31), ErrorKind::Config,
            "pad: pads of axis ", i, ": expected numbers from 0 to 2^31 - 1, got ", p.before[i], " and ", p.after[i]);
    const bool enough = most == 0 || p.mode == PadMode::Constant || (p.mode == PadMode::Edge && n > 0) ||
                        (p.mode == PadMode::Reflect && most < n) || (p.mode == PadMode::Symmetric && most <= n);
    require(enough, ErrorKind::Shape, "pad: axis ", i, " of x of shape ", x.shape, " is too short to be mirrored by ",
            p.before[i], " and ", p.after[i], " elements");
  }
  const double value = attrs.number("value", 0.0);
  require(put_value(x.dtype, value, p.value), ErrorKind::Config, "pad: value: ", dtype_name(x.dtype), " cannot hold ",
          value);
  return Params(p);
}

std::vector<TensorType> infer_pad(const Params& params, std::span<const TensorType> inputs) {
  const auto& p = params.as<PadParams>();
  TensorType y = inputs[0];
  for (int i = 0; i < y.shape.rank; ++i) y.shape[i] += p.before[i] + p.after[i];
  return {y};
}

// Of one axis: the elements of `gradient` that show what lies inside, and what its border adds to these.
ValueId fold_axis(NodeGradient& node, ValueId gradient, const PadParams& p, int axis, std::int64_t n) {
  const Shape padded = node.type(gradient).shape;
  SliceParams inside;
  for (int i = 0; i < padded.rank; ++i) inside.size[i] = padded[i], inside.step[i] = 1;
  const auto part = [&](std::int64_t begin, std::int64_t size) {
    SliceParams s = inside;
    s.begin[axis] = begin, s.size[axis] = size;
    return node.add(slice_op, Params(s), {gradient});
  };
  ValueId sum = part(p.before[axis], n);
  if (p.mode == PadMode::Constant) return sum;
  for (std::int64_t i = -p.before[axis]; i < n + p.after[axis]; ++i) {
    if (i >= 0 && i < n) continue;
    SliceGradientParams at;
    at.x = padded;
    at.x[axis] = n;
    at.slice = inside;
    at.slice.begin[axis] = pad_source(p.mode, i, n), at.slice.size[axis] = 1;
    sum = node.add(add_op, Attrs{}, {sum, node.add(slice_gradient_op, Params(at), {part(p.before[axis] + i, 1)})});
  }
  return sum;
}

void pad_gradient(NodeGradient& node) {
  const auto& p = node.params().as<PadParams>();
  const Shape x = node.input_shape(0);
  ValueId gradient = node.upstream();
  for (int axis = 0; axis < x.rank; ++axis)
    if (p.before[axis] != 0 || p.after[axis] != 0) gradient = fold_axis(node, gradient, p, axis, x[axis]);
  node.set(0, gradient);
}

// ---- the kernel -----------------------------------------------------------------------------

void fill(unsigned char* to, std::int64_t items, std::int64_t item, const unsigned char* value) {
  with_item_size(item, [&](auto size) {
    for (std::int64_t i = 0; i < items; ++i) copy_item(to + i * size, value, size);
  });
}

void run_pad(const KernelArgs& args) {
  const auto& p = args.problem.as<PadParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const std::int64_t item = item_size(args.in[0].type.dtype);
  const auto* from = args.in[0].as<unsigned char>();
  auto* to = args.out[0].as<unsigned char>();
  if (y.size() == 0) return;

  // A line is the last axis with padding; the axes after it are copied with each of its elements.
  int last = y.rank - 1;
  while (last > 0 && p.before[last] == 0 && p.after[last] == 0) --last;
  if (y.rank == 0) return copy_item(to, from, item);
  const std::int64_t run_items = y.product(last + 1, y.rank), run = run_items * item;
  const std::int64_t n = x[last], before = p.before[last], line = y[last] * run;

  constexpr std::int64_t kTaskBytes = 128 * 1024;
  parallel_ranges(y.product(0, last), max_i64(1, kTaskBytes / line), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      std::int64_t rest = k, source = 0, stride = n;  // of lines; -1: this line shows nothing of x
      for (int i = last - 1; i >= 0; --i) {
        const std::int64_t s = pad_source(p.mode, rest % y[i] - p.before[i], x[i]);
        rest /= y[i];
        source = s < 0 || source < 0 ? -1 : source + s * stride;
        stride *= x[i];
      }
      unsigned char* out = to + k * line;
      if (source < 0) {
        fill(out, y[last] * run_items, item, p.value);
        continue;
      }
      const unsigned char* in = from + source * run;
      copy_item(out + before * run, in, n * run);
      if (p.mode == PadMode::Constant) {
        fill(out, before * run_items, item, p.value);
        fill(out + (before + n) * run, p.after[last] * run_items, item, p.value);
        continue;
      }
      for (std::int64_t j = 0; j < before; ++j)
        copy_item(out + j * run, in + pad_source(p.mode, j - before, n) * run, run);
      for (std::int64_t j = n; j < n + p.after[last]; ++j)
        copy_item(out + (before + j) * run, in + pad_source(p.mode, j, n) * run, run);
    }
  });
}

constexpr KernelInfo kKernels[] = {{.name = "pad_any_ref", .run = run_pad}};

}  // namespace

const Op pad_op{.name = "pad", .parse = parse_pad, .infer = infer_pad, .kernels = kKernels, .gradient = pad_gradient};

}  // namespace fastcnn
