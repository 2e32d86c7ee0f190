// Computes   the transforms of Winograd's F(2 x 2, 3 x 3) around dot products of bfloat16 (the contract:
//            conv2d_winograd.h).
// Layout     V: rows of channels. U: tiles of pairs of channels, as packed for products in one bf16 part
//            (gemm/README.md).
// Tile       as conv2d_winograd_simd.inl; of two channels at a time where a kernel becomes pairs.
// Why        2.25 times fewer products, each of them two of float32; U takes 16 / 9 of what a packed kernel does, a
//            quarter of that of F(4 x 4) in float32.
// Needs      AVX512-BF16; an even number of channels.
// Accuracy   V and U are rounded to bfloat16, and a tile's outputs are sums of 9 products with coefficients of 1: twice
//            the error of direct products in bfloat16 (docs/precision.md). F(4 x 4)'s coefficients would make it 1.5e-2
//            and more.
#include "simd/avx512.h"
#include "ops/conv2d/conv2d_winograd_simd.inl"

namespace fastcnn::winograd::avx512bf16 {
namespace {

using namespace fastcnn::winograd::avx512;

constexpr int n = 4;
using Positions = F32[n * n];

// Of the 16 numbers of each (a, b) side by side.
FC_INLINE __m512i pairs(F32 a, F32 b) {
  const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(b.v, a.v);
  const __m512i first = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const __m512i second = _mm512_add_epi32(first, _mm512_set1_epi32(F32::width));
  return _mm512_permutexvar_epi16(_mm512_or_si512(first, _mm512_slli_epi32(second, 16)), both);
}

void kernel_pairs(const KernelRows& r) {
  constexpr std::int64_t kTileItems = gemm::kSplitTileBytes / 2, kRowItems = gemm::kSplitRowBytes / 2;
  const auto step = [](const auto& g, auto& u) { Points<2>::kernel(g, u); };
  auto* u = static_cast<Bf16*>(r.u);
  const auto transformed = [&](std::int64_t c, std::int64_t f, Positions& to) {
    const std::int64_t filters = c < r.channels ? r.filters - f : 0;
    const float* w = r.w + c * r.channel + f;
    transform<3, n>(
        step, [&](int i, int j) { return load(w + (i * 3 + j) * r.tap, filters); },
        [&](int i, int j, F32 v) { to[i * n + j] = v; });
  };
  for (std::int64_t pair = 0; pair < gemm::kSplitRows; ++pair)
    for (std::int64_t f = 0; f < r.width; f += F32::width) {
      Positions a, b;
      transformed(2 * pair, f, a);
      transformed(2 * pair + 1, f, b);
      Bf16* to = u + f / gemm::kSplitColumns * kTileItems + pair * kRowItems;
      FC_UNROLL
      for (int p = 0; p < n * n; ++p)
        _mm512_stream_si512(reinterpret_cast<__m512i*>(to + p * r.stride), pairs(a[p], b[p]));
    }
  fastcnn::avx512::streams_done();
}

template <class Item>
void input_pair_of(const InputTile& t) {
  const auto step = [](const auto& d, auto& v) { Points<2>::input(d, v); };
  each_register(t.channels, [&](std::int64_t c, auto part) {
    const auto load_from = [&](const void* const* pixels) {
      return [pixels, c, part](int i, int j) { return load(static_cast<const Item*>(pixels[i * n + j]) + c, part); };
    };
    call_in_window<2, Item>(t.next, c);
    call_in_window<2, Item>(t.next + n * n, c);
    Positions first;
    transform<n, n>(step, load_from(t.pixels), [&](int i, int j, F32 v) { first[i * n + j] = v; });
    float* to = static_cast<float*>(t.v) + c;
    transform<n, n>(step, load_from(t.pixels + n * n), [&](int i, int j, F32 v) {
      _mm512_store_si512(to + (i * n + j) * t.stride, pairs(first[i * n + j], v));
    });
  });
}
void input_pair(const InputTile& t) { t.bf16 ? input_pair_of<Bf16>(t) : input_pair_of<float>(t); }

template <class Item>
void gradient_pair_of(const GradientItem& t) {
  const auto step = [](const auto& y, auto& p) { Points<2>::gradient(y, p); };
  each_register(t.filters, [&](std::int64_t f, auto part) {
    call_in_dy<2, Item>(t, t.next[0], f);
    call_in_dy<2, Item>(t, t.next[1], f);
    Positions first;
    transform<2, n>(step, load_dy<Item>(t, t.tiles[0], f, part), [&](int i, int j, F32 p) { first[i * n + j] = p; });
    float* d = place_in_d(t, f);
    transform<2, n>(step, load_dy<Item>(t, t.tiles[1], f, part), [&](int i, int j, F32 p) {
      _mm512_store_si512(d + (i * n + j) * t.stride, pairs(first[i * n + j], p));
    });
  });
}
void gradient_pair(const GradientItem& t) { t.bf16 ? gradient_pair_of<Bf16>(t) : gradient_pair_of<float>(t); }

}  // namespace

const Transforms f2{.m = 2,
                    .bf16 = true,
                    .blocking = gemm::kAvx512Bf16Blocking,
                    .input = input<2, Bf16>,
                    .multiply = multiply_pairs<gemm::avx512bf16::bf16>,
                    .output = output<2>,
                    .kernel = kernel_pairs};
const GradientTransforms gradient2{.m = 2,
                                   .tiles = 448,
                                   .in_item = 2,
                                   .engine = &gemm::avx512bf16::outer_engine,
                                   .input = input_pair,
                                   .gradient = gradient_pair,
                                   .weights = weights<2>};

}  // namespace fastcnn::winograd::avx512bf16
