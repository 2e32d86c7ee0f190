// What the vector kernels share: columns of boxes, orders and classes, memory.
#include <bit>
#include <cstring>

#include "core/buffer.h"
#include "ops/boxes/box_math.h"

namespace fastcnn {
namespace {

// Hands out aligned arrays from a workspace; with a null base it only counts.
class Carver {
 public:
  explicit Carver(void* base) : base_(static_cast<unsigned char*>(base)) {}

  template <class T>
  T* take(std::int64_t n) {
    T* p = base_ == nullptr ? nullptr : reinterpret_cast<T*>(base_ + used_);
    used_ += round_up(n * static_cast<std::int64_t>(sizeof(T)), kAlignment);
    return p;
  }
  std::int64_t used() const { return used_; }

 private:
  unsigned char* base_;
  std::int64_t used_ = 0;
};

// ---- box_iou --------------------------------------------------------------------------------

struct Columns {
  float *x1, *y1, *x2, *y2, *area, *angle;
};

Columns take_columns(Carver& carver, std::int64_t n, IouKind kind) {
  Columns c{};
  for (float** p : {&c.x1, &c.y1, &c.x2, &c.y2, &c.area}) *p = carver.take<float>(n);
  if (kind == IouKind::Ciou) c.angle = carver.take<float>(n);
  return c;
}

// ---- nms ------------------------------------------------------------------------------------

constexpr int kDigitBits = 11;
constexpr std::int64_t kDigits = std::int64_t{1} << kDigitBits;

struct NmsMemory {
  std::uint64_t *keyed, *keyed_swap;
  std::int32_t *order, *rank, *rank_swap, *segment;
  std::uint8_t *keep, *keep_by_rank;
  float* scratch[15];
  std::int32_t *cell, *cell_start, *cell_size;
};

NmsMemory take_nms(Carver& carver, std::int64_t n, bool classes) {
  NmsMemory m{};
  for (std::uint64_t** p : {&m.keyed, &m.keyed_swap}) *p = carver.take<std::uint64_t>(n);
  m.order = carver.take<std::int32_t>(n);
  m.keep = carver.take<std::uint8_t>(n);
  if (classes) {
    m.rank = carver.take<std::int32_t>(n);
    m.rank_swap = carver.take<std::int32_t>(n);
    m.segment = carver.take<std::int32_t>(n + 1);
    m.keep_by_rank = carver.take<std::uint8_t>(n);
  }
  for (float*& p : m.scratch) p = carver.take<float>(n);
  for (std::int32_t** p : {&m.cell, &m.cell_start, &m.cell_size}) *p = carver.take<std::int32_t>(n);
  return m;
}

// A key whose unsigned order is the decreasing order of scores; 0 and -0 are one.
std::uint32_t descending_key(float score) {
  const std::uint32_t bits = std::bit_cast<std::uint32_t>(score + 0.0f);
  return bits >> 31 ? bits : ~bits & 0x7fffffffu;
}

// Stable: sorts `items` by digit(item) < kDigits, using `swap` as the other half; returns where the result lies.
template <class T, class Digit>
T* sort_by_digit(T* items, T* swap, std::int64_t n, const Digit& digit) {
  std::int64_t start[kDigits] = {};
  for (std::int64_t i = 0; i < n; ++i) ++start[digit(items[i])];
  std::int64_t sum = 0;
  for (std::int64_t& s : start) {
    const std::int64_t size = s;
    if (size == n) return items;  // one digit for all
    s = sum, sum += size;
  }
  for (std::int64_t i = 0; i < n; ++i) swap[start[digit(items[i])]++] = items[i];
  return swap;
}

// Indices of the scores that pass, by decreasing score, then increasing index; returns how many.
std::int64_t order_by_score(const float* scores, std::int64_t n, const NmsParams& p, const NmsMemory& m) {
  std::int64_t count = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const bool passes = p.has_score_limit ? scores[i] > p.score_limit : scores[i] == scores[i];
    m.keyed[count] = static_cast<std::uint64_t>(descending_key(scores[i])) << 32 | static_cast<std::uint64_t>(i);
    count += passes;
  }
  std::uint64_t *items = m.keyed, *swap = m.keyed_swap;
  if (count <= 48) {
    for (std::int64_t i = 1; i < count; ++i) {
      const std::uint64_t item = items[i];
      std::int64_t j = i;
      for (; j > 0 && items[j - 1] > item; --j) items[j] = items[j - 1];
      items[j] = item;
    }
  } else {
    for (int shift = 32; shift < 64; shift += kDigitBits) {
      std::uint64_t* sorted =
          sort_by_digit(items, swap, count, [&](std::uint64_t item) { return (item >> shift) & (kDigits - 1); });
      if (sorted != items) swap = items, items = sorted;
    }
  }
  for (std::int64_t i = 0; i < count; ++i) m.order[i] = static_cast<std::int32_t>(items[i] & 0xffffffffu);
  return count;
}

// Reorders m.order so that each class is one stretch, by decreasing score within; m.rank tells the rank by score of
// each place, m.segment where each class starts. Returns the number of classes.
std::int64_t split_by_class(const std::int64_t* classes, std::int64_t count, NmsMemory& m) {
  std::uint64_t low = ~std::uint64_t{0}, high = 0;
  const auto id = [&](std::int32_t rank) {
    return static_cast<std::uint64_t>(classes[m.order[rank]]) ^ (std::uint64_t{1} << 63);
  };
  for (std::int64_t i = 0; i < count; ++i) {
    m.rank[i] = static_cast<std::int32_t>(i);
    const std::uint64_t c = id(m.rank[i]);
    low = c < low ? c : low, high = c > high ? c : high;
  }
  for (int shift = 0; shift < 64 && (high - low) >> shift != 0; shift += kDigitBits) {
    std::int32_t* sorted = sort_by_digit(
        m.rank, m.rank_swap, count, [&](std::int32_t rank) { return ((id(rank) - low) >> shift) & (kDigits - 1); });
    if (sorted != m.rank) m.rank_swap = m.rank, m.rank = sorted;
  }
  std::int64_t segments = 0;
  std::int32_t* by_class = m.cell;  // free until the segments run
  for (std::int64_t i = 0; i < count; ++i) {
    if (i == 0 || id(m.rank[i]) != id(m.rank[i - 1])) m.segment[segments++] = static_cast<std::int32_t>(i);
    by_class[i] = m.order[m.rank[i]];
  }
  m.segment[segments] = static_cast<std::int32_t>(count);
  std::memcpy(m.order, by_class, static_cast<std::size_t>(count) * sizeof *by_class);
  return segments;
}

NmsSegment make_segment(const Box* boxes, const NmsParams& p, const NmsMemory& m, std::int64_t begin,
                        std::int64_t end) {
  NmsSegment s{};
  s.boxes = boxes, s.order = m.order + begin, s.keep = m.keep + begin;
  s.count = end - begin, s.max_output = p.max_output, s.iou_limit = p.iou_limit, s.kind = p.kind;
  for (int i = 0; i < 5; ++i) {
    s.sorted[i] = m.scratch[i] + begin;
    s.kept[i] = m.scratch[5 + i] + begin;
    s.cells[i] = m.scratch[10 + i] + begin;
  }
  s.cell = m.cell + begin, s.cell_start = m.cell_start + begin;
  s.cell_size = m.cell_size + begin;
  return s;
}

}  // namespace

