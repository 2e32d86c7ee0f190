// Computes   depthwise convolution with bias, residual and activation (the contract: depthwise_conv2d.h).
// Layout     NHWC in and out, filters (kh, kw, C): a vector holds neighbouring channels of one pixel or tap.
// Tile       tiled: 2 rows x `cols` output pixels of one vector of channels; 7 columns where pixels, accumulators and
//            a tap fit 32 registers (3x3, stride 1: 9 + 14 + 1 = 24), else 4 (with 16 registers some spill). Each input
//            row's pixels are loaded once a tile; pixels off the picture are zero registers.
//            taps: 1 x 8 or 1 x 4 pixels (a border pixel alone, over the taps that fall inside) for any window.
// Why        a tap used once a pixel would cost one load an FMA; sharing pixels among the taps and among two rows of
//            outputs leaves 0.4, and eight and more accumulators cover the FMA's latency. A task is at most 128
//            channels: tiles go down a strip of columns, so that the rows two tiles share are still in L1.
//            7 divides the widths of the networks that live on this op (7, 14, 28, 56, 112).
// Needs      nothing: channel tails are masked. Several filters a channel: x repeated to the result's channels.
// Accuracy   one FMA chain of kh kw terms from the bias, taps in the contract's order.
#include "ops/depthwise_conv2d/depthwise_conv2d.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

// What all tiles of one call share; pictures are stored as Item: float or Bf16. Pitches are in elements.
template <class Item>
struct Layer {
  const Item* x;
  const float *w, *bias;
  const Item* residual;
  Item* y;
  std::int64_t channels, in_h, in_w, out_h, out_w;
  Window2d window;
  float low, high;  // relu and relu6 are these bounds; others are applied to finished rows
  bool bounded;
};

template <class Item>
inline constexpr bool kIsFloat = sizeof(Item) == sizeof(float);
template <class Item>
inline constexpr std::int64_t kLine = 64 / static_cast<std::int64_t>(sizeof(Item));  // elements

// What one task computes: rows and channels of one picture.
struct Part {
  std::int64_t image, i, i_end, c, c_end;
};

// Adds the residual, keeps the bounds and stores. Everything it reads of the layer comes in by value: a vector store
// may alias anything, and what lies behind a reference would be read again after each.
template <bool masked, int count, class Item>
FC_INLINE void finish(F32 (&acc)[count], const Item* residual, bool bounded, float low, float high, Item* y,
                      std::int64_t pitch, std::int64_t n) {
  if (residual != nullptr) {
#pragma GCC unroll 16
    for (int b = 0; b < count; ++b)
      acc[b] = acc[b] + (masked ? load(residual + b * pitch, n) : load(residual + b * pitch));
  }
  if (bounded) {
    const F32 lo = set(low), hi = set(high);
#pragma GCC unroll 16
    for (int b = 0; b < count; ++b) acc[b] = min(hi, max(lo, acc[b]));
  }
#pragma GCC unroll 16
  for (int b = 0; b < count; ++b) masked ? store(y + b * pitch, acc[b], n) : store(y + b * pitch, acc[b]);
}

// ---- windows of 3x3 and 5x5 -----------------------------------------------------------------

// Hides where a number comes from. With open pitches the compiler would form the addresses of all pixels and taps of a
// tile, some seventy, before its loop over channels and keep them on the stack.
FC_INLINE std::int64_t opaque(std::int64_t v) {
  __asm__("" : "+r"(v));
  return v;
}

enum class Edge { None, Sides, Tail };  // nothing is missing; pixels may be off the picture; also lanes beyond the end

