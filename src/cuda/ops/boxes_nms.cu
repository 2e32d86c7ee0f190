// Greedy non-maximum suppression on a device, without a word from the host between its steps.
//
// Boxes are sorted by score, then decided a block of kBlock at a time: a triangle of bits tells which box of the block
// suppresses which later one of it (overlaps), one thread block goes through them in order (decide), and the kept ones
// strike out what they suppress among all boxes after the block (sweep). Compared with bits for all pairs of boxes this
// needs memory for one block instead of n^2 / 8 bytes, and compares boxes with kept ones only. Kernels whose work is
// done - every box decided, or max_output kept - return at once.
#include "core/merge_sort.cuh"
#include "ops/boxes.cuh"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "nms_f32_cuda";
constexpr int kBlock = 1024;            // boxes decided at once
constexpr int kWords = kBlock / kWarp;  // of 32 bits, in a row of the triangle
constexpr int kRowsOfPart = kWarp / (kBoxThreads / kWords);
constexpr unsigned kNoScore = ~0u;  // key of a box whose score does not pass

struct Memory {
  NarrowItem *items, *swap;  // key of the score, index of the box
  float4* boxes;             // by score
  std::int64_t* classes;     // by score
  unsigned char* struck;     // by score: suppressed, or its score does not pass
  unsigned* overlaps;        // [box of the block][word]
  float4* kept_boxes;        // of the block
  std::int64_t* kept_classes;
  int* kept;  // how many
};

// With a null base it only counts.
std::int64_t take_memory(void* base, std::int64_t n, Memory& m) {
  std::int64_t used = 0;
  const auto take = [&](auto*& p, std::int64_t count) {
    p = reinterpret_cast<std::remove_reference_t<decltype(p)>>(static_cast<unsigned char*>(base) + used);
    used += round_up(count * static_cast<std::int64_t>(sizeof *p), 256);
  };
  take(m.items, n), take(m.swap, n), take(m.boxes, n), take(m.classes, n), take(m.struck, n);
  take(m.overlaps, kBlock * kWords), take(m.kept_boxes, kBlock), take(m.kept_classes, kBlock), take(m.kept, 1);
  return used;
}

struct Scores {
  const float* scores;
  NmsParams p;
  __device__ __forceinline__ NarrowItem operator()(NarrowItem kind, std::int64_t, std::int64_t i) const {
    const float s = scores[i];
    const bool passes = p.has_score_limit ? s > p.score_limit : s == s;
    return make_item(kind, passes ? descending_key(s) : kNoScore, i);
  }
};

__device__ __forceinline__ Box as_box(float4 b) { return {b.x, b.y, b.z, b.w}; }

template <IouKind kind>
__device__ __forceinline__ bool suppresses(const MeasuredBox& kept, const MeasuredBox& box, float limit) {
  // No overlap exceeds no threshold; most pairs end here.
  return intersection(kept.box, box.box) > 0 && similarity<kind>(kept, box, kNmsEps) > limit;
}

// Everything is decided: enough boxes are kept, or no box at or after `first` passes.
__device__ __forceinline__ bool is_done(const Memory& m, const NmsParams& p, std::int64_t first,
                                        const std::int64_t* count) {
  return *count >= p.max_output || static_cast<unsigned>(m.items[first] >> 32) == kNoScore;
}

// Computes   boxes and classes by score, and results without a box.
// Layout     one thread a box.
// Bound by   memory.
__global__ void __launch_bounds__(kBoxThreads)
    start(const Box* __restrict__ boxes, const std::int64_t* __restrict__ classes, std::int64_t n, Memory m,
          std::int64_t* __restrict__ indices, std::int64_t* __restrict__ count) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kBoxThreads + threadIdx.x;
  if (i == 0) *count = 0;
  if (i >= n) return;
  const NarrowItem item = m.items[i];
  const Box b = boxes[item_index(item)];
  m.boxes[i] = make_float4(b.x1, b.y1, b.x2, b.y2);
  m.classes[i] = classes == nullptr ? 0 : classes[item_index(item)];
  m.struck[i] = static_cast<unsigned>(item >> 32) == kNoScore;
  indices[i] = -1;
}

