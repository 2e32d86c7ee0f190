// Computes   group_norm (instance_norm), layer_norm, l2_normalize, lrn (the contract: norm.h).
// Layout     group_norm, lrn, l2_normalize along another than the last axis: registers hold neighbouring channels or
//            columns and walk down the rows. layer_norm, l2_normalize: a register walks along a row.
// Tile       four registers, as the folds of ops/reduce/fold.inl.
// Why        a few operations for one load, three times over: bound by memory. group_norm's chunks are large enough for
//            a thread each and pass through the caches once for each of mean, variance and result.
// Needs      lrn: a window that reaches at most kLrnMaxHalf channels. Workspace for group_norm's statistics.
// Accuracy   deviations are taken from the mean rounded to float, and what the rounding left is found beside their
//            squares (the corrected two-pass algorithm), so neither a large mean nor a long sum costs digits.
// Source     Chan, Golub, LeVeque: Algorithms for computing the sample variance (1983).
#include "ops/norm/lrn_power.inl"
#include "ops/norm/norm.h"
#include "ops/reduce/fold.inl"
#include "simd/run.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kTask = 16384, kRun = 32768;  // elements of a task; of a run folded at once

template <class P>
FC_INLINE const float* gamma_of(const P& p, const Tensor* in) {
  return p.scale ? in[1].as<float>() : nullptr;
}
template <class P>
FC_INLINE const float* beta_of(const P& p, const Tensor* in) {
  return p.center ? in[1 + p.scale].template as<float>() : nullptr;
}

// A variance that rounding made negative is 0; NaN stays.
FC_INLINE double max_0(double v) { return v < 0.0 ? 0.0 : v; }

// ---- group_norm -----------------------------------------------------------------------------

struct Sample {
  const float* x;
  float* y;
  float *sums, *mean, *gain, *shift;  // sums: for each chunk `channels` of the first kind, then of the second
};

// What a chunk of rows of one sample adds to the sums of its channels.
FC_INLINE void sum_values(const Sample& s, std::int64_t channels, std::int64_t first, std::int64_t rows, float* out) {
  fold_columns<SumFold, 1>([&](std::int64_t i) { return s.x + (first + i) * channels; }, rows, 0, channels,
                           [](std::int64_t, F32 x, F32* values) { values[0] = x; }, out, 0);
}

FC_INLINE F32 load_up_to(const float* p, std::int64_t n) { return n >= F32::width ? load(p) : load(p, n); }

FC_INLINE void sum_deviations(const Sample& s, std::int64_t channels, std::int64_t first, std::int64_t rows,
                              float* out) {
  fold_columns<SumFold, 2>([&](std::int64_t i) { return s.x + (first + i) * channels; }, rows, 0, channels,
                           [&](std::int64_t c, F32 x, F32* values) {
                             values[0] = x - load_up_to(s.mean + c, channels - c);
                             values[1] = values[0] * values[0];
                           },
                           out, channels);
}

// The sum over a group's channels and all chunks.
FC_INLINE double total(const float* sums, std::int64_t chunks, std::int64_t pitch, std::int64_t begin,
                       std::int64_t end) {
  double t = 0;
  for (std::int64_t k = 0; k < chunks; ++k)
    for (std::int64_t c = begin; c < end; ++c) t += static_cast<double>(sums[k * pitch + c]);
  return t;
}

FC_INLINE void apply(const Sample& s, std::int64_t channels, std::int64_t first, std::int64_t rows) {
  for (std::int64_t i = first; i < first + rows; ++i) {
    const float* x = s.x + i * channels;
    float* y = s.y + i * channels;
    each_register(channels, [&](std::int64_t c, auto lanes) {
      const F32 deviation = load(x + c, lanes) - load(s.mean + c, lanes);
      store(y + c, fma(deviation, load(s.gain + c, lanes), load(s.shift + c, lanes)), lanes);
    });
  }
}

