// How threads share the lines of an array (rows, n, step) along its middle axis, for ops that reduce a line and then
// need its elements again (softmax, norms). A kernel is written once and compiled for each kind of team:
//
//   RowTeam<lanes, kept>   step 1: `lanes` neighbouring threads walk along a line, a warp, a part of one or the block.
//                          kept > 0: a line has at most lanes * kept elements, each thread keeping its own in registers
//   ColumnTeam<kept>       step > 1: neighbouring threads have neighbouring lines, and several walk down each; with
//                          kept > 0 a line has at most phases() * kept elements
//
//   FC_SHARED(float, scratch, [Team::kScratch]);
//   Team team(lines, scratch);
//   Kept<Team> x(pointer);
//   team.each([&](int slot, std::int64_t at, std::int64_t i) {...});   // element i of its line, at offset `at`:
//                                                                      // x.read(slot, at), later x.again(slot, at)
//   sum = team.reduce(sum, Add());                                     // over the line
#pragma once

#include <type_traits>

#include "core/launch.h"
#include "core/reduce.cuh"

namespace fastcnn::cuda {

inline constexpr int kTeamThreads = 256;  // of a block

struct Lines {
  std::int64_t rows = 1, n = 1, step = 1;
  // Of a ColumnTeam: lines of a block, blocks for all `step` lines of a row.
  std::int32_t width = 1, across = 1;
  std::int64_t phases() const { return kTeamThreads / width; }  // threads of a line
};

template <int lanes, int kept>
class RowTeam {
 public:
  static constexpr int kScratch = lanes > kWarp ? lanes / kWarp : 1;
  static constexpr bool kKeeps = kept > 0;
  static constexpr int kSlots = kKeeps ? kept : 1;

  static std::int64_t blocks(const Lines& lines) { return ceil_div(lines.rows, kTeamThreads / lanes); }

  __device__ __forceinline__ RowTeam(const Lines& lines, float* scratch) : scratch_(scratch) {
    const int thread = static_cast<int>(threadIdx.x);
    line_ = static_cast<std::int64_t>(blockIdx.x) * (kTeamThreads / lanes) + thread / lanes;
    first_ = thread % lanes;
    n_ = line_ < lines.rows ? lines.n : 0;
    start_ = line_ * lines.n;
  }

  __device__ __forceinline__ std::int64_t line() const { return line_; }
  __device__ __forceinline__ std::int64_t start() const { return start_; }
  __device__ __forceinline__ bool exists() const { return n_ > 0; }
  __device__ __forceinline__ bool leads() const { return first_ == 0 && n_ > 0; }  // one thread of each line

  template <class F>
  __device__ __forceinline__ void each(const F& f) const {
    if constexpr (kKeeps) {
#pragma unroll
      for (int slot = 0; slot < kept; ++slot)
        if (const std::int64_t i = first_ + slot * lanes; i < n_) f(slot, start_ + i, i);
    } else {
#pragma unroll 4
      for (std::int64_t i = first_; i < n_; i += lanes) f(0, start_ + i, i);
    }
  }

  template <class Combine>
  __device__ __forceinline__ float reduce(float value, const Combine& combine) const {
    return group_reduce<lanes>(value, combine, scratch_);
  }

 private:
  static_assert(lanes <= kWarp || lanes == kTeamThreads);
  float* scratch_;
  std::int64_t line_, n_, start_;
  int first_;
};

template <int kept>
class ColumnTeam {
 public:
  static constexpr int kScratch = kTeamThreads;
  static constexpr bool kKeeps = kept > 0;
  static constexpr int kSlots = kKeeps ? kept : 1;

  static std::int64_t blocks(const Lines& lines) { return lines.rows * lines.across; }
  static __device__ __forceinline__ std::int64_t row(const Lines& lines) { return blockIdx.x / lines.across; }

