#include "ops/distance/distance.h"

#include <algorithm>
#include <atomic>

#include "core/buffer.h"
#include "ops/distance/distance_codes.h"
#include "ops/gradient.h"
#include "ops/rooms.h"

namespace fastcnn {
namespace {

// ---- parameters and shapes ------------------------------------------------------------------

DistanceParams metric_of(AttrReader& attrs) {
  DistanceParams p;
  p.metric = static_cast<Metric>(
      attrs.choice("metric", {"euclidean", "sqeuclidean", "manhattan", "inner_product", "cosine"}, "euclidean"));
  return p;
}

Params parse_distance(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 2, 2);
  return Params(metric_of(attrs));
}

template <int operands>
Params parse_nearest(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, operands, operands);
  DistanceParams p = metric_of(attrs);
  p.k = attrs.integer("k", 1);
  return Params(p);
}

struct NoParams {};

Params parse_nothing(AttrReader& attrs, std::span<const TensorType> inputs) {
  require_inputs(attrs.op(), inputs, 1, 1);
  return Params(NoParams{});
}

void require_rows(const char* op, const char* first, const char* second, std::span<const TensorType> inputs) {
  require_f32(op, inputs);
  require_rank(op, first, inputs[0], 2);
  require_rank(op, second, inputs[1], 2);
  require(inputs[0].shape[1] == inputs[1].shape[1], ErrorKind::Shape, op, ": ", first, " and ", second,
          " must have equally many columns, got shapes ", inputs[0].shape, " and ", inputs[1].shape);
}

Shape matrix(std::int64_t rows, std::int64_t columns) {
  Shape s;
  s.push_back(rows);
  s.push_back(columns);
  return s;
}

std::vector<TensorType> infer_cdist(const Params&, std::span<const TensorType> inputs) {
  require_rows("cdist", "x", "y", inputs);
  return {f32(matrix(inputs[0].shape[0], inputs[1].shape[0]))};
}

// values (q, k), indices (q, k)
std::vector<TensorType> infer_search(const char* op, const Params& params, std::span<const TensorType> inputs) {
  require_rows(op, "queries", "gallery", inputs);
  const std::int64_t k = params.as<DistanceParams>().k, rows = inputs[1].shape[0];
  require(k >= 1 && k <= rows, ErrorKind::Shape, op, ": k: expected 1 to ", rows, " for a gallery of shape ",
          inputs[1].shape, ", got ", k);
  const Shape y = matrix(inputs[0].shape[0], k);
  return {f32(y), {DType::I64, y}};
}

std::vector<TensorType> infer_nearest(const Params& params, std::span<const TensorType> inputs) {
  return infer_search("nearest", params, inputs);
}

Shape one_for_each(std::int64_t rows) {
  Shape s;
  s.push_back(rows);
  return s;
}

// codes (n, d), scales (n), norms (n), remainders (n)
std::vector<TensorType> infer_encode(const Params&, std::span<const TensorType> inputs) {
  require_f32("encode_rows", inputs);
  require_rank("encode_rows", "rows", inputs[0], 2);
  const TensorType numbers = f32(one_for_each(inputs[0].shape[0]));
  return {{DType::S8, inputs[0].shape}, numbers, numbers, numbers};
}

std::vector<TensorType> infer_coded(const Params& params, std::span<const TensorType> inputs) {
  std::vector<TensorType> results = infer_search("nearest_coded", params, inputs.first(2));
  const Shape& gallery = inputs[kGallery].shape;
  require(inputs[kCodes].dtype == DType::S8, ErrorKind::DType, "nearest_coded: codes: expected int8, got ",
          inputs[kCodes]);
  require(inputs[kCodes].shape == gallery, ErrorKind::Shape,
          "nearest_coded: codes: expected those of a gallery of shape ", gallery, ", got ", inputs[kCodes].shape);
  require_f32("nearest_coded", inputs.subspan(kScales));
  for (int i : {kScales, kNorms, kRemainders})
    require(inputs[i].shape == one_for_each(gallery[0]), ErrorKind::Shape,
            "nearest_coded: codes: expected one scale, norm and remainder for each row of a gallery of shape ", gallery,
            ", got shape ", inputs[i].shape);
  return results;
}