// each_chunk(body) calls body(chunk) for every chunk, in parallel or not.
template <class EachChunk>
FC_INLINE void normalise_sample(const Sample& s, const GroupNormParams& p, const GroupNormChunks& cut,
                                std::int64_t channels, const float* gamma, const float* beta,
                                const EachChunk& each_chunk) {
  const std::int64_t width = channels / p.groups, pitch = 2 * channels;
  const double count = static_cast<double>(cut.pixels * width);
  const auto rows_of = [&](std::int64_t k) { return min_i64(cut.rows, cut.pixels - k * cut.rows); };
  each_chunk([&](std::int64_t k) { sum_values(s, channels, k * cut.rows, rows_of(k), s.sums + k * pitch); });
  for (std::int64_t g = 0; g < p.groups; ++g) {
    const float mean = static_cast<float>(total(s.sums, cut.chunks, pitch, g * width, (g + 1) * width) / count);
    for (std::int64_t c = g * width; c < (g + 1) * width; ++c) s.mean[c] = mean;
  }
  each_chunk([&](std::int64_t k) { sum_deviations(s, channels, k * cut.rows, rows_of(k), s.sums + k * pitch); });
  for (std::int64_t g = 0; g < p.groups; ++g) {
    const double rest = total(s.sums, cut.chunks, pitch, g * width, (g + 1) * width) / count;
    const double squares = total(s.sums + channels, cut.chunks, pitch, g * width, (g + 1) * width) / count;
    const double inverse = 1.0 / __builtin_sqrt(max_0(squares - rest * rest) + p.epsilon);
    for (std::int64_t c = g * width; c < (g + 1) * width; ++c) {
      const double gain = gamma ? inverse * static_cast<double>(gamma[c]) : inverse;
      s.gain[c] = static_cast<float>(gain);
      s.shift[c] = static_cast<float>((beta ? static_cast<double>(beta[c]) : 0.0) - rest * gain);
    }
  }
  each_chunk([&](std::int64_t k) { apply(s, channels, k * cut.rows, rows_of(k)); });
}

// ---- rows -----------------------------------------------------------------------------------

// The sum of f over a run of any length.
template <class F>
FC_INLINE double sum_run(const float* x, std::int64_t n, const F& f) {
  double t = 0;
  for (std::int64_t i = 0; i < n; i += kRun)
    t += static_cast<double>(fold_run<SumFold>(x + i, min_i64(kRun, n - i), f));
  return t;
}

FC_INLINE void layer_norm_row(const float* x, float* y, std::int64_t n, double epsilon, const float* gamma,
                              const float* beta) {
  const double count = static_cast<double>(n);
  const float mean = static_cast<float>(sum_run(x, n, [](F32 v) { return v; }) / count);
  const F32 m = set(mean);
  const double rest = sum_run(x, n, [&](F32 v) { return v - m; }) / count;
  const double squares = sum_run(x, n, [&](F32 v) { return (v - m) * (v - m); }) / count;
  const double inverse = 1.0 / __builtin_sqrt(max_0(squares - rest * rest) + epsilon);
  const F32 scale = set(static_cast<float>(inverse)), offset = set(static_cast<float>(-rest * inverse));
  each_register(n, [&](std::int64_t i, auto lanes) {
    const F32 g = gamma ? load(gamma + i, lanes) : set(1.0f), b = beta ? load(beta + i, lanes) : zero();
    store(y + i, fma(fma(load(x + i, lanes) - m, scale, offset), g, b), lanes);
  });
}

FC_INLINE float inverse_length(double sum, double epsilon) {
  return static_cast<float>(1.0 / __builtin_sqrt(sum < epsilon ? epsilon : sum));
}

FC_INLINE void l2_normalize_row(const float* x, float* y, std::int64_t n, double epsilon) {
  const F32 scale = set(inverse_length(sum_run(x, n, [](F32 v) { return v * v; }), epsilon));
  each_register(n, [&](std::int64_t i, auto lanes) { store(y + i, load(x + i, lanes) * scale, lanes); });
}

// n rows of up to F32::width columns, `step` apart.
FC_INLINE void l2_normalize_columns(const float* x, float* y, std::int64_t n, std::int64_t step, std::int64_t lanes,
                                    double epsilon) {
  double sums[F32::width] = {};
  float chunk[F32::width];
  const std::int64_t columns = min_i64(lanes, F32::width);
  constexpr std::int64_t kRows = kBlock * kBlock;
  for (std::int64_t i = 0; i < n; i += kRows) {
    fold_columns<SumFold, 1>([&](std::int64_t k) { return x + (i + k) * step; }, min_i64(kRows, n - i), 0, columns,
                             [](std::int64_t, F32 v, F32* values) { values[0] = v * v; }, chunk, 0);
    for (std::int64_t c = 0; c < columns; ++c) sums[c] += static_cast<double>(chunk[c]);
  }
  for (std::int64_t c = 0; c < columns; ++c) chunk[c] = inverse_length(sums[c], epsilon);
  const F32 scale = load(chunk, columns);
  for (std::int64_t i = 0; i < n; ++i) store(y + i * step, load(x + i * step, columns) * scale, columns);
}

// ---- lrn ------------------------------------------------------------------------------------

