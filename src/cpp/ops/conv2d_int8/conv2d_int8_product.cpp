// Computes   conv2d_int8 as a matrix product: a row is an output pixel, a column a filter, the sum runs over the window.
// Layout     a task copies the windows of its pixels, row by row, into its thread's scratch; where the picture is such a
//            matrix already (1 x 1, stride 1, channels a multiple of kInt8Step) it is read in place. Weights are packed
//            once (Int8Packing).
// Why        a window's copy is a byte a term, read by every filter; it makes tiles of pixels whatever the width of the
//            picture, and pads the sum once for the window instead of once for each of its rows.
// Needs      an Int8Engine.
// Accuracy   exact sums; then the contract's formula.
#include <cstring>

#include "core/scratch.h"
#include "ops/conv2d_int8/conv2d_int8.h"
#include "ops/quantize/int8_attrs.h"

#if FC_X86
namespace fastcnn {
namespace {

// Bytes of a task's rows, and of the weights they meet: both in L2.
constexpr std::int64_t kRowBytes = 384 * 1024, kWeightBytes = 1024 * 1024;
constexpr std::int64_t kMaxRows = 256, kMinRows = 64;
// Multiply-adds that are worth a task, and as many tasks as are wanted at least where there is such work.
constexpr std::int64_t kTaskWork = std::int64_t{1} << 22, kTasks = 16;
// Tasks that share rows copy them all, so for no fewer panels than these.
constexpr std::int64_t kCopyPanels = 8;

// How a product is cut, by its shape alone.
struct Cut {
  std::int64_t rows;    // of a task, the last may have fewer
  std::int64_t panels;  // likewise
  std::int64_t row_blocks, groups;
};

Cut cut_product(std::int64_t rows, const Int8Packing& packing, int row_items, int block_rows, bool in_place) {
  const std::int64_t wanted = min_i64(kTasks, rows * packing.depth * packing.columns / kTaskWork);
  std::int64_t most = kRowBytes / (packing.padded_depth() * row_items);
  if (packing.panels() * packing.panel_bytes() <= kWeightBytes)
    most = min_i64(most, max_i64(kMinRows, ceil_div(rows, max_i64(1, wanted))));
  most = max_i64(block_rows, min_i64(kMaxRows, most) / block_rows * block_rows);
  Cut cut;
  cut.row_blocks = max_i64(1, ceil_div(rows, most));
  cut.rows = round_up(max_i64(1, ceil_div(rows, cut.row_blocks)), block_rows);
  cut.row_blocks = ceil_div(rows, cut.rows);
  const std::int64_t groups = ceil_div(wanted, max_i64(1, cut.row_blocks));
  cut.panels = max_i64(in_place ? 1 : kCopyPanels, ceil_div(packing.panels(), max_i64(1, groups)));
  cut.groups = ceil_div(packing.panels(), cut.panels);
  return cut;
}

}  // namespace

void conv2d_int8(const Int8Engine& engine, const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dInt8Params>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  const std::int64_t rows = y[0] * y[1] * y[2];
  const Int8Packing packing{engine.row_items, engine.packed_pairs, p.depth(), p.filters};
  const auto* packed = args.in[1].as<unsigned char>();
  const auto* column_sums = reinterpret_cast<const std::int32_t*>(packed);
  const Int8Operands operands = int8_operands(p.end, args);
  const Int8Finish finish = int8_finish(p.end, args);
  const CodeWindows windows{operands.x, p.window, x[1], x[2], x[3], y[1], y[2],
                            static_cast<std::uint8_t>(p.end.x.zero_point)};
  const auto& [h, w] = p.window;
  const bool is_matrix = h.size == 1 && w.size == 1 && h.stride == 1 && w.stride == 1 && h.before == 0 &&
                         w.before == 0 && y[1] == x[1] && y[2] == x[2];
  const bool in_place = is_matrix && engine.row_items == 1 && p.channels % kInt8Step == 0;
  const std::int64_t pitch = packing.padded_depth();
  const Cut cut = cut_product(rows, packing, engine.row_items, engine.rows, in_place);

  parallel_for(cut.row_blocks * cut.groups, [&](std::int64_t task) {
    const std::int64_t first = task / cut.groups * cut.rows, count = min_i64(cut.rows, rows - first);
    const std::int64_t begin = task % cut.groups * cut.panels, end = min_i64(packing.panels(), begin + cut.panels);
    const unsigned char* a = operands.x + first * pitch;
    if (!in_place || count % 16 != 0) {
      void* copy = thread_scratch(round_up(count, 16) * pitch * engine.row_items);
      engine.copy(windows, first, count, copy, pitch);
      a = static_cast<const unsigned char*>(copy);
    }
    alignas(64) std::int32_t sums[32 * kInt8Columns];
    Int8Columns by_column;
    if (engine.begin != nullptr) engine.begin();
    for (std::int64_t panel = begin; panel < end; ++panel) {
      const std::int64_t column = panel * kInt8Columns, columns = min_i64(kInt8Columns, p.filters - column);
      set_columns(finish, p.end, operands, column_sums, column, columns, by_column);
      const unsigned char* weights = packed + packing.header_bytes() + panel * packing.panel_bytes();
      for (std::int64_t r = 0; r < count; r += engine.rows) {
        const std::int64_t block_rows = min_i64(engine.rows, count - r), at = (first + r) * p.filters + column;
        engine.multiply(a + r * pitch * engine.row_items, pitch, block_rows, weights, pitch, by_column.start, sums);
        engine.finish({&finish, &by_column, sums, block_rows, columns,
                       operands.residual + at * operands.residual_item, operands.y + at * operands.y_item, p.filters});
      }
    }
    if (engine.end != nullptr) engine.end();
  });
}

void conv2d_int8_pack(int item, int pairs, const KernelArgs& args) {
  const Shape& s = args.in[0].shape();
  const Int8Packing packing{item, pairs, s.product(0, 3), s[3]};
  const auto* w = args.in[0].as<std::int8_t>();
  auto* to = args.out[0].as<unsigned char>();
  std::memset(to, 0, static_cast<std::size_t>(packing.bytes()));
  auto* sums = reinterpret_cast<std::int32_t*>(to);
  parallel_for(packing.panels(), [&](std::int64_t panel) {
    unsigned char* tiles = to + packing.header_bytes() + panel * packing.panel_bytes();
    const std::int64_t first = panel * kInt8Columns, count = min_i64(kInt8Columns, packing.columns - first);
    for (std::int64_t k = 0; k < packing.depth; ++k)
      for (std::int64_t n = 0; n < count; ++n) {
        const std::int8_t value = w[k * packing.columns + first + n];
        sums[first + n] += value;
        const std::int64_t tile = k / kInt8Step * 2 + n / 16, inside = k % kInt8Step;
        const std::int64_t at = tile * kInt8Step * 16 + inside / pairs * 16 * pairs + n % 16 * pairs + inside % pairs;
        if (item == 1)
          reinterpret_cast<std::int8_t*>(tiles)[at] = value;
        else
          reinterpret_cast<std::int16_t*>(tiles)[at] = value;
      }
  });
}

}  // namespace fastcnn

#endif  // FC_X86