float box_angle(Box b) { return angle_of(b); }

BoxColumns box_columns(const KernelArgs& args) {
  const std::int64_t n = args.in[1].shape()[0];
  const Box* boxes = args.in[1].as<Box>();
  Carver carver(args.workspace);
  const Columns c = take_columns(carver, n, args.problem.as<BoxIouParams>().kind);
  for (std::int64_t i = 0; i < n; ++i) {
    const Box b = boxes[i];
    c.x1[i] = b.x1, c.y1[i] = b.y1, c.x2[i] = b.x2, c.y2[i] = b.y2;
    c.area[i] = box_area(b);
    if (c.angle != nullptr) c.angle[i] = box_angle(b);
  }
  return {c.x1, c.y1, c.x2, c.y2, c.area, c.angle};
}

std::int64_t box_iou_workspace(const Problem& problem) {
  Carver carver(nullptr);
  take_columns(carver, problem.inputs[1].shape[0], problem.as<BoxIouParams>().kind);
  return carver.used();
}

void run_nms(const KernelArgs& args, void (*segment)(const NmsSegment&)) {
  const auto& p = args.problem.as<NmsParams>();
  const Box* boxes = args.in[0].as<Box>();
  const std::int64_t n = args.in[0].shape()[0];
  const bool classes = args.problem.num_inputs > 2;
  Carver carver(args.workspace);
  NmsMemory m = take_nms(carver, n, classes);

  const std::int64_t count = order_by_score(args.in[1].as<float>(), n, p, m);
  std::int64_t* indices = args.out[0].as<std::int64_t>();
  std::int64_t kept = 0;
  const auto collect = [&](const std::uint8_t* keep, const auto& index) {
    for (std::int64_t i = 0; i < count && kept < p.max_output; ++i)
      if (keep[i]) indices[kept++] = index(i);
  };
  if (!classes) {
    if (count > 0) segment(make_segment(boxes, p, m, 0, count));
    collect(m.keep, [&](std::int64_t i) { return m.order[i]; });
  } else {
    const std::int64_t segments = split_by_class(args.in[2].as<std::int64_t>(), count, m);
    const auto run_segments = [&](std::int64_t i) {
      segment(make_segment(boxes, p, m, m.segment[i], m.segment[i + 1]));
    };
    constexpr std::int64_t kWorthThreads = 2048;
    if (segments > 1 && count >= kWorthThreads)
      parallel_for(segments, run_segments);
    else
      for (std::int64_t i = 0; i < segments; ++i) run_segments(i);
    // By rank again: rank_swap and keep_by_rank are free now.
    for (std::int64_t i = 0; i < count; ++i) {
      m.rank_swap[m.rank[i]] = m.order[i];
      m.keep_by_rank[m.rank[i]] = m.keep[i];
    }
    collect(m.keep_by_rank, [&](std::int64_t i) { return m.rank_swap[i]; });
  }
  for (std::int64_t i = kept; i < n; ++i) indices[i] = -1;
  *args.out[1].as<std::int64_t>() = kept;
}

