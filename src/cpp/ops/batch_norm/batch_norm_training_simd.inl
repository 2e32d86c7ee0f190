// Computes   batch_norm_training, batch_norm_gradient (the contract: batch_norm_training.h).
// Layout     x as rows of channels; registers hold neighbouring channels and walk down the rows for sums, along them
//            for results.
// Tile       sums: four registers a step, with up to three accumulators for each (12), as ops/reduce/fold.inl; results:
//            one register a step.
// Why        a few operations for each load: bound by memory. A chunk's mean and its deviations are found while it is
//            in the second-level cache, so x comes from memory twice: for the statistics and for the result. The
//            gradient reads its operands twice, and undoes the activation on the way rather than in a pass of its own;
//            found from x, that costs no further operand.
// Needs      workspace for the chunks' sums.
// Accuracy   a chunk's deviations are taken from its mean rounded to float, and what the rounding left is found beside
//            their squares; chunks are joined in double. So neither a large mean nor a long sum costs digits.
// Source     Chan, Golub, LeVeque: Algorithms for computing the sample variance (1983).
#include "ops/activation/activate_run.inl"
#include "ops/activation/activation_slope.inl"
#include "ops/batch_norm/batch_norm_training.h"
#include "ops/batch_norm/per_channel.inl"
#include "ops/reduce/fold.inl"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kChannels = 64;  // of a task that joins the chunks

FC_INLINE double max_0(double v) { return v < 0.0 ? 0.0 : v; }  // NaN stays

// What a chunk leaves for each channel: its mean, then the sums of the deviations from it and of their squares.
template <class Item>
FC_INLINE void sum_chunk(const Item* x, std::int64_t rows, std::int64_t channels, float* out) {
  fold_columns<SumFold, 1>(
      rows, 0, channels,
      [&](std::int64_t i, std::int64_t c, auto lanes, F32* values) {
        call_in_columns(x, i, c, channels);
        values[0] = load(x + i * channels + c, lanes);
      },
      out, 0);
  const F32 count = set(static_cast<float>(rows));
  each_register(channels, [&](std::int64_t c, auto lanes) { store(out + c, load(out + c, lanes) / count, lanes); });
  fold_columns<SumFold, 2>(
      rows, 0, channels,
      [&](std::int64_t i, std::int64_t c, auto lanes, F32* values) {
        values[0] = load(x + i * channels + c, lanes) - load(out + c, lanes);
        values[1] = values[0] * values[0];
      },
      out + channels, channels);
}

// Of up to kChannels channels.
struct Moments {
  double mean[kChannels], variance[kChannels];
};

// Chunk by chunk, the channels side by side.
FC_INLINE void join_chunks(const float* sums, const BatchNormChunks& cut, std::int64_t rows, std::int64_t channels,
                           std::int64_t n, Moments& m) {
  const auto each = [&](const auto& body) {  // body(channel, rows, mean, rest, squares) of every chunk
    for (std::int64_t k = 0; k < cut.chunks; ++k) {
      const auto rows_of = static_cast<double>(min_i64(cut.rows, rows - k * cut.rows));
      const float* of_chunk = sums + 3 * k * channels;
      for (std::int64_t c = 0; c < n; ++c)
        body(c, rows_of, static_cast<double>(of_chunk[c]), static_cast<double>(of_chunk[channels + c]),
             static_cast<double>(of_chunk[2 * channels + c]));
    }
  };
  for (std::int64_t c = 0; c < n; ++c) m.mean[c] = m.variance[c] = 0;
  each([&](std::int64_t c, double rows_of, double mean, double rest, double) { m.mean[c] += rows_of * mean + rest; });
  for (std::int64_t c = 0; c < n; ++c) m.mean[c] /= static_cast<double>(rows);
  each([&](std::int64_t c, double rows_of, double mean, double sum, double squares) {
    const double rest = sum / rows_of, apart = mean + rest - m.mean[c];
    m.variance[c] += squares - rest * sum + rows_of * apart * apart;
  });
  for (std::int64_t c = 0; c < n; ++c) m.variance[c] = max_0(m.variance[c] / static_cast<double>(rows));
}

template <bool value>
struct Choice {
  static constexpr bool from_x = value;
};

