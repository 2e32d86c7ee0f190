// Computes   the gradients of depthwise convolution (the contract: depthwise_gradients.h).
// Layout     NHWC, filters (kh, kw, C): a vector holds neighbouring channels of one pixel or tap.
// Tile       weights: the taps of a row of the window over up to 8 neighbouring pixels of dy; 3 or 5 accumulators, else
//            one tap at a time. Picture: a pixel of dx, the taps that reach it.
// Why        both read and write each picture once and compute little: memory decides. So pixels come in the order in
//            which they lie, all their channels (up to 256) before the next; the sums of the taps wait in L1 between.
// Needs      weights: as workspace the sums of each chunk of rows, and, with several filters a channel, x repeated to
//            the channels of dy. Picture: one filter a channel.
// Accuracy   weights: a chain of fused multiply-adds over the pixels of a chunk, chunks added up two by two. Picture: a
//            chain of at most kh kw terms.
#include "gemm/outer_tile.h"
#include "ops/depthwise_conv2d/depthwise_gradients.h"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

// ---- filters --------------------------------------------------------------------------------

constexpr std::int64_t kGroup = 8;           // pixels whose products are summed up in registers
constexpr std::int64_t kPartChannels = 256;  // of a task
constexpr std::int64_t kChunkPixels = 4096;  // of a task, about
constexpr std::int64_t kMostChunks = 64;

struct WeightTasks {
  std::int64_t rows, chunks, parts;  // of dy in all pictures; chunks of rows; parts of the channels

  FC_INLINE explicit WeightTasks(const Shape& y)
      : rows(y[0] * y[1]), chunks(1), parts(max_i64(1, ceil_div(y[3], kPartChannels))) {
    chunks = max_i64(1, min_i64(min_i64(kMostChunks, rows), ceil_div(rows * y[2], kChunkPixels)));
  }
};

// What one call shares, pitches in floats.
template <class Item>
struct WeightLayer {
  const Item *x, *dy;
  std::int64_t in_h, in_w, out_h, out_w, channels;
  Window2d window;
};

// sums[b * pitch] += x[b * dilation] dy over `count` pixels, for `taps` taps of a row, one vector of channels.
template <int taps, class Item, class Lanes>
FC_INLINE void add_products(const Item* x, std::int64_t x_step, std::int64_t tap_step, const Item* dy,
                            std::int64_t channels, std::int64_t count, float* sums, Lanes lanes) {
  F32 acc[taps];
#pragma GCC unroll 8
  for (int b = 0; b < taps; ++b) acc[b] = load(sums + b * channels, lanes);
  for (std::int64_t j = 0; j < count; ++j, x += x_step, dy += channels) {
    const F32 d = load(dy, lanes);
#pragma GCC unroll 8
    for (int b = 0; b < taps; ++b) acc[b] = fma(load(x + b * tap_step, lanes), d, acc[b]);
  }
#pragma GCC unroll 8
  for (int b = 0; b < taps; ++b) store(sums + b * channels, acc[b], lanes);
}

// The same for all vectors of a part of the channels; sums are as far apart as pixels are.
template <int taps, class Item>
void add_row(const WeightLayer<Item>& l, const Item* x, const Item* dy, std::int64_t count, float* sums,
             std::int64_t part) {
  const std::int64_t x_step = l.window.w.stride * l.channels, tap_step = l.window.w.dilation * l.channels;
  const std::int64_t channels = l.channels;
  each_register(part, [&](std::int64_t c, auto lanes) {
    add_products<taps>(x + c, x_step, tap_step, dy + c, channels, count, sums + c, lanes);
  });
}

// Pixels [j, end) of a row of dy, which every tap of the window's row finds inside the picture.
template <class Item>
FC_INLINE void add_inside(const WeightLayer<Item>& l, const Item* x_row, const Item* dy, std::int64_t j,
                          std::int64_t end, float* sums, std::int64_t part) {
  const WindowAxis& w = l.window.w;
  const Item* x = x_row + w.start(j) * l.channels;
  const std::int64_t tap = w.dilation * l.channels;
  if (w.size == 3) return add_row<3>(l, x, dy, end - j, sums, part);
  if (w.size == 5) return add_row<5>(l, x, dy, end - j, sums, part);
  for (std::int64_t b = 0; b < w.size; ++b) add_row<1>(l, x + b * tap, dy, end - j, sums + b * l.channels, part);
}

