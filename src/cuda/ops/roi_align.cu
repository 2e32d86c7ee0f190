// roi_align: what lies in boxes of pictures, as pictures of one size, and its gradient (the contract: roi_align.h).
#include "core/lanes.cuh"
#include "ops/pixel_range.h"
#include "ops/roi_align/roi_align.h"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr char kForward[] = "roi_align_f32_cuda", kGradient[] = "roi_align_gradient_f32_cuda";

// Computes   roi_align.
// Layout     NHWC; neighbouring threads have neighbouring channels of an output, then the next output of the box.
// Threads    256 a block, each with one or four channels of one output.
// Why        neighbouring samples mix the same pixels, which the first-level cache holds; where a box lies is found
//            by each thread for itself, from 32 bytes that a whole block reads.
// Bound      by reads of that cache: four for each sample.
// Needs      nothing.
// Accuracy   places are the CPU's, bit by bit; averages multiply by the reciprocal of the count, one rounding more.
template <bool max, int lanes>
__global__ void __launch_bounds__(kItemThreads, 4)
    align(const float* __restrict__ x, const float* __restrict__ boxes, const std::int64_t* __restrict__ pictures,
          float* __restrict__ y, std::int64_t items, Places places, RoiAlignParams p, Shape shape) {
  const std::int64_t item = item_of_thread();
  if (item >= items) return;
  const Place at = places.of<lanes>(item);
  const std::int64_t n = pictures[at.n];
  const RoiSamples box = roi_samples(p, boxes + 4 * at.n, n);
  const std::int64_t count = box.valid ? box.rows.count * box.columns.count : 0;
  Lanes<lanes> acc = all_lanes<lanes>(max && count > 0 ? -__builtin_inff() : 0.0f);
  if (count > 0)
    for (std::int64_t r = 0; r < box.rows.count; ++r)
      for (std::int64_t s = 0; s < box.columns.count; ++s) {
        const RoiTap v = roi_tap(box.rows, at.row, r, p.input_h), u = roi_tap(box.columns, at.column, s, p.input_w);
        const bool outside = v.first < 0 || u.first < 0;
        if (outside && !max) continue;
        const auto pixel = [&](std::int64_t row, std::int64_t column) {
          return outside ? all_lanes<lanes>(0.0f) : load<lanes>(x + offset_of(shape, n, row, column, at.channel));
        };
        const Lanes<lanes> a = pixel(v.first, u.first), b = pixel(v.first, u.second);
        const Lanes<lanes> c = pixel(v.second, u.first), d = pixel(v.second, u.second);
#pragma unroll
        for (int l = 0; l < lanes; ++l) {
          const float parts[] = {(1 - v.share) * (1 - u.share) * a[l], (1 - v.share) * u.share * b[l],
                                 v.share * (1 - u.share) * c[l], v.share * u.share * d[l]};
          if constexpr (max) {
#pragma unroll
            for (int k = 0; k < 4; ++k)
              if (parts[k] > acc[l] || parts[k] != parts[k]) acc[l] = parts[k];
          } else {
            acc[l] += (parts[0] + parts[1]) + (parts[2] + parts[3]);
          }
        }
      }
  if constexpr (!max) {
    const float share = 1.0f / static_cast<float>(max_i64(1, count));
#pragma unroll
    for (int l = 0; l < lanes; ++l) acc[l] *= share;
  }
  store(y + item * lanes, acc);
}

void run_forward(const KernelArgs& args) {
  const auto& p = args.problem.as<RoiAlignParams>();
  const Shape& y = args.out[0].shape();
  with_lanes(args, y[3], [&](auto lanes) {
    const std::int64_t items = y.size() / lanes;
    launch(kForward, p.max ? align<true, lanes> : align<false, lanes>, grid_of(items), args, args.in[0].as<float>(),
           args.in[1].as<float>(), args.in[2].as<std::int64_t>(), args.out[0].as<float>(), items, Places(y, lanes), p,
           args.in[0].shape());
  });
}

