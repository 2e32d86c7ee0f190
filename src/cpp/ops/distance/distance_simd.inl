// Computes   distances between all rows of two matrices, stored (cdist) or searched for the smallest k (nearest).
// Layout     rows of floats. kVectors * width rows of the gallery are turned into a panel: column k of all of them in
//            neighbouring lanes. A task is up to 128 queries against a stretch of the gallery, panel by panel.
// Tile       kRows = 6 queries x kVectors (4 on AVX-512, 2 on AVX2) registers of the panel: 24 (12) accumulators, 4 (2)
//            of the panel, 1 broadcast, 1 difference: 30 (16).
// Why        a panel costs one transposition for 128 queries and stays in L2 (kDepth columns at a time) while they
//            pass; no sum across lanes is needed, for any number of columns. Up to kFewQueries queries against rows of
//            a vector or more would pay more for the panel than for the sums: they read the gallery's rows as they lie,
//            8 at a time, each byte once: bound by memory.
// Needs      nearest: fewer than 2^31 rows.
// Accuracy   the contract's. Euclidean distances from kExpandFrom columns come from |a|^2 + |b|^2 - 2ab, half the work
//            of differences; where the result is below an eighth of |a|^2 + |b|^2, or that sum is near the ends of the
//            float range or NaN, the pair is summed again by differences.
#include "ops/distance/distance.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr int kRows = 6;
constexpr int kVectors = F32::registers == 32 ? 4 : 2;
constexpr std::int64_t kPanel = kVectors * F32::width;
constexpr std::int64_t kDepth = 256;
// How far ahead, in floats, rows of the gallery are called in: the hardware stops at the ends of pages.
constexpr std::int64_t kAhead = 4096;
constexpr std::int64_t kExpandFrom = 16;

struct Product {
  static FC_INLINE F32 step(F32 a, F32 b, F32 sum) { return fma(a, b, sum); }
};
struct Squares {
  static FC_INLINE F32 step(F32 a, F32 b, F32 sum) {
    const F32 d = a - b;
    return fma(d, d, sum);
  }
};
struct Absolute {
  static FC_INLINE F32 step(F32 a, F32 b, F32 sum) { return sum + abs(a - b); }
};

FC_INLINE void call_in(const float* p) { _mm_prefetch(reinterpret_cast<const char*>(p), _MM_HINT_T0); }

// ---- one pair, along the row ------------------------------------------------------------------

// The sums of a and each row; with_squares: and of each row's squares, of the same registers.
template <class Step, int rows, bool with_squares = false>
FC_INLINE void sum_rows(const float* a, const float* b, std::int64_t d, float* sums, float* squares = nullptr) {
  F32 sum[rows], square[rows];
  for (int r = 0; r < rows; ++r) sum[r] = square[r] = zero();
  const auto step = [&](int r, F32 x, F32 y) {
    sum[r] = Step::step(x, y, sum[r]);
    if constexpr (with_squares) square[r] = Product::step(y, y, square[r]);
  };
  std::int64_t k = 0;
  for (; k + F32::width <= d; k += F32::width) {
    const F32 x = load(a + k);
    for (int r = 0; r < rows; ++r) {
      if constexpr (rows > 1) call_in(b + r * d + k + kAhead);
      step(r, x, load(b + r * d + k));
    }
  }
  if (k < d) {
    const F32 x = load(a + k, d - k);
    for (int r = 0; r < rows; ++r) step(r, x, load(b + r * d + k, d - k));
  }
  for (int r = 0; r < rows; ++r) {
    sums[r] = reduce_add(sum[r]);
    if constexpr (with_squares) squares[r] = reduce_add(square[r]);
  }
}

template <class Step>
FC_INLINE float sum_row(const float* a, const float* b, std::int64_t d) {
  float sum;
  sum_rows<Step, 1>(a, b, d, &sum);
  return sum;
}

// ---- panels -----------------------------------------------------------------------------------

// panel[k][r] = b[r][k]; rows beyond n are zero.
FC_INLINE void fill_panel(const float* b, std::int64_t pitch, std::int64_t n, std::int64_t depth, float* panel) {
  constexpr int kWidth = F32::width;
  for (std::int64_t r = 0; r < kPanel; r += kWidth)
    for (std::int64_t k = 0; k < depth; k += kWidth) {
      F32 square[kWidth];
      const std::int64_t left = depth - k;
      if (r + kWidth <= n && left >= kWidth)
        for (int i = 0; i < kWidth; ++i) square[i] = load(b + (r + i) * pitch + k);
      else
        for (int i = 0; i < kWidth; ++i) square[i] = r + i < n ? load(b + (r + i) * pitch + k, left) : zero();
      transpose(square);
      for (int i = 0; i < kWidth; ++i)
        if (i < left) store(panel + (k + i) * kPanel + r, square[i]);
    }
}