  __device__ __forceinline__ ColumnTeam(const Lines& lines, float* scratch)
      : ColumnTeam(lines, scratch, row(lines) * lines.n * lines.step, lines.n) {}

  // Where rows have lengths of their own: this one's starts at `offset` and has n elements.
  __device__ __forceinline__ ColumnTeam(const Lines& lines, float* scratch, std::int64_t offset, std::int64_t n)
      : scratch_(scratch), step_(lines.step), width_(lines.width), phases_(kTeamThreads / lines.width) {
    const int thread = static_cast<int>(threadIdx.x);
    column_ = static_cast<std::int64_t>(blockIdx.x % lines.across) * width_ + thread % width_;
    first_ = thread / width_;
    n_ = column_ < step_ && first_ < phases_ ? n : 0;
    start_ = offset + column_;
  }

  __device__ __forceinline__ std::int64_t column() const { return column_; }
  __device__ __forceinline__ bool exists() const { return n_ > 0; }
  __device__ __forceinline__ bool leads() const { return first_ == 0 && n_ > 0; }

  template <class F>
  __device__ __forceinline__ void each(const F& f) const {
    if constexpr (kKeeps) {
#pragma unroll
      for (int slot = 0; slot < kept; ++slot)
        if (const std::int64_t i = first_ + slot * phases_; i < n_) f(slot, start_ + i * step_, i);
    } else {
#pragma unroll 4
      for (std::int64_t i = first_; i < n_; i += phases_) f(0, start_ + i * step_, i);
    }
  }

  template <class Combine>
  __device__ __forceinline__ float reduce(float value, const Combine& combine) const {
    return column_reduce(value, combine, scratch_, width_, phases_);
  }

 private:
  float* scratch_;
  std::int64_t step_, column_, n_, start_;
  int width_, phases_, first_;
};

// An operand of which each thread keeps its elements, where its team does.
template <class Team>
class Kept {
 public:
  __device__ __forceinline__ explicit Kept(const float* x) : x_(x) {}
  __device__ __forceinline__ float read(int slot, std::int64_t at) { return kept_[slot] = x_[at]; }
  __device__ __forceinline__ float again(int slot, std::int64_t at) const {
    if constexpr (Team::kKeeps) return kept_[slot];
    return x_[at];
  }

 private:
  const float* x_;
  float kept_[Team::kSlots];
};

// Calls body(std::type_identity<Team>()) with the team for lines of step 1.
template <class Body>
void with_row_team(std::int64_t n, const Body& body) {
  if (n <= 8) return body(std::type_identity<RowTeam<8, 1>>());
  if (n <= 128) return body(std::type_identity<RowTeam<32, 4>>());
  if (n <= 512) return body(std::type_identity<RowTeam<32, 16>>());
  if (n <= 4096) return body(std::type_identity<RowTeam<256, 16>>());
  return body(std::type_identity<RowTeam<256, 0>>());
}

// The lines with what a ColumnTeam needs to know.
inline Lines columns(Lines lines) {
  constexpr std::int64_t kElements = 4, kPhases = 8;  // of a thread before others share its line, and how many do
  const std::int64_t widest = kTeamThreads / max_i64(1, min_i64(kPhases, lines.n / kElements));
  const std::int64_t across = ceil_div(lines.step, widest);
  lines.across = static_cast<std::int32_t>(across);
  lines.width = static_cast<std::int32_t>(ceil_div(lines.step, across));
  return lines;
}

// The same for any lines; body(team, lines).
template <class Body>
void with_team(const Lines& lines, const Body& body) {
  if (lines.step == 1) return with_row_team(lines.n, [&](auto team) { body(team, lines); });
  body(std::type_identity<ColumnTeam<0>>(), columns(lines));
}

// Lines around the axes first .. last.
inline Lines lines_of(const Shape& shape, int first, int last) {
  return {shape.product(0, first), shape.product(first, last + 1), shape.product(last + 1, shape.rank)};
}

}  // namespace fastcnn::cuda