// Computes   overlaps[i][w] bit j: box i of the block suppresses its box 32 w + j, which is after it.
// Layout     boxes by score; block (x, y) has word x of the rows 256 y ... 256 y + 255, one a thread.
// Threads    256, with the 32 boxes of the word in 1 KB of shared memory, read by all threads at once. Warps below the
//            diagonal have nothing to do.
// Bound by   arithmetic: 32 pairs a thread.
template <IouKind kind>
__global__ void __launch_bounds__(kBoxThreads)
    find_overlaps(Memory m, NmsParams p, std::int64_t first, int size, const std::int64_t* __restrict__ count) {
  FC_SHARED(MeasuredBox, boxes, [kWarp]);
  FC_SHARED(std::int64_t, classes, [kWarp]);
  if (is_done(m, p, first, count)) return;
  const int t = threadIdx.x, row = blockIdx.y * kBoxThreads + t, column = blockIdx.x * kWarp;
  const int columns = size - column < kWarp ? size - column : kWarp;
  if (t < columns) {
    boxes[t] = measure<kind>(as_box(m.boxes[first + column + t]));
    classes[t] = m.classes[first + column + t];
  }
  __syncthreads();
  if (row >= size || row >= column + kWarp) return;
  const MeasuredBox box = measure<kind>(as_box(m.boxes[first + row]));
  const std::int64_t own = m.classes[first + row];
  unsigned bits = 0;
  for (int j = row < column ? 0 : row - column + 1; j < columns; ++j)
    if (classes[j] == own && suppresses<kind>(box, boxes[j], p.iou_limit)) bits |= 1u << j;
  m.overlaps[row * kWords + blockIdx.x] = bits;
}

// Computes   which boxes of the block are kept, in order, and appends their indices to the results.
// Layout     a word of 32 boxes at a time: a warp walks through its bits, passing rows of the triangle from the lanes
//            that hold them; then 8 threads a later word gather what the kept rows strike there.
// Threads    one block of 256, 136 bytes of shared memory.
// Why        only the 32 steps within a word depend on each other, and they wait for no memory.
// Bound by   latency: 1024 steps of a warp, 64 barriers.
__global__ void __launch_bounds__(kBoxThreads)
    decide(Memory m, NmsParams p, std::int64_t first, int size, std::int64_t* __restrict__ indices,
           std::int64_t* __restrict__ count) {
  FC_SHARED(unsigned, struck, [kWords]);  // and, once a word is decided, all boxes of it that are not kept
  FC_SHARED(std::int64_t, before, [1]);
  if (is_done(m, p, first, count)) return;
  const int t = threadIdx.x, lane = t % kWarp, words = static_cast<int>(ceil_div(size, kWarp));
  for (int i = t; i < kBlock; i += kBoxThreads) {
    const unsigned bits = __ballot_sync(kAllLanes, i >= size || m.struck[first + i]);
    if (lane == 0) struck[i / kWarp] = bits;
  }
  if (t == 0) before[0] = *count;
  __syncthreads();
  for (int w = 0; w < words; ++w) {
    const unsigned* rows = m.overlaps + w * kWarp * kWords;
    if (t < kWarp) {
      const unsigned own = w * kWarp + lane < size ? rows[lane * kWords + w] : 0;
      unsigned bits = struck[w];
      for (int j = 0; j < kWarp; ++j)
        if ((bits >> j & 1) == 0) bits |= __shfl_sync(kAllLanes, own, j);
      __syncwarp();
      if (lane == 0) struck[w] = bits;
    }
    __syncthreads();
    const int word = t % kWords, part = t / kWords * kRowsOfPart;
    if (w < word && word < words) {
      const unsigned kept = ~struck[w];
      unsigned bits = 0;
      for (int j = part; j < part + kRowsOfPart; ++j)
        if (kept >> j & 1) bits |= rows[j * kWords + word];
      if (bits != 0) atomicOr(&struck[word], bits);
    }
    __syncthreads();
  }
  for (int i = t; i < size; i += kBoxThreads) {
    const unsigned kept = ~struck[i / kWarp];
    if ((kept >> i % kWarp & 1) == 0) continue;
    int rank = __popc(kept & ((1u << i % kWarp) - 1));
    for (int w = 0; w < i / kWarp; ++w) rank += __popc(~struck[w]);
    const std::int64_t place = before[0] + rank;
    if (place < p.max_output) indices[place] = item_index(m.items[first + i]);
    m.kept_boxes[rank] = m.boxes[first + i];
    m.kept_classes[rank] = m.classes[first + i];
  }
  if (t == 0) {
    int total = 0;
    for (int w = 0; w < words; ++w) total += __popc(~struck[w]);
    *m.kept = total;
    *count = min_i64(before[0] + total, p.max_output);
  }
}