// The rows of the next panel, of which tiles call a stretch of `step` floats into L2 with each column.
struct Ahead {
  const float* next;
  std::int64_t step;
};

template <class Step, int rows>
FC_INLINE void tile(const float* a, std::int64_t pitch, const float* panel, std::int64_t depth, bool first, float* sums,
                    Ahead& ahead) {
  constexpr std::int64_t kLine = 16;
  F32 sum[rows][kVectors];
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < kVectors; ++v) sum[r][v] = first ? zero() : load(sums + r * kPanel + v * F32::width);
  for (std::int64_t k = 0; k < depth; ++k) {
    F32 b[kVectors];
    for (int v = 0; v < kVectors; ++v) b[v] = load(panel + k * kPanel + v * F32::width);
    for (int r = 0; r < rows; ++r) {
      const F32 x = set(a[r * pitch + k]);
      for (int v = 0; v < kVectors; ++v) sum[r][v] = Step::step(x, b[v], sum[r][v]);
    }
    for (std::int64_t i = 0; i < ahead.step; i += kLine) __builtin_prefetch(ahead.next + i, 0, 2);
    ahead.next += ahead.step;
  }
  for (int r = 0; r < rows; ++r)
    for (int v = 0; v < kVectors; ++v) store(sums + r * kPanel + v * F32::width, sum[r][v]);
}

template <class Step>
FC_INLINE void tiles(const float* a, std::int64_t pitch, std::int64_t n, const float* panel, std::int64_t depth,
                     bool first, const float* next, float* sums) {
  const std::int64_t count = ceil_div(n, kRows);  // as even as can be: 8 queries are 4 + 4
  Ahead ahead{next, ceil_div(kPanel, count)};
  for (std::int64_t t = 0; t < count; ++t) {
    const std::int64_t i = t * n / count;
    const float* first_a = a + i * pitch;
    float* to = sums + i * kPanel;
    switch ((t + 1) * n / count - i) {
      case 1: tile<Step, 1>(first_a, pitch, panel, depth, first, to, ahead); break;
      case 2: tile<Step, 2>(first_a, pitch, panel, depth, first, to, ahead); break;
      case 3: tile<Step, 3>(first_a, pitch, panel, depth, first, to, ahead); break;
      case 4: tile<Step, 4>(first_a, pitch, panel, depth, first, to, ahead); break;
      case 5: tile<Step, 5>(first_a, pitch, panel, depth, first, to, ahead); break;
      case 6: tile<Step, 6>(first_a, pitch, panel, depth, first, to, ahead); break;
    }
  }
}

// squares[r] = the sum of row r's squares, over one depth of the panel after another.
FC_INLINE void add_squares(const float* panel, std::int64_t depth, bool first, float* squares) {
  F32 sum[kVectors];
  for (int v = 0; v < kVectors; ++v) sum[v] = first ? zero() : load(squares + v * F32::width);
  for (std::int64_t k = 0; k < depth; ++k)
    for (int v = 0; v < kVectors; ++v) {
      const F32 x = load(panel + k * kPanel + v * F32::width);
      sum[v] = fma(x, x, sum[v]);
    }
  for (int v = 0; v < kVectors; ++v) store(squares + v * F32::width, sum[v]);
}

// ---- sums to distances --------------------------------------------------------------------------

template <Metric metric, bool expand>
struct Rule {
  static constexpr bool euclidean = metric == Metric::Euclidean || metric == Metric::SqEuclidean;
  static constexpr bool norms = metric == Metric::Cosine || (euclidean && expand);
};

template <Metric metric, bool expand>
struct StepOf {
  using type = Product;
};
template <>
struct StepOf<Metric::Euclidean, false> {
  using type = Squares;
};
template <>
struct StepOf<Metric::SqEuclidean, false> {
  using type = Squares;
};
template <bool expand>
struct StepOf<Metric::Manhattan, expand> {
  using type = Absolute;
};

// A block of queries against up to kPanel rows of the gallery.
struct Block {
  const float *a, *b;  // first query, first row
  std::int64_t queries, rows, d;
  const float* query_norms;  // |a|^2 (euclidean) or |a| (cosine)
  float* row_norms;
  float *panel, *sums;
};

template <Metric metric>
FC_INLINE float norm_of(const float* a, std::int64_t d) {
  const float square = sum_row<Product>(a, a, d);
  return metric == Metric::Cosine ? __builtin_sqrtf(square) : square;
}

