// Computes   greedy non-maximum suppression, and its soft form (the contract: boxes.h).
// Layout     boxes by decreasing score, one array a quantity; the kept ones once more, sorted into cells of a plane.
// Tile       one candidate in 5 broadcast registers against one vector of kept boxes.
// Why        a box is compared only with kept boxes that could suppress it. iou > t bounds each axis on its own: the
//            smaller width is at least t times the larger, and the centres are at most (w + W) / 2 - t max(w, W)
//            apart. So kept boxes lie in one grid for each octave pair of width and of height, whose cells are as
//            large as such boxes: a candidate looks at about 2 x 2 cells of the few grids within reach. Cells are
//            hashed, so neither outliers nor the plane's extent matter; two cells in one bucket cost comparisons,
//            never a result. Where the cells outnumber the vectors of all kept boxes, those are compared instead:
//            never worse than the plain loop.
// Needs      fewer than 2^31 boxes.
// Accuracy   exact: bounds are widened by more than rounding can take, and inter > t' union (t' just below t) only
//            selects the vectors for which inter / union is computed and compared, as the reference does.
//            soft_nms: the reference's bits, every product and polynomial in its order.
// Source     the grids are this project's; soft_nms: Bodla et al., "Soft-NMS", 2017; the kind diou: Zheng et al.,
//            "Distance-IoU Loss", 2020, section 3.3.
#include "ops/boxes/boxes.h"
#include "simd/math.inl"

