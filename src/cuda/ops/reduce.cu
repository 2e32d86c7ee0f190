// The CUDA rows of the reduce room.
//
// Computes   sums, means, products, extrema and argmax over any set of axes (the contract: ops/reduce/reduce.h).
// Layout     the operand as alternating kept and reduced axes. Innermost axis reduced: a result's elements are runs.
//            Innermost axis kept (global pooling of NHWC pictures): neighbouring results, and rows of them.
// Threads    256. Runs: 8 threads a result up to 128 elements, a warp up to 1024, the block beyond. Rows: neighbouring
//            threads have neighbouring results, at most 32 where there are rows enough, and several walk down each. A
//            thread folds at most 32 elements: what has more is cut into chunks, whose results lie in the workspace and
//            are then joined. Shared memory: 256 bytes (argmax: 512), of rows one item a thread (1 to 4 KB).
// Why        neighbouring threads read neighbouring elements; a long reduction fills the device, in an order that
//            depends on the shape alone.
// Bound by   memory.
// Needs      nothing.
// Accuracy   extrema are exact; sums have the error of 40 additions, chunks being added in double; products are double.
#include "ops/reduce/reduce.h"

#include "core/axis_team.cuh"
#include "core/divide.cuh"
#include "ops/rows.h"

namespace fastcnn::cuda {
namespace {

constexpr int kThreads = kTeamThreads, kTerms = 32;

// ---- what is folded -------------------------------------------------------------------------

// A thread's elements one by one: start(), then step(value, x, its position); the values of threads: Combine; those of
// chunks: the same as Wide. finish() gives the result.
template <class Number, class Operation, class Start>
struct NumberFold {
  using Value = Number;
  using Combine = Operation;
  using Result = float;
  static __device__ __forceinline__ Value start() { return Start::value(); }
  static __device__ __forceinline__ Value step(Value value, float x, std::int64_t) {
    return Combine()(value, static_cast<Value>(x));
  }
};
struct Zero {
  static __device__ __forceinline__ float value() { return 0.0f; }
};
struct One {
  static __device__ __forceinline__ double value() { return 1.0; }
};
struct Lowest {
  static __device__ __forceinline__ float value() { return -INFINITY; }
};
struct Highest {
  static __device__ __forceinline__ float value() { return INFINITY; }
};

struct SumFold : NumberFold<float, Add, Zero> {
  using Wide = double;
  template <class Total>
  static __device__ __forceinline__ float finish(Total total, std::int64_t divisor) {
    return static_cast<float>(total / static_cast<Total>(divisor));
  }
};

template <class Base>
struct PlainFold : Base {
  using Wide = typename Base::Value;
  static __device__ __forceinline__ float finish(Wide value, std::int64_t) { return static_cast<float>(value); }
};
using ProductFold = PlainFold<NumberFold<double, Multiply, One>>;
using MaxFold = PlainFold<NumberFold<float, Larger, Lowest>>;
using MinFold = PlainFold<NumberFold<float, Smaller, Highest>>;

struct Best {
  float value;
  std::int64_t index;
};

__device__ __forceinline__ Best lane_xor(const Best& best, int mask) {
  return {cuda::lane_xor(best.value, mask), cuda::lane_xor(best.index, mask)};
}

// The larger, a NaN before all numbers; among equals the one with the lower index.
struct Better {
  __device__ __forceinline__ Best operator()(const Best& a, const Best& b) const {
    const bool a_nan = a.value != a.value, b_nan = b.value != b.value;
    const bool equal = a.value == b.value || (a_nan && b_nan);
    return (equal ? a.index < b.index : a_nan || a.value > b.value) ? a : b;
  }
};

struct ArgmaxFold {
  using Value = Best;
  using Wide = Best;
  using Combine = Better;
  using Result = std::int64_t;
  static __device__ __forceinline__ Best start() { return {-INFINITY, INT64_MAX}; }
  static __device__ __forceinline__ Best step(const Best& best, float x, std::int64_t i) {
    return Better()(best, Best{x, i});
  }
  static __device__ __forceinline__ std::int64_t finish(const Best& best, std::int64_t) { return best.index; }
};

// ---- where its elements lie -----------------------------------------------------------------

// The outer axes of one kind, innermost first.
struct Outer {
  int rank = 0;
  std::int64_t count = 1;
  Divisor size[kMaxRank];
  std::int64_t step[kMaxRank];

