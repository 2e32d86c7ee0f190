#include "ops/resample/resample.h"

#include <cstring>

namespace fastcnn::ref {
namespace {

constexpr std::int64_t kTask = 16384;  // products

void zero(float* to, std::int64_t count) { std::memset(to, 0, static_cast<std::size_t>(count) * sizeof(float)); }

}  // namespace

void resample(const KernelArgs& args) {
  const auto& p = args.problem.as<ResampleParams>();
  const Shape& x = args.in[0].shape();
  const int axis = static_cast<int>(p.axis);
  const std::int64_t outer = x.product(0, axis), inner = x.product(axis + 1, x.rank);
  const ResampleTaps t(args);
  if (inner == 0) return;
  parallel_ranges(outer * t.outputs, max_i64(1, kTask / (inner * max_i64(1, t.taps))),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin; row < end; ++row) {
                      const std::int64_t i = row % t.outputs;
                      float* y = args.out[0].as<float>() + row * inner;
                      zero(y, inner);
                      for (std::int64_t k = i * t.taps; k < (i + 1) * t.taps; ++k) {
                        if (t.index[k] < 0 || t.index[k] >= p.size) continue;
                        const float* from = args.in[0].as<float>() + (row / t.outputs * p.size + t.index[k]) * inner;
                        for (std::int64_t j = 0; j < inner; ++j) y[j] += t.weight[k] * from[j];
                      }
                    }
                  });
}

void resample_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<ResampleParams>();
  const Shape& x = args.out[0].shape();
  const int axis = static_cast<int>(p.axis);
  const std::int64_t outer = x.product(0, axis), inner = x.product(axis + 1, x.rank);
  const ResampleTaps t(args);
  parallel_ranges(outer, max_i64(1, kTask / max_i64(1, inner * t.outputs * t.taps)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t o = begin; o < end; ++o) {
                      zero(args.out[0].as<float>() + o * p.size * inner, p.size * inner);
                      for (std::int64_t k = 0; k < t.outputs * t.taps; ++k) {
                        if (t.index[k] < 0 || t.index[k] >= p.size) continue;
                        const float* dy = args.in[0].as<float>() + (o * t.outputs + k / t.taps) * inner;
                        float* dx = args.out[0].as<float>() + (o * p.size + t.index[k]) * inner;
                        for (std::int64_t j = 0; j < inner; ++j) dx[j] += t.weight[k] * dy[j];
                      }
                    }
                  });
}

}  // namespace fastcnn::ref
