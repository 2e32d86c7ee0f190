// Computes   lrn_gradient (the contract: norm.h).
// Layout     channels last; a register holds neighbouring channels of one pixel. What is summed over a window passes
//            through rows with zeros where there is no channel.
// Tile       one register.
// Why        two windowed sums a pixel over rows in the first-level cache; the power dominates.
// Needs      two rows of scratch for each thread.
// Accuracy   sums of `size` terms, then a few roundings; the power as lrn's.
#include "ops/norm/lrn_power.inl"
#include "ops/norm/norm.h"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

template <bool three_quarters>
FC_INLINE void lrn_gradient_pixel(const float* x, const float* dy, float* dx, std::int64_t channels, const LrnParams& p,
                                  float* squares, float* products) {
  const F32 gain = set(p.alpha / static_cast<float>(p.size)), bias = set(p.bias), beta = set(p.beta);
  const F32 twice = set(-2.0f * p.beta) * gain;
  const std::int64_t half = p.size / 2;
  const auto around = [&](const float* padded, std::int64_t c, auto lanes) {
    F32 sum = zero();
    for (std::int64_t k = 0; k < p.size; ++k) sum = sum + load(padded + c + k, lanes);
    return sum;
  };
  each_register(channels, [&](std::int64_t c, auto lanes) {
    const F32 v = load(x + c, lanes);
    store(squares + half + c, v * v, lanes);
  });
  each_register(channels, [&](std::int64_t c, auto lanes) {
    const F32 base = fma(gain, around(squares, c, lanes), bias);
    const F32 own = load(dy + c, lanes) * negative_power<three_quarters>(base, beta);
    store(products + half + c, own * load(x + c, lanes) / base, lanes);
    store(dx + c, own, lanes);
  });
  each_register(channels, [&](std::int64_t c, auto lanes) {
    store(dx + c, fma(twice * load(x + c, lanes), around(products, c, lanes), load(dx + c, lanes)), lanes);
  });
}

template <bool three_quarters>
FC_INLINE void lrn_gradient_pixels(const KernelArgs& args, const LrnParams& p) {
  const Shape& shape = args.in[0].shape();
  const std::int64_t channels = shape.back(), pixels = shape.product(0, shape.rank - 1);
  const float *x = args.in[0].as<float>(), *dy = args.in[1].as<float>();
  float* dx = args.out[0].as<float>();
  constexpr std::int64_t kTask = 16384;
  const std::int64_t grain = max_i64(1, kTask / max_i64(1, channels)), padded = channels + 2 * (p.size / 2);
  parallel_for(ceil_div(pixels, grain), 2 * padded * static_cast<std::int64_t>(sizeof(float)),
               [&](std::int64_t task, void* scratch) {
                 float *squares = static_cast<float*>(scratch), *products = squares + padded;
                 for (std::int64_t i = 0; i < 2 * padded; ++i) squares[i] = 0.0f;
                 const std::int64_t end = min_i64(pixels, (task + 1) * grain);
                 for (std::int64_t i = task * grain; i < end; ++i)
                   lrn_gradient_pixel<three_quarters>(x + i * channels, dy + i * channels, dx + i * channels, channels,
                                                      p, squares, products);
               });
}

}  // namespace

void lrn_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<LrnParams>();
  p.beta == 0.75f ? lrn_gradient_pixels<true>(args, p) : lrn_gradient_pixels<false>(args, p);
}

}  // namespace fastcnn::FC_SIMD
