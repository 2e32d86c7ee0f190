// Distances between all rows of two matrices on a device, and the room's rows; distance_nearest.cu searches.
#include "ops/distance.cuh"

#include "core/reduce.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "cdist_f32_cuda";

// Computes   the length of every row.
// Layout     a warp a row; lanes have neighbouring columns.
// Bound by   memory.
// Accuracy   32 sums of every 32nd square, added in a tree.
__global__ void __launch_bounds__(kDistanceThreads)
    row_norms(const float* __restrict__ x, std::int64_t rows, std::int64_t d, float* __restrict__ norms) {
  const std::int64_t row = static_cast<std::int64_t>(blockIdx.x) * (kDistanceThreads / kWarp) + threadIdx.x / kWarp;
  if (row >= rows) return;
  const int lane = threadIdx.x % kWarp;
  float sum = 0;
  for (std::int64_t k = lane; k < d; k += kWarp) sum = fmaf(x[row * d + k], x[row * d + k], sum);
  sum = warp_reduce(sum, Add());
  if (lane == 0) norms[row] = sqrtf(sum);
}

// Computes   out[i,j] = D(query i, row j) (the contract: distance.h).
// Layout     out (queries, rows); a block has a tile of 16 `rows` x 128 of it, blocks of one row of tiles follow.
// Threads    256, `rows` x 8 sums each: 64 accumulators and 20 operands for eight rows, which products leave room for;
//            six rows for differences. Two steps of 16 columns of both tiles: 40 KB of shared memory, 35 KB, and 22.5
//            KB for one row.
// Why        products of the expanded square would need half the arithmetic, but lose what near vectors differ by; the
//            sum of squared differences is accurate however near they are. One row: few queries are bound by reading
//            the gallery once.
// Bound by   arithmetic, two operations a column and pair (one for products); few queries by memory.
// Needs      nothing.
// Accuracy   sums in the order of columns, in float32.
template <class Step, int rows>
__global__ void __launch_bounds__(kDistanceThreads, 2) cdist(DistanceOperands o, float* __restrict__ out) {
  FC_SHARED(float4, stage, [kDistanceStage<rows>]);
  const std::int64_t tiles = ceil_div(o.rows, kRowTile);
  const std::int64_t query = blockIdx.x / tiles * (rows * kDistanceSide), row = blockIdx.x % tiles * kRowTile;
  float sums[rows][8];
  sum_tile<Step>(o, query, row, stage, sums);
#pragma unroll
  for (int i = 0; i < rows; ++i) {
    const std::int64_t q = query + i * kDistanceSide + threadIdx.x / kDistanceSide;
    if (q >= o.queries) break;
#pragma unroll
    for (int j = 0; j < 8; ++j) {
      const std::int64_t r = row + j * kDistanceSide + threadIdx.x % kDistanceSide;
      if (r < o.rows) out[q * o.rows + r] = distance_of(o, q, r, sums[i][j]);
    }
  }
}

void run(const KernelArgs& args) {
  const DistanceOperands o = distance_operands(kName, args, static_cast<float*>(args.workspace));
  launch_cdist(kName, args, o, 0, o.queries, args.out[0].as<float>());
}

constexpr KernelInfo kCdistRows[] = {{.name = kName, .device = Device::Cuda, .run = run, .workspace = norms_bytes}};
constexpr KernelInfo kNearestRows[] = {
    {.name = "nearest_f32_cuda", .device = Device::Cuda, .run = run_nearest, .workspace = nearest_bytes}};
constexpr OpRows kOps[] = {{"cdist", kCdistRows}, {"nearest", kNearestRows}};

}  // namespace

std::int64_t norms_bytes(const Problem& problem) {
  if (problem.as<DistanceParams>().metric != Metric::Cosine) return 0;
  const std::int64_t rows = problem.inputs[0].shape[0] + problem.inputs[1].shape[0];
  return round_up(rows * static_cast<std::int64_t>(sizeof(float)), 256);
}

DistanceOperands distance_operands(const char* name, const KernelArgs& args, float* norms) {
  const float *a = args.in[0].as<float>(), *b = args.in[1].as<float>();
  const std::int64_t queries = args.in[0].shape()[0], rows = args.in[1].shape()[0], d = args.in[0].shape()[1];
  const auto aligned = [](const float* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; };
  DistanceOperands o{a,
                     b,
                     norms,
                     norms + queries,
                     queries,
                     rows,
                     d,
                     args.problem.as<DistanceParams>().metric,
                     d % 4 == 0 && aligned(a) && aligned(b)};
  if (o.metric == Metric::Cosine) {
    const auto compute = [&](const float* x, std::int64_t n, float* to) {
      const auto blocks = static_cast<unsigned>(ceil_div(n, kDistanceThreads / kWarp));
      launch(name, row_norms, {dim3(blocks), dim3(kDistanceThreads)}, args, x, n, d, to);
    };
    compute(a, queries, norms);
    compute(b, rows, norms + queries);
  }
  return o;
}

void launch_cdist(const char* name, const KernelArgs& args, const DistanceOperands& operands, std::int64_t first,
                  std::int64_t count, float* out) {
  DistanceOperands o = operands;
  o.a += first * o.d, o.a_norms += first, o.queries = count;
  const bool few = count <= kDistanceSide;
  with_step(o.metric, [&](auto step) {
    using Step = decltype(step);
    const std::int64_t tiles = ceil_div(count, (few ? 1 : Step::kRows) * kDistanceSide) * ceil_div(o.rows, kRowTile);
    launch(name, few ? cdist<Step, 1> : cdist<Step, Step::kRows>,
           {dim3(static_cast<unsigned>(tiles)), dim3(kDistanceThreads)}, args, o, out);
  });
}

std::span<const OpRows> distance_rows() { return kOps; }

}  // namespace fastcnn::cuda
