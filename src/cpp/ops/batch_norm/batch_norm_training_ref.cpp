// Plain loops: each channel's statistics and sums in double, then its values.
#include <cmath>

#include "ops/activation/activation.h"
#include "ops/batch_norm/batch_norm_training.h"

namespace fastcnn::ref {

void batch_norm_training(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormTrainingParams>();
  const BatchNormTrainingOperands<float> o(args);
  const double n = static_cast<double>(o.rows);
  for (std::int64_t c = 0; c < o.channels; ++c) {
    double sum = 0, squares = 0;
    for (std::int64_t i = c; i < o.rows * o.channels; i += o.channels) sum += o.x[i];
    const double mean = sum / n;
    for (std::int64_t i = c; i < o.rows * o.channels; i += o.channels) squares += (o.x[i] - mean) * (o.x[i] - mean);
    const double variance = squares / n, rstd = 1.0 / std::sqrt(variance + p.epsilon);
    const auto near = static_cast<float>(mean);
    const float gain = batch_norm_gain_of(static_cast<float>(rstd), o.gamma, c);
    const float shift = batch_norm_shift_of(near, mean, gain, o.beta, c);
    args.out[1].as<float>()[c] = near;
    args.out[2].as<float>()[c] = static_cast<float>(variance);
    args.out[3].as<float>()[c] = static_cast<float>(rstd);
    args.out[4].as<float>()[c] = shift;
    for (std::int64_t i = c; i < o.rows * o.channels; i += o.channels) {
      float y = std::fma(o.x[i] - near, gain, shift);
      if (o.residual) y += o.residual[i];
      args.out[0].as<float>()[i] = activate(p.epilogue.activation, y, p.epilogue.alpha);
    }
  }
}

void batch_norm_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormGradientParams>();
  const BatchNormGradientOperands<float> o(args);
  const double n = static_cast<double>(o.rows);
  const auto slope = [&](std::int64_t i) {
    float y = o.y ? o.y[i] : 1.0f;
    if (p.from_x && p.activation != Activation::Linear) {
      const std::int64_t c = i % o.channels;
      y = std::fma(o.x[i] - o.mean[c], batch_norm_gain_of(o.rstd[c], o.gamma, c), o.shift[c]);
    }
    if (p.activation == Activation::Relu6 && y >= 6) return 0.0f;
    return y <= 0 ? p.alpha : 1.0f;  // 0 but for leaky_relu
  };
  const auto dz = [&](std::int64_t i) { return slope(i) == 0 ? 0.0 : static_cast<double>(o.dy[i]) * slope(i); };
  for (std::int64_t c = 0; c < o.channels; ++c) {
    const std::int64_t end = o.rows * o.channels;
    double mean = o.mean[c];
    if (p.training) {
      double rest = 0;
      for (std::int64_t i = c; i < end; i += o.channels) rest += o.x[i] - mean;
      mean += rest / n;
    }
    double dbeta = 0, dgamma = 0;
    for (std::int64_t i = c; i < end; i += o.channels) {
      dbeta += dz(i);
      dgamma += dz(i) * (o.x[i] - mean) * o.rstd[c];
    }
    args.out[1].as<float>()[c] = static_cast<float>(dgamma);
    args.out[2].as<float>()[c] = static_cast<float>(dbeta);
    const double gain = (o.gamma ? o.gamma[c] : 1.0) * static_cast<double>(o.rstd[c]);
    for (std::int64_t i = c; i < end; i += o.channels) {
      double dx = dz(i);
      if (p.training) dx -= (dbeta + (o.x[i] - mean) * o.rstd[c] * dgamma) / n;
      args.out[0].as<float>()[i] = static_cast<float>(gain * dx);
    }
  }
}

}  // namespace fastcnn::ref