std::int64_t distance_flops(const Problem& problem) {
  return 2 * problem.inputs[0].shape.size() * problem.inputs[1].shape[0];
}

const char* decline_too_many(const Problem& problem) {
  return problem.inputs[1].shape[0] >= (std::int64_t{1} << 31) ? "counts rows of the gallery in 32 bits" : nullptr;
}

// ---- the kernel tables: best first, ref last ------------------------------------------------

constexpr KernelInfo kCdistKernels[] = {
#if FC_X86
    {.name = "cdist_f32_avx512", .isa = Isa::Avx512, .run = avx512::cdist},
    {.name = "cdist_f32_avx2", .isa = Isa::Avx2, .run = avx2::cdist},
#endif
    {.name = "cdist_f32_ref", .run = ref::cdist},
};

constexpr KernelInfo kNearestKernels[] = {
#if FC_X86
    {.name = "nearest_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::nearest,
     .declines = decline_too_many,
     .workspace = nearest_workspace},
    {.name = "nearest_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::nearest,
     .declines = decline_too_many,
     .workspace = nearest_workspace},
#endif
    {.name = "nearest_f32_ref", .run = ref::nearest},
};

const char* decline_long_rows(const Problem& problem) {
  return problem.inputs[0].shape[1] >= (std::int64_t{1} << 20) ? "sums squares of codes in 32 bits" : nullptr;
}

constexpr KernelInfo kEncodeKernels[] = {
#if FC_X86
    {.name = "encode_rows_f32_avx512", .isa = Isa::Avx512, .run = avx512::encode_rows, .declines = decline_long_rows},
    {.name = "encode_rows_f32_avx2", .isa = Isa::Avx2, .run = avx2::encode_rows, .declines = decline_long_rows},
#endif
    {.name = "encode_rows_f32_ref", .run = ref::encode_rows},
};

constexpr KernelInfo kCodedKernels[] = {
#if FC_X86
    {.name = "nearest_coded_f32_avx512",
     .isa = Isa::Avx512,
     .run = avx512::nearest_coded,
     .declines = decline_too_many,
     .workspace = coded_workspace},
    {.name = "nearest_coded_f32_avx2",
     .isa = Isa::Avx2,
     .run = avx2::nearest_coded,
     .declines = decline_too_many,
     .workspace = coded_workspace},
#endif
    {.name = "nearest_coded_f32_ref", .run = ref::nearest_coded},
};

// ---- what the vector kernels of nearest share ---------------------------------------------------

std::int64_t counts_bytes(std::int64_t queries, const NearestSplit& s) {
  return round_up(queries * s.chunks * static_cast<std::int64_t>(sizeof(std::int64_t)), kAlignment);
}

std::int64_t bounds_bytes(std::int64_t queries) {
  return round_up(queries * static_cast<std::int64_t>(sizeof(std::uint32_t)), kAlignment);
}

}  // namespace

NearestSplit split_nearest(std::int64_t queries, std::int64_t rows, std::int64_t k, std::int64_t spare) {
  // Candidates are thrown out when the places are full: half of them at least, so that it costs little per candidate.
  constexpr std::int64_t kChunkRows = 2048, kTasks = 64;
  NearestSplit s;
  s.capacity = k + max_i64(k, spare);
  s.query_blocks = ceil_div(queries, kQueryBlock);
  s.chunks = min_i64(ceil_div(rows, kChunkRows), ceil_div(kTasks, max_i64(1, s.query_blocks)));
  // What is kept stays small against queries x rows.
  s.chunks = max_i64(1, min_i64(s.chunks, rows / (16 * s.capacity)));
  s.chunk_rows = round_up(ceil_div(rows, s.chunks), 64);
  s.chunks = ceil_div(rows, s.chunk_rows);
  return s;
}

std::int64_t nearest_workspace(const Problem& problem) {
  const std::int64_t queries = problem.inputs[0].shape[0];
  const NearestSplit s = split_nearest(queries, problem.inputs[1].shape[0], problem.as<DistanceParams>().k);
  return counts_bytes(queries, s) + bounds_bytes(queries) +
         queries * s.chunks * s.capacity * static_cast<std::int64_t>(sizeof(Candidate));
}

