// Plain loops that are obviously right: for each result, every operand element of its cell in row-major order, in
// double.
#include <limits>

#include "ops/reduce/reduce.h"

namespace fastcnn::ref {
namespace {

// Walks the axes of `x` whose bit in `axes` is set; visit(offset) in row-major order.
template <class Visit>
void walk(const Shape& x, std::int32_t axes, int axis, std::int64_t offset, const Visit& visit) {
  if (axis == x.rank) return visit(offset);
  const bool walked = (axes >> axis) & 1;
  const std::int64_t step = x.product(axis + 1, x.rank);
  for (std::int64_t i = 0; i < (walked ? x[axis] : 1); ++i) walk(x, axes, axis + 1, offset + i * step, visit);
}

// y = finish(fold of step(acc, x_i) from start, count)
template <class Y, class Acc, class Step, class Finish>
void reduce(const KernelArgs& args, const Acc& start, const Step& step, const Finish& finish) {
  const auto& p = args.problem.as<ReduceParams>();
  const Shape& x = args.in[0].shape();
  const float* in = args.in[0].as<float>();
  Y* y = args.out[0].as<Y>();
  walk(x, ~p.axes, 0, 0, [&](std::int64_t cell) {
    Acc acc = start;
    std::int64_t count = 0;
    walk(x, p.axes, 0, cell, [&](std::int64_t i) { step(acc, in[i], count++); });
    *y++ = static_cast<Y>(finish(acc, count));
  });
}

constexpr double kInf = std::numeric_limits<double>::infinity();
double value(double acc, std::int64_t) { return acc; }

}  // namespace

void reduce_sum(const KernelArgs& args) {
  reduce<float>(args, 0.0, [](double& acc, float x, std::int64_t) { acc += x; }, value);
}

void reduce_mean(const KernelArgs& args) {
  reduce<float>(
      args, 0.0, [](double& acc, float x, std::int64_t) { acc += x; },
      [](double acc, std::int64_t count) { return acc / static_cast<double>(count); });
}

void reduce_max(const KernelArgs& args) {
  reduce<float>(args, -kInf, [](double& acc, float x, std::int64_t) { acc = acc > x || acc != acc ? acc : x; }, value);
}

void reduce_min(const KernelArgs& args) {
  reduce<float>(args, kInf, [](double& acc, float x, std::int64_t) { acc = acc < x || acc != acc ? acc : x; }, value);
}

void reduce_prod(const KernelArgs& args) {
  reduce<float>(args, 1.0, [](double& acc, float x, std::int64_t) { acc *= x; }, value);
}

void argmax(const KernelArgs& args) {
  struct Best {
    float value;
    std::int64_t index;
  };
  reduce<std::int64_t>(
      args, Best{0, -1},
      [](Best& best, float x, std::int64_t i) {
        if (best.index < 0 || x > best.value || (x != x && best.value == best.value)) best = {x, i};
      },
      [](const Best& best, std::int64_t) { return best.index; });
}

}  // namespace fastcnn::ref