// The distances of query i to rows v * width ..., from their sums.
template <Metric metric, bool expand>
FC_INLINE F32 finish(const Block& block, std::int64_t i, int v) {
  F32 y = load(block.sums + i * kPanel + v * F32::width);
  if constexpr (metric == Metric::Cosine) {
    const F32 norms = set(block.query_norms[i]) * load(block.row_norms + v * F32::width);
    const F32 cosine = set(1.0f) - select(norms == zero(), zero(), y / norms);
    return min(set(2.0f), max(zero(), cosine));  // a NaN stays
  }
  if constexpr (Rule<metric, expand>::euclidean && expand) {
    const F32 squares = set(block.query_norms[i]) + load(block.row_norms + v * F32::width);
    y = fnma(set(2.0f), y, squares);
    const Mask good = (set(0.125f) * squares <= y) & (squares < set(1e37f)) & (set(1e-28f) < squares);
    const unsigned all = (1u << (F32::width - 1)) * 2u - 1u;
    if (unsigned again = bits(good) ^ all) {
      float part[F32::width];
      store(part, y);
      for (; again != 0; again &= again - 1) {
        const int lane = __builtin_ctz(again);
        const std::int64_t row = v * F32::width + lane;
        if (row < block.rows) part[lane] = sum_row<Squares>(block.a + i * block.d, block.b + row * block.d, block.d);
      }
      y = load(part);
    }
  }
  if constexpr (metric == Metric::Euclidean) y = sqrt(y);
  return y;
}

template <bool value>
struct Bool {};

template <Metric metric, bool expand>
FC_INLINE void sum_block(const Block& block, bool few) {
  using Step = typename StepOf<metric, expand>::type;
  if (few) {
    const auto query = [&]<bool squares>(std::int64_t i, Bool<squares>) {
      constexpr int kAtOnce = squares && F32::registers < 32 ? 4 : 8;
      const float *a = block.a + i * block.d, *b = block.b;
      float *sums = block.sums + i * kPanel, *norms = block.row_norms;
      std::int64_t r = 0;
      for (; r + kAtOnce <= block.rows; r += kAtOnce)
        sum_rows<Step, kAtOnce, squares>(a, b + r * block.d, block.d, sums + r, norms + r);
      for (; r < block.rows; ++r) sum_rows<Step, 1, squares>(a, b + r * block.d, block.d, sums + r, norms + r);
    };
    // The first query calls the rows in and sums their squares too.
    if (block.queries > 0) query(0, Bool<Rule<metric, expand>::norms>{});
    for (std::int64_t i = 1; i < block.queries; ++i) query(i, Bool<false>{});
  } else {
    std::int64_t k = 0;
    do {
      const std::int64_t depth = min_i64(kDepth, block.d - k);
      fill_panel(block.b + k, block.d, block.rows, depth, block.panel);
      tiles<Step>(block.a + k, block.d, block.queries, block.panel, depth, k == 0, block.b + kPanel * (block.d + k),
                  block.sums);
      if constexpr (Rule<metric, expand>::norms) add_squares(block.panel, depth, k == 0, block.row_norms);
      k += kDepth;
    } while (k < block.d);
  }
  if constexpr (metric == Metric::Cosine) {
    for (std::int64_t r = 0; r < kPanel; r += F32::width) store(block.row_norms + r, sqrt(load(block.row_norms + r)));
  }
}

// Calls visit(block, first row) for every panel of the gallery's rows [begin, end) against queries [q, q + n).
template <Metric metric, bool expand, class Visit>
FC_INLINE void for_each_panel(const KernelArgs& args, bool few, std::int64_t q, std::int64_t n, std::int64_t begin,
                              std::int64_t end, const Visit& visit) {
  alignas(64) float panel[kDepth * kPanel], sums[kQueryBlock * kPanel], query_norms[kQueryBlock], row_norms[kPanel];
  const std::int64_t d = args.in[0].shape()[1];
  Block block{args.in[0].as<float>() + q * d, nullptr, n, 0, d, query_norms, row_norms, panel, sums};
  if (few) {  // lanes beyond the last row are read, never used
    for (std::int64_t i = 0; i < n * kPanel; ++i) sums[i] = 0;
    for (std::int64_t i = 0; i < kPanel; ++i) row_norms[i] = 0;
  }
  if constexpr (Rule<metric, expand>::norms)
    for (std::int64_t i = 0; i < n; ++i) query_norms[i] = norm_of<metric>(block.a + i * d, d);
  for (std::int64_t j = begin; j < end; j += kPanel) {
    block.b = args.in[1].as<float>() + j * d;
    block.rows = min_i64(kPanel, end - j);
    sum_block<metric, expand>(block, few);
    visit(block, j);
  }
}

FC_INLINE bool are_few(const KernelArgs& args) {
  return args.in[0].shape()[0] <= kFewQueries && args.in[0].shape()[1] >= F32::width;
}

