// Boxes on a device: IoU of all pairs, and the soft form of non-maximum suppression; boxes_nms.cu has the greedy form.
#include "ops/boxes.cuh"

#include "core/reduce.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

// ---- box_iou ------------------------------------------------------------------------------------

constexpr int kIouRows = 16;  // of one thread

// Computes   IoU, GIoU, DIoU or CIoU of every pair of boxes (the contract: boxes.h).
// Layout     boxes (n, 4); neighbouring threads have neighbouring columns.
// Threads    256: 32 to 256 columns and the rest along the rows, 16 rows a thread, every blockDim.y-th. A tile is 16 to
//            128 rows, measured once into 3 KB of shared memory and read by whole warps at once.
// Why        the column's box stays in 6 registers, a row's costs one broadcast read; few columns (anchors against
//            the boxes of a picture) still fill the block.
// Bound by   the division and the stores.
// Accuracy   the contract's formula, one rounding an operation: the reference's bits, up to atan2 in CIoU.
template <IouKind kind>
__global__ void __launch_bounds__(kBoxThreads)
    box_iou(const Box* __restrict__ a, const Box* __restrict__ b, std::int64_t rows, std::int64_t columns, float eps,
            float* __restrict__ out) {
  FC_SHARED(MeasuredBox, tile, [kIouRows * kBoxThreads / kWarp]);
  const std::int64_t across = ceil_div(columns, blockDim.x);
  const int tile_rows = kIouRows * static_cast<int>(blockDim.y);
  const std::int64_t first = blockIdx.x / across * tile_rows;
  const int count = static_cast<int>(min_i64(tile_rows, rows - first));
  for (int i = threadIdx.y * blockDim.x + threadIdx.x; i < count; i += kBoxThreads)
    tile[i] = measure<kind>(a[first + i]);
  __syncthreads();
  const std::int64_t j = blockIdx.x % across * blockDim.x + threadIdx.x;
  if (j >= columns) return;
  const MeasuredBox column = measure<kind>(b[j]);
  for (int i = threadIdx.y; i < count; i += blockDim.y)
    out[(first + i) * columns + j] = similarity<kind>(tile[i], column, eps);
}

void run_box_iou(const KernelArgs& args) {
  const auto& p = args.problem.as<BoxIouParams>();
  const std::int64_t rows = args.out[0].shape()[0], columns = args.out[0].shape()[1];
  unsigned wide = kWarp;
  while (wide < kBoxThreads && wide < columns) wide *= 2;
  const dim3 threads(wide, kBoxThreads / wide);
  const std::int64_t blocks = ceil_div(columns, wide) * ceil_div(rows, kIouRows * threads.y);
  with_kind(p.kind, [&](auto kind) {
    launch("box_iou_f32_cuda", box_iou<kind()>, {dim3(static_cast<unsigned>(blocks)), threads}, args,
           args.in[0].as<Box>(), args.in[1].as<Box>(), rows, columns, p.eps, args.out[0].as<float>());
  });
}

// ---- soft_nms -----------------------------------------------------------------------------------

constexpr int kSoftThreads = 1024;

// The smallest of a block's values, in every thread. `turn` alternates between calls, so that one barrier is enough.
__device__ __forceinline__ unsigned long long block_min(unsigned long long x, unsigned long long (*warps)[kWarp],
                                                        int turn) {
  const int lane = threadIdx.x % kWarp, count = blockDim.x / kWarp;
  x = warp_reduce(x, Smaller());
  if (lane == 0) warps[turn][threadIdx.x / kWarp] = x;
  __syncthreads();
  return warp_reduce(lane < count ? warps[turn][lane] : ~0ull, Smaller());
}