// Channels [begin, end) of one pixel; the squares pass through a buffer with zeros where there is no channel.
template <bool three_quarters>
FC_INLINE void lrn_channels(const float* x, float* y, std::int64_t channels, std::int64_t begin, std::int64_t end,
                            const LrnParams& p, float* squares) {
  const std::int64_t half = p.size / 2, from = begin - half, to = end + half;
  const std::int64_t first_real = max_i64(0, from), last_real = min_i64(channels, to);
  for (std::int64_t c = from; c < first_real; ++c) squares[c - from] = 0.0f;
  each_register(last_real - first_real, [&](std::int64_t i, auto lanes) {
    const F32 v = load(x + first_real + i, lanes);
    store(squares + first_real - from + i, v * v, lanes);
  });
  for (std::int64_t c = last_real; c < to; ++c) squares[c - from] = 0.0f;
  const F32 gain = set(p.alpha / static_cast<float>(p.size)), bias = set(p.bias), beta = set(p.beta);
  each_register(end - begin, [&](std::int64_t i, auto lanes) {
    F32 sum = zero();
    for (std::int64_t k = 0; k < p.size; ++k) sum = sum + load(squares + i + k, lanes);
    const F32 power = negative_power<three_quarters>(fma(gain, sum, bias), beta);
    store(y + begin + i, load(x + begin + i, lanes) * power, lanes);
  });
}

template <bool three_quarters>
FC_INLINE void lrn_pixels(const KernelArgs& args, const LrnParams& p) {
  const Shape& shape = args.in[0].shape();
  const std::int64_t channels = shape.back(), pixels = shape.product(0, shape.rank - 1);
  const float* x = args.in[0].as<float>();
  float* y = args.out[0].as<float>();
  constexpr std::int64_t kChannels = 1024;
  parallel_ranges(pixels, max_i64(1, kTask / max_i64(1, channels)), [&](std::int64_t begin, std::int64_t end) {
    float squares[kChannels + 2 * kLrnMaxHalf];
    for (std::int64_t i = begin; i < end; ++i)
      for (std::int64_t c = 0; c < channels; c += kChannels)
        lrn_channels<three_quarters>(x + i * channels, y + i * channels, channels, c, min_i64(channels, c + kChannels),
                                     p, squares);
  });
}

}  // namespace

void group_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<GroupNormParams>();
  const Shape& shape = args.in[0].shape();
  const GroupNormChunks cut = group_norm_chunks(shape);
  const std::int64_t channels = shape.back(), size = cut.pixels * channels;
  if (shape.size() == 0) return;
  const float *gamma = gamma_of(p, args.in), *beta = beta_of(p, args.in);
  const auto sample = [&](std::int64_t n, std::int64_t place) {
    float* sums = static_cast<float*>(args.workspace) + place * (2 * cut.chunks + 3) * channels;
    float* mean = sums + 2 * cut.chunks * channels;
    return Sample{args.in[0].as<float>() + n * size,
                  args.out[0].as<float>() + n * size,
                  sums,
                  mean,
                  mean + channels,
                  mean + 2 * channels};
  };
  if (cut.chunks == 1)
    return parallel_ranges(shape[0], max_i64(1, kTask / size), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t n = begin; n < end; ++n)
        normalise_sample(sample(n, n), p, cut, channels, gamma, beta, [](const auto& body) { body(0); });
    });
  for (std::int64_t n = 0; n < shape[0]; ++n)
    normalise_sample(sample(n, 0), p, cut, channels, gamma, beta,
                     [&](const auto& body) { parallel_for(cut.chunks, body); });
}

void layer_norm(const KernelArgs& args) {
  const auto& p = args.problem.as<LayerNormParams>();
  const Shape& shape = args.in[0].shape();
  const std::int64_t rows = shape.product(0, shape.rank - p.axes), n = shape.product(shape.rank - p.axes, shape.rank);
  const float *gamma = gamma_of(p, args.in), *beta = beta_of(p, args.in);
  parallel_ranges(rows, max_i64(1, kTask / max_i64(1, n)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      layer_norm_row(args.in[0].as<float>() + row * n, args.out[0].as<float>() + row * n, n, p.epsilon, gamma, beta);
  });
}

void l2_normalize(const KernelArgs& args) {
  const auto& p = args.problem.as<L2NormalizeParams>();
  const Shape& shape = args.in[0].shape();
  const std::int64_t rows = shape.product(0, p.first), n = shape.product(p.first, p.last + 1),
                     step = shape.product(p.last + 1, shape.rank);
  if (shape.size() == 0) return;
  const float* x = args.in[0].as<float>();
  float* y = args.out[0].as<float>();
  if (step == 1)
    return parallel_ranges(rows, max_i64(1, kTask / n), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) l2_normalize_row(x + row * n, y + row * n, n, p.epsilon);
    });
  const std::int64_t blocks = ceil_div(step, F32::width);
  parallel_ranges(rows * blocks, max_i64(1, kTask / (n * F32::width)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t column = i % blocks * F32::width, at = i / blocks * n * step + column;
      l2_normalize_columns(x + at, y + at, n, step, step - column, p.epsilon);
    }
  });
}

void lrn(const KernelArgs& args) {
  const auto& p = args.problem.as<LrnParams>();
  p.beta == 0.75f ? lrn_pixels<true>(args, p) : lrn_pixels<false>(args, p);
}

}  // namespace fastcnn::FC_SIMD
