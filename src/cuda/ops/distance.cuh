// What cdist and nearest share: the sums of a tile of queries against a tile of gallery rows, and distances from sums.
#pragma once

#include <cmath>

#include "core/launch.h"
#include "core/ptx.h"
#include "ops/distance/distance.h"

namespace fastcnn::cuda {

inline constexpr int kDistanceThreads = 256, kDistanceSide = 16;  // a square of threads
inline constexpr int kDistanceDepth = 16;                         // columns of a step
inline constexpr int kDistancePitch = kDistanceDepth / 4 + 1;     // float4 from a row to the next: 8 rows, 32 banks
inline constexpr int kRowTile = 128;                              // rows of the gallery

struct DistanceOperands {
  const float *a, *b;              // queries, gallery: rows of d floats
  const float *a_norms, *b_norms;  // only cosine
  std::int64_t queries, rows, d;
  Metric metric;
  bool vectors;  // d is a multiple of 4, and a and b are aligned to 16 bytes
};

struct Product {
  static constexpr int kRows = 8;  // of queries for a thread: as many as the registers hold
  static __device__ __forceinline__ float step(float a, float b, float sum) { return fmaf(a, b, sum); }
};
struct Squares {
  static constexpr int kRows = 6;
  static __device__ __forceinline__ float step(float a, float b, float sum) { return fmaf(a - b, a - b, sum); }
};
struct Absolute {
  static constexpr int kRows = 6;
  static __device__ __forceinline__ float step(float a, float b, float sum) { return sum + fabsf(a - b); }
};

// Calls body with what the metric sums.
template <class Body>
inline void with_step(Metric metric, const Body& body) {
  switch (metric) {
    case Metric::Euclidean:
    case Metric::SqEuclidean: return body(Squares{});
    case Metric::Manhattan: return body(Absolute{});
    case Metric::InnerProduct:
    case Metric::Cosine: return body(Product{});
  }
}

// The distance of a pair from its sum; i and j: of the query, of the row.
__device__ __forceinline__ float distance_of(const DistanceOperands& o, std::int64_t i, std::int64_t j, float sum) {
  if (o.metric == Metric::Euclidean) return sqrtf(sum);
  if (o.metric != Metric::Cosine) return sum;
  const float norms = o.a_norms[i] * o.b_norms[j], cosine = 1.0f - (norms == 0 ? 0 : sum / norms);
  return cosine < 0 ? 0 : cosine > 2 ? 2 : cosine;  // a NaN stays
}

// Shared memory of two steps of a tile, in float4.
template <int rows>
inline constexpr int kDistanceStage = 2 * (rows * kDistanceSide + kRowTile) * kDistancePitch;

// Computes   sums[i][j] of query first_query + 16 i + ty and row first_row + 16 j + tx, where t = 16 ty + tx.
// Layout     rows as they lie, 16 columns a step, padded to 20 floats: eight neighbouring lanes read 16 bytes of eight
//            rows, and these fall on all 32 banks.
// Threads    256: 16 `rows` queries x 128 rows of the gallery, `rows` x 8 sums each.
// Why        the columns of a pair are summed in their order by one thread, whatever the tile: cdist and nearest get
//            the same bits. While one step is summed the next is copied asynchronously.
// Needs      16-byte copies: o.vectors; single floats else. Beyond operands there are zeros.
template <class Step, int rows>
__device__ __forceinline__ void sum_tile(const DistanceOperands& o, std::int64_t first_query, std::int64_t first_row,
                                         float4* stage, float (&sums)[rows][8]) {
  constexpr int kQueryTile = rows * kDistanceSide, kQuads = kDistanceDepth / 4;
  constexpr int kTile = (kQueryTile + kRowTile) * kDistancePitch;
  const int t = threadIdx.x, ty = t / kDistanceSide, tx = t % kDistanceSide;
  const int queries_left = static_cast<int>(min_i64(kQueryTile, o.queries - first_query));
  const int rows_left = static_cast<int>(min_i64(kRowTile, o.rows - first_row));

  // This thread copies four columns of every 64th row.
  constexpr int kApart = kDistanceThreads / kQuads;
  const int own_row = t / kQuads, own_quad = t % kQuads;
  const float* a = o.a + (first_query + own_row) * o.d + 4 * own_quad;
  const float* b = o.b + (first_row + own_row) * o.d + 4 * own_quad;
  const int steps = static_cast<int>(ceil_div(o.d, kDistanceDepth));
  const int tail =
      static_cast<int>(o.d - (steps - 1) * std::int64_t{kDistanceDepth}) - 4 * own_quad;  // of the last step
  const auto copy = [&](const float* from, bool inside, int left, float4* to) {
    if (o.vectors) {
      copy_async<16>(to, inside && left > 0 ? from : o.a, inside && left > 0 ? 16 : 0);
    } else {
      for (int j = 0; j < 4; ++j) {
        const bool valid = inside && j < left;
        copy_async<4>(reinterpret_cast<float*>(to) + j, valid ? from + j : o.a, valid ? 4 : 0);
      }
    }
  };
  const auto load = [&](int step, float4* to) {
    const int left = step == steps - 1 ? tail : 4;
    to += own_row * kDistancePitch + own_quad;
    for (int row = 0; row < kQueryTile; row += kApart)
      if (kQueryTile % kApart == 0 || row + own_row < kQueryTile)
        copy(a + row * o.d, row + own_row < queries_left, left, to + row * kDistancePitch);
    to += kQueryTile * kDistancePitch;
    for (int row = 0; row < kRowTile; row += kApart)
      copy(b + row * o.d, row + own_row < rows_left, left, to + row * kDistancePitch);
    a += kDistanceDepth, b += kDistanceDepth;
    copy_async_commit();
  };

#pragma unroll
  for (int i = 0; i < rows; ++i)
#pragma unroll
    for (int j = 0; j < 8; ++j) sums[i][j] = 0;
  if (steps > 0) load(0, stage);
  for (int step = 0; step < steps; ++step) {
    if (step + 1 < steps)
      load(step + 1, stage + (step + 1) % 2 * kTile);
    else
      copy_async_commit();
    copy_async_wait<1>();
    __syncthreads();
    const float4* queries = stage + step % 2 * kTile;
    const float4* gallery = queries + kQueryTile * kDistancePitch;
#pragma unroll 1
    for (int quad = 0; quad < kQuads; ++quad)
#pragma unroll
      for (int half = 0; half < 8; half += 4) {  // not all eight at once: registers
        float4 v[4];
#pragma unroll
        for (int j = 0; j < 4; ++j) v[j] = gallery[((half + j) * kDistanceSide + tx) * kDistancePitch + quad];
#pragma unroll
        for (int i = 0; i < rows; ++i) {
          const float4 u = queries[(i * kDistanceSide + ty) * kDistancePitch + quad];
#pragma unroll
          for (int j = 0; j < 4; ++j) {
            float& sum = sums[i][half + j];
            sum = Step::step(u.x, v[j].x, sum);
            sum = Step::step(u.y, v[j].y, sum);
            sum = Step::step(u.z, v[j].z, sum);
            sum = Step::step(u.w, v[j].w, sum);
          }
        }
      }
    __syncthreads();  // the next step's copies overwrite what was read
  }
}

// The operands of a row, with the norms of their rows computed into `norms` where the metric needs them; host code.
DistanceOperands distance_operands(const char* name, const KernelArgs& args, float* norms);
std::int64_t norms_bytes(const Problem& problem);

// All distances between queries [first, first + count) and the gallery, into a matrix of so many rows; host code.
void launch_cdist(const char* name, const KernelArgs& args, const DistanceOperands& operands, std::int64_t first,
                  std::int64_t count, float* out);

void run_nearest(const KernelArgs& args);
std::int64_t nearest_bytes(const Problem& problem);

}  // namespace fastcnn::cuda
