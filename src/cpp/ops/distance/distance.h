// distance: the contract of distances between all rows of two matrices, and of the nearest rows.
//
//   cdist    y[i,j]  = D(x[i], z[j])
//   nearest  the k rows of the gallery with the smallest D(query, row), and those distances, nearest first;
//            for inner_product the largest
//
//   euclidean sqrt(sum (a - b)^2) · sqeuclidean sum (a - b)^2 · manhattan sum |a - b| · inner_product sum a b
//   cosine    1 - sum a b / (|a| |b|), cut to [0, 2]
//
// Corner cases, the same for every kernel:
//   - cosine: a vector whose norm is 0 in float32 has similarity 0 and so distance 1 to every vector;
//   - distances are accurate relative to themselves, however near the vectors: for d columns and u = 2^-24, squared
//     distances err by less than 16 u (4 sqrt(d) + 8) of their own value; manhattan likewise without the 16; cosine and
//     inner_product by u (4 sqrt(d) + 8) of sum |a b|, for cosine divided by |a| |b|;
//   - that holds where the squares summed are normal floats: for Euclidean distances, and norms for cosine, from 1e-17
//     to 1.8e19. Beyond, squares overflow to infinity or lose digits and vanish, and the formula goes on with that;
//   - NaN and infinities give what IEEE arithmetic makes of the formula;
//   - nearest: equal values are ordered by increasing index; NaN comes after every number. The same bits for any number
//     of threads. k must not exceed the number of rows;
//   - zero columns: sums are 0.
#pragma once

#include "ops/problem.h"

namespace fastcnn {

enum class Metric : std::int32_t { Euclidean, SqEuclidean, Manhattan, InnerProduct, Cosine };

struct DistanceParams {
  Metric metric = Metric::Euclidean;
  std::int64_t k = 0;  // only nearest
};

#define FC_DISTANCE_KERNELS           \
  void cdist(const KernelArgs& args); \
  void nearest(const KernelArgs& args);

namespace ref {
FC_DISTANCE_KERNELS
}
#if FC_X86
namespace avx2 {
FC_DISTANCE_KERNELS
}
namespace avx512 {
FC_DISTANCE_KERNELS
}
#endif
#undef FC_DISTANCE_KERNELS

// A row of the gallery and its distance in one number that orders as (distance, index) do, NaN last.
using Candidate = std::uint64_t;

FC_INLINE Candidate make_candidate(float value, std::int64_t index) {
  const float v = value + 0.0f;  // -0 and 0 are one
  std::uint32_t bits;
  __builtin_memcpy(&bits, &v, sizeof bits);
  bits = v != v ? 0xffffffffu : bits >> 31 ? ~bits : bits | 0x80000000u;
  return static_cast<Candidate>(bits) << 32 | static_cast<std::uint32_t>(index);
}

FC_INLINE float candidate_value(Candidate c) {
  std::uint32_t bits = static_cast<std::uint32_t>(c >> 32);
  bits = bits >> 31 ? bits & 0x7fffffffu : ~bits;  // NaN: 0xffffffff becomes 0x7fffffff, a NaN
  float v;
  __builtin_memcpy(&v, &bits, sizeof v);
  return v;
}

// How nearest splits its work, by shape alone: blocks of queries times chunks of the gallery. Every (query, chunk)
// collects candidates in its own `capacity` places.
struct NearestSplit {
  std::int64_t query_blocks, chunks, chunk_rows, capacity;
};

inline constexpr std::int64_t kQueryBlock = 128;
// Up to so many queries, vector kernels read rows of the gallery as they lie.
inline constexpr std::int64_t kFewQueries = 7;

class NodeGradient;
void cdist_rule(NodeGradient& node);

NearestSplit split_nearest(std::int64_t queries, std::int64_t rows, std::int64_t k, std::int64_t spare = 128);

struct NearestMemory {
  Candidate* candidates;  // [query][chunk][capacity]
  std::int64_t* counts;   // [query][chunk]
  std::uint32_t* bounds;  // [query]: the largest upper half that one of the k nearest can have, as far as is known
};

NearestMemory nearest_memory(const KernelArgs& args);
std::int64_t nearest_workspace(const Problem& problem);

// What chunks know of each other: the k-th candidate of any of them bounds all. Who is as far when decides only how
// many candidates are thrown out early, never which are left in the end.
void clear_bounds(const NearestMemory& memory, std::int64_t queries);
// A value at or above it is beyond the bound; NaN: none is.
float beyond_bound(const NearestMemory& memory, std::int64_t query);
void lower_bound(const NearestMemory& memory, std::int64_t query, Candidate kth);

// Moves the k smallest of `count` candidates to the front, in no order, and returns the largest of them.
Candidate keep_nearest(Candidate* candidates, std::int64_t count, std::int64_t k);
// Sorts the candidates of a query, at least k, and writes its results.
void write_nearest(const KernelArgs& args, std::int64_t query, Candidate* candidates, std::int64_t count);
// Gathers the chunks of each query, sorts and writes the results.
void finish_nearest(const KernelArgs& args);

}  // namespace fastcnn