NearestMemory nearest_memory(const KernelArgs& args) {
  const std::int64_t queries = args.in[0].shape()[0];
  const NearestSplit s = split_nearest(queries, args.in[1].shape()[0], args.problem.as<DistanceParams>().k);
  auto* base = static_cast<unsigned char*>(args.workspace);
  auto* bounds = base + counts_bytes(queries, s);
  return {reinterpret_cast<Candidate*>(bounds + bounds_bytes(queries)), reinterpret_cast<std::int64_t*>(base),
          reinterpret_cast<std::uint32_t*>(bounds)};
}

void clear_bounds(const NearestMemory& memory, std::int64_t queries) {
  std::fill_n(memory.bounds, queries, UINT32_MAX);
}

float beyond_bound(const NearestMemory& memory, std::int64_t query) {
  const std::uint32_t bound = std::atomic_ref(memory.bounds[query]).load(std::memory_order_relaxed);
  return candidate_value(Candidate{bound == UINT32_MAX ? bound : bound + 1} << 32);
}

void lower_bound(const NearestMemory& memory, std::int64_t query, Candidate kth) {
  const std::atomic_ref<std::uint32_t> bound(memory.bounds[query]);
  const auto value = static_cast<std::uint32_t>(kth >> 32);
  std::uint32_t known = bound.load(std::memory_order_relaxed);
  while (value < known && !bound.compare_exchange_weak(known, value, std::memory_order_relaxed)) {
  }
}

Candidate keep_nearest(Candidate* candidates, std::int64_t count, std::int64_t k) {
  std::nth_element(candidates, candidates + k - 1, candidates + count);
  return candidates[k - 1];
}

void write_nearest(const KernelArgs& args, std::int64_t query, Candidate* candidates, std::int64_t count) {
  const auto& p = args.problem.as<DistanceParams>();
  if (count > p.k) keep_nearest(candidates, count, p.k);
  std::sort(candidates, candidates + p.k);
  float* values = args.out[0].as<float>() + query * p.k;
  std::int64_t* indices = args.out[1].as<std::int64_t>() + query * p.k;
  for (std::int64_t i = 0; i < p.k; ++i) {
    const float value = candidate_value(candidates[i]);
    values[i] = p.metric == Metric::InnerProduct ? 0.0f - value : value;
    indices[i] = static_cast<std::int64_t>(candidates[i] & 0xffffffffu);
  }
}

void finish_nearest(const KernelArgs& args) {
  const auto& p = args.problem.as<DistanceParams>();
  const std::int64_t queries = args.in[0].shape()[0];
  const NearestSplit s = split_nearest(queries, args.in[1].shape()[0], p.k);
  const NearestMemory memory = nearest_memory(args);
  parallel_ranges(queries, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t q = begin; q < end; ++q) {
      Candidate* all = memory.candidates + q * s.chunks * s.capacity;
      std::int64_t count = 0;
      for (std::int64_t c = 0; c < s.chunks; ++c) {
        const Candidate* from = all + c * s.capacity;
        const std::int64_t n = memory.counts[q * s.chunks + c];
        std::copy(from, from + n, all + count);  // to the left: the ranges may overlap
        count += n;
      }
      write_nearest(args, q, all, count);
    }
  });
}

const Op cdist_op{.name = "cdist",
                  .parse = parse_distance,
                  .infer = infer_cdist,
                  .kernels = kCdistKernels,
                  .flops = distance_flops,
                  .gradient = cdist_rule};
const Op nearest_op{.name = "nearest",
                    .parse = parse_nearest<2>,
                    .infer = infer_nearest,
                    .kernels = kNearestKernels,
                    .flops = distance_flops,
                    .gradient = no_gradient};
const Op encode_rows_op{.name = "encode_rows",
                        .parse = parse_nothing,
                        .infer = infer_encode,
                        .kernels = kEncodeKernels,
                        .gradient = no_gradient};
const Op nearest_coded_op{.name = "nearest_coded",
                          .parse = parse_nearest<6>,
                          .infer = infer_coded,
                          .kernels = kCodedKernels,
                          .flops = distance_flops,
                          .gradient = no_gradient};

}  // namespace fastcnn
