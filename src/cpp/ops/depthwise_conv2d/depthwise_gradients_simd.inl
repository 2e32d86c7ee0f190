// Computes   the gradients of depthwise convolution (the contract: depthwise_gradients.h).
// Layout     NHWC, filters (kh, kw, C): a vector holds neighbouring channels of one pixel or tap.
// Tile       weights: up to 8 neighbouring pixels of dy with the taps of a row of the window, 3 or 5 accumulators, else
//            one tap at a time; where the window is 3 x 3 and 32 registers are there, with all of its taps, 9
//            accumulators + 9 pixels + 1 of dy = 19. Picture: a pixel of dx, the taps that reach it.
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

// A run of pixels of a row of dy for windows of 3 columns: whether its first pixel's first tap lies left of the
// picture, and its last pixel's last tap right of it.
struct Run {
  std::int64_t count;
  bool left, right;
};

// sums[a, b] += x[i stride + a, j stride + b] dy[j] over a run, one vector of channels: the taps of all rows of the
// window that lie in the picture. Neighbouring windows share their columns in registers.
template <int rows, int stride, class Item, class Lanes>
FC_INLINE void add_window(const Item* x, std::int64_t x_line, const Item* dy, std::int64_t channels, const Run& run,
                          float* sums, Lanes lanes) {
  constexpr int kTaps = 3, kShared = kTaps - stride;
  F32 acc[rows][kTaps], pixel[rows][kTaps];
#pragma GCC unroll 3
  for (int a = 0; a < rows; ++a) {
#pragma GCC unroll 3
    for (int b = 0; b < kTaps; ++b) acc[a][b] = load(sums + (a * kTaps + b) * channels, lanes);
#pragma GCC unroll 2
    for (int b = 0; b < kShared; ++b)
      pixel[a][b] = b == 0 && run.left ? zero() : load(x + a * x_line + b * channels, lanes);
  }
  for (std::int64_t j = 0; j < run.count; ++j, x += stride * channels, dy += channels) {
    const bool skip_left = run.left && j == 0, skip_right = run.right && j + 1 == run.count;
    const F32 d = load(dy, lanes);
#pragma GCC unroll 3
    for (int a = 0; a < rows; ++a) {
#pragma GCC unroll 3
      for (int b = 0; b < kTaps; ++b) {
        if ((b == 0 && skip_left) || (b == kTaps - 1 && skip_right)) continue;
        if (b >= kShared) pixel[a][b] = load(x + a * x_line + b * channels, lanes);
        acc[a][b] = fma(pixel[a][b], d, acc[a][b]);
      }
#pragma GCC unroll 2
      for (int b = 0; b < kShared; ++b) pixel[a][b] = pixel[a][b + stride];
    }
  }
#pragma GCC unroll 3
  for (int a = 0; a < rows; ++a)
#pragma GCC unroll 3
    for (int b = 0; b < kTaps; ++b) store(sums + (a * kTaps + b) * channels, acc[a][b], lanes);
}

// The same for all vectors of a part of the channels. What the run after this one reads first is called in: pieces of
// pixels are too short for the hardware to foresee.
template <int rows, int stride, class Item>
void add_windows(const Item* x, std::int64_t x_line, const Item* dy, std::int64_t channels, const Run& run, float* sums,
                 std::int64_t part) {
  constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(Item));
  each_register(part, [&](std::int64_t c, auto lanes) {
    if (c % kLine == 0) {
      const Item *next = x + run.count * stride * channels + c, *next_dy = dy + run.count * channels + c;
      for (std::int64_t k = 0; k < run.count; ++k) __builtin_prefetch(next_dy + k * channels);
      for (int a = rows > stride ? rows - stride : 0; a < rows; ++a)
        for (std::int64_t k = 0; k < run.count * stride; ++k) __builtin_prefetch(next + a * x_line + k * channels);
    }
    add_window<rows, stride>(x + c, x_line, dy + c, channels, run, sums + c, lanes);
  });
}

// A row of dy where windows are 3 x 3 and reach at most one column beyond the picture; x is their first row, `rows` of
// which lie in the picture.
template <int stride, class Item>
FC_INLINE void add_window_row(const WeightLayer<Item>& l, const Item* x, std::int64_t rows, const Item* dy, float* sums,
                              std::int64_t part) {
  const WindowAxis& w = l.window.w;
  const std::int64_t x_line = l.in_w * l.channels, groups = ceil_div(l.out_w, kGroup);
  for (std::int64_t g = 0; g < groups; ++g) {
    const std::int64_t j = g * l.out_w / groups, end = (g + 1) * l.out_w / groups;
    const Run run{end - j, w.start(j) < 0, w.start(end - 1) + w.size > l.in_w};
    const Item *first = x + w.start(j) * l.channels, *of_dy = dy + j * l.channels;
    if (rows == 3) add_windows<3, stride>(first, x_line, of_dy, l.channels, run, sums, part);
    if (rows == 2) add_windows<2, stride>(first, x_line, of_dy, l.channels, run, sums, part);
    if (rows == 1) add_windows<1, stride>(first, x_line, of_dy, l.channels, run, sums, part);
  }
}

template <class Item>
FC_INLINE bool fits_windows(const WeightLayer<Item>& l) {
  const auto& [h, w] = l.window;
  const std::int64_t right = w.start(l.out_w - 1) + w.size - l.in_w;
  return F32::registers > 16 && h.size == 3 && w.size == 3 && h.dilation == 1 && w.dilation == 1 &&
         (w.stride == 1 || w.stride == 2) && w.before >= 0 && w.before <= 1 && right <= 1 && l.in_w > 1;
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
  const bool windows = fits_windows(l);
  for (std::int64_t row = first; row < last; ++row) {
    const std::int64_t n = row / l.out_h, i = row % l.out_h;
    const Item* dy = l.dy + row * l.out_w * l.channels + c;
    const std::int64_t top = h.first_tap(i), bottom = h.last_tap(i, l.in_h);
    const auto x_row = [&](std::int64_t a) {
      return l.x + (n * l.in_h + h.start(i) + a * h.dilation) * l.in_w * l.channels + c;
    };
    if (windows) {
      float* const from = sums + top * w.size * l.channels;
      w.stride == 1 ? add_window_row<1>(l, x_row(top), bottom - top, dy, from, part)
                    : add_window_row<2>(l, x_row(top), bottom - top, dy, from, part);
      continue;
    }
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
