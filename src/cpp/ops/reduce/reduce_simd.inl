// Computes   reduce_sum, reduce_mean, reduce_max, reduce_min, argmax (the contract: reduce.h).
// Layout     the operand as alternating kept and reduced axes. Innermost axis reduced: a register walks along a run and
//            is folded across its lanes at the end. Innermost axis kept (global pooling of NHWC pictures): a register
//            holds neighbouring results and walks down the rows.
// Tile       four accumulators: of a run; of columns; where there are fewer columns, of several rows.
// Why        one operation for one load: bound by memory; four chains hide the latency of the addition.
// Needs      argmax: reduced axes that are neighbours, fewer than 2^24 of rows. Workspace for chunks of long
//            reductions.
// Accuracy   extrema are exact; sums have the error of at most 64 additions (fold.inl).
#include "ops/reduce/fold.inl"
#include "ops/reduce/reduce.h"

namespace fastcnn::FC_SIMD {
namespace {

constexpr auto kSame = [](F32 x) { return x; };

// Offset of the outer position `index` among the axes of one kind.
FC_INLINE std::int64_t offset_of(const ReduceNest& nest, bool reduced, std::int64_t index) {
  std::int64_t offset = 0;
  for (int i = 1; i < nest.rank; ++i) {
    if (nest.reduced[i] != reduced) continue;
    offset += index % nest.size[i] * nest.step[i];
    index /= nest.size[i];
  }
  return offset;
}

template <class Fold, class Item>
FC_INLINE void reduce_runs(const KernelArgs& args, const ReduceNest& nest, const ReduceLoops& loops, double divisor) {
  const Item* x = args.in[0].as<Item>();
  float* y = args.out[0].as<float>();
  const ReduceChunks cut = reduce_chunks(loops);
  const auto chunk = [&](std::int64_t cell, std::int64_t index) {
    const Item* start = x + offset_of(nest, false, cell);
    const std::int64_t begin = index * cut.per_chunk, end = min_i64(loops.count * cut.pieces, begin + cut.per_chunk);
    double total = Fold::none;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t first = i % cut.pieces * kReduceRun, n = min_i64(kReduceRun, loops.inner - first);
      total = Fold::step(total, fold_run<Fold>(start + offset_of(nest, true, i / cut.pieces) + first, n, kSame));
    }
    return total;
  };
  if (cut.chunks == 1) {
    constexpr std::int64_t kTask = 16384;
    return parallel_ranges(loops.cells, max_i64(1, kTask / max_i64(1, loops.inner * loops.count)),
                           [&](std::int64_t begin, std::int64_t end) {
                             for (std::int64_t i = begin; i < end; ++i)
                               y[i] = static_cast<float>(chunk(i, 0) / divisor);
                           });
  }
  double* partial = static_cast<double*>(args.workspace);
  parallel_for(loops.cells * cut.chunks, [&](std::int64_t i) { partial[i] = chunk(i / cut.chunks, i % cut.chunks); });
  for (std::int64_t cell = 0; cell < loops.cells; ++cell) {
    double total = Fold::none;
    for (std::int64_t i = 0; i < cut.chunks; ++i) total = Fold::step(total, partial[cell * cut.chunks + i]);
    y[cell] = static_cast<float>(total / divisor);
  }
}

template <class Fold, class Item>
FC_INLINE void reduce_rows(const KernelArgs& args, const ReduceNest& nest, const ReduceLoops& loops, double divisor) {
  const Item* x = args.in[0].as<Item>();
  float* y = args.out[0].as<float>();
  const ReduceChunks cut = reduce_chunks(loops);
  float* partial = cut.chunks == 1 ? y : static_cast<float*>(args.workspace);
  const std::int64_t inner = loops.inner;
  // A task is a chunk of rows of one cell and so many columns that it is worth handing to a thread.
  constexpr std::int64_t kTask = 65536, kLine = 256;
  const std::int64_t width = round_up(max_i64(kLine, kTask / max_i64(1, min_i64(loops.count, cut.per_chunk))), kLine);
  const std::int64_t groups = ceil_div(inner, width), tasks_per_cell = cut.chunks * groups;
  const std::int64_t row_step = nest.rank > 1 ? nest.step[1] : 0;
  parallel_for(loops.cells * tasks_per_cell, [&](std::int64_t task) {
    const std::int64_t cell = task / tasks_per_cell, index = task % tasks_per_cell / groups, group = task % groups;
    const std::int64_t first = index * cut.per_chunk, rows = min_i64(cut.per_chunk, loops.count - first);
    const std::int64_t begin = group * width, end = min_i64(inner, begin + width);
    const Item* start = x + offset_of(nest, false, cell);
    float* out = partial + (cell * cut.chunks + index) * inner;
    const auto value = [](std::int64_t, F32 v, F32* values) { values[0] = v; };
    if (nest.rank <= 3)  // one reduced axis: rows are equally spaced
      fold_columns<Fold, 1>([&](std::int64_t i) { return start + (first + i) * row_step; }, rows, begin, end, value,
                            out, 0);
    else
      fold_columns<Fold, 1>([&](std::int64_t i) { return start + offset_of(nest, true, first + i); }, rows, begin, end,
                            value, out, 0);
    if (cut.chunks == 1 && divisor != 1.0)
      for (std::int64_t c = begin; c < end; c += F32::width)
        store(out + c, load(out + c, end - c) / set(static_cast<float>(divisor)), end - c);
  });
  if (cut.chunks == 1) return;
  parallel_ranges(loops.cells * inner, kTask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const float* column = partial + i / inner * cut.chunks * inner + i % inner;
      double total = Fold::none;
      for (std::int64_t k = 0; k < cut.chunks; ++k) total = Fold::step(total, column[k * inner]);
      y[i] = static_cast<float>(total / divisor);
    }
  });
}

