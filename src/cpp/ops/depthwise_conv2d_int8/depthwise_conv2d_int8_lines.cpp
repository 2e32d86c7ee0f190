// Lines of the kernel that multiplies four taps at once (depthwise_conv2d_int8_avx512vnni.cpp): rows of the picture are
// copied with their border into the thread's scratch, so that it meets no edge.
#include <cstring>

#include "ops/depthwise_conv2d_int8/depthwise_conv2d_int8.h"

#if FC_X86
namespace fastcnn {
namespace {

constexpr std::int64_t kTaskBytes = 192 * 1024;  // of a task's rows of the picture
constexpr std::int64_t kTasks = 16;

// Channel `c` of a block: its place in the tiles' order, tile by tile.
std::int64_t place_in_tiles(std::int64_t c) { return c % 16 / 4 * 16 + c / 16 * 4 + c % 4; }

}  // namespace

const char* depthwise_conv2d_int8_declines(const Problem& problem) {
  const auto& p = problem.as<DepthwiseInt8Params>();
  if (p.window.h.dilation != 1 || p.window.w.dilation != 1) return "has dilation";
  if (p.end.epilogue.residual || !p.end.codes) return "takes no residual and gives codes alone";
  return nullptr;
}

void depthwise_conv2d_int8_lines(const KernelArgs& args) {
  const auto& p = args.problem.as<DepthwiseInt8Params>();
  const auto& [h, w] = p.window;
  const Shape &xs = args.in[0].shape(), &ys = args.out[0].shape();
  const Int8Operands operands = int8_operands(p.end, args);
  const Int8Finish finish = int8_finish(p.end, args);
  const DepthwiseInt8Packing packing{h.size, w.size, xs[3]};
  const auto* packed = args.in[1].as<unsigned char>();
  const std::int64_t channels = xs[3], width = (ys[2] - 1) * w.stride + w.size, line_bytes = width * channels;
  const std::int64_t column_bytes = packing.blocks() * 2 * static_cast<std::int64_t>(sizeof(Int8Columns));

  // Lines of a task.
  std::int64_t lines = max_i64(1, min_i64(kTaskBytes / line_bytes / h.stride, ceil_div(ys[0] * ys[1], kTasks)));
  lines = min_i64(lines, ys[1]);
  const std::int64_t parts = ceil_div(ys[1], lines);
  const std::int64_t most_rows = (lines - 1) * h.stride + h.size;
  parallel_for(ys[0] * parts, column_bytes + most_rows * line_bytes, [&](std::int64_t task, void* memory) {
    const std::int64_t n = task / parts, begin = task % parts * lines, end = min_i64(ys[1], begin + lines);
    const std::int64_t top = h.start(begin), rows = (end - 1 - begin) * h.stride + h.size;
    auto* scratch = static_cast<unsigned char*>(memory);
    unsigned char* copy = scratch + column_bytes;
    const std::uint8_t* picture = operands.x + n * xs[1] * xs[2] * channels;
    const auto bytes = [&](std::int64_t pixels) { return static_cast<std::size_t>(pixels * channels); };
    const auto zero = static_cast<unsigned char>(p.end.x.zero_point);
    const std::int64_t before = min_i64(width, w.before), inside = max_i64(0, min_i64(xs[2], width - before));
    for (std::int64_t i = 0; i < rows; ++i) {
      unsigned char* to = copy + i * line_bytes;
      const bool real = top + i >= 0 && top + i < xs[1];
      std::memset(to, zero, bytes(real ? before : width));
      if (!real) continue;
      std::memcpy(to + bytes(before), picture + (top + i) * xs[2] * channels, bytes(inside));
      std::memset(to + bytes(before + inside), zero, bytes(width - before - inside));
    }
    auto* columns = reinterpret_cast<Int8Columns*>(scratch);
    const auto* sums = reinterpret_cast<const std::int32_t*>(packed);
    for (std::int64_t half = 0; half < 2 * packing.blocks(); ++half) {
      const std::int64_t first = half * kInt8Columns, block = half / 2 * 2;
      Int8Columns natural;
      set_columns(finish, p.end, operands, sums, first, max_i64(0, min_i64(kInt8Columns, channels - first)), natural);
      for (std::int64_t c = 0; c < kInt8Columns; ++c) {
        const std::int64_t place = place_in_tiles(half % 2 * kInt8Columns + c);
        Int8Columns& to = columns[block + place / kInt8Columns];
        to.scale[place % kInt8Columns] = natural.scale[c];
        to.bias[place % kInt8Columns] = natural.bias[c];
        to.start[place % kInt8Columns] = natural.start[c];
      }
    }
    for (std::int64_t i = begin; i < end; ++i)
      avx512vnni::depthwise_line({copy + (i - begin) * h.stride * line_bytes, line_bytes, channels, ys[2], h.size,
                                  w.size, w.stride, packed + packing.header_bytes(), columns, &finish,
                                  operands.y + (n * ys[1] + i) * ys[2] * channels});
  });
}

void depthwise_conv2d_int8_pack(const KernelArgs& args) {
  const Shape& s = args.in[0].shape();
  const DepthwiseInt8Packing packing{s[0], s[1], s[2]};
  const auto* w = args.in[0].as<std::int8_t>();
  auto* to = args.out[0].as<unsigned char>();
  std::memset(to, 0, static_cast<std::size_t>(packing.bytes()));
  auto* sums = reinterpret_cast<std::int32_t*>(to);
  auto* tiles = reinterpret_cast<std::int8_t*>(to + packing.header_bytes());
  for (std::int64_t a = 0; a < s[0]; ++a)
    for (std::int64_t b = 0; b < s[1]; ++b)
      for (std::int64_t c = 0; c < s[2]; ++c) {
        const std::int8_t value = w[(a * s[1] + b) * s[2] + c];
        sums[c] += value;
        const std::int64_t group = b * packing.groups() + a / 4, inside = place_in_tiles(c % kDepthwiseBlock) * 4;
        tiles[c / kDepthwiseBlock * packing.block_bytes() + group * 4 * kDepthwiseBlock + inside + a % 4] = value;
      }
}

}  // namespace fastcnn

#endif  // FC_X86