namespace fastcnn::FC_SIMD {
namespace {

struct IouTest {
  F32 limit, quick;
};

// Whether a box of `all`[first, first + n) suppresses `a`.
template <IouKind kind>
FC_INLINE bool is_suppressed(const BoxVector& a, float* const* all, std::int64_t first, std::int64_t n, IouTest test) {
  for (std::int64_t i = 0; i < n; i += F32::width) {
    const std::int64_t at = first + i, left = n - i;
    const BoxVector b{load(all[0] + at, left), load(all[1] + at, left), load(all[2] + at, left),
                      load(all[3] + at, left), load(all[4] + at, left)};
    const F32 inter = intersection(b, a), whole = (b.area + a.area) - inter;
    // Lanes beyond n hold boxes without area: their intersection is 0, which exceeds no limit.
    if (!any(test.quick * whole < inter)) continue;
    F32 overlap = inter / whole;
    if constexpr (kind == IouKind::Diou)
      overlap = overlap - distance_penalty(b, a, hull_width(b, a), hull_height(b, a), set(kNmsEps));
    if (any(test.limit < overlap)) return true;
  }
  return false;
}

FC_INLINE std::int32_t exponent(float x) {
  std::uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return static_cast<std::int32_t>(bits >> 23 & 255);
}

FC_INLINE double power_of_two(int n) {  // n in the normal range
  const std::uint64_t bits = static_cast<std::uint64_t>(1023 + n) << 52;
  double x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// Widths (or heights) from 2^(kOctaves c - 127) up to kOctaves octaves above are of class c.
constexpr int kOctaves = 2;
constexpr int kClasses = 256 / kOctaves;

FC_INLINE int size_class(float size) { return exponent(size) / kOctaves; }
FC_INLINE double class_floor(int c) { return power_of_two(kOctaves * c - 127); }
FC_INLINE double cells_per_unit(int c) { return power_of_two(127 - kOctaves * c - kOctaves / 2); }

struct Grid {
  std::uint64_t present[kClasses][kClasses / 64];  // which classes of (width, height) occur
  int width_low, width_high, height_low, height_high;
  std::uint32_t mask;  // of buckets
  double ratio;        // a little below the IoU threshold
};

FC_INLINE std::uint32_t bucket_row(int cw, int ch, std::int64_t iy) {
  std::uint64_t h =
      static_cast<std::uint64_t>(iy) * 0x9e3779b97f4a7c15u + static_cast<std::uint64_t>(cw * kClasses + ch);
  h *= 0xbf58476d1ce4e5b9u;
  return static_cast<std::uint32_t>(h >> 32);
}

FC_INLINE std::uint32_t bucket_of(const Grid& g, float x1, float y1, float x2, float y2) {
  const int cw = size_class(x2 - x1), ch = size_class(y2 - y1);
  const double x = (static_cast<double>(x1) + x2) * 0.5, y = (static_cast<double>(y1) + y2) * 0.5;
  const auto ix = static_cast<std::int64_t>(__builtin_floor(x * cells_per_unit(cw)));
  const auto iy = static_cast<std::int64_t>(__builtin_floor(y * cells_per_unit(ch)));
  return (bucket_row(cw, ch, iy) + static_cast<std::uint32_t>(ix)) & g.mask;
}

// The cells of one axis and class in which a box that suppresses one of size w, centred at x, can have its centre.
struct Cells {
  double first, last;
};

FC_INLINE Cells cells_in_reach(double x, double w, int c, double ratio) {
  const double low = class_floor(c), high = class_floor(c + 1);
  // (w + W) / 2 - ratio max(w, W) is largest at this W of the class.
  const double most = ratio < 0.5 ? high : w < low ? low : w > high ? high : w;
  double reach = 0.5 * (w + most) - ratio * (most > w ? most : w);
  reach += 1e-6 * (w + most);
  const double scale = cells_per_unit(c);
  return {__builtin_floor((x - reach) * scale), __builtin_floor((x + reach) * scale)};
}

// Whether a kept box suppresses this one (distance IoU is never more than IoU: the cells in reach are the same). Where
// there are more cells than vectors of kept boxes, those are compared.
template <IouKind kind>
FC_INLINE bool grid_suppresses(const NmsSegment& s, const Grid& g, const BoxVector& a, Box box, std::int64_t kept,
                               IouTest test) {
  const float w = box.x2 - box.x1, h = box.y2 - box.y1;
  const double x = (static_cast<double>(box.x1) + box.x2) * 0.5, y = (static_cast<double>(box.y1) + box.y2) * 0.5;
  int w0 = g.width_low, w1 = g.width_high, h0 = g.height_low, h1 = g.height_high;
  if (g.ratio > 0) {
    const float ratio = static_cast<float>(g.ratio), inverse = 1.0f / ratio;
    w0 = static_cast<int>(max_i64(w0, size_class(w * ratio))),
    w1 = static_cast<int>(min_i64(w1, size_class(w * inverse)));
    h0 = static_cast<int>(max_i64(h0, size_class(h * ratio))),
    h1 = static_cast<int>(min_i64(h1, size_class(h * inverse)));
  }
  double budget = static_cast<double>(kept / F32::width + 1);
  for (int cw = w0; cw <= w1; ++cw) {
    const Cells cx = cells_in_reach(x, w, cw, g.ratio);
    for (int ch = h0; ch <= h1; ++ch) {
      if (!(g.present[cw][ch / 64] >> (ch % 64) & 1)) continue;
      const Cells cy = cells_in_reach(y, h, ch, g.ratio);
      budget -= (cx.last - cx.first + 1) * (cy.last - cy.first + 1);
      if (budget < 0) return is_suppressed<kind>(a, s.kept, 0, kept, test);
      const auto ix = static_cast<std::int64_t>(cx.first), nx = static_cast<std::int64_t>(cx.last - cx.first) + 1;
      const auto iy = static_cast<std::int64_t>(cy.first), ny = static_cast<std::int64_t>(cy.last - cy.first) + 1;
      for (std::int64_t j = 0; j < ny; ++j) {
        const std::uint32_t row = bucket_row(cw, ch, iy + j) + static_cast<std::uint32_t>(ix);
        for (std::int64_t i = 0; i < nx; ++i) {
          const std::uint32_t bucket = (row + static_cast<std::uint32_t>(i)) & g.mask;
          if (s.cell_size[bucket] != 0 &&
              is_suppressed<kind>(a, s.cells, s.cell_start[bucket], s.cell_size[bucket], test))
            return true;
        }
      }
    }
  }
  return false;
}

// Only boxes of finite, positive area can suppress or be suppressed.
FC_INLINE bool has_area(float area) { return area > 0 && area < __builtin_inff(); }

FC_INLINE void put(float* const* to, std::int64_t at, Box b, float area) {
  to[0][at] = b.x1, to[1][at] = b.y1, to[2][at] = b.x2, to[3][at] = b.y2, to[4][at] = area;
}

// Copies the segment's boxes in order and prepares the grid; false when it would not help or not be exact.
FC_INLINE bool prepare(const NmsSegment& s, float limit, Grid& g) {
  constexpr std::int64_t kFew = 192;
  float least_area = __builtin_inff();
  for (std::int64_t i = 0; i < s.count; ++i) {
    const Box b = s.boxes[s.order[i]];
    const float area = box_area(b);
    put(s.sorted, i, b, area);
    if (area > 0 && area < least_area) least_area = area;
  }
  // Areas near the end of the float range: products lose their relative precision and with it the bounds.
  if (s.count <= kFew || least_area < 1e-30f) return false;

  __builtin_memset(g.present, 0, sizeof g.present);
  g.width_low = g.height_low = kClasses, g.width_high = g.height_high = -1;
  g.ratio = static_cast<double>(limit) * 0.999;
  std::uint32_t buckets = 16;
  while (buckets * 8 <= s.count) buckets *= 2;
  g.mask = buckets - 1;
  for (std::uint32_t i = 0; i < buckets; ++i) s.cell_start[i] = s.cell_size[i] = 0;
  for (std::int64_t i = 0; i < s.count; ++i) {
    if (!has_area(s.sorted[4][i])) continue;
    const float x1 = s.sorted[0][i], y1 = s.sorted[1][i], x2 = s.sorted[2][i], y2 = s.sorted[3][i];
    const int cw = size_class(x2 - x1), ch = size_class(y2 - y1);
    g.present[cw][ch / 64] |= std::uint64_t{1} << (ch % 64);
    if (cw < g.width_low) g.width_low = cw;
    if (cw > g.width_high) g.width_high = cw;
    if (ch < g.height_low) g.height_low = ch;
    if (ch > g.height_high) g.height_high = ch;
    s.cell[i] = static_cast<std::int32_t>(bucket_of(g, x1, y1, x2, y2));
    ++s.cell_start[s.cell[i]];
  }
  std::int32_t sum = 0;
  for (std::uint32_t i = 0; i < buckets; ++i) {
    const std::int32_t size = s.cell_start[i];
    s.cell_start[i] = sum, sum += size;
  }
  return true;
}

template <IouKind kind>
FC_INLINE void nms_segment_with(const NmsSegment& s) {
  Grid g;
  const bool use_grid = prepare(s, s.iou_limit, g);
  const IouTest test{set(s.iou_limit), set(use_grid && s.iou_limit > 1e-6f ? s.iou_limit * (1 - 1e-6f) : 0.0f)};
  std::int64_t kept = 0, done = 0;
  for (std::int64_t i = 0; i < s.count; ++i) {
    s.keep[i] = 0;
    if (done == s.max_output) continue;
    const Box box{s.sorted[0][i], s.sorted[1][i], s.sorted[2][i], s.sorted[3][i]};
    const float area = s.sorted[4][i];
    if (has_area(area)) {
      const BoxVector a{set(box.x1), set(box.y1), set(box.x2), set(box.y2), set(area)};
      if (use_grid ? grid_suppresses<kind>(s, g, a, box, kept, test) : is_suppressed<kind>(a, s.kept, 0, kept, test))
        continue;
      put(s.kept, kept++, box, area);
      if (use_grid) put(s.cells, s.cell_start[s.cell[i]] + s.cell_size[s.cell[i]]++, box, area);
    }
    s.keep[i] = 1;
    ++done;
  }
}

void nms_segment(const NmsSegment& s) {
  s.kind == IouKind::Diou ? nms_segment_with<IouKind::Diou>(s) : nms_segment_with<IouKind::Iou>(s);
}

// ---- soft_nms -------------------------------------------------------------------------------

template <Decay decay>
FC_INLINE F32 decayed(F32 score, F32 iou, F32 limit, F32 inverse_sigma) {
  if constexpr (decay == Decay::Linear) return select(limit < iou, score * (set(1.0f) - iou), score);
  return select(is_nan(iou), score, score * exp(-(iou * iou) * inverse_sigma));
}

// Position of the highest score, the first of equals. All scores are numbers above the limit.
FC_INLINE std::int64_t first_best(const float* score, std::int64_t n, float best) {
  for (std::int64_t i = 0;; i += F32::width)
    if (const unsigned hits = bits(load(score + i, n - i) == set(best))) return i + __builtin_ctz(hits);
}

template <Decay decay>
FC_INLINE void soft_nms_with(const KernelArgs& args) {
  const auto& p = args.problem.as<SoftNmsParams>();
  SoftNmsState s = soft_nms_start(args);
  std::int64_t* indices = args.out[0].as<std::int64_t>();
  float* scores = args.out[1].as<float>();
  const std::int64_t n = args.in[0].shape()[0];
  const F32 limit = set(p.iou_limit), passes = set(p.score_limit), inverse_sigma = set(p.inverse_sigma);

  F32 top = set(p.score_limit);
  for (std::int64_t i = 0; i < s.count; i += F32::width)
    top = max(top, select(passes < load(s.score + i, s.count - i), load(s.score + i, s.count - i), passes));
  float* const fields[] = {s.x1, s.y1, s.x2, s.y2, s.area, s.score};
  std::int64_t kept = 0;
  while (kept < p.max_output) {
    const float best = reduce_max(top);
    if (!(best > p.score_limit)) break;
    const std::int64_t at = first_best(s.score, s.count, best);
    indices[kept] = s.index[at], scores[kept] = best;
    ++kept;
    const BoxVector a{set(s.x1[at]), set(s.y1[at]), set(s.x2[at]), set(s.y2[at]), set(s.area[at])};
    s.score[at] = p.score_limit;  // taken: does not pass any more
    top = passes;
    std::int64_t alive = 0;
    for (std::int64_t i = 0; i < s.count; i += F32::width) {
      const std::int64_t left = s.count - i;
      const F32 score = load(s.score + i, left);
      const BoxVector b{load(s.x1 + i, left), load(s.y1 + i, left), load(s.x2 + i, left), load(s.y2 + i, left),
                        load(s.area + i, left)};
      const F32 inter = intersection(a, b);
      F32 next = decayed<decay>(score, quotient_or_zero(inter, (a.area + b.area) - inter), limit, inverse_sigma);
      const Mask live = passes < next;
      next = select(live, next, passes);
      store(s.score + i, next, left);
      top = max(top, next);
      alive += __builtin_popcount(bits(live));
    }
    if (alive * 2 > s.count) continue;
    std::int64_t to = 0;  // half are gone: close the gaps
    for (std::int64_t i = 0; i < s.count; ++i) {
      if (!(s.score[i] > p.score_limit)) continue;
      for (float* field : fields) field[to] = field[i];
      s.index[to++] = s.index[i];
    }
    s.count = to;
  }
  for (std::int64_t i = kept; i < n; ++i) indices[i] = -1, scores[i] = 0;
  *args.out[2].as<std::int64_t>() = kept;
}

}  // namespace

void nms(const KernelArgs& args) { run_nms(args, nms_segment); }

void soft_nms(const KernelArgs& args) {
  args.problem.as<SoftNmsParams>().decay == Decay::Linear ? soft_nms_with<Decay::Linear>(args)
                                                          : soft_nms_with<Decay::Gaussian>(args);
}

}  // namespace fastcnn::FC_SIMD
