// The nearest rows of a gallery on a device.
//
// Up to kMost of them: blocks compute tiles of distances and keep the k best of their chunk of the gallery in shared
// memory, so that no distance is stored; then the chunks' candidates are merged. More: distances of as many queries at
// a time as kMatrixBytes hold are stored and ranked (core/merge_sort.cuh). Candidates are distinct numbers ordered by
// distance, then index, so the result does not depend on the order in which they were found.
#include "core/merge_sort.cuh"
#include "ops/distance.cuh"

namespace fastcnn::cuda {
namespace {

constexpr const char* kName = "nearest_f32_cuda";
constexpr int kThreads = kDistanceThreads, kWarps = kThreads / kWarp;
constexpr std::int64_t kMost = 128;
constexpr Candidate kNobody = ~Candidate{0};

// ---- the k best of a stream of candidates, a warp together ------------------------------------------

// 32 `registers` candidates in order: the one of rank r is in register r / 32 of lane r % 32.
template <int registers>
struct BestOf {
  unsigned long long own[registers];

  // All lanes with the same candidate.
  __device__ __forceinline__ void insert(unsigned long long candidate) {
    const int lane = threadIdx.x % kWarp;
#pragma unroll
    for (int i = registers - 1; i >= 0; --i) {
      unsigned long long before = __shfl_up_sync(kAllLanes, own[i], 1);
      if (i > 0) {
        const unsigned long long last = __shfl_sync(kAllLanes, own[i > 0 ? i - 1 : 0], kWarp - 1);
        if (lane == 0) before = last;
      } else if (lane == 0) {
        before = 0;  // below every candidate
      }
      if (candidate < own[i]) own[i] = candidate < before ? before : candidate;
    }
  }
  __device__ __forceinline__ unsigned long long ranked(int rank) const {
    unsigned long long found = kNobody;
#pragma unroll
    for (int i = 0; i < registers; ++i) {
      const unsigned long long candidate = __shfl_sync(kAllLanes, own[i], rank % kWarp);
      if (rank / kWarp == i) found = candidate;
    }
    return found;
  }
  // Takes the lanes' candidates that are better than the last of the k best, `worst`, which it moves; tells whether any
  // was.
  __device__ __forceinline__ bool offer(unsigned long long candidate, int k, unsigned long long& worst) {
    unsigned near = __ballot_sync(kAllLanes, candidate < worst);
    if (near == 0) return false;
    for (; near != 0; near &= near - 1) {
      const unsigned long long next = __shfl_sync(kAllLanes, candidate, __ffs(near) - 1);
      if (next >= worst) continue;
      insert(next);
      worst = ranked(k - 1);
    }
    return true;
  }
  __device__ __forceinline__ void load(const unsigned long long* from) {
#pragma unroll
    for (int i = 0; i < registers; ++i) own[i] = from[i * kWarp + threadIdx.x % kWarp];
  }
  __device__ __forceinline__ void store(unsigned long long* to) const {
#pragma unroll
    for (int i = 0; i < registers; ++i) to[i * kWarp + threadIdx.x % kWarp] = own[i];
  }
  __device__ __forceinline__ void clear() {
#pragma unroll
    for (int i = 0; i < registers; ++i) own[i] = kNobody;
  }
};

__device__ __forceinline__ unsigned long long candidate_of(Metric metric, float distance, std::int64_t row) {
  return make_candidate(metric == Metric::InnerProduct ? 0.0f - distance : distance, row);
}

__device__ __forceinline__ float value_of(Metric metric, Candidate candidate) {
  const float value = candidate_value(candidate);
  return metric == Metric::InnerProduct ? 0.0f - value : value;
}

// How the gallery is cut, by shape alone.
struct Chunks {
  std::int64_t count, rows;
};

constexpr int query_rows(bool few) { return few ? 1 : 4; }  // of a thread: few queries, or long lists

bool takes_few(std::int64_t queries, std::int64_t k) { return queries <= kDistanceSide || k > kWarp; }

Chunks cut(std::int64_t queries, std::int64_t rows, bool few) {
  constexpr std::int64_t kBlocks = 512, kLeastTiles = 8;
  const std::int64_t blocks = max_i64(1, ceil_div(queries, query_rows(few) * kDistanceSide));
  const std::int64_t tiles = ceil_div(rows, kRowTile);
  const std::int64_t count = max_i64(1, min_i64(ceil_div(kBlocks, blocks), tiles / kLeastTiles));
  Chunks c{count, ceil_div(tiles, count) * kRowTile};
  c.count = ceil_div(rows, c.rows);
  return c;
}

// Computes   the k best candidates of every query in a chunk of the gallery, in order; missing ones are kNobody.
// Layout     candidates [query][chunk][k]; a block has 16 `rows` queries and one chunk, tile by tile of 128 rows.
// Threads    256: the sums as in cdist; then a warp has a query, whose row of the tile it compares with the worst of
//            its k best, 32 distances at a time. The tile's distances lie where its operands did: 32 KB, and the lists
//            16 KB (four rows: 64 queries, k <= 32; one: 16 queries, k <= 128 in 22.5 + 16 KB). Every other row of the
//            tile is turned by half a warp, so that the two rows that a warp writes at once fall on different banks.
// Why        of a long stream hardly any distance is among the best so far: one comparison and a vote a distance. A
//            list in the registers of a warp takes a candidate in one step.
// Bound by   as cdist; a gallery ordered from far to near costs an insertion a row.
// Needs      k <= 32 `registers`, fewer than 2^32 rows.
// Accuracy   the bits of cdist.
template <class Step, int rows, int registers>
__global__ void __launch_bounds__(kThreads, 2)
    search(DistanceOperands o, int k, Chunks chunks, unsigned long long* __restrict__ candidates) {
  constexpr int kQueries = rows * kDistanceSide, kList = registers * kWarp;
  constexpr int kFloats =
      kDistanceStage<rows> * 4 > kQueries * kRowTile ? kDistanceStage<rows> * 4 : kQueries * kRowTile;
  FC_SHARED(float4, stage, [kFloats / 4]);
  FC_SHARED(unsigned long long, lists, [kQueries][kList]);
  float* distances = reinterpret_cast<float*>(stage);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const std::int64_t query = blockIdx.x / chunks.count * kQueries, chunk = blockIdx.x % chunks.count;
  const std::int64_t begin = chunk * chunks.rows, end = min_i64(begin + chunks.rows, o.rows);
  BestOf<registers> best;
  best.clear();
  for (int q = warp; q < kQueries; q += kWarps) best.store(lists[q]);
  for (std::int64_t row = begin; row < end; row += kRowTile) {
    {
      float sums[rows][8];
      sum_tile<Step>(o, query, row, stage, sums);
#pragma unroll
      for (int i = 0; i < rows; ++i)
#pragma unroll
        for (int j = 0; j < 8; ++j) {
          const int q = i * kDistanceSide + threadIdx.x / kDistanceSide;
          const int r = j * kDistanceSide + threadIdx.x % kDistanceSide;
          const bool inside = query + q < o.queries && row + r < end;
          distances[q * kRowTile + (r ^ q % 2 * kDistanceSide)] =
              inside ? distance_of(o, query + q, row + r, sums[i][j]) : 0;
        }
    }
    __syncthreads();
    const int left = static_cast<int>(min_i64(kRowTile, end - row));
    for (int q = warp; q < kQueries && query + q < o.queries; q += kWarps) {
      best.load(lists[q]);  // every lane its own: no barrier
      unsigned long long worst = best.ranked(k - 1);
      bool changed = false;
      for (int r = lane; r < kRowTile; r += kWarp) {
        const float distance = distances[q * kRowTile + (r ^ q % 2 * kDistanceSide)];
        changed |= best.offer(r < left ? candidate_of(o.metric, distance, row + r) : kNobody, k, worst);
      }
      if (changed) best.store(lists[q]);
    }
    __syncthreads();  // the next tile's operands overwrite the distances
  }
  for (int q = warp; q < kQueries && query + q < o.queries; q += kWarps)
    for (int i = lane; i < k; i += kWarp) candidates[((query + q) * chunks.count + chunk) * k + i] = lists[q][i];
}

// Computes   the results of a query from the candidates of its chunks.
// Layout     a block a query; every warp goes through an eighth of the candidates, and one through the warps' lists.
// Threads    256; 2 KB of shared memory a register.
// Bound by   latency.
template <int registers>
__global__ void __launch_bounds__(kThreads)
    merge(const unsigned long long* __restrict__ candidates, std::int64_t count, int k, Metric metric,
          float* __restrict__ values, std::int64_t* __restrict__ indices) {
  constexpr int kList = registers * kWarp;
  FC_SHARED(unsigned long long, lists, [kWarps * kList]);
  const int lane = threadIdx.x % kWarp, warp = threadIdx.x / kWarp;
  const std::int64_t query = blockIdx.x;
  BestOf<registers> best;
  unsigned long long worst = kNobody;
  best.clear();
  for (std::int64_t i = static_cast<std::int64_t>(warp) * kWarp; i < count; i += kThreads)
    best.offer(i + lane < count ? candidates[query * count + i + lane] : kNobody, k, worst);
  best.store(lists + warp * kList);
  __syncthreads();
  if (warp != 0) return;
  for (int i = kList; i < kWarps * kList; i += kWarp) best.offer(lists[i + lane], k, worst);
#pragma unroll
  for (int i = 0; i < registers; ++i) {
    const int rank = i * kWarp + lane;
    if (rank >= k) break;
    values[query * k + rank] = value_of(metric, best.own[i]);
    indices[query * k + rank] = static_cast<std::int64_t>(best.own[i] & 0xffffffffu);
  }
}

void run_fused(const KernelArgs& args, const DistanceOperands& o, int k, unsigned long long* candidates) {
  const bool few = takes_few(o.queries, k);
  const Chunks chunks = cut(o.queries, o.rows, few);
  const auto blocks = static_cast<unsigned>(ceil_div(o.queries, query_rows(few) * kDistanceSide) * chunks.count);
  with_step(o.metric, [&](auto step) {
    using Step = decltype(step);
    launch(kName, few ? search<Step, query_rows(true), 4> : search<Step, query_rows(false), 1>,
           {dim3(blocks), dim3(kThreads)}, args, o, k, chunks, candidates);
  });
  launch(kName, k > kWarp ? merge<4> : merge<1>, {dim3(static_cast<unsigned>(o.queries)), dim3(kThreads)}, args,
         candidates, chunks.count * k, k, o.metric, args.out[0].as<float>(), args.out[1].as<std::int64_t>());
}

// ---- any k ------------------------------------------------------------------------------------------

struct Distances {
  const float* matrix;
  std::int64_t rows;
  Metric metric;
  template <class Item>
  __device__ __forceinline__ Item operator()(Item kind, std::int64_t query, std::int64_t row) const {
    return make_item(kind, candidate_of(metric, matrix[query * rows + row], 0) >> 32, row);
  }
};

// Computes   the results of some queries from their candidates in order; one thread a result.
template <class Item>
__global__ void __launch_bounds__(kThreads)
    write_ranked(Distances source, SortPlan plan, const Item* __restrict__ items, float* __restrict__ values,
                 std::int64_t* __restrict__ indices) {
  const std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  if (i >= plan.rows * plan.keep) return;
  std::int64_t rank;
  const std::int64_t query = plan.by_keep.divide(i, &rank), at = item_index(items[query * plan.pitch + rank]);
  values[i] = source.matrix[query * plan.size + at];
  indices[i] = at;
}

// Memory for so many queries at once: their distances and both buffers of the sort.
template <class Item>
struct Ranking {
  std::int64_t queries, matrix_bytes, items_bytes;

