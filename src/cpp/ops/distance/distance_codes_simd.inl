// Computes   rows in codes of 8 bits, and the nearest rows by way of them (the contract: distance_codes.h).
// Layout     codes as the rows lie, one after the other; scales, norms and remainders in a vector each. A task is a
//            chunk of the gallery against all queries.
// Tile       rows as many as a register has lanes (16 on AVX-512, 8 on AVX2), an accumulator each, 1 of the query, 1 of
//            a row: 18 (10). Their sums across lanes become one register, from which all bounds are computed at once.
// Why        a search among many rows is bound by memory, and a code is a quarter of a float. Codes are widened to 16
//            bits on the way to a multiplication of pairs, so that the query has 16 bits for the same price, and a
//            remainder that hardly widens the bounds. Possible rows are thrown out as in nearest, by the k-th smallest
//            upper end so far. The rest is summed by the functions of distance_simd.inl.
// Needs      up to 7 queries, columns for a vector, and k up to an eighth of the rows: else, as where the bounds leave
//            too many rows, it is nearest.
// Accuracy   exact: nearest's bits. Codes and remainders: the contract's.
#include "ops/distance/distance_codes.h"

namespace fastcnn::FC_SIMD {
namespace {

// How far ahead, in bytes, codes are called in.
constexpr std::int64_t kCodesAhead = 8192;

// ---- rows to codes ------------------------------------------------------------------------------

FC_INLINE void store_bytes(std::uint8_t* p, I32 a, Whole) { store_codes(p, a); }
FC_INLINE void store_bytes(std::uint8_t* p, I32 a, Part part) { store_codes(p, a, part.lanes); }

// Of the row x; `scale` and `inverse` are 0 where there is nothing to code. The remainder, from above.
FC_INLINE float encode_row(const float* x, std::int64_t d, float scale, float inverse, std::int8_t* codes,
                           float* norm) {
  F32 rests = zero();
  I32 squares = set_i32(0);
  each_register(d, [&](std::int64_t i, auto part) {
    const F32 v = load(x + i, part), code = round(v * set(inverse));
    const F32 rest = fnma(set(scale), code, v);
    rests = fma(rest, rest, rests);
    const I32 q = to_i32(code), low = q & set_i32(0xffff);  // the pair (code, 0)
    squares = squares + multiply_pairs(low, low);
    store_bytes(reinterpret_cast<std::uint8_t*>(codes + i), q & set_i32(0xff), part);
  });
  std::int32_t parts[F32::width];
  store(parts, squares);
  std::int64_t square = 0;
  for (const std::int32_t s : parts) square += s;
  *norm = scale * __builtin_sqrtf(static_cast<float>(square));
  const float rest = reduce_add(rests) * (1 + 2 * sum_slack(d)) + sum_underflow(d);
  return __builtin_sqrtf(rest) * (1 + 0x1p-21f);
}

// ---- bounds -------------------------------------------------------------------------------------

struct Bounds {
  F32 low, high;
};

// What rounding may take from the formulas below, relative to |q^|^2 + |r^|^2, 1 or |q^| |r^|.
constexpr float kRounding = 0x1p-19f;

// Between what the distance to rows lies, from the products of their codes with the query's.
template <Metric metric>
FC_INLINE Bounds bounds_of(const QueryCode& query, std::int64_t d, I32 products, F32 scale, F32 norm, F32 remainder) {
  const float slack = sum_slack(d);
  Bounds y;
  Mask good = scale == scale;  // not NaN
  if constexpr (metric == Metric::InnerProduct) {
    const F32 dot = set(query.scale) * to_f32(products) * scale;
    const F32 length = norm + remainder, most = set(query.norm + query.remainder);  // |r|, |q| from above
    F32 off = most * fma(set(slack), length, remainder) + set(query.remainder) * norm;
    off = fma(off, set(1 + kRounding), set(sum_underflow(d)));
    y = {-dot - off, off - dot};
    good = good & (most * length < set(1e37f));
  } else if constexpr (metric == Metric::Cosine) {
    const F32 cosine = set(query.scale / query.norm) * to_f32(products) * (scale / norm);
    const F32 square = set(2.0f) - set(2.0f) * cosine;
    const float of_query = 1.01f * (query.remainder / query.norm);
    const F32 off = fma(set(1.01f), remainder / norm, set(of_query));
    const F32 low = max(zero(), sqrt(max(zero(), square - set(2 * kRounding))) - off);
    const F32 high = sqrt(max(zero(), square + set(2 * kRounding))) + off;
    const F32 sums = set(4 * slack);
    y = {fma(set(0.5f) * low, low, -sums), fma(set(0.5f) * high, high, sums)};
    good = good & (set(1e-14f) < norm) & (norm < set(1e17f)) & (remainder <= set(0.25f) * norm);
  } else {
    const F32 squares = fma(norm, norm, set(query.norm * query.norm));
    const F32 square = fnma(set(2 * query.scale) * to_f32(products), scale, squares);
    const F32 off = fma(remainder, set(1 + kRounding), set(query.remainder * (1 + kRounding)));
    const F32 low = sqrt(max(zero(), fnma(set(kRounding), squares, square)));
    const F32 high = sqrt(max(zero(), fma(set(kRounding), squares, square)));
    y = {fma(low, set(1 - slack), -off), (high + off) * set(1 + slack)};
    good = good & (squares < set(1e36f)) & (off < set(1e18f));
  }
  // Others are possible in any case, but for rows that are NaN: those never are.
  const F32 infinite = set(__builtin_inff());
  return {select(good, y.low, zero() * scale - infinite), select(good, y.high, infinite)};
}

// ---- the search ---------------------------------------------------------------------------------

// The products of a query's codes with those of `n` rows; lanes beyond repeat the last.
template <bool whole>
FC_INLINE I32 products_of(const std::int16_t* query, const std::int8_t* rows, std::int64_t n, std::int64_t d) {
  constexpr std::int64_t kStep = 2 * F32::width;
  const auto row = [&](std::int64_t r) { return rows + (whole ? r : min_i64(r, n - 1)) * d; };
  I32 sum[F32::width];
  for (auto& s : sum) s = set_i32(0);
  std::int64_t i = 0;
  for (; i + kStep <= d; i += kStep) {
    const I32 x = load_words(query + i);
    for (int r = 0; r < F32::width; ++r) sum[r] = sum[r] + multiply_pairs(x, load_words(row(r) + i));
  }
  if (i < d) {
    const I32 x = load_words(query + i);  // zeros follow
    for (int r = 0; r < F32::width; ++r) sum[r] = sum[r] + multiply_pairs(x, load_words(row(r) + i, d - i));
  }
  return sum_lanes(sum);
}

// Collects the possible rows of a chunk. False: there are too many.
template <Metric metric>
FC_INLINE bool scan_chunk(const KernelArgs& args, const CodedMemory& memory, std::int64_t chunk) {
  const std::int64_t queries = args.in[kQueries].shape()[0], rows = args.in[kGallery].shape()[0];
  const std::int64_t d = args.in[kGallery].shape()[1], k = args.problem.as<DistanceParams>().k;
  const NearestSplit& s = memory.split;
  const auto* codes = args.in[kCodes].as<std::int8_t>();
  const float *scales = args.in[kScales].as<float>(), *norms = args.in[kNorms].as<float>();
  const float* remainders = args.in[kRemainders].as<float>();
  float threshold[kFewQueries];
  std::int64_t counts[kFewQueries];
  for (std::int64_t q = 0; q < queries; ++q) threshold[q] = __builtin_inff(), counts[q] = 0;
  const std::int64_t end = min_i64(rows, (chunk + 1) * s.chunk_rows);
  for (std::int64_t j = chunk * s.chunk_rows; j < end; j += F32::width) {
    const std::int64_t n = min_i64(F32::width, end - j);
    const std::int8_t* from = codes + j * d;
    for (std::int64_t i = 0; i < F32::width * d; i += 64)
      call_in(reinterpret_cast<const float*>(from + i + kCodesAhead));
    const F32 scale = load(scales + j, n), norm = load(norms + j, n), remainder = load(remainders + j, n);
    for (std::int64_t q = 0; q < queries; ++q) {
      const std::int16_t* query = memory.codes + q * memory.pitch;
      const I32 products =
          n == F32::width ? products_of<true>(query, from, n, d) : products_of<false>(query, from, n, d);
      const Bounds y = bounds_of<metric>(memory.queries[q], d, products, scale, norm, remainder);
      unsigned possible = bits((y.low <= set(threshold[q])) & first(n));
      if (possible == 0) continue;
      PossibleRow* to = memory.rows + (q * s.chunks + chunk) * s.capacity;
      float low[F32::width], high[F32::width];
      store(low, y.low), store(high, y.high);
      for (; possible != 0; possible &= possible - 1) {
        const int lane = __builtin_ctz(possible);
        to[counts[q]++] = {low[lane], high[lane], static_cast<std::int32_t>(j + lane)};
      }
      if (counts[q] + F32::width <= s.capacity) continue;
      counts[q] = keep_possible(to, counts[q], k, &threshold[q]);
      if (counts[q] > memory.most_kept) return false;
    }
  }
  for (std::int64_t q = 0; q < queries; ++q) memory.counts[q * s.chunks + chunk] = counts[q];
  return true;
}

// The distances of the possible rows [begin, end) of a query, as nearest computes them.
template <Metric metric>
FC_INLINE void measure(const KernelArgs& args, const CodedMemory& memory, std::int64_t query, std::int64_t begin,
                       std::int64_t end) {
  using Step = typename StepOf<metric, false>::type;
  const std::int64_t d = args.in[kGallery].shape()[1], offset = query * memory.split.chunks * memory.split.capacity;
  const float *a = args.in[kQueries].as<float>() + query * d, *gallery = args.in[kGallery].as<float>();
  const PossibleRow* rows = memory.rows + offset;
  float sums[kPanel] = {}, row_norms[kPanel] = {}, query_norm = 0;
  if constexpr (metric == Metric::Cosine) query_norm = norm_of<metric>(a, d);
  const Block block{a, nullptr, 1, end - begin, d, &query_norm, row_norms, nullptr, sums};
  for (std::int64_t j = begin; j < end; ++j)
    for (std::int64_t i = 0; i < d; i += 16) call_in(gallery + rows[j].index * d + i);
  for (std::int64_t j = begin; j < end; ++j) {
    const float* b = gallery + rows[j].index * d;
    sums[j - begin] = sum_row<Step>(a, b, d);
    if constexpr (metric == Metric::Cosine) row_norms[j - begin] = norm_of<metric>(b, d);
  }
  for (int v = 0; v * F32::width < end - begin; ++v) {
    F32 value = finish<metric, false>(block, 0, v);
    if constexpr (metric == Metric::InnerProduct) value = -value;
    store(sums + v * F32::width, value);
  }
  for (std::int64_t j = begin; j < end; ++j)
    memory.candidates[offset + j] = make_candidate(sums[j - begin], rows[j].index);
}

// False: the codes were of no use.
template <Metric metric>
bool search_codes(const KernelArgs& args) {
  const CodedMemory memory = coded_memory(args);
  if (!encode_queries(args, memory)) return false;
  int hopeless = 0;
  parallel_for(memory.split.chunks, [&](std::int64_t chunk) {
    if (__atomic_load_n(&hopeless, __ATOMIC_RELAXED) != 0) return;
    if (!scan_chunk<metric>(args, memory, chunk)) __atomic_store_n(&hopeless, 1, __ATOMIC_RELAXED);
  });
  if (hopeless != 0 || !gather_possible(args, memory)) return false;
  for (std::int64_t q = 0; q < args.in[kQueries].shape()[0]; ++q)
    parallel_ranges(memory.counts[q], kPanel,
                    [&](std::int64_t begin, std::int64_t end) { measure<metric>(args, memory, q, begin, end); });
  return finish_coded(args, memory);
}

bool search_codes(const KernelArgs& args) {
  if (!are_few(args)) return false;
  switch (args.problem.as<DistanceParams>().metric) {
    case Metric::Euclidean: return search_codes<Metric::Euclidean>(args);
    case Metric::SqEuclidean: return search_codes<Metric::SqEuclidean>(args);
    case Metric::InnerProduct: return search_codes<Metric::InnerProduct>(args);
    case Metric::Cosine: return search_codes<Metric::Cosine>(args);
    case Metric::Manhattan: break;
  }
  return false;
}

}  // namespace

void encode_rows(const KernelArgs& args) {
  const std::int64_t rows = args.in[0].shape()[0], d = args.in[0].shape()[1];
  auto* codes = args.out[0].as<std::int8_t>();
  float *scales = args.out[1].as<float>(), *norms = args.out[2].as<float>(), *remainders = args.out[3].as<float>();
  parallel_ranges(rows, 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t r = begin; r < end; ++r) {
      const float* x = args.in[0].as<float>() + r * d;
      F32 magnitudes = zero();
      Mask nan = first(0);
      each_register(d, [&](std::int64_t i, auto part) {
        const F32 v = load(x + i, part);
        magnitudes = max(abs(v), magnitudes);  // which a NaN leaves alone
        nan = nan | is_nan(v);
      });
      const float most = reduce_max(magnitudes), infinite = __builtin_inff();
      const bool coded = kLeastCoded <= most && most < infinite && !any(nan);
      if (any(nan) || most == infinite) {
        for (std::int64_t i = 0; i < d; ++i) codes[r * d + i] = 0;
        scales[r] = norms[r] = any(nan) ? __builtin_nanf("") : 0;
        remainders[r] = any(nan) ? __builtin_nanf("") : infinite;
        continue;
      }
      scales[r] = coded ? most / kMostCode : 0;
      remainders[r] = encode_row(x, d, scales[r], coded ? kMostCode / most : 0, codes + r * d, norms + r);
    }
  });
}

void nearest_coded(const KernelArgs& args) {
  if (!search_codes(args)) nearest(args);
}

}  // namespace fastcnn::FC_SIMD
