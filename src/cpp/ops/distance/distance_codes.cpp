// What the vector kernels of nearest_coded share: its memory, the queries' codes, and the choice of possible rows.
#include "ops/distance/distance_codes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "core/buffer.h"

namespace fastcnn {
namespace {

// A chunk has places for so many rows more than k, and the search is given up when half of them cannot be freed.
std::int64_t spare_rows(std::int64_t k) { return max_i64(k, 256); }

bool may_help(const Problem& problem) {
  return problem.inputs[kQueries].shape[0] <= kFewQueries &&
         problem.as<DistanceParams>().k <= problem.inputs[kGallery].shape[0] / 8;
}

CodedMemory lay_out(const Problem& problem, std::uintptr_t start, std::int64_t* bytes) {
  const Shape &q = problem.inputs[kQueries].shape, &g = problem.inputs[kGallery].shape;
  const std::int64_t queries = q[0], k = problem.as<DistanceParams>().k;
  CodedMemory m{};
  m.split = split_nearest(queries, g[0], k, spare_rows(k));
  m.most_kept = m.split.capacity - spare_rows(k) / 2;
  m.pitch = round_up(q[1], 64);
  const std::int64_t chunks = queries * m.split.chunks, places = chunks * m.split.capacity;
  std::int64_t end = 0;
  const auto take = [&](auto*& part, std::int64_t count) {
    using Item = std::remove_reference_t<decltype(*part)>;
    part = reinterpret_cast<Item*>(start + static_cast<std::uintptr_t>(end));
    end = round_up(end + count * static_cast<std::int64_t>(sizeof(Item)), kAlignment);
  };
  take(m.counts, chunks);
  take(m.rows, places);
  take(m.candidates, places);
  take(m.queries, queries);
  take(m.codes, queries * m.pitch);
  *bytes = end;
  return m;
}

// False: no code of use, for the bounds need sums that neither overflow nor underflow.
bool encode_query(const float* x, std::int64_t d, QueryCode* query, std::int16_t* codes) {
  const std::int64_t most_code =
      min_i64(std::numeric_limits<std::int16_t>::max(),
              std::numeric_limits<std::int32_t>::max() / (static_cast<std::int64_t>(kMostCode) * d));
  float most = 0;
  for (std::int64_t i = 0; i < d; ++i) {
    if (!std::isfinite(x[i])) return false;
    most = std::max(most, std::fabs(x[i]));
  }
  if (most_code < 127 || !(most > 1e-14f && most < 1e17f)) return false;
  query->scale = most / static_cast<float>(most_code);
  double norm = 0, remainder = 0;
  for (std::int64_t i = 0; i < d; ++i) {
    const double code = std::nearbyint(std::min(
        static_cast<double>(most_code), std::max(-static_cast<double>(most_code), x[i] / double{query->scale})));
    const double coded = code * double{query->scale}, rest = x[i] - coded;
    norm += coded * coded, remainder += rest * rest;
    codes[i] = static_cast<std::int16_t>(code);
  }
  query->norm = static_cast<float>(std::sqrt(norm));
  // From above: far more than what sums in double and the conversion lose.
  query->remainder = static_cast<float>(std::sqrt(remainder) * (1 + 0x1p-20));
  return query->norm < 1e17f && query->remainder < query->norm / 4;
}

}  // namespace

CodedMemory coded_memory(const KernelArgs& args) {
  std::int64_t bytes;
  return lay_out(args.problem, reinterpret_cast<std::uintptr_t>(args.workspace), &bytes);
}

std::int64_t coded_workspace(const Problem& problem) {
  std::int64_t bytes = 0;
  if (may_help(problem)) lay_out(problem, 0, &bytes);
  return max_i64(bytes, nearest_workspace(problem));
}

bool encode_queries(const KernelArgs& args, const CodedMemory& memory) {
  if (!may_help(args.problem)) return false;
  const Shape& q = args.in[kQueries].shape();
  for (std::int64_t i = 0; i < q[0]; ++i) {
    std::int16_t* codes = memory.codes + i * memory.pitch;
    std::fill(codes, codes + memory.pitch, std::int16_t{0});
    if (!encode_query(args.in[kQueries].as<float>() + i * q[1], q[1], memory.queries + i, codes)) return false;
  }
  return true;
}

std::int64_t keep_possible(PossibleRow* rows, std::int64_t count, std::int64_t k, float* threshold) {
  std::nth_element(rows, rows + k - 1, rows + count, [](const auto& a, const auto& b) { return a.high < b.high; });
  *threshold = rows[k - 1].high;
  return std::partition(rows + k, rows + count, [&](const auto& row) { return row.low <= *threshold; }) - rows;
}

bool gather_possible(const KernelArgs& args, const CodedMemory& memory) {
  const std::int64_t queries = args.in[kQueries].shape()[0], k = args.problem.as<DistanceParams>().k;
  const NearestSplit& s = memory.split;
  for (std::int64_t q = 0; q < queries; ++q) {
    PossibleRow* all = memory.rows + q * s.chunks * s.capacity;
    std::int64_t count = 0;
    for (std::int64_t c = 0; c < s.chunks; ++c) {
      const PossibleRow* from = all + c * s.capacity;
      const std::int64_t n = memory.counts[q * s.chunks + c];
      std::copy(from, from + n, all + count);  // to the left: the ranges may overlap
      count += n;
    }
    float threshold = std::numeric_limits<float>::infinity();
    if (count >= k) count = keep_possible(all, count, k, &threshold);
    if (!std::isfinite(threshold)) return false;
    memory.counts[q] = count;  // of what was read: q <= q * chunks
  }
  return true;
}

bool finish_coded(const KernelArgs& args, const CodedMemory& memory) {
  const std::int64_t queries = args.in[kQueries].shape()[0];
  const std::int64_t places = memory.split.chunks * memory.split.capacity;
  for (std::int64_t q = 0; q < queries; ++q) {
    Candidate* all = memory.candidates + q * places;
    const std::int64_t count = memory.counts[q];
    if (std::any_of(all, all + count, [](Candidate c) { return c >> 32 == 0xffffffffu; })) return false;
    write_nearest(args, q, all, count);
  }
  return true;
}

}  // namespace fastcnn