template <class Fold, class Item = float>
FC_INLINE void reduce(const KernelArgs& args, bool mean) {
  const ReduceNest nest = reduce_nest(args.problem.as<ReduceParams>(), args.in[0].shape());
  const ReduceLoops loops = reduce_loops(nest);
  const double count = static_cast<double>(loops.count * (loops.runs ? loops.inner : 1));
  if (args.out[0].shape().size() == 0) return;
  if (loops.runs)
    reduce_runs<Fold, Item>(args, nest, loops, mean ? count : 1.0);
  else
    reduce_rows<Fold, Item>(args, nest, loops, mean ? count : 1.0);
}

// The first element of the run equal to its maximum; the first NaN if there is one.
FC_INLINE std::int64_t argmax_run(const float* x, std::int64_t n) {
  const float best = fold_run<MaxFold>(x, n, kSame);
  const F32 m = set(best);
  for (std::int64_t i = 0;; i += F32::width) {
    const F32 v = load(x + i, n - i);
    const Mask found = (best == best ? v == m : is_nan(v)) & first(n - i);
    if (any(found)) return i + __builtin_ctz(bits(found));
  }
}

// Up to F32::width columns: the row of the maximum, counted in floats, which are exact below 2^24.
FC_INLINE void argmax_columns(const float* x, std::int64_t rows, std::int64_t step, std::int64_t lanes,
                              std::int64_t* y) {
  F32 best = load(x, lanes), index = zero();
  for (std::int64_t i = 1; i < rows; ++i) {
    const F32 v = load(x + i * step, lanes);
    // Larger, or a NaN after numbers; a best that is NaN compares false and stays.
    const Mask better = (best < v) | (is_nan(v) & (best == best));
    best = select(better, v, best);
    index = select(better, set(static_cast<float>(i)), index);
  }
  float rows_found[F32::width];
  store(rows_found, index);
  for (std::int64_t c = 0; c < min_i64(lanes, F32::width); ++c) y[c] = static_cast<std::int64_t>(rows_found[c]);
}

}  // namespace

void reduce_sum(const KernelArgs& args) {
  with_storage(args.in[0].type.dtype, [&](auto item) { reduce<SumFold, decltype(item)>(args, false); });
}
void reduce_mean(const KernelArgs& args) {
  with_storage(args.in[0].type.dtype, [&](auto item) { reduce<SumFold, decltype(item)>(args, true); });
}
void reduce_max(const KernelArgs& args) { reduce<MaxFold>(args, false); }
void reduce_min(const KernelArgs& args) { reduce<MinFold>(args, false); }

void argmax(const KernelArgs& args) {
  const ReduceNest nest = reduce_nest(args.problem.as<ReduceParams>(), args.in[0].shape());
  const ReduceLoops loops = reduce_loops(nest);
  if (args.out[0].shape().size() == 0) return;
  const float* x = args.in[0].as<float>();
  std::int64_t* y = args.out[0].as<std::int64_t>();
  constexpr std::int64_t kTask = 16384;
  if (loops.runs)
    return parallel_ranges(loops.cells, max_i64(1, kTask / loops.inner), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) y[i] = argmax_run(x + i * loops.inner, loops.inner);
    });
  const std::int64_t inner = loops.inner, blocks = ceil_div(inner, F32::width);
  parallel_ranges(loops.cells * blocks, max_i64(1, kTask / (loops.count * F32::width)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t i = begin; i < end; ++i) {
                      const std::int64_t cell = i / blocks, column = i % blocks * F32::width;
                      argmax_columns(x + cell * loops.count * inner + column, loops.count, inner, inner - column,
                                     y + cell * inner + column);
                    }
                  });
}

}  // namespace fastcnn::FC_SIMD