template <Metric metric, bool expand>
void cdist_with(const KernelArgs& args) {
  const std::int64_t queries = args.out[0].shape()[0], rows = args.out[0].shape()[1];
  float* out = args.out[0].as<float>();
  const bool few = are_few(args);
  constexpr std::int64_t kTaskRows = 512;
  const std::int64_t stretches = ceil_div(rows, kTaskRows);
  parallel_for(ceil_div(queries, kQueryBlock) * stretches, [&](std::int64_t task) {
    const std::int64_t q = task / stretches * kQueryBlock, begin = task % stretches * kTaskRows;
    for_each_panel<metric, expand>(args, few, q, min_i64(kQueryBlock, queries - q), begin,
                                   min_i64(rows, begin + kTaskRows), [&](const Block& block, std::int64_t first) {
                                     for (std::int64_t i = 0; i < block.queries; ++i) {
                                       float* to = out + (q + i) * rows + first;
                                       // The next panel's part of this row: it is long written to when it is needed.
                                       for (std::int64_t j = kPanel; j < 2 * kPanel && first + j < rows; j += 16)
                                         __builtin_prefetch(to + j, 1, 2);
                                       for (int v = 0; v * F32::width < block.rows; ++v)
                                         store(to + v * F32::width, finish<metric, expand>(block, i, v),
                                               block.rows - v * F32::width);
                                     }
                                   });
  });
}

template <Metric metric, bool expand>
void nearest_with(const KernelArgs& args) {
  const std::int64_t queries = args.in[0].shape()[0], rows = args.in[1].shape()[0];
  const std::int64_t k = args.problem.as<DistanceParams>().k;
  const NearestSplit s = split_nearest(queries, rows, k);
  const NearestMemory memory = nearest_memory(args);
  const bool few = are_few(args);
  clear_bounds(memory, queries);
  parallel_for(s.query_blocks * s.chunks, [&](std::int64_t task) {
    const std::int64_t q = task / s.chunks * kQueryBlock, chunk = task % s.chunks;
    const std::int64_t n = min_i64(kQueryBlock, queries - q), begin = chunk * s.chunk_rows;
    float worst[kQueryBlock];  // a value at or above it cannot be among the k: its index is higher; NaN: all may
    std::int64_t counts[kQueryBlock];
    for (std::int64_t i = 0; i < n; ++i) worst[i] = beyond_bound(memory, q + i), counts[i] = 0;
    for_each_panel<metric, expand>(
        args, few, q, n, begin, min_i64(rows, begin + s.chunk_rows), [&](const Block& block, std::int64_t first) {
          for (std::int64_t i = 0; i < n; ++i) {
            Candidate* to = memory.candidates + ((q + i) * s.chunks + chunk) * s.capacity;
            for (int v = 0; v * F32::width < block.rows; ++v) {
              F32 value = finish<metric, expand>(block, i, v);
              if constexpr (metric == Metric::InnerProduct) value = -value;
              unsigned near = ~bits(set(worst[i]) <= value) & bits(FC_SIMD::first(block.rows - v * F32::width));
              if (near == 0) continue;
              float part[F32::width];
              store(part, value);
              for (; near != 0; near &= near - 1) {
                const int lane = __builtin_ctz(near);
                to[counts[i]++] = make_candidate(part[lane], first + v * F32::width + lane);
                if (counts[i] < s.capacity) continue;
                worst[i] = candidate_value(keep_nearest(to, counts[i], k));
                counts[i] = k;
              }
            }
          }
        });
    for (std::int64_t i = 0; i < n; ++i) {
      const std::int64_t of_query = (q + i) * s.chunks + chunk;
      if (counts[i] >= k) {
        lower_bound(memory, q + i, keep_nearest(memory.candidates + of_query * s.capacity, counts[i], k));
        counts[i] = k;
      }
      memory.counts[of_query] = counts[i];
    }
  });
  finish_nearest(args);
}

}  // namespace

#define FC_FOR_METRIC(function)                                                                               \
  const bool expand = args.in[0].shape()[1] >= kExpandFrom && !are_few(args);                                 \
  switch (args.problem.as<DistanceParams>().metric) {                                                         \
    case Metric::Euclidean:                                                                                   \
      return expand ? function<Metric::Euclidean, true>(args) : function<Metric::Euclidean, false>(args);     \
    case Metric::SqEuclidean:                                                                                 \
      return expand ? function<Metric::SqEuclidean, true>(args) : function<Metric::SqEuclidean, false>(args); \
    case Metric::Manhattan: return function<Metric::Manhattan, false>(args);                                  \
    case Metric::InnerProduct: return function<Metric::InnerProduct, false>(args);                            \
    case Metric::Cosine: return function<Metric::Cosine, false>(args);                                        \
  }

void cdist(const KernelArgs& args) { FC_FOR_METRIC(cdist_with) }
void nearest(const KernelArgs& args) { FC_FOR_METRIC(nearest_with) }
#undef FC_FOR_METRIC

}  // namespace fastcnn::FC_SIMD