std::int64_t nms_workspace(const Problem& problem) {
  Carver carver(nullptr);
  take_nms(carver, problem.inputs[0].shape[0], problem.num_inputs > 2);
  return carver.used();
}

namespace {

SoftNmsState take_soft_nms(Carver& carver, std::int64_t n) {
  SoftNmsState s{};
  for (float** p : {&s.x1, &s.y1, &s.x2, &s.y2, &s.area, &s.score}) *p = carver.take<float>(n);
  s.index = carver.take<std::int32_t>(n);
  return s;
}

}  // namespace

SoftNmsState soft_nms_start(const KernelArgs& args) {
  const auto& p = args.problem.as<SoftNmsParams>();
  const Box* boxes = args.in[0].as<Box>();
  const float* scores = args.in[1].as<float>();
  const std::int64_t n = args.in[0].shape()[0];
  Carver carver(args.workspace);
  SoftNmsState s = take_soft_nms(carver, n);
  for (std::int64_t i = 0; i < n; ++i) {
    if (!(scores[i] > p.score_limit)) continue;
    const std::int64_t k = s.count++;
    const Box b = boxes[i];
    s.x1[k] = b.x1, s.y1[k] = b.y1, s.x2[k] = b.x2, s.y2[k] = b.y2;
    s.area[k] = box_area(b), s.score[k] = scores[i], s.index[k] = static_cast<std::int32_t>(i);
  }
  return s;
}

std::int64_t soft_nms_workspace(const Problem& problem) {
  Carver carver(nullptr);
  take_soft_nms(carver, problem.inputs[0].shape[0]);
  return carver.used();
}

}  // namespace fastcnn