// ---- gradient -------------------------------------------------------------------------------

// A block's part of dx.
constexpr int kRows = 4, kColumns = 8, kVectors = kItemThreads / (kRows * kColumns);
constexpr int kWarps = kItemThreads / kWarp;

// Samples within a pixel of a pixel give to it. Places may err by half a pixel, or, in pictures too large for floats to
// tell pixels apart, by anything.
float margin_of(std::int64_t side) { return side < (1 << 20) ? 1.5f : __builtin_inff(); }

// Whether samples of a box may give to pixels [begin, begin + count).
__device__ __forceinline__ bool reaches(const RoiAxis& a, std::int64_t outputs, std::int64_t begin, int count,
                                        float margin) {
  const float end = a.start + a.bin * static_cast<float>(outputs);
  const float low = fminf(a.start, end), high = fmaxf(a.start, end);
  return high + margin >= static_cast<float>(begin) && low - margin <= static_cast<float>(begin + count);
}

// The outputs of which samples may give to a pixel: more than do.
__device__ __forceinline__ PixelRange outputs_near(const RoiAxis& a, std::int64_t outputs, std::int64_t pixel,
                                                   float margin) {
  if (a.bin == 0.0f) return {0, outputs - 1};
  const float distance = static_cast<float>(pixel) - a.start;
  const float one = (distance - margin) / a.bin, other = (distance + margin) / a.bin;
  const float low = fmaxf(fminf(one, other), 0.0f), high = fminf(fmaxf(one, other), static_cast<float>(outputs));
  if (!(low <= high + 2.0f)) return {0, -1};
  return {max_i64(0, static_cast<std::int64_t>(low) - 2), min_i64(outputs - 1, static_cast<std::int64_t>(high) + 1)};
}

// What samples of an output take of a pixel along an axis, together.
__device__ __forceinline__ float taken_of(const RoiAxis& a, std::int64_t out, std::int64_t pixel, std::int64_t size) {
  float sum = 0.0f;
  for (std::int64_t sample = 0; sample < a.count; ++sample) {
    const RoiTap tap = roi_tap(a, out, sample, size);
    sum += (tap.first == pixel ? 1.0f - tap.share : 0.0f) + (tap.second == pixel ? tap.share : 0.0f);
  }
  return sum;
}