// Calls body(ActivationKind, Choice) for the activations that batch_norm_gradient undoes.
template <class Body>
FC_INLINE void with_undone(const BatchNormGradientParams& p, const Body& body) {
  const auto with_kind = [&](auto choice) {
    if (p.activation == Activation::Relu) return body(ActivationKind<Activation::Relu>{}, choice);
    if (p.activation == Activation::Relu6) return body(ActivationKind<Activation::Relu6>{}, choice);
    body(ActivationKind<Activation::LeakyRelu>{}, choice);
  };
  if (p.activation == Activation::Linear) return body(ActivationKind<Activation::Linear>{}, Choice<false>{});
  p.from_x ? with_kind(Choice<true>{}) : with_kind(Choice<false>{});
}

// Results with an activation that takes a pass of its own, over a piece that is still at hand and not yet rounded.
template <class Item, class Value>
FC_INLINE void write_activated(const Epilogue& e, Item* y, std::int64_t n, const Value& value) {
  constexpr std::int64_t kPiece = 256;
  float buffer[kPiece];
  for (std::int64_t begin = 0; begin < n; begin += kPiece) {
    const std::int64_t count = min_i64(kPiece, n - begin);
    each_register(count, [&](std::int64_t i, auto lanes) { store(buffer + i, value(begin + i, lanes), lanes); });
    activate_run(e, buffer, count);
    each_register(count, [&](std::int64_t i, auto lanes) { store(y + begin + i, load(buffer + i, lanes), lanes); });
  }
}

template <class Item>
FC_INLINE void training(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormTrainingParams>();
  const BatchNormTrainingOperands<Item> o(args);
  const std::int64_t channels = o.channels;
  const BatchNormChunks cut = batch_norm_chunks(o.rows, channels);
  float* sums = static_cast<float*>(args.workspace);
  float* gain = sums + 3 * cut.chunks * channels;
  float *mean = args.out[1].as<float>(), *variance = args.out[2].as<float>(), *rstd = args.out[3].as<float>();
  float* shift = args.out[4].as<float>();
  parallel_for(cut.chunks, [&](std::int64_t k) {
    const std::int64_t first = k * cut.rows, rows = min_i64(cut.rows, o.rows - first);
    sum_chunk(o.x + first * channels, rows, channels, sums + 3 * k * channels);
  });
  parallel_ranges(channels, kChannels, [&](std::int64_t begin, std::int64_t end) {
    Moments m;
    join_chunks(sums + begin, cut, o.rows, channels, end - begin, m);
    for (std::int64_t c = begin; c < end; ++c) {
      const double exact = m.mean[c - begin], of_squares = m.variance[c - begin];
      mean[c] = static_cast<float>(exact);
      variance[c] = static_cast<float>(of_squares);
      rstd[c] = static_cast<float>(1.0 / __builtin_sqrt(of_squares + p.epsilon));
      gain[c] = batch_norm_gain_of(rstd[c], o.gamma, c);
      shift[c] = batch_norm_shift_of(mean[c], exact, gain[c], o.beta, c);
    }
  });
  const Epilogue& e = p.epilogue;
  const bool relu = e.activation == Activation::Relu, relu6 = e.activation == Activation::Relu6;
  const bool later = !relu && !relu6 && e.activation != Activation::Linear;
  Item* y = args.out[0].as<Item>();
  each_run<3>(
      o.rows * channels, channels, {mean, gain, shift}, [&](std::int64_t first, std::int64_t n, const float* const* v) {
        const auto normal = [&](std::int64_t i, auto lanes) {
          return fma(load(o.x + first + i, lanes) - load(v[0] + i, lanes), load(v[1] + i, lanes),
                     load(v[2] + i, lanes));
        };
        const auto write = [&](const auto& value) {
          if (relu)
            each_register(
                n, [&](std::int64_t i, auto lanes) { store(y + first + i, max(zero(), value(i, lanes)), lanes); });
          else if (relu6)
            each_register(n, [&](std::int64_t i, auto lanes) {
              store(y + first + i, min(set(6.0f), max(zero(), value(i, lanes))), lanes);
            });
          else if (later)
            write_activated(e, y + first, n, value);
          else
            each_register(n, [&](std::int64_t i, auto lanes) { store(y + first + i, value(i, lanes), lanes); });
        };
        if (o.residual)
          write([&](std::int64_t i, auto lanes) { return normal(i, lanes) + load(o.residual + first + i, lanes); });
        else
          write(normal);
      });
}