// Computes   struck, for the boxes after the block that its kept ones suppress.
// Layout     32 boxes a thread block, one a lane; every warp compares them with each eighth of the kept ones.
// Threads    256, 32 bytes of shared memory.
// Why        the kept boxes are the same for all lanes, one read for 32 of them; eight warps a box keep the device busy
//            where boxes are few.
// Bound by   arithmetic.
template <IouKind kind>
__global__ void __launch_bounds__(kBoxThreads)
    sweep(Memory m, NmsParams p, std::int64_t begin, std::int64_t n, const std::int64_t* __restrict__ count) {
  constexpr int kWarps = kBoxThreads / kWarp;
  FC_SHARED(unsigned, hits, [kWarps]);
  if (is_done(m, p, begin, count)) return;
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const std::int64_t i = begin + static_cast<std::int64_t>(blockIdx.x) * kWarp + lane;
  bool open = i < n && !m.struck[i], hit = false;
  if (open) {
    const MeasuredBox box = measure<kind>(as_box(m.boxes[i]));
    const std::int64_t own = m.classes[i];
    const int kept = *m.kept;
    for (int k = warp; k < kept && !hit; k += kWarps)
      hit = m.kept_classes[k] == own && suppresses<kind>(measure<kind>(as_box(m.kept_boxes[k])), box, p.iou_limit);
  }
  const unsigned lanes = __ballot_sync(kAllLanes, hit);
  if (lane == 0) hits[warp] = lanes;
  __syncthreads();
  if (warp != 0 || !open) return;
  unsigned all = 0;
  for (int w = 0; w < kWarps; ++w) all |= hits[w];
  if (all >> lane & 1) m.struck[i] = 1;
}

template <IouKind kind>
void decide_blocks(const KernelArgs& args, const Memory& m) {
  const auto& p = args.problem.as<NmsParams>();
  const std::int64_t n = args.in[0].shape()[0];
  std::int64_t *indices = args.out[0].as<std::int64_t>(), *count = args.out[1].as<std::int64_t>();
  for (std::int64_t first = 0; first < n; first += kBlock) {
    const int size = static_cast<int>(min_i64(kBlock, n - first));
    const dim3 grid(static_cast<unsigned>(ceil_div(size, kWarp)), static_cast<unsigned>(ceil_div(size, kBoxThreads)));
    launch(kName, find_overlaps<kind>, {grid, dim3(kBoxThreads)}, args, m, p, first, size, count);
    launch(kName, decide, {dim3(1), dim3(kBoxThreads)}, args, m, p, first, size, indices, count);
    const std::int64_t next = first + kBlock;
    if (next < n)
      launch(kName, sweep<kind>, {dim3(static_cast<unsigned>(ceil_div(n - next, kWarp))), dim3(kBoxThreads)}, args, m,
             p, next, n, count);
  }
}

}  // namespace

void run_nms(const KernelArgs& args) {
  const auto& p = args.problem.as<NmsParams>();
  const std::int64_t n = args.in[0].shape()[0];
  Memory m{};
  take_memory(args.workspace, n, m);
  if (n > 0) {
    const Scores source{args.in[1].as<float>(), p};
    m.items = sort_rows(kName, args, plan_sort<NarrowItem>(1, n, n), source, m.items, m.swap);
  }
  launch(kName, start, {dim3(static_cast<unsigned>(ceil_div(max_i64(1, n), kBoxThreads))), dim3(kBoxThreads)}, args,
         args.in[0].as<Box>(), args.problem.num_inputs > 2 ? args.in[2].as<std::int64_t>() : nullptr, n, m,
         args.out[0].as<std::int64_t>(), args.out[1].as<std::int64_t>());
  if (p.kind == IouKind::Diou)
    decide_blocks<IouKind::Diou>(args, m);
  else
    decide_blocks<IouKind::Iou>(args, m);
}

std::int64_t nms_workspace(const Problem& problem) {
  Memory m;
  return take_memory(nullptr, problem.inputs[0].shape[0], m);
}

}  // namespace fastcnn::cuda
