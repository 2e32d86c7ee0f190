// Computes   add, sub, mul, div, maximum, minimum with an activation, prelu and comparisons (the contract: binary.h).
// Layout     operands of any shapes as the merged loop nest of binary.h. The innermost axis is a run: both operands
//            advance, or one of them stands still. Runs shorter than 256 over which one operand repeats (a bias) are
//            first lengthened: that operand is written out a few times into a buffer.
// Tile       four registers a step.
// Why        one operation for two loads and a store: bound by memory, so all that matters is long runs.
// Needs      nothing: the tail is a masked load.
// Accuracy   one rounding, as the reference, then the activation (simd/math.inl).
#include "ops/activation/activate_run.inl"
#include "ops/binary/binary.h"
#include "simd/parallel_run.inl"

namespace fastcnn::FC_SIMD {
namespace {

struct Add {
  static FC_INLINE F32 apply(F32 a, F32 b) { return a + b; }
};
struct Sub {
  static FC_INLINE F32 apply(F32 a, F32 b) { return a - b; }
};
struct Mul {
  static FC_INLINE F32 apply(F32 a, F32 b) { return a * b; }
};
struct Div {
  static FC_INLINE F32 apply(F32 a, F32 b) { return a / b; }
};
struct Maximum {
  static FC_INLINE F32 apply(F32 a, F32 b) { return max_nan(a, b); }
};
struct Minimum {
  static FC_INLINE F32 apply(F32 a, F32 b) { return min_nan(a, b); }
};
struct Prelu {
  static FC_INLINE F32 apply(F32 x, F32 alpha) { return select(x < zero(), alpha * x, x); }
};

struct Equal {
  static FC_INLINE F32 apply(F32 a, F32 b) { return select(a == b, set(1.0f), zero()); }
};
struct NotEqual {
  static FC_INLINE F32 apply(F32 a, F32 b) { return select(a == b, zero(), set(1.0f)); }
};
struct Greater {
  static FC_INLINE F32 apply(F32 a, F32 b) { return select(b < a, set(1.0f), zero()); }
};
struct GreaterEqual {
  static FC_INLINE F32 apply(F32 a, F32 b) { return select(b <= a, set(1.0f), zero()); }
};
struct Less {
  static FC_INLINE F32 apply(F32 a, F32 b) { return select(a < b, set(1.0f), zero()); }
};
struct LessEqual {
  static FC_INLINE F32 apply(F32 a, F32 b) { return select(a <= b, set(1.0f), zero()); }
};

// A run of n results. An operand that does not advance is one value for all.
template <class F, bool relu, bool advance_a, bool advance_b>
FC_INLINE void run(const float* a, const float* b, float* y, std::int64_t n) {
  constexpr int kUnroll = 4;
  const F32 one_a = set(advance_a ? 0.0f : *a), one_b = set(advance_b ? 0.0f : *b);
  const auto finish = [](F32 r) { return relu ? max(zero(), r) : r; };
  std::int64_t i = 0;
  for (; i + kUnroll * F32::width <= n; i += kUnroll * F32::width)
    for (int r = 0; r < kUnroll; ++r) {
      const std::int64_t at = i + r * F32::width;
      store(y + at, finish(F::apply(advance_a ? load(a + at) : one_a, advance_b ? load(b + at) : one_b)));
    }
  for (; i < n; i += F32::width)
    store(y + i, finish(F::apply(advance_a ? load(a + i, n - i) : one_a, advance_b ? load(b + i, n - i) : one_b)),
          n - i);
}

template <class F, bool relu>
void any_run(const float* a, std::int64_t step_a, const float* b, std::int64_t step_b, float* y, std::int64_t n) {
  if (step_a != 0 && step_b != 0) return run<F, relu, true, true>(a, b, y, n);
  if (step_a != 0) return run<F, relu, true, false>(a, b, y, n);
  if (step_b != 0) return run<F, relu, false, true>(a, b, y, n);
  run<F, relu, false, false>(a, b, y, n);
}

// Fills `out` with the n values that x's `period` values give when repeated.
FC_INLINE void repeat(const float* x, std::int64_t period, float* out, std::int64_t n) {
  const auto copy = [](const float* from, float* to, std::int64_t count) {
    each_register(count, [&](std::int64_t i, auto lanes) { store(to + i, load(from + i, lanes), lanes); });
  };
  copy(x, out, period);
  for (std::int64_t done = period; done < n; done *= 2) copy(out, out + done, min_i64(done, n - done));
}

constexpr std::int64_t kShortRun = 256, kBuffer = 2048, kPiece = 4096;

// Operands of one shape that are stored in bfloat16.
template <class F>
FC_INLINE void binary_of_bf16(const KernelArgs& args, bool relu) {
  const Bf16 *a = args.in[0].as<Bf16>(), *b = args.in[1].as<Bf16>();
  Bf16* y = args.out[0].as<Bf16>();
  const F32 least = set(relu ? 0.0f : -__builtin_inff());
  parallel_registers(args.out[0].shape().size(), [&](std::int64_t i, auto lanes) {
    store(y + i, max(least, F::apply(load(a + i, lanes), load(b + i, lanes))), lanes);
  });
}

template <class F>
FC_INLINE void binary(const KernelArgs& args, const Epilogue& e) {
  if (args.out[0].shape().size() == 0) return;
  if (args.in[0].type.dtype == DType::BF16) return binary_of_bf16<F>(args, e.activation == Activation::Relu);
  Broadcast nest = broadcast(args.in[0].shape(), args.in[1].shape(), args.out[0].shape());
  const float *in_a = args.in[0].as<float>(), *in_b = args.in[1].as<float>();
  float* y = args.out[0].as<float>();

  // Lengthen short runs that one operand repeats and the other walks through.
  const std::int64_t period = nest.size[0];
  bool repeat_a = false, repeat_b = false;
  if (nest.rank > 1 && period < kShortRun && nest.a[0] == 1 && nest.b[0] == 1) {
    repeat_a = nest.a[1] == 0 && nest.b[1] == period;
    repeat_b = nest.b[1] == 0 && nest.a[1] == period;
  }
  std::int64_t piece = kPiece;
  if (repeat_a || repeat_b) {
    piece = kBuffer / period * period;
    nest.size[0] *= nest.size[1];
    for (int i = 1; i + 1 < nest.rank; ++i)
      nest.size[i] = nest.size[i + 1], nest.a[i] = nest.a[i + 1], nest.b[i] = nest.b[i + 1];
    --nest.rank;
  }

  std::int64_t runs = 1;
  for (int i = 1; i < nest.rank; ++i) runs *= nest.size[i];
  const std::int64_t length = nest.size[0], pieces = ceil_div(length, piece);
  constexpr std::int64_t kTask = 16384;
  const std::int64_t grain = max_i64(1, kTask / min_i64(length, piece));
  const bool relu = e.activation == Activation::Relu, later = !relu && e.activation != Activation::Linear;

  parallel_ranges(runs * pieces, grain, [&](std::int64_t begin, std::int64_t end) {
    float buffer[kBuffer];
    const float* buffered = nullptr;  // whose values the buffer repeats
    for (std::int64_t unit = begin; unit < end; ++unit) {
      std::int64_t index = unit;
      const std::int64_t first = pieces == 1 ? 0 : index % pieces * piece, n = min_i64(piece, length - first);
      if (pieces != 1) index /= pieces;
      float* out = y + index * length + first;
      const float *a = in_a, *b = in_b;
      for (int i = 1; i < nest.rank; ++i) {
        const std::int64_t at = i + 1 == nest.rank ? index : index % nest.size[i];
        a += at * nest.a[i];
        b += at * nest.b[i];
        index /= nest.size[i];
      }
      if (repeat_a || repeat_b) {
        const float*& repeated = repeat_a ? a : b;
        (repeat_a ? b : a) += first;
        if (buffered != repeated) {
          buffered = repeated;
          repeat(repeated, period, buffer, piece);
        }
        repeated = buffer;
      } else {
        a += first * nest.a[0];
        b += first * nest.b[0];
      }
      relu ? any_run<F, true>(a, nest.a[0], b, nest.b[0], out, n)
           : any_run<F, false>(a, nest.a[0], b, nest.b[0], out, n);
      if (later) activate_run(e, out, n);
    }
  });
}

}  // namespace

void add(const KernelArgs& args) { binary<Add>(args, args.problem.as<BinaryParams>().epilogue); }
void sub(const KernelArgs& args) { binary<Sub>(args, args.problem.as<BinaryParams>().epilogue); }
void mul(const KernelArgs& args) { binary<Mul>(args, args.problem.as<BinaryParams>().epilogue); }
void div(const KernelArgs& args) { binary<Div>(args, args.problem.as<BinaryParams>().epilogue); }
void maximum(const KernelArgs& args) { binary<Maximum>(args, args.problem.as<BinaryParams>().epilogue); }
void minimum(const KernelArgs& args) { binary<Minimum>(args, args.problem.as<BinaryParams>().epilogue); }
void prelu(const KernelArgs& args) { binary<Prelu>(args, Epilogue{}); }
void equal(const KernelArgs& args) { binary<Equal>(args, Epilogue{}); }
void not_equal(const KernelArgs& args) { binary<NotEqual>(args, Epilogue{}); }
void greater(const KernelArgs& args) { binary<Greater>(args, Epilogue{}); }
void greater_equal(const KernelArgs& args) { binary<GreaterEqual>(args, Epilogue{}); }
void less(const KernelArgs& args) { binary<Less>(args, Epilogue{}); }
void less_equal(const KernelArgs& args) { binary<LessEqual>(args, Epilogue{}); }

}  // namespace fastcnn::FC_SIMD