template <class Item>
FC_INLINE void gradient(const KernelArgs& args) {
  const auto& p = args.problem.as<BatchNormGradientParams>();
  const BatchNormGradientOperands<Item> o(args);
  const std::int64_t channels = o.channels;
  const BatchNormChunks cut = batch_norm_chunks(o.rows, channels);
  float* sums = static_cast<float*>(args.workspace);
  float *of_dz = sums + 3 * cut.chunks * channels, *of_x = of_dz + channels, *constant = of_x + channels;
  const float* shift = o.shift != nullptr ? o.shift : of_dz;  // without from_x it is not read
  Item* dx = args.out[0].as<Item>();
  float *dgamma = args.out[1].as<float>(), *dbeta = args.out[2].as<float>();
  for (std::int64_t c = 0; c < channels; ++c) of_dz[c] = batch_norm_gain_of(o.rstd[c], o.gamma, c);
  with_undone(p, [&](auto kind, auto choice) {
    constexpr Activation k = decltype(kind)::kind;
    constexpr bool from_x = decltype(choice)::from_x;
    // Element `at`, whose channel's gain and shift lie at the two pointers.
    const auto dz = [&](std::int64_t at, auto lanes, F32 deviation, const float* gain, const float* offset) {
      const F32 dy = load(o.dy + at, lanes);
      if constexpr (k == Activation::Linear) return dy;
      if constexpr (from_x) return slope_times<k>(fma(deviation, load(gain, lanes), load(offset, lanes)), dy, p.alpha);
      return slope_times<k>(load((from_x ? o.x : o.y) + at, lanes), dy, p.alpha);
    };
    parallel_for(cut.chunks, [&](std::int64_t n) {
      const std::int64_t first = n * cut.rows, rows = min_i64(cut.rows, o.rows - first);
      fold_columns<SumFold, 3>(
          rows, 0, channels,
          [&](std::int64_t i, std::int64_t c, auto lanes, F32* values) {
            const std::int64_t at = (first + i) * channels + c;
            call_in_columns(o.x, first + i, c, channels);
            call_in_columns(o.dy, first + i, c, channels);
            values[2] = load(o.x + at, lanes) - load(o.mean + c, lanes);
            values[0] = dz(at, lanes, values[2], of_dz + c, shift + c);
            values[1] = values[0] * values[2];
          },
          sums + 3 * n * channels, channels);
    });
    parallel_ranges(channels, kChannels, [&](std::int64_t begin, std::int64_t end) {
      const double n = static_cast<double>(max_i64(1, o.rows));
      double joined[3][kChannels] = {};
      for (std::int64_t i = 0; i < cut.chunks; ++i)
        for (int which = 0; which < 3; ++which)
          for (std::int64_t c = begin; c < end; ++c)
            joined[which][c - begin] += static_cast<double>(sums[(3 * i + which) * channels + c]);
      for (std::int64_t c = begin; c < end; ++c) {
        const double sum = joined[0][c - begin], product = joined[1][c - begin];
        const double rest = p.training ? joined[2][c - begin] / n : 0.0;
        const double r = static_cast<double>(o.rstd[c]), g = o.gamma ? r * static_cast<double>(o.gamma[c]) : r;
        const double gradient = (product - rest * sum) * r, slope = -g * r * gradient / n;
        dgamma[c] = static_cast<float>(gradient);
        dbeta[c] = static_cast<float>(sum);
        of_x[c] = static_cast<float>(slope);
        constant[c] = static_cast<float>(-g * sum / n - slope * rest);
      }
    });
    each_run<5>(o.rows * channels, channels, {o.mean, of_dz, of_x, constant, shift},
                [&](std::int64_t first, std::int64_t n, const float* const* v) {
                  if (!p.training && !from_x)
                    return each_register(n, [&](std::int64_t i, auto lanes) {
                      store(dx + first + i, dz(first + i, lanes, zero(), v[1], v[4]) * load(v[1] + i, lanes), lanes);
                    });
                  each_register(n, [&](std::int64_t i, auto lanes) {
                    const F32 deviation = load(o.x + first + i, lanes) - load(v[0] + i, lanes);
                    const F32 rest = fma(deviation, load(v[2] + i, lanes), load(v[3] + i, lanes));
                    const F32 own = dz(first + i, lanes, deviation, v[1] + i, v[4] + i);
                    store(dx + first + i, fma(own, load(v[1] + i, lanes), p.training ? rest : zero()), lanes);
                  });
                });
  });
}

}  // namespace

void batch_norm_training(const KernelArgs& args) {
  with_storage(args.in[0].type.dtype, [&](auto item) { training<decltype(item)>(args); });
}

void batch_norm_gradient(const KernelArgs& args) {
  with_storage(args.in[0].type.dtype, [&](auto item) { gradient<decltype(item)>(args); });
}

}  // namespace fastcnn::FC_SIMD
