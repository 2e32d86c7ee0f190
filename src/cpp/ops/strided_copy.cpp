#include "ops/strided_copy.h"

#include "core/thread_pool.h"
#include "ops/item_copy.h"

namespace fastcnn {
namespace {

constexpr std::int64_t kTaskBytes = 128 * 1024;  // what is worth handing to a thread

// Walks the positions of axes [0, rank) in row-major order from any starting point.
class Walk {
 public:
  Walk(const StridedCopy& box, int rank, std::int64_t start) : box_(box), rank_(rank), from(box.from), to(box.to) {
    for (int i = rank - 1; i >= 0; --i) {
      index_[i] = start % box.size[i];
      start /= box.size[i];
      from += index_[i] * box.from_step[i];
      to += index_[i] * box.to_step[i];
    }
  }
  void next() {
    for (int i = rank_ - 1; i >= 0; --i) {
      from += box_.from_step[i];
      to += box_.to_step[i];
      if (++index_[i] < box_.size[i]) return;
      from -= box_.size[i] * box_.from_step[i];
      to -= box_.size[i] * box_.to_step[i];
      index_[i] = 0;
    }
  }

 private:
  const StridedCopy& box_;
  int rank_;
  std::int64_t index_[kMaxRank] = {};

 public:
  const unsigned char* from;
  unsigned char* to;
};

void copy_contiguous(const StridedCopy& box) {
  parallel_ranges(box.item, kTaskBytes, [&](std::int64_t begin, std::int64_t end) {
    copy_item(box.to + begin, box.from + begin, end - begin);
  });
}

// Lines along the innermost axis, cut into chunks where they are long.
void copy_lines(const StridedCopy& box) {
  const int t = box.rank - 1;
  const std::int64_t n = box.size[t], from_step = box.from_step[t], to_step = box.to_step[t];
  std::int64_t lines = 1;
  for (int i = 0; i < t; ++i) lines *= box.size[i];
  const std::int64_t chunk = min_i64(n, max_i64(1, kTaskBytes / box.item)), chunks = ceil_div(n, chunk);
  const std::int64_t grain = max_i64(1, kTaskBytes / (chunk * box.item));
  with_item_size(box.item, [&](auto item) {
    parallel_ranges(lines * chunks, grain, [&](std::int64_t begin, std::int64_t end) {
      Walk walk(box, t, begin / chunks);
      for (std::int64_t k = begin, part = begin % chunks; k < end; ++k) {
        const std::int64_t first = part * chunk, last = min_i64(n, first + chunk);
        for (std::int64_t i = first; i < last; ++i) copy_item(walk.to + i * to_step, walk.from + i * from_step, item);
        if (++part == chunks) part = 0, walk.next();
      }
    });
  });
}

// The innermost axis of the output (`t`, the last one) and that of the input (`f`) differ: blocks of both, so that
// every cache line is read and written while it is near. The other axes are walked.
void copy_transposed(const StridedCopy& box, int f, TransposeFn transpose4) {
  const int t = box.rank - 1;
  const std::int64_t rows = box.size[t], cols = box.size[f], from_pitch = box.from_step[t], to_pitch = box.to_step[f];
  StridedCopy outer = box;
  outer.rank = 0;
  std::int64_t count = 1;
  for (int i = 0; i < t; ++i) {
    if (i == f) continue;
    outer.add_axis(box.size[i], box.from_step[i], box.to_step[i]);
    count *= box.size[i];
  }
  constexpr std::int64_t kSide = 64;
  const std::int64_t items = max_i64(kSide * kSide, kTaskBytes / 4 / box.item);
  const std::int64_t block_cols = min_i64(cols, max_i64(kSide, items / min_i64(rows, kSide)));
  const std::int64_t block_rows = min_i64(rows, max_i64(kSide, round_up(items / block_cols, kSide)));
  const std::int64_t down = ceil_div(rows, block_rows), across = ceil_div(cols, block_cols);
  const std::int64_t grain = max_i64(1, items / (block_rows * block_cols));
  with_item_size(box.item, [&](auto item) {
    parallel_ranges(count * down * across, grain, [&](std::int64_t begin, std::int64_t end) {
      Walk walk(outer, outer.rank, begin / (down * across));
      for (std::int64_t k = begin, part = begin % (down * across); k < end; ++k) {
        const std::int64_t r = part / across * block_rows, c = part % across * block_cols;
        const std::int64_t nr = min_i64(block_rows, rows - r), nc = min_i64(block_cols, cols - c);
        const unsigned char* from = walk.from + r * from_pitch + c * item;
        unsigned char* to = walk.to + c * to_pitch + r * item;
        if (transpose4 != nullptr && box.item == 4) {
          transpose4(from, from_pitch, to, to_pitch, nr, nc);
        } else {
          for (std::int64_t b = 0; b < nc; ++b)
            for (std::int64_t a = 0; a < nr; ++a)
              copy_item(to + b * to_pitch + a * item, from + a * from_pitch + b * item, item);
        }
        if (++part == down * across) part = 0, walk.next();
      }
    });
  });
}

}  // namespace

void strided_copy(const StridedCopy& request, TransposeFn transpose4) {
  for (int i = 0; i < request.rank; ++i)
    if (request.size[i] == 0) return;
  const StridedCopy box = simplify(request);
  if (box.rank == 0) return copy_contiguous(box);
  constexpr std::int64_t kLongRun = 64;  // items of a cache line and more need no blocks
  if (box.item < kLongRun && box.to_step[box.rank - 1] == box.item)
    for (int f = 0; f + 1 < box.rank; ++f)
      if (box.from_step[f] == box.item) return copy_transposed(box, f, transpose4);
  copy_lines(box);
}

}  // namespace fastcnn
