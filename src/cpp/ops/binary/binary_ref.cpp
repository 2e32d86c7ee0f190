// Plain loops that are obviously right: every index of the result is taken apart axis by axis.
#include <cmath>

#include "ops/activation/activation.h"
#include "ops/binary/binary.h"

namespace fastcnn::ref {
namespace {

// Where the result's element `index` comes from in an operand whose axes of size 1 (or absent) repeat.
std::int64_t source(const Shape& operand, const Shape& y, std::int64_t index) {
  std::int64_t offset = 0, step = 1;
  for (int i = 0; i < operand.rank; ++i) {
    const std::int64_t size = operand[operand.rank - 1 - i], size_y = y[y.rank - 1 - i];
    if (size != 1) offset += index % size_y * step;
    index /= size_y;
    step *= size;
  }
  return offset;
}

template <class F>
void each(const KernelArgs& args, const F& f) {
  const Shape &a = args.in[0].shape(), &b = args.in[1].shape(), &y = args.out[0].shape();
  const std::int64_t n = y.size();
  for (std::int64_t i = 0; i < n; ++i)
    args.out[0].as<float>()[i] = f(args.in[0].as<float>()[source(a, y, i)], args.in[1].as<float>()[source(b, y, i)]);
}

template <class F>
void with_epilogue(const KernelArgs& args, const F& f) {
  const Epilogue& e = args.problem.as<BinaryParams>().epilogue;
  each(args, [&](float a, float b) { return activate(e.activation, f(a, b), e.alpha); });
}

}  // namespace

void add(const KernelArgs& args) {
  with_epilogue(args, [](float a, float b) { return a + b; });
}
void sub(const KernelArgs& args) {
  with_epilogue(args, [](float a, float b) { return a - b; });
}
void mul(const KernelArgs& args) {
  with_epilogue(args, [](float a, float b) { return a * b; });
}
void div(const KernelArgs& args) {
  with_epilogue(args, [](float a, float b) { return a / b; });
}
void maximum(const KernelArgs& args) {
  with_epilogue(args, [](float a, float b) { return a != a || a > b ? a : b; });
}
void minimum(const KernelArgs& args) {
  with_epilogue(args, [](float a, float b) { return a != a || a < b ? a : b; });
}
void prelu(const KernelArgs& args) {
  each(args, [](float x, float alpha) { return x < 0 ? alpha * x : x; });
}
void equal(const KernelArgs& args) {
  each(args, [](float a, float b) { return a == b ? 1.0f : 0.0f; });
}
void not_equal(const KernelArgs& args) {
  each(args, [](float a, float b) { return a != b ? 1.0f : 0.0f; });
}
void greater(const KernelArgs& args) {
  each(args, [](float a, float b) { return a > b ? 1.0f : 0.0f; });
}
void greater_equal(const KernelArgs& args) {
  each(args, [](float a, float b) { return a >= b ? 1.0f : 0.0f; });
}
void less(const KernelArgs& args) {
  each(args, [](float a, float b) { return a < b ? 1.0f : 0.0f; });
}
void less_equal(const KernelArgs& args) {
  each(args, [](float a, float b) { return a <= b ? 1.0f : 0.0f; });
}
void pow(const KernelArgs& args) {
  each(args,
       [](float a, float b) { return static_cast<float>(std::pow(static_cast<double>(a), static_cast<double>(b))); });
}
void mod(const KernelArgs& args) {
  each(args, [](float a, float b) {
    const float left = std::fmod(a, b);
    if (left == 0) return std::copysign(0.0f, b);
    return (left < 0) != (b < 0) ? left + b : left;
  });
}
void fmod(const KernelArgs& args) {
  each(args, [](float a, float b) { return std::fmod(a, b); });
}

}  // namespace fastcnn::ref