// Computes   soft non-maximum suppression (the contract: boxes.h).
// Layout     thread t owns the boxes t, t + blockDim.x, ... and their scores in `current`; nobody else touches them.
// Threads    one block of up to 1024, 512 bytes of shared memory. A step decays what is left by the box just taken, and
//            finds the next by the smallest pair of score key and index.
// Why        steps depend on each other: one block needs one barrier a step and no round through the host. The scores
//            stay in the cache.
// Bound by   the latency of a step.
// Accuracy   the reference's bits.
template <Decay decay>
__global__ void __launch_bounds__(kSoftThreads)
    soft_nms(const Box* __restrict__ boxes, const float* __restrict__ scores, std::int64_t n, SoftNmsParams p,
             float* __restrict__ current, std::int64_t* __restrict__ indices, float* __restrict__ taken_scores,
             std::int64_t* __restrict__ total) {
  FC_SHARED(unsigned long long, warps, [2][kWarp]);
  constexpr unsigned long long kNone = ~0ull;
  p.decay = decay;
  const auto key_of = [&](float score, std::int64_t i) {
    return score > p.score_limit ? static_cast<unsigned long long>(descending_key(score)) << 32 | i : kNone;
  };
  unsigned long long best = kNone;
  for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
    const unsigned long long key = key_of(scores[i], i);
    current[i] = scores[i];
    best = key < best ? key : best;
  }
  std::int64_t count = 0;
  for (int turn = 0; count < p.max_output; turn ^= 1) {
    best = block_min(best, warps, turn);
    if (best == kNone) break;
    const std::int64_t top = static_cast<std::int64_t>(best & 0xffffffffu);
    if (threadIdx.x == 0) {
      indices[count] = top;
      taken_scores[count] = __uint_as_float(~static_cast<unsigned>(best >> 32) & 0x7fffffffu);  // above 0
    }
    ++count;
    const MeasuredBox taken = measure<IouKind::Iou>(boxes[top]);
    best = kNone;
    for (std::int64_t i = threadIdx.x; i < n; i += blockDim.x) {
      float score = current[i];
      if (!(score > p.score_limit)) continue;
      score = i == top ? -1.0f : decayed(score, similarity<IouKind::Iou>(taken, measure<IouKind::Iou>(boxes[i]), 0), p);
      current[i] = score;
      const unsigned long long key = key_of(score, i);
      best = key < best ? key : best;
    }
  }
  for (std::int64_t i = count + threadIdx.x; i < n; i += blockDim.x) indices[i] = -1, taken_scores[i] = 0;
  if (threadIdx.x == 0) *total = count;
}

void run_soft_nms(const KernelArgs& args) {
  const auto& p = args.problem.as<SoftNmsParams>();
  const std::int64_t n = args.in[0].shape()[0];
  const auto threads = static_cast<unsigned>(min_i64(kSoftThreads, round_up(max_i64(1, n), kWarp)));
  launch("soft_nms_f32_cuda", p.decay == Decay::Gaussian ? soft_nms<Decay::Gaussian> : soft_nms<Decay::Linear>,
         {dim3(1), dim3(threads)}, args, args.in[0].as<Box>(), args.in[1].as<float>(), n, p,
         static_cast<float*>(args.workspace), args.out[0].as<std::int64_t>(), args.out[1].as<float>(),
         args.out[2].as<std::int64_t>());
}

std::int64_t soft_nms_workspace(const Problem& problem) {
  return problem.inputs[0].shape[0] * static_cast<std::int64_t>(sizeof(float));
}

// ---- the rows: best first -----------------------------------------------------------------------

constexpr KernelInfo kBoxIouRows[] = {{.name = "box_iou_f32_cuda", .device = Device::Cuda, .run = run_box_iou}};
constexpr KernelInfo kNmsRows[] = {{.name = "nms_f32_cuda",
                                    .device = Device::Cuda,
                                    .run = run_nms,
                                    .declines = decline_too_many_boxes,
                                    .workspace = nms_workspace}};
constexpr KernelInfo kSoftNmsRows[] = {{.name = "soft_nms_f32_cuda",
                                        .device = Device::Cuda,
                                        .run = run_soft_nms,
                                        .declines = decline_too_many_boxes,
                                        .workspace = soft_nms_workspace}};
constexpr OpRows kOps[] = {{"box_iou", kBoxIouRows}, {"nms", kNmsRows}, {"soft_nms", kSoftNmsRows}};

}  // namespace

std::span<const OpRows> boxes_rows() { return kOps; }

}  // namespace fastcnn::cuda
