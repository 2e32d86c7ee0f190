// distance, codes: the contract of rows kept a second time in 8 bits a number, and of the search that reads those
// first.
//
//   encode_rows    codes c, scale s, norm and remainder of each row r = s c + e: c integers in [-127, 127],
//                  norm |s c| within 4 u, remainder at least |e| (infinite where its square overflows), u = 2^-24
//   nearest_coded  nearest, of the same rows: bit for bit what that op's row of the same instruction set gives, as long
//                  as the codes are those of the gallery's rows
//
// Corner cases, the same for every kernel:
//   - a row with NaN has scale, norm and remainder NaN; one with infinities scale 0, norm 0 and an infinite remainder;
//     the codes of both are 0;
//   - a scale of NaN says that the row is NaN now, whatever its codes: who makes rows NaN marks them so. Any other row
//   of
//     the gallery that differs from its codes may be missed.
//
// Why the result is nearest's. With q = q^ + f for the query and r = r^ + e for a row, where q^ and r^ are multiples of
// integer vectors, the products q^.r^ are exact in 32 bits, and
//   - euclidean, sqeuclidean: by the triangle inequality | |q - r| - |q^ - r^| | <= |e| + |f|;
//   - cosine: the distance is x^2 / 2, x the distance of the unit vectors along q and r. Coding turns a vector by an
//     angle of sine <= t = |e| / |r^|, and so moves its unit vector by 2 sin(angle / 2) <= 1.0081 t for t <= 1/4: x
//     lies within 1.0081 (t_q + t_r) of the distance of the unit vectors along q^ and r^;
//   - inner_product: |q.r - q^.r^| = |q.e + f.r^| <= |q| |e| + |f| |r^| by Cauchy and Schwarz.
// Roundings of nearest's own sums, of at most n = d / 8 + 7 steps (vectors of 8 lanes or more, then a tree), are at
// most n u / (1 - n u) of sum |terms|, those of the bounds a few u of |q^|^2 + |r^|^2, 1 or |q| |r|; both are added.
// Where either side could leave the range of normal numbers, the row is looked at in any case. So every row has an
// interval that holds what nearest computes. k rows are at or below T, the k-th smallest upper end: a row whose lower
// end is above T is neither among the k nearest nor equal to one of them. The rest is computed and ordered as nearest
// does. If that would be too many rows, T is not finite, the query has no code of use or a computed distance is NaN,
// the search is nearest's own.
#pragma once

#include "ops/distance/distance.h"

namespace fastcnn {

#define FC_CODED_KERNELS                    \
  void encode_rows(const KernelArgs& args); \
  void nearest_coded(const KernelArgs& args);

namespace ref {
FC_CODED_KERNELS
}
#if FC_X86
namespace avx2 {
FC_CODED_KERNELS
}
namespace avx512 {
FC_CODED_KERNELS
}
#endif
#undef FC_CODED_KERNELS

// Operands of nearest_coded and results of encode_rows, the latter from 0 on.
enum CodedOperand { kQueries, kGallery, kCodes, kScales, kNorms, kRemainders };

// A row's scale is its largest magnitude / 127; smaller rows than this are all remainder.
inline constexpr float kLeastCoded = 1e-30f;
inline constexpr float kMostCode = 127;

// How much of their value sums over d columns and what is made of them may be off: 2^-24 (d / 8 + 32).
FC_INLINE float sum_slack(std::int64_t d) { return 0x1p-24f * (static_cast<float>(d) / 8 + 32); }
// What underflow may take from a sum of d squares.
FC_INLINE float sum_underflow(std::int64_t d) { return 0x1p-126f * static_cast<float>(d); }

// The query's code: 16 bits a number, as many of them as keep sums of products in 32 bits.
struct QueryCode {
  float scale, norm, remainder;  // |q^| rounded; |f| from above
};

// A row that could be among the nearest, and between what its distance lies (of cosine: half the square of x).
struct PossibleRow {
  float low, high;
  std::int32_t index;
};

struct CodedMemory {
  NearestSplit split;      // one block of queries
  std::int64_t most_kept;  // of a chunk's rows, before the search is given up
  std::int64_t pitch;      // of the queries' codes, which zeros follow
  std::int64_t* counts;    // [query][chunk]; after gather_possible: [query]
  PossibleRow* rows;       // [query][chunk][capacity]; after gather_possible: [query][chunks * capacity]
  Candidate* candidates;   // [query][chunks * capacity]
  QueryCode* queries;
  std::int16_t* codes;  // [query][pitch]
};

CodedMemory coded_memory(const KernelArgs& args);
std::int64_t coded_workspace(const Problem& problem);

// False: codes are of no use.
bool encode_queries(const KernelArgs& args, const CodedMemory& memory);
// Keeps, of `count` rows, those whose interval reaches below the k-th smallest upper end, which becomes *threshold.
// Returns their number.
std::int64_t keep_possible(PossibleRow* rows, std::int64_t count, std::int64_t k, float* threshold);
// Brings the chunks of each query together and keeps what is possible among all. False: there is no threshold.
bool gather_possible(const KernelArgs& args, const CodedMemory& memory);
// Sorts the candidates and writes the results. False: one is NaN.
bool finish_coded(const KernelArgs& args, const CodedMemory& memory);

}  // namespace fastcnn
