// Computes   max / average / adaptive average pooling (the contract: pool2d.h).
// Layout     NHWC in and out; a vector holds neighbouring channels of one pixel. Maxima of numbers stored in bfloat16
//            are those of integers in the same order, twice as many a register.
// Tile       kUnroll = 4 registers of channels of one output pixel, kept over the whole window: 4 accumulators
//            + 1 load (+ 1 mask); the rest is free.
// Why        every input is used at most window/stride^2 times and each use is one load, so the kernel is bound by
//            L2/L3 reads; four independent accumulators hide the latency of max and add, and more buy nothing.
// Needs      nothing: the channel tail is a masked load.
// Accuracy   max is exact; averages add the window in the contract's order and divide once: the reference's bits.
#include "ops/pool2d/call_in.inl"
#include "ops/pool2d/pool2d.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

struct Max {
  using Value = F32;
  static FC_INLINE F32 start() { return set(-__builtin_inff()); }
  static FC_INLINE F32 step(F32 acc, F32 x) { return max_nan(acc, x); }
  static FC_INLINE F32 finish(F32 acc, float) { return acc; }
};

// Of numbers stored in bfloat16, which need not be widened.
struct MaxOfStored {
  using Value = Bf16Order;
  static FC_INLINE Bf16Order start() { return lowest_order(); }
  static FC_INLINE Bf16Order step(Bf16Order acc, Bf16Order x) { return max(acc, x); }
  static FC_INLINE Bf16s finish(Bf16Order acc, float) { return number(acc); }
};

struct Average {
  using Value = F32;
  static FC_INLINE F32 start() { return zero(); }
  static FC_INLINE F32 step(F32 acc, F32 x) { return acc + x; }
  static FC_INLINE F32 finish(F32 acc, float counted) { return acc / set(counted); }
};

// A register of channels, all or the first of them.
template <class Value, bool tail, class Item>
FC_INLINE Value load_channels(const Item* pixel, std::int64_t channels) {
  if constexpr (Value::width > F32::width)
    return order(load_bf16s(pixel));
  else
    return tail ? load(pixel, channels) : load(pixel);
}

constexpr int kUnroll = 4;

// One output pixel, channels [0, min(channels, registers * their width)). `x` is the picture's first pixel.
template <class Reduce, int registers, bool tail, class Item>
FC_INLINE void pool_block(const Item* x, std::int64_t row_pitch, std::int64_t pitch, PoolSpan h, PoolSpan w,
                          float counted, std::int64_t channels, Item* y) {
  using Value = typename Reduce::Value;
  Value acc[registers];
  for (int r = 0; r < registers; ++r) acc[r] = Reduce::start();
  for (std::int64_t a = 0; a < h.count; ++a) {
    const Item* pixel = x + (h.first + a * h.step) * row_pitch + w.first * pitch;
    for (std::int64_t b = 0; b < w.count; ++b, pixel += w.step * pitch)
      for (int r = 0; r < registers; ++r)
        acc[r] = Reduce::step(acc[r], load_channels<Value, tail>(pixel + r * Value::width, channels));
  }
  for (int r = 0; r < registers; ++r) {
    const auto result = Reduce::finish(acc[r], counted);
    if constexpr (tail)
      store(y, result, channels);
    else
      store(y + r * Value::width, result);
  }
}

// `Wide`: how as many channels as it can take are reduced.
template <class Reduce, class Wide = Reduce, class Item = float, class SpanH, class RunW>
FC_INLINE void pool(const KernelArgs& args, const SpanH& span_h, const RunW& run_w) {
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const Item* in = args.in[0].as<Item>();
  Item* out = args.out[0].as<Item>();
  const std::int64_t channels = x[3], pitch = args.in[0].pixel_pitch(), out_pitch = args.out[0].pixel_pitch();
  const std::int64_t row_pitch = x[2] * pitch, picture = x[1] * row_pitch;

  const std::int64_t ahead = pixels_ahead<Item>(pitch);

  // A task is some whole output rows, enough to be worth handing to a thread.
  constexpr std::int64_t kTaskOutputs = 8192;
  const std::int64_t grain = max_i64(1, kTaskOutputs / max_i64(1, y[2] * channels));
  parallel_ranges(y[0] * y[1], grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      const PoolSpan h = span_h(row % y[1]);
      const Item* image = in + row / y[1] * picture;
      Item* pixel = out + row * y[2] * out_pitch;
      for (std::int64_t j = 0; j < y[2];) {
        const PoolRun run = run_w(j);
        const std::int64_t end = min_i64(y[2], j + run.outputs);
        // An empty window sums to 0, and 0 / 1 is the 0 that the contract asks for.
        const float counted = static_cast<float>(max_i64(1, h.counted * run.span.counted));
        for (PoolSpan w = run.span; j < end; ++j, w.first += run.shift, pixel += out_pitch) {
          call_in<0>(image + (w.first + ahead) * pitch, row_pitch, pitch, h, run.shift, channels);
          std::int64_t c = 0;
          const auto blocks = [&]<class R, int registers>() {
            constexpr std::int64_t kChannels = registers * R::Value::width;
            for (; c + kChannels <= channels; c += kChannels)
              pool_block<R, registers, false>(image + c, row_pitch, pitch, h, w, counted, 0, pixel + c);
          };
          blocks.template operator()<Wide, kUnroll>();
          blocks.template operator()<Wide, 2>();
          blocks.template operator()<Wide, 1>();
          if constexpr (Wide::Value::width > F32::width) blocks.template operator()<Reduce, 1>();
          if (c < channels)
            pool_block<Reduce, 1, true>(image + c, row_pitch, pitch, h, w, counted, channels - c, pixel + c);
        }
      }
    }
  });
}