  __device__ __forceinline__ std::int64_t offset(std::int64_t index) const {
    std::int64_t offset = 0;
#pragma unroll 1
    for (int a = 0; a < rank; ++a) {
      std::int64_t i = index;
      if (a + 1 < rank) index = size[a].divide(index, &i);
      offset += i * step[a];
    }
    return offset;
  }
};

struct Reduction {
  bool runs;           // the innermost axis is reduced
  std::int64_t inner;  // its size
  Divisor by_inner;
  Outer kept, reduced;
  std::int64_t elements, results;  // of a result: elements of runs, rows
  std::int64_t chunk, chunks;      // of elements
  Lines lines;                     // rows: a line of these for each chunk
  std::int64_t divisor;
};

Reduction reduction_of(const Problem& problem) {
  const ReduceNest nest = reduce_nest(problem.as<ReduceParams>(), problem.inputs[0].shape);
  Reduction r;
  r.runs = nest.rank == 0 || nest.reduced[0];
  r.inner = nest.rank == 0 ? 1 : nest.size[0];
  r.by_inner = Divisor(r.inner);
  for (int i = 1; i < nest.rank; ++i) {
    Outer& outer = nest.reduced[i] ? r.reduced : r.kept;
    outer.size[outer.rank] = Divisor(nest.size[i]), outer.step[outer.rank] = nest.step[i];
    ++outer.rank;
    outer.count *= nest.size[i];
  }
  r.elements = r.reduced.count * (r.runs ? r.inner : 1);
  r.results = r.kept.count * (r.runs ? 1 : r.inner);
  if (!r.runs) r.lines = columns({r.kept.count, r.elements, r.inner});
  r.chunk = (r.runs ? kThreads : r.lines.phases()) * kTerms;
  r.chunks = max_i64(1, ceil_div(r.elements, r.chunk));
  r.lines.rows *= r.chunks;
  r.divisor = 1;
  return r;
}

// ---- the kernels ----------------------------------------------------------------------------

// `lanes` threads for each chunk of each result; `partial` takes the values of chunks where there are several.
template <class Fold, int lanes>
__global__ __launch_bounds__(kThreads) void fold_runs(const float* x, typename Fold::Result* y,
                                                      typename Fold::Value* partial, const Reduction r) {
  using Value = typename Fold::Value;
  FC_SHARED(Value, scratch, [kThreads / kWarp]);
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const std::int64_t group =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / lanes) + static_cast<int>(threadIdx.x) / lanes;
  const bool exists = group < r.results * r.chunks;
  Value value = Fold::start();
  if (exists) {
    const std::int64_t result = group / r.chunks, begin = (group - result * r.chunks) * r.chunk;
    const std::int64_t end = min_i64(r.elements, begin + r.chunk);
    const float* from = x + r.kept.offset(result);
    if (r.reduced.rank == 0) {
#pragma unroll 8
      for (std::int64_t e = begin + lane; e < end; e += lanes) value = Fold::step(value, from[e], e);
    } else {
#pragma unroll 1
      for (std::int64_t e = begin + lane; e < end; e += lanes) {
        std::int64_t i;
        const std::int64_t run = r.by_inner.divide(e, &i);
        value = Fold::step(value, from[r.reduced.offset(run) + i], e);
      }
    }
  }
  value = group_reduce<lanes>(value, typename Fold::Combine(), scratch);
  if (!exists || lane != 0) return;
  if (r.chunks == 1)
    y[group] = Fold::finish(value, r.divisor);
  else
    partial[group] = value;
}

template <class Fold>
__global__ __launch_bounds__(kThreads) void fold_rows(const float* x, typename Fold::Result* y,
                                                      typename Fold::Value* partial, const Reduction r) {
  using Value = typename Fold::Value;
  FC_SHARED(Value, scratch, [kThreads]);
  const int width = r.lines.width, phases = kThreads / width, phase = static_cast<int>(threadIdx.x) / width;
  const std::int64_t line = blockIdx.x / r.lines.across;
  const std::int64_t column = static_cast<std::int64_t>(blockIdx.x % r.lines.across) * width + threadIdx.x % width;
  const std::int64_t cell = line / r.chunks, chunk = line - cell * r.chunks, begin = chunk * r.chunk;
  const std::int64_t end = column < r.inner && phase < phases ? min_i64(r.elements, begin + r.chunk) : 0;
  const float* from = x + r.kept.offset(cell) + column;
  Value value = Fold::start();
  if (r.reduced.rank <= 1) {
    const std::int64_t step = r.reduced.rank == 0 ? 0 : r.reduced.step[0];
#pragma unroll 8
    for (std::int64_t e = begin + phase; e < end; e += phases) value = Fold::step(value, from[e * step], e);
  } else {
#pragma unroll 1
    for (std::int64_t e = begin + phase; e < end; e += phases) value = Fold::step(value, from[r.reduced.offset(e)], e);
  }
  value = column_reduce(value, typename Fold::Combine(), scratch, width, phases);
  if (column >= r.inner || phase != 0) return;
  const std::int64_t result = cell * r.inner + column;
  if (r.chunks == 1)
    y[result] = Fold::finish(value, r.divisor);
  else
    partial[result * r.chunks + chunk] = value;
}

template <class Fold, int lanes>
__global__ __launch_bounds__(kThreads) void join_chunks(const typename Fold::Value* partial, typename Fold::Result* y,
                                                        std::int64_t results, std::int64_t chunks,
                                                        std::int64_t divisor) {
  using Wide = typename Fold::Wide;
  FC_SHARED(Wide, scratch, [kThreads / kWarp]);
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const std::int64_t result =
      static_cast<std::int64_t>(blockIdx.x) * (kThreads / lanes) + static_cast<int>(threadIdx.x) / lanes;
  const bool exists = result < results;
  Wide value = static_cast<Wide>(Fold::start());
  const std::int64_t end = exists ? chunks : 0;
  for (std::int64_t i = lane; i < end; i += lanes)
    value = typename Fold::Combine()(value, static_cast<Wide>(partial[result * chunks + i]));
  value = group_reduce<lanes>(value, typename Fold::Combine(), scratch);
  if (exists && lane == 0) y[result] = Fold::finish(value, divisor);
}

template <class Fold>
void run_fold(const char* name, const KernelArgs& args, const Reduction& r) {
  auto* y = args.out[0].as<typename Fold::Result>();
  auto* partial = static_cast<typename Fold::Value*>(args.workspace);
  const auto blocks = [](std::int64_t groups, int lanes) {
    return Grid{static_cast<unsigned>(ceil_div(groups, kThreads / lanes)), kThreads};
  };
  const auto run = [&](auto kernel, const Grid& grid) {
    launch(name, kernel, grid, args, args.in[0].as<float>(), y, partial, r);
  };
  const std::int64_t groups = r.results * r.chunks;
  if (!r.runs)
    run(fold_rows<Fold>, {static_cast<unsigned>(r.lines.rows * r.lines.across), kThreads});
  else if (r.elements <= 128)
    run(fold_runs<Fold, 8>, blocks(groups, 8));
  else if (r.elements <= kWarp * kTerms)
    run(fold_runs<Fold, kWarp>, blocks(groups, kWarp));
  else
    run(fold_runs<Fold, kThreads>, blocks(groups, kThreads));
  if (r.chunks == 1) return;
  const auto join = [&](auto kernel, int lanes) {
    launch(name, kernel, blocks(r.results, lanes), args, partial, y, r.results, r.chunks, r.divisor);
  };
  if (r.chunks <= kWarp * kTerms)
    join(join_chunks<Fold, kWarp>, kWarp);
  else
    join(join_chunks<Fold, kThreads>, kThreads);
}

template <class Fold>
std::int64_t workspace(const Problem& problem) {
  const Reduction r = reduction_of(problem);
  return r.chunks == 1 ? 0 : r.results * r.chunks * static_cast<std::int64_t>(sizeof(typename Fold::Value));
}

// ---- the kernel tables ----------------------------------------------------------------------

constexpr const char *kSum = "reduce_sum_f32_cuda", *kMean = "reduce_mean_f32_cuda", *kMax = "reduce_max_f32_cuda";
constexpr const char *kMin = "reduce_min_f32_cuda", *kProd = "reduce_prod_f32_cuda", *kArgmax = "argmax_f32_cuda";

template <class Fold>
void run(const char* name, const KernelArgs& args) {
  run_fold<Fold>(name, args, reduction_of(args.problem));
}

void run_sum(const KernelArgs& args) { run<SumFold>(kSum, args); }
void run_mean(const KernelArgs& args) {
  Reduction r = reduction_of(args.problem);
  r.divisor = r.elements;
  run_fold<SumFold>(kMean, args, r);
}
void run_max(const KernelArgs& args) { run<MaxFold>(kMax, args); }
void run_min(const KernelArgs& args) { run<MinFold>(kMin, args); }
void run_prod(const KernelArgs& args) { run<ProductFold>(kProd, args); }
void run_argmax(const KernelArgs& args) { run<ArgmaxFold>(kArgmax, args); }

template <class Fold>
constexpr KernelInfo row(const char* name, void (*run)(const KernelArgs&)) {
  return {.name = name, .device = Device::Cuda, .run = run, .workspace = workspace<Fold>};
}
constexpr KernelInfo kSumRows[] = {row<SumFold>(kSum, run_sum)};
constexpr KernelInfo kMeanRows[] = {row<SumFold>(kMean, run_mean)};
constexpr KernelInfo kMaxRows[] = {row<MaxFold>(kMax, run_max)};
constexpr KernelInfo kMinRows[] = {row<MinFold>(kMin, run_min)};
constexpr KernelInfo kProdRows[] = {row<ProductFold>(kProd, run_prod)};
constexpr KernelInfo kArgmaxRows[] = {row<ArgmaxFold>(kArgmax, run_argmax)};
constexpr OpRows kOps[] = {{"reduce_sum", kSumRows}, {"reduce_mean", kMeanRows}, {"reduce_max", kMaxRows},
                           {"reduce_min", kMinRows}, {"reduce_prod", kProdRows}, {"argmax", kArgmaxRows}};

}  // namespace

std::span<const OpRows> reduce_rows() { return kOps; }

}  // namespace fastcnn::cuda