// Computes   roi_align_gradient.
// Layout     NHWC.
// Threads    256: a block has 4 x 8 pixels of dx and 8 vectors of one or four channels, a thread one of each. The block
//            looks at 256 boxes at a time, a thread each, and lists those that reach its pixels, in their order, in
//            shared memory: 256 x 60 bytes and 8 counts, 15 KB.
// Why        a pixel gathers from the boxes that hold it, so it is written once and has one order; a block passes by
//            most boxes after one look. What a box takes of a pixel is a product of what it takes along each axis.
// Bound      by finding what is taken, of the boxes that reach a block.
// Needs      nothing.
// Accuracy   sums over boxes, then outputs, in their order, fused.
template <int lanes>
__global__ void __launch_bounds__(kItemThreads, 3)
    gather_boxes(const float* __restrict__ dy, const float* __restrict__ boxes,
                 const std::int64_t* __restrict__ pictures, float* __restrict__ dx, std::int64_t count, Places blocks,
                 RoiAlignParams p, Shape dy_shape, float margin_h, float margin_w) {
  FC_SHARED(RoiSamples, listed, [kItemThreads]);
  FC_SHARED(int, numbers, [kItemThreads]);  // of boxes, from `first` on
  FC_SHARED(int, counts, [kWarps]);
  const int thread = static_cast<int>(threadIdx.x), lane = thread % kWarp, warp = thread / kWarp;
  const Place block = blocks.of<1>(blockIdx.x);
  const std::int64_t channels = dy_shape[3], channel = (block.channel * kVectors + thread % kVectors) * lanes;
  const std::int64_t top = block.row * kRows, left = block.column * kColumns;
  const std::int64_t row = top + thread / kVectors / kColumns, column = left + thread / kVectors % kColumns;
  const bool inside = channel < channels && row < p.input_h && column < p.input_w;

  Lanes<lanes> sum = all_lanes<lanes>(0.0f);
  for (std::int64_t first = 0; first < count; first += kItemThreads) {
    const std::int64_t k = first + thread;
    RoiSamples box{};
    if (k < count && pictures[k] == block.n) box = roi_samples(p, boxes + 4 * k, block.n);
    const bool reached = box.valid && box.rows.count > 0 && box.columns.count > 0 &&
                         reaches(box.rows, p.height, top, kRows, margin_h) &&
                         reaches(box.columns, p.width, left, kColumns, margin_w);
    const unsigned votes = __ballot_sync(kAllLanes, reached);
    __syncthreads();  // the last boxes have been read
    if (lane == 0) counts[warp] = __popc(votes);
    __syncthreads();
    int before = __popc(votes & ((1u << lane) - 1)), total = 0;
#pragma unroll
    for (int w = 0; w < kWarps; ++w) {
      before += w < warp ? counts[w] : 0;
      total += counts[w];
    }
    if (reached) listed[before] = box, numbers[before] = thread;
    __syncthreads();
    for (int b = 0; inside && b < total; ++b) {
      const RoiSamples& from = listed[b];
      const float share = 1.0f / static_cast<float>(from.rows.count * from.columns.count);
      const PixelRange rows = outputs_near(from.rows, p.height, row, margin_h);
      const PixelRange columns = outputs_near(from.columns, p.width, column, margin_w);
      for (std::int64_t i = rows.first; i <= rows.last; ++i) {
        const float of_row = taken_of(from.rows, i, row, p.input_h);
        if (of_row == 0.0f) continue;
        for (std::int64_t j = columns.first; j <= columns.last; ++j) {
          const float taken = of_row * taken_of(from.columns, j, column, p.input_w) * share;
          if (taken == 0.0f) continue;
          const Lanes<lanes> given = load<lanes>(dy + offset_of(dy_shape, first + numbers[b], i, j, channel));
#pragma unroll
          for (int l = 0; l < lanes; ++l) sum[l] = fmaf(taken, given[l], sum[l]);
        }
      }
    }
  }
  if (inside) store(dx + ((block.n * p.input_h + row) * p.input_w + column) * channels + channel, sum);
}

void run_gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<RoiAlignParams>();
  const Shape& dx = args.out[0].shape();
  with_lanes(args, dx[3], [&](auto lanes) {
    const Shape blocks{{dx[0], ceil_div(dx[1], kRows), ceil_div(dx[2], kColumns), ceil_div(dx[3], kVectors * lanes)},
                       4};
    const Grid grid{dim3(static_cast<unsigned>(blocks.size())), dim3(kItemThreads)};
    launch(kGradient, gather_boxes<lanes>, grid, args, args.in[0].as<float>(), args.in[1].as<float>(),
           args.in[2].as<std::int64_t>(), args.out[0].as<float>(), args.in[1].shape()[0], Places(blocks, 1), p,
           args.in[0].shape(), margin_of(p.input_h), margin_of(p.input_w));
  });
}

// ---- the rows -------------------------------------------------------------------------------

constexpr KernelInfo kForwardRows[] = {{.name = kForward, .device = Device::Cuda, .run = run_forward}};
constexpr KernelInfo kGradientRows[] = {{.name = kGradient, .device = Device::Cuda, .run = run_gradient}};

}  // namespace

std::span<const OpRows> roi_align_rows() {
  static constexpr OpRows rows[] = {{"roi_align", kForwardRows}, {"roi_align_gradient", kGradientRows}};
  return rows;
}

}  // namespace fastcnn::cuda
