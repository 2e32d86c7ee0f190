#include <cmath>

#include "ops/activation/activation.h"
#include "ops/batch_norm/batch_norm.h"

namespace fastcnn::ref {

void batch_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormParams>();
  const Tensor* next = args.in + 1;
  const float* gamma = p.scale ? (next++)->as<float>() : nullptr;
  const float* beta = p.center ? (next++)->as<float>() : nullptr;
  const float *mean = next[0].as<float>(), *var = next[1].as<float>(), *x = args.in[0].as<float>();
  const std::int64_t channels = args.in[0].shape().back(), n = args.in[0].shape().size();
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t c = i % channels;
    const float centred = (x[i] - mean[c]) * batch_norm_gain(p, gamma, var, c);
    args.out[0].as<float>()[i] = beta ? centred + beta[c] : centred;
  }
}

void batch_norm_scale_shift(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormParams>();
  const Tensor* next = args.in;
  const float* gamma = p.scale ? (next++)->as<float>() : nullptr;
  const float* beta = p.center ? (next++)->as<float>() : nullptr;
  const float *mean = next[0].as<float>(), *var = next[1].as<float>();
  const std::int64_t channels = next[0].shape().size();
  for (std::int64_t c = 0; c < channels; ++c) {
    const double scale = (gamma ? gamma[c] : 1.0) / std::sqrt(var[c] + p.epsilon);
    args.out[0].as<float>()[c] = static_cast<float>(scale);
    args.out[1].as<float>()[c] = static_cast<float>((beta ? beta[c] : 0.0) - mean[c] * scale);
  }
}

void scale_shift(const KernelArgs& args) {
  const Epilogue& e = args.problem.as<ScaleShiftParams>().epilogue;
  const float *x = args.in[0].as<float>(), *scale = args.in[1].as<float>(), *shift = args.in[2].as<float>();
  const std::int64_t channels = args.in[0].shape().back(), n = args.in[0].shape().size();
  for (std::int64_t i = 0; i < n; ++i)
    args.out[0].as<float>()[i] =
        activate(e.activation, std::fma(x[i], scale[i % channels], shift[i % channels]), e.alpha);
}

}  // namespace fastcnn::ref