// Rows [first, last) of dy, `part` channels from `c` on, into sums (kh, kw, channels).
template <class Item>
void add_rows(const WeightLayer<Item>& l, std::int64_t first, std::int64_t last, std::int64_t c, std::int64_t part,
              float* sums) {
  const auto& [h, w] = l.window;
  // Pixels of dy that all taps of a row find inside.
  const std::int64_t begin = min_i64(l.out_w, w.before > 0 ? ceil_div(w.before, w.stride) : 0);
  const std::int64_t room = l.in_w - w.extent() + w.before;
  const std::int64_t end = max_i64(begin, room < 0 ? 0 : min_i64(l.out_w, room / w.stride + 1));
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t n = row / l.out_h, i = row % l.out_h;
    const Item* dy = l.dy + row * l.out_w * l.channels + c;
    const std::int64_t top = h.first_tap(i), bottom = h.last_tap(i, l.in_h);
    const auto x_row = [&](std::int64_t a) {
      return l.x + (n * l.in_h + h.start(i) + a * h.dilation) * l.in_w * l.channels + c;
    };
    const auto add_outside = [&](std::int64_t j) {
      for (std::int64_t a = top; a < bottom; ++a)
        for (std::int64_t b = w.first_tap(j); b < w.last_tap(j, l.in_w); ++b)
          add_row<1>(l, x_row(a) + (w.start(j) + b * w.dilation) * l.channels, dy + j * l.channels, 1,
                     sums + (a * w.size + b) * l.channels, part);
    };
    for (std::int64_t j = 0; j < begin; ++j) add_outside(j);
    for (std::int64_t j = begin; j < end; j += kGroup)
      for (std::int64_t a = top; a < bottom; ++a)
        add_inside(l, x_row(a), dy + j * l.channels, j, min_i64(end, j + kGroup), sums + a * w.size * l.channels, part);
    for (std::int64_t j = end; j < l.out_w; ++j) add_outside(j);
  }
}

FC_INLINE std::int64_t repeated_floats(const Shape& x, std::int64_t multiplier) {
  return multiplier > 1 ? round_up(x.size() * multiplier, 16) : 0;
}

// ---- the picture ----------------------------------------------------------------------------

// dx = the sum of `count` products of dy and taps, all channels of a pixel.
template <class Item>
struct Term {
  const Item* dy;
  const float* w;
};
template <int count, class Item>
FC_INLINE void sum_terms(const Term<Item>* terms, Item* dx, std::int64_t channels) {
  each_register(channels, [&](std::int64_t c, auto lanes) {
    F32 sum = load(terms[0].dy + c, lanes) * load(terms[0].w + c, lanes);
#pragma GCC unroll 4
    for (int t = 1; t < count; ++t) sum = fma(load(terms[t].dy + c, lanes), load(terms[t].w + c, lanes), sum);
    store(dx + c, sum, lanes);
  });
}
template <class Item>
FC_INLINE void sum_terms(const Term<Item>* terms, std::int64_t count, Item* dx, std::int64_t channels) {
  if (count == 1) return sum_terms<1>(terms, dx, channels);
  if (count == 2) return sum_terms<2>(terms, dx, channels);
  if (count == 4) return sum_terms<4>(terms, dx, channels);
  each_register(channels, [&](std::int64_t c, auto lanes) {
    F32 sum = zero();
    for (std::int64_t t = 0; t < count; ++t) sum = fma(load(terms[t].dy + c, lanes), load(terms[t].w + c, lanes), sum);
    store(dx + c, sum, lanes);
  });
}

// Calls body(tap, output) for the taps by which pixel p of an axis is reached, upwards.
template <class Body>
FC_INLINE void each_reaching(const WindowAxis& axis, std::int64_t p, std::int64_t outputs, const Body& body) {
  for (std::int64_t a = 0; a < axis.size; ++a) {
    const std::int64_t o = p + axis.before - a * axis.dilation;
    if (o >= 0 && o % axis.stride == 0 && o / axis.stride < outputs) body(a, o / axis.stride);
  }
}