// Outputs (i .. i+rows-1, j .. j+cols-1) of picture `image`, channels [c, end) by vectors. The pixels of the tile after
// it, whose first is `next`, are called in: pieces of pixels are too short for the hardware to foresee.
template <int size, int stride, int rows, int cols, Edge edge, class Item>
[[gnu::noinline]] void tile(const Layer<Item>& l, std::int64_t image, std::int64_t i, std::int64_t j, std::int64_t c,
                            std::int64_t end, const Item* next) {
  constexpr bool tail = edge == Edge::Tail;
  constexpr int down = (rows - 1) * stride + size, across = (cols - 1) * stride + size;
  const std::int64_t first_row = l.window.h.start(i), first_col = l.window.w.start(j), channels = l.channels;
  const std::int64_t width = l.in_w * channels, out_width = l.out_w * channels;
  const std::int64_t from = ((image * l.in_h + first_row) * l.in_w + first_col) * channels;
  const std::int64_t to = ((image * l.out_h + i) * l.out_w + j) * channels;
  const Item *const x = l.x, *const residual = l.residual;
  const float *const w = l.w, *const bias = l.bias;
  Item* const y = l.y;
  const float low = l.low, high = l.high;
  const bool bounded = l.bounded;
  std::uint32_t missing_rows = 0, missing_cols = 0;
  if (edge != Edge::None) {
    for (int a = 0; a < down; ++a) missing_rows |= (first_row + a < 0 || first_row + a >= l.in_h ? 1u : 0u) << a;
    for (int k = 0; k < across; ++k) missing_cols |= (first_col + k < 0 || first_col + k >= l.in_w ? 1u : 0u) << k;
  }

  for (; c < end; c += F32::width) {
    const std::int64_t n = tail ? end - c : 0, pitch = opaque(channels), line = opaque(width);
    const auto get = [n](const auto* p) { return tail ? load(p, n) : load(p); };
    if (c % kLine<Item> == 0)
      for (int a = 0; a < down; ++a)
#pragma GCC unroll 32
        for (int k = 0; k < across; ++k) __builtin_prefetch(next + (a * line + k * pitch + c));
    F32 acc[rows][cols];
    const F32 start = bias == nullptr ? zero() : get(bias + c);
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 16
      for (int b = 0; b < cols; ++b) acc[r][b] = start;

#pragma GCC unroll 16
    for (int a = 0; a < down; ++a) {
      if (edge != Edge::None && (missing_rows >> a & 1) != 0) continue;
      const std::int64_t offset = opaque(from + c + a * line);
      F32 pixel[across];
#pragma GCC unroll 32
      for (int k = 0; k < across; ++k) {
        if (edge != Edge::None && (missing_cols >> k & 1) != 0)
          pixel[k] = zero();
        else
          pixel[k] = get(x + (offset + k * pitch));
      }
#pragma GCC unroll 16
      for (int r = 0; r < rows; ++r) {
        if (a - r * stride < 0 || a - r * stride >= size) continue;
        const float* taps = w + opaque((a - r * stride) * size * pitch + c);
#pragma GCC unroll 16
        for (int k = 0; k < size; ++k) {
          const F32 tap = get(taps + k * pitch);
#pragma GCC unroll 16
          for (int b = 0; b < cols; ++b) acc[r][b] = fma(pixel[b * stride + k], tap, acc[r][b]);
        }
      }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; ++r) {
      const std::int64_t offset = opaque(to + c + r * out_width);
      finish<tail>(acc[r], residual == nullptr ? nullptr : residual + offset, bounded, low, high, y + offset, pitch, n);
    }
  }
}

// The output a tile starts with.
struct Place {
  std::int64_t i, j;
};

template <int size, int stride, int rows, int cols, class Item>
FC_INLINE void tile_at(const Layer<Item>& l, const Part& part, const Place& at, const Place& after) {
  const auto& [h, w] = l.window;
  const std::int64_t top = h.start(at.i), left = w.start(at.j);
  const bool inside = top >= 0 && top + (rows - 1) * stride + size <= l.in_h && left >= 0 &&
                      left + (cols - 1) * stride + size <= l.in_w;
  const std::int64_t whole = part.c + (part.c_end - part.c) / F32::width * F32::width;
  const Item* next = l.x + ((part.image * l.in_h + h.start(after.i)) * l.in_w + w.start(after.j)) * l.channels;
  if (inside)
    tile<size, stride, rows, cols, Edge::None>(l, part.image, at.i, at.j, part.c, whole, next);
  else
    tile<size, stride, rows, cols, Edge::Sides>(l, part.image, at.i, at.j, part.c, whole, next);
  if (whole < part.c_end)
    tile<size, stride, rows, cols, Edge::Tail>(l, part.image, at.i, at.j, whole, part.c_end, next);
}

// Strips of `cols` columns, down each of them two rows at a time: the rows that two tiles share are then still in L1.
// The last strip overlaps the one before it where the width is no multiple.
template <int size, int stride, int cols, class Item>
FC_INLINE void tile_strips(const Layer<Item>& l, const Part& part) {
  for (std::int64_t strip = 0; strip < l.out_w; strip += cols) {
    const std::int64_t j = min_i64(strip, l.out_w - cols);
    const Place next_strip{part.i, min_i64(j + cols, l.out_w - cols)};
    const auto after = [&](std::int64_t i) { return i < part.i_end ? Place{i, j} : next_strip; };
    std::int64_t i = part.i;
    for (; i + 2 <= part.i_end; i += 2) tile_at<size, stride, 2, cols>(l, part, {i, j}, after(i + 2));
    if (i < part.i_end) tile_at<size, stride, 1, cols>(l, part, {i, j}, next_strip);
  }
}