// Where the maximum of one output pixel is, for the first `channels` (at most a register) of it. Which pixel of the
// window a lane found is counted in floats.
template <bool tail>
FC_INLINE void indices_block(const float* x, const Shape& shape, PoolSpan h, PoolSpan w, std::int64_t channels,
                             std::int64_t* y) {
  F32 most = zero(), which = zero();
  float tap = 0.0f;
  for (std::int64_t a = 0; a < h.count; ++a)
    for (std::int64_t b = 0; b < w.count; ++b, tap += 1.0f) {
      const float* pixel = x + ((h.first + a * h.step) * shape[2] + w.first + b * w.step) * shape[3];
      const F32 value = tail ? load(pixel, channels) : load(pixel);
      if (tap == 0.0f) {
        most = value;
        continue;
      }
      const Mask better = (most < value) | is_nan(value), done = is_nan(most);
      which = select(done, which, select(better, set(tap), which));
      most = select(done, most, select(better, value, most));
    }
  float taps[F32::width];
  store(taps, which);
  const bool any = h.count * w.count > 0;
  for (std::int64_t c = 0; c < (tail ? channels : F32::width); ++c) {
    const std::int64_t found = static_cast<std::int64_t>(taps[c]), rows = any ? found / w.count : 0;
    y[c] = any ? (h.first + rows * h.step) * shape[2] + w.first + (found - rows * w.count) * w.step : -1;
  }
}

}  // namespace

void max_pool2d_indices(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const std::int64_t channels = x[3];
  parallel_ranges(y[0] * y[1], 1, [&](std::int64_t row, std::int64_t) {
    const PoolSpan h = window_span(p.window.h, false, row % y[1], x[1]);
    const float* picture = args.in[0].as<float>() + row / y[1] * x[1] * x[2] * channels;
    for (std::int64_t j = 0; j < y[2]; ++j) {
      const PoolSpan w = window_span(p.window.w, false, j, x[2]);
      std::int64_t* out = args.out[0].as<std::int64_t>() + (row * y[2] + j) * channels;
      std::int64_t c = 0;
      for (; c + F32::width <= channels; c += F32::width) indices_block<false>(picture + c, x, h, w, 0, out + c);
      if (c < channels) indices_block<true>(picture + c, x, h, w, channels - c, out + c);
    }
  });
}

void max_pool2d(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape& x = args.in[0].shape();
  const auto span_h = [&](std::int64_t i) { return window_span(p.window.h, false, i, x[1]); };
  const auto run_w = [&](std::int64_t j) { return window_run(p.window.w, false, j, x[2]); };
  if (args.in[0].type.dtype == DType::BF16)
    pool<Max, MaxOfStored, Bf16>(args, span_h, run_w);
  else
    pool<Max>(args, span_h, run_w);
}

void avg_pool2d(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape& x = args.in[0].shape();
  pool<Average>(
      args, [&](std::int64_t i) { return window_span(p.window.h, p.count_include_pad, i, x[1]); },
      [&](std::int64_t j) { return window_run(p.window.w, p.count_include_pad, j, x[2]); });
}

void adaptive_avg_pool2d(const KernelArgs& args) {
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  pool<Average>(
      args, [&](std::int64_t i) { return adaptive_span(i, x[1], y[1]); },
      [&](std::int64_t j) { return PoolRun{adaptive_span(j, x[2], y[2]), 1, 1}; });
}

}  // namespace fastcnn::FC_SIMD
