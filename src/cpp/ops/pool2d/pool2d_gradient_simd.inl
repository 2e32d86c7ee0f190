// Computes   gradients of max, average and adaptive average pooling (the contract: pool2d_gradient.h).
// Layout     NHWC; a vector holds neighbouring channels of one pixel.
// Tile       max: one register of channels of one output pixel, the rest of its dy (3 registers: y, rest, x), in
//            bfloat16 as integers in the same order where windows tile the picture. Average: one register of channels
//            of one input pixel.
// Why        max compares each pixel of a window with the maximum that the forward pass left, which finds the first one
//            in order without indices kept from there; windows that tile the picture write each pixel once, maybe over
//            x, others add into rows that were cleared just before. Average gathers: each pixel is written once. Bound
//            by memory.
// Needs      nothing: the channel tail is a masked load.
// Accuracy   max: sums of as many terms as windows overlap, in the reference's order, rounded as they are stored.
//            Average: one rounding more a term (the reciprocal of the count).
#include "ops/gather_pixels.inl"
#include "ops/pool2d/call_in.inl"
#include "ops/pool2d/pool2d_gradient.h"
#include "simd/math.inl"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

// Channels `lanes` of one output: gives dy to the first pixel of the window that holds y.
template <bool tiles, class Item, class Lanes>
FC_INLINE void give_to_maximum(const Item* x, const Item* y, const Item* dy, Item* dx, std::int64_t row_pitch,
                               std::int64_t pitch, PoolSpan h, PoolSpan w, Lanes lanes) {
  const F32 best = load(y, lanes);
  F32 rest = load(dy, lanes);
  for (std::int64_t a = 0; a < h.count; ++a) {
    std::int64_t at = (h.first + a * h.step) * row_pitch + w.first * pitch;
    for (std::int64_t b = 0; b < w.count; ++b, at += w.step * pitch) {
      const F32 v = load(x + at, lanes);
      const Mask found = (v == best) | (is_nan(v) & is_nan(best));
      const F32 share = select(found, rest, zero());
      rest = select(found, zero(), rest);
      store(dx + at, tiles ? share : load(dx + at, lanes) + share, lanes);
    }
  }
}

// The same of a register of numbers stored in bfloat16, which need not be widened, where windows tile the picture.
FC_INLINE void give_to_maximum(const Bf16* x, const Bf16* y, const Bf16* dy, Bf16* dx, std::int64_t row_pitch,
                               std::int64_t pitch, PoolSpan h, PoolSpan w) {
  const Bf16Order best = order(load_bf16s(y));
  Bf16s rest = load_bf16s(dy);
  for (std::int64_t a = 0; a < h.count; ++a) {
    std::int64_t at = (h.first + a * h.step) * row_pitch + w.first * pitch;
    for (std::int64_t b = 0; b < w.count; ++b, at += w.step * pitch) {
      const Bf16Mask found = alike(order(load_bf16s(x + at)), best);
      store(dx + at, keep(found, rest));
      rest = drop(found, rest);
    }
  }
}

template <bool tiles, class Item>
FC_INLINE void max_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape &s = args.in[0].shape(), &t = args.in[1].shape();
  const Item *x = args.in[0].as<Item>(), *y = args.in[1].as<Item>(), *dy = args.in[2].as<Item>();
  Item* dx = args.out[0].as<Item>();
  const std::int64_t channels = s[3], row_pitch = s[2] * channels, ahead = pixels_ahead<Item>(channels);
  // Windows overlap, so a task has a whole picture; of few pictures, some of its channels.
  constexpr std::int64_t kPictures = 8, kLine = 64;
  const std::int64_t parts = max_i64(1, min_i64(ceil_div(channels, kLine), kPictures / max_i64(1, s[0])));
  const std::int64_t width = round_up(ceil_div(channels, parts), F32::width);
  parallel_for(s[0] * parts, [&](std::int64_t task) {
    const std::int64_t n = task / parts, begin = task % parts * width;
    const std::int64_t count = min_i64(channels - begin, width);
    if (count <= 0) return;
    const std::int64_t from = n * s[1] * row_pitch + begin;
    std::int64_t cleared = 0;  // rows
    const auto clear_rows = [&](std::int64_t end) {
      for (; cleared < end; ++cleared)
        for (std::int64_t q = 0; q < s[2]; ++q)
          each_register(count, [&](std::int64_t c, auto lanes) {
            store(dx + from + cleared * row_pitch + q * channels + c, zero(), lanes);
          });
    };
    for (std::int64_t i = 0; i < t[1]; ++i) {
      const PoolSpan h = window_span(p.window.h, false, i, s[1]);
      if (!tiles && h.count > 0) clear_rows(h.first + (h.count - 1) * h.step + 1);
      for (std::int64_t j = 0; j < t[2]; ++j) {
        const PoolSpan w = window_span(p.window.w, false, j, s[2]);
        const std::int64_t out = ((n * t[1] + i) * t[2] + j) * channels + begin;
        if constexpr (tiles) {
          const std::int64_t next = from + (w.first + ahead) * channels;
          call_in<0>(x + next, row_pitch, channels, h, w.count, count);
          call_in<1>(dx + next, row_pitch, channels, h, w.count, count);
        }
        std::int64_t done = 0;
        if constexpr (tiles && sizeof(Item) == sizeof(Bf16))
          for (; done + Bf16s::width <= count; done += Bf16s::width)
            give_to_maximum(x + from + done, y + out + done, dy + out + done, dx + from + done, row_pitch, channels, h,
                            w);
        each_register(count - done, [&](std::int64_t i, auto lanes) {
          const std::int64_t c = done + i;
          give_to_maximum<tiles>(x + from + c, y + out + c, dy + out + c, dx + from + c, row_pitch, channels, h, w,
                                 lanes);
        });
      }
    }
    if (!tiles) clear_rows(s[1]);
  });
}

}  // namespace

void max_pool2d_gradient(const KernelArgs& args) {
  with_storage(args.in[0].type.dtype, [&](auto item) {
    windows_tile(args.problem) ? max_gradient<true, decltype(item)>(args) : max_gradient<false, decltype(item)>(args);
  });
}

void avg_pool2d_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<Pool2dParams>();
  const Shape &t = args.in[0].shape(), &s = args.out[0].shape();
  gather_pixels(
      args, [&](std::int64_t at) { return windows_of(p.window.h, at, t[1]); },
      [&](std::int64_t at) { return windows_of(p.window.w, at, t[2]); },
      [&](std::int64_t i, std::int64_t j, std::int64_t at_h, std::int64_t at_w) {
        if (!window_holds(p.window.h, i, at_h) || !window_holds(p.window.w, j, at_w)) return 0.0f;
        const PoolSpan h = window_span(p.window.h, p.count_include_pad, i, s[1]);
        const PoolSpan w = window_span(p.window.w, p.count_include_pad, j, s[2]);
        return 1.0f / static_cast<float>(h.counted * w.counted);
      });
}

void adaptive_avg_pool2d_gradient(const KernelArgs& args) {
  const Shape &t = args.in[0].shape(), &s = args.out[0].shape();
  gather_pixels(
      args, [&](std::int64_t at) { return adaptive_windows_of(at, s[1], t[1]); },
      [&](std::int64_t at) { return adaptive_windows_of(at, s[2], t[2]); },
      [&](std::int64_t i, std::int64_t j, std::int64_t, std::int64_t) {
        return 1.0f / static_cast<float>(adaptive_span(i, s[1], t[1]).count * adaptive_span(j, s[2], t[2]).count);
      });
}

}  // namespace fastcnn::FC_SIMD