template <int size, int stride, class Item>
FC_INLINE void tiles(const Layer<Item>& l, const Part& part) {
  constexpr int kWide = 7, kNarrow = 4;
  constexpr bool wide_fits = 2 * kWide + (kWide - 1) * stride + size + 1 < F32::registers;
  const bool wide = wide_fits && l.out_w >= kWide && round_up(l.out_w, kWide) <= round_up(l.out_w, kNarrow);
  if (wide)
    tile_strips<size, stride, wide_fits ? kWide : kNarrow>(l, part);
  else if (l.out_w >= kNarrow)
    tile_strips<size, stride, kNarrow>(l, part);
  else
    tile_strips<size, stride, 1>(l, part);
}

// ---- any window -----------------------------------------------------------------------------

// `cols` outputs of one row over the taps [top, bottom) x [left, right), vectors of `channels` channels from c.
template <int cols, int vectors, bool tail>
FC_INLINE void taps(const Layer<float>& l, std::int64_t image, std::int64_t i, std::int64_t j, std::int64_t c,
                    std::int64_t n, std::int64_t top, std::int64_t bottom, std::int64_t left, std::int64_t right) {
  const WindowAxis &h = l.window.h, &w = l.window.w;
  const std::int64_t pitch = l.channels, step = w.stride * pitch;
  const auto get = [n](const auto* p) { return tail ? load(p, n) : load(p); };
  F32 acc[vectors][cols];
  for (int v = 0; v < vectors; ++v)
    for (int b = 0; b < cols; ++b) acc[v][b] = l.bias == nullptr ? zero() : get(l.bias + c + v * F32::width);
  for (std::int64_t a = top; a < bottom; ++a) {
    const std::int64_t row = image * l.in_h + h.start(i) + a * h.dilation;
    for (std::int64_t k = left; k < right; ++k) {
      const float* x = l.x + ((row * l.in_w + w.start(j) + k * w.dilation) * pitch + c);
      const float* tap = l.w + (a * w.size + k) * pitch + c;
      for (int v = 0; v < vectors; ++v) {
        const F32 f = get(tap + v * F32::width);
        for (int b = 0; b < cols; ++b) acc[v][b] = fma(get(x + b * step + v * F32::width), f, acc[v][b]);
      }
    }
  }
#pragma GCC unroll 4
  for (int v = 0; v < vectors; ++v) {
    const std::int64_t offset = ((image * l.out_h + i) * l.out_w + j) * pitch + c + v * F32::width;
    finish<tail>(acc[v], l.residual == nullptr ? nullptr : l.residual + offset, l.bounded, l.low, l.high, l.y + offset,
                 pitch, n);
  }
}

template <int cols, int vectors>
[[gnu::noinline]] void taps_channels(const Layer<float>& l, const Part& part, std::int64_t i, std::int64_t j,
                                     std::int64_t left, std::int64_t right) {
  const std::int64_t top = l.window.h.first_tap(i), bottom = l.window.h.last_tap(i, l.in_h);
  std::int64_t c = part.c;
  for (; c + vectors * F32::width <= part.c_end; c += vectors * F32::width)
    taps<cols, vectors, false>(l, part.image, i, j, c, 0, top, bottom, left, right);
  for (; c < part.c_end; c += F32::width)
    taps<cols, 1, true>(l, part.image, i, j, c, min_i64(F32::width, part.c_end - c), top, bottom, left, right);
}

FC_INLINE void taps_row(const Layer<float>& l, const Part& part, std::int64_t i) {
  constexpr int cols = F32::registers > 16 ? 8 : 4;
  const WindowAxis& w = l.window.w;
  for (std::int64_t j = 0; j < l.out_w;) {
    if (j + cols <= l.out_w && w.start(j) >= 0 && w.start(j + cols - 1) + w.extent() <= l.in_w) {
      taps_channels<cols, 1>(l, part, i, j, 0, w.size);
      j += cols;
    } else {
      taps_channels<1, 4>(l, part, i, j, w.first_tap(j), w.last_tap(j, l.in_w));
      ++j;
    }
  }
}

// ---- the whole op ---------------------------------------------------------------------------

template <Activation kind>
void activate_stored(float* y, std::int64_t size, float alpha) {
  std::int64_t k = 0;
  for (; k + F32::width <= size; k += F32::width) store(y + k, activate<kind>(load(y + k), alpha));
  if (k < size) store(y + k, activate<kind>(load(y + k, size - k), alpha), size - k);
}

// The activations that are not two bounds, over results that have just been stored.
void activate_stored(const Epilogue& e, float* y, std::int64_t size) {
  switch (e.activation) {
    case Activation::Linear:
    case Activation::Relu:
    case Activation::Relu6: return;
    case Activation::LeakyRelu: return activate_stored<Activation::LeakyRelu>(y, size, e.alpha);
    case Activation::Elu: return activate_stored<Activation::Elu>(y, size, e.alpha);
    case Activation::Sigmoid: return activate_stored<Activation::Sigmoid>(y, size, e.alpha);
    case Activation::HardSigmoid: return activate_stored<Activation::HardSigmoid>(y, size, e.alpha);
    case Activation::Tanh: return activate_stored<Activation::Tanh>(y, size, e.alpha);
    case Activation::Silu: return activate_stored<Activation::Silu>(y, size, e.alpha);
    case Activation::HardSwish: return activate_stored<Activation::HardSwish>(y, size, e.alpha);
  }
}