  explicit Ranking(const Problem& problem) {
    constexpr std::int64_t kMatrixBytes = std::int64_t{1} << 28;
    const std::int64_t rows = problem.inputs[1].shape[0], k = problem.as<DistanceParams>().k;
    const std::int64_t of_query = rows * static_cast<std::int64_t>(sizeof(float) + 2 * sizeof(Item));
    queries = max_i64(1, min_i64(problem.inputs[0].shape[0], kMatrixBytes / of_query));
    matrix_bytes = round_up(queries * rows * static_cast<std::int64_t>(sizeof(float)), 256);
    items_bytes = sort_bytes<Item>(plan_sort<Item>(queries, rows, k));
  }
  std::int64_t bytes() const { return matrix_bytes + 2 * items_bytes; }
};

template <class Item>
void run_ranked(const KernelArgs& args, const DistanceOperands& o, std::int64_t k, unsigned char* memory) {
  const Ranking<Item> ranking(args.problem);
  auto* matrix = reinterpret_cast<float*>(memory);
  auto* items = reinterpret_cast<Item*>(memory + ranking.matrix_bytes);
  auto* swap = reinterpret_cast<Item*>(memory + ranking.matrix_bytes + ranking.items_bytes);
  for (std::int64_t first = 0; first < o.queries; first += ranking.queries) {
    const std::int64_t count = min_i64(ranking.queries, o.queries - first);
    launch_cdist(kName, args, o, first, count, matrix);
    const Distances source{matrix, o.rows, o.metric};
    const SortPlan plan = plan_sort<Item>(count, o.rows, k);
    const Item* sorted = sort_rows(kName, args, plan, source, items, swap);
    launch(kName, write_ranked<Item>, {dim3(static_cast<unsigned>(ceil_div(count * k, kThreads))), dim3(kThreads)},
           args, source, plan, sorted, args.out[0].as<float>() + first * k, args.out[1].as<std::int64_t>() + first * k);
  }
}

}  // namespace

void run_nearest(const KernelArgs& args) {
  const std::int64_t k = args.problem.as<DistanceParams>().k;
  auto* memory = static_cast<unsigned char*>(args.workspace);
  const DistanceOperands o = distance_operands(kName, args, reinterpret_cast<float*>(memory));
  memory += norms_bytes(args.problem);
  if (!fits_narrow(o.rows))
    run_ranked<WideItem>(args, o, k, memory);
  else if (k > kMost)
    run_ranked<NarrowItem>(args, o, k, memory);
  else
    run_fused(args, o, static_cast<int>(k), reinterpret_cast<unsigned long long*>(memory));
}

std::int64_t nearest_bytes(const Problem& problem) {
  const std::int64_t queries = problem.inputs[0].shape[0], rows = problem.inputs[1].shape[0];
  const std::int64_t k = problem.as<DistanceParams>().k, norms = norms_bytes(problem);
  if (!fits_narrow(rows)) return norms + Ranking<WideItem>(problem).bytes();
  if (k > kMost) return norms + Ranking<NarrowItem>(problem).bytes();
  const Chunks chunks = cut(queries, rows, takes_few(queries, k));
  return norms + queries * chunks.count * k * static_cast<std::int64_t>(sizeof(Candidate));
}

}  // namespace fastcnn::cuda