template <class Item>
FC_INLINE void sum_chunks(const KernelArgs& args, const WeightLayer<Item>& l, float* all_sums) {
  const Shape &y = args.in[1].shape(), &w = args.out[0].shape();
  const WeightTasks tasks(y);
  const std::int64_t size = w.size(), taps = w[0] * w[1];
  parallel_for(tasks.chunks * tasks.parts, [&](std::int64_t task) {
    const std::int64_t chunk = task / tasks.parts, c = task % tasks.parts * kPartChannels;
    const std::int64_t part = min_i64(kPartChannels, l.channels - c);
    float* sums = all_sums + chunk * size + c;
    for (std::int64_t tap = 0; tap < taps; ++tap)
      each_register(part, [&](std::int64_t k, auto lanes) { store(sums + tap * l.channels + k, zero(), lanes); });
    add_rows(l, chunk * tasks.rows / tasks.chunks, (chunk + 1) * tasks.rows / tasks.chunks, c, part, sums);
  });
  parallel_ranges(size, 1024, [&](std::int64_t begin, std::int64_t end) {
    gemm::FC_SIMD::outer_engine.sum(all_sums + begin, size, tasks.chunks, args.out[0].as<float>() + begin, end - begin);
  });
}

template <class Item>
FC_INLINE void data_gradient(const KernelArgs& args) {
  const auto& [h, w] = args.problem.as<DepthwiseGradientParams>().window;
  const Shape &y = args.in[0].shape(), &x = args.out[0].shape();
  const Item* dy = args.in[0].as<Item>();
  const float* kernel = args.in[1].as<float>();
  Item* const dx = args.out[0].as<Item>();
  const std::int64_t channels = x[3], bytes = h.size * w.size * static_cast<std::int64_t>(sizeof(Term<Item>));
  if (x.size() == 0) return;
  parallel_for(x[0] * x[1], bytes, [&](std::int64_t row, void* scratch) {
    auto* const terms = static_cast<Term<Item>*>(scratch);
    const std::int64_t n = row / x[1];
    for (std::int64_t q = 0; q < x[2]; ++q) {
      std::int64_t count = 0;
      each_reaching(h, row % x[1], y[1], [&](std::int64_t a, std::int64_t i) {
        each_reaching(w, q, y[2], [&](std::int64_t b, std::int64_t j) {
          terms[count++] = {dy + ((n * y[1] + i) * y[2] + j) * channels, kernel + (a * w.size + b) * channels};
        });
      });
      sum_terms(terms, count, dx + (row * x[2] + q) * channels, channels);
    }
  });
}

}  // namespace

std::int64_t depthwise_conv2d_weight_gradient_workspace(const Problem& problem) {
  const Shape &x = problem.inputs[0].shape, &y = problem.inputs[1].shape, &w = problem.outputs[0].shape;
  return (repeated_floats(x, w[3]) + WeightTasks(y).chunks * w.size()) * 4;
}

void depthwise_conv2d_weight_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<DepthwiseGradientParams>();
  const Shape &x = args.in[0].shape(), &y = args.in[1].shape(), &w = args.out[0].shape();
  auto* const repeated = static_cast<float*>(args.workspace);
  float* const sums = repeated + repeated_floats(x, w[3]);
  if (args.in[0].type.dtype == DType::BF16)
    return sum_chunks<Bf16>(
        args, {args.in[0].as<Bf16>(), args.in[1].as<Bf16>(), x[1], x[2], y[1], y[2], y[3], p.window}, sums);
  const float* from = args.in[0].as<float>();
  const std::int64_t multiplier = w[3];
  if (multiplier > 1)
    parallel_ranges(x.size(), 16384, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t k = begin; k < end; ++k)
        for (std::int64_t m = 0; m < multiplier; ++m) repeated[k * multiplier + m] = from[k];
    });
  sum_chunks<float>(
      args, {multiplier > 1 ? repeated : from, args.in[1].as<float>(), x[1], x[2], y[1], y[2], y[3], p.window}, sums);
}

void depthwise_conv2d_data_gradient(const KernelArgs& args) {
  with_storage(args.in[0].type.dtype, [&](auto item) { data_gradient<decltype(item)>(args); });
}

}  // namespace fastcnn::FC_SIMD