template <class Item>
FC_INLINE Layer<Item> layer_of(const KernelArgs& args) {
  const auto& p = args.problem.as<DepthwiseParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const DepthwiseOperands t = depthwise_operands(args);
  Layer<Item> l{args.in[0].as<Item>(),
                t.w,
                t.bias,
                nullptr,
                args.out[0].as<Item>(),
                y[3],
                x[1],
                x[2],
                y[1],
                y[2],
                p.window,
                0.0f,
                __builtin_inff(),
                false};
  l.bounded = p.epilogue.activation == Activation::Relu || p.epilogue.activation == Activation::Relu6;
  if (p.epilogue.activation == Activation::Relu6) l.high = 6.0f;
  if constexpr (kIsFloat<Item>) {
    l.residual = t.residual;
    const std::int64_t multiplier = args.in[1].shape()[3];
    if (multiplier > 1) {
      auto* repeated = static_cast<float*>(args.workspace);
      parallel_ranges(x.size(), 16384, [&](std::int64_t begin, std::int64_t end) {
        for (std::int64_t k = begin; k < end; ++k)
          for (std::int64_t m = 0; m < multiplier; ++m) repeated[k * multiplier + m] = t.x[k];
      });
      l.x = repeated;
    }
  }
  return l;
}

// compute(l, part) for every task. Channels are cut first, so that the rows that tiles share fit L1, then rows.
template <class Item, class Compute>
FC_INLINE void depthwise(const KernelArgs& args, const Compute& compute) {
  const Shape& y = args.out[0].shape();
  if (y.size() == 0) return;
  const Layer<Item> l = layer_of<Item>(args);
  const Epilogue& e = args.problem.as<DepthwiseParams>().epilogue;
  constexpr std::int64_t kChannelLines = 8, kTaskProducts = 64 * 1024, kTaskRows = 4;
  const std::int64_t lines = ceil_div(l.channels, kLine<Item>);
  const std::int64_t channels = ceil_div(lines, ceil_div(lines, kChannelLines)) * kLine<Item>;
  const std::int64_t cuts = ceil_div(l.channels, channels);
  const std::int64_t products = l.out_w * channels * l.window.h.size * l.window.w.size;
  const std::int64_t rows = min_i64(l.out_h, round_up(max_i64(kTaskRows, kTaskProducts / products), 2));
  const std::int64_t groups = ceil_div(l.out_h, rows);
  parallel_for(y[0] * groups * cuts, [&](std::int64_t task) {
    const std::int64_t c = task % cuts * channels, i = task / cuts % groups * rows;
    const Part part{task / cuts / groups, i, min_i64(l.out_h, i + rows), c, min_i64(l.channels, c + channels)};
    compute(l, part);
    if constexpr (!kIsFloat<Item>) return;
    for (std::int64_t r = part.i; r < part.i_end; ++r) {
      auto* row = reinterpret_cast<float*>(l.y) + (part.image * l.out_h + r) * l.out_w * l.channels;
      if (cuts == 1)
        activate_stored(e, row, l.out_w * l.channels);
      else
        for (std::int64_t j = 0; j < l.out_w; ++j) activate_stored(e, row + j * l.channels + c, part.c_end - c);
    }
  });
}

template <class Item, int size, int stride>
FC_INLINE void depthwise_tiled(const KernelArgs& args) {
  depthwise<Item>(args, [](const Layer<Item>& l, const Part& part) { tiles<size, stride>(l, part); });
}

template <class Item>
FC_INLINE void depthwise_tiled(const KernelArgs& args) {
  const WindowAxis& h = args.problem.as<DepthwiseParams>().window.h;
  if (h.size == 3 && h.stride == 1) return depthwise_tiled<Item, 3, 1>(args);
  if (h.size == 3) return depthwise_tiled<Item, 3, 2>(args);
  if (h.stride == 1) return depthwise_tiled<Item, 5, 1>(args);
  depthwise_tiled<Item, 5, 2>(args);
}

}  // namespace

void depthwise_conv2d_tiled(const KernelArgs& args) { depthwise_tiled<float>(args); }
void depthwise_conv2d_bf16_tiled(const KernelArgs& args) { depthwise_tiled<Bf16>(args); }

void depthwise_conv2d_taps(const KernelArgs& args) {
  depthwise<float>(args, [](const Layer<float>& l, const Part& part) {
    for (std::int64_t i = part.i; i < part.i_end; ++i) taps_row(l, part, i);
  });
}

}  // namespace fastcnn::FC_SIMD
