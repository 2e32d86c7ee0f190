// Lines of the kernel that multiplies four taps at once (depthwise_conv2d_int8_avx512vnni.cpp): rows of the window that
// lie beside the picture are one pixel of zeros, again and again.
#include <cstring>

#include "core/thread_pool.h"
#include "ops/depthwise_conv2d_int8/depthwise_conv2d_int8.h"

#if FC_X86
namespace fastcnn {
namespace {

constexpr std::int64_t kTaskOutputs = 16 * 1024;  // worth handing to a thread

// Channel `c` of a block: its place in the tiles' order, tile by tile.
std::int64_t place_in_tiles(std::int64_t c) { return c % 16 / 4 * 16 + c / 16 * 4 + c % 4; }

// What all lines share.
struct Workspace {
  Int8Columns* blocks;
  unsigned char* zeros;  // a pixel

  static std::int64_t bytes(const DepthwiseInt8Packing& packing) {
    return packing.blocks() * (2 * static_cast<std::int64_t>(sizeof(Int8Columns)) + kDepthwiseBlock);
  }
  Workspace(void* memory, const DepthwiseInt8Packing& packing)
      : blocks(static_cast<Int8Columns*>(memory)),
        zeros(reinterpret_cast<unsigned char*>(blocks + 2 * packing.blocks())) {}
};

void set_blocks(const Int8Finish& finish, const Int8Epilogue& e, const Int8Operands& operands, const std::int32_t* sums,
                const DepthwiseInt8Packing& packing, Int8Columns* blocks) {
  for (std::int64_t half = 0; half < 2 * packing.blocks(); ++half) {
    const std::int64_t first = half * kInt8Columns;
    Int8Columns natural;
    set_columns(finish, e, operands, sums, first, max_i64(0, min_i64(kInt8Columns, packing.channels - first)), natural);
    for (std::int64_t c = 0; c < kInt8Columns; ++c) {
      const std::int64_t place = place_in_tiles(half % 2 * kInt8Columns + c);
      Int8Columns& to = blocks[half / 2 * 2 + place / kInt8Columns];
      to.scale[place % kInt8Columns] = natural.scale[c];
      to.bias[place % kInt8Columns] = natural.bias[c];
      to.start[place % kInt8Columns] = natural.start[c];
    }
  }
}

}  // namespace

const char* depthwise_conv2d_int8_declines(const Problem& problem) {
  const auto& p = problem.as<DepthwiseInt8Params>();
  const auto& [h, w] = p.window;
  if (h.dilation != 1 || w.dilation != 1) return "has dilation";
  if (p.end.epilogue.residual || !p.end.codes) return "takes no residual and gives codes alone";
  const bool small = w.size == 3 && h.size <= 4, large = (w.size == 5 || w.size == 7) && h.size > 4 && h.size <= 8;
  if (!small && !large) return "the window is not one of 3 x 3, 5 x 5 or 7 x 7";
  return w.stride > 2 ? "windows are more than 2 pixels apart" : nullptr;
}

std::int64_t depthwise_conv2d_int8_workspace(const Problem& problem) {
  const auto& [h, w] = problem.as<DepthwiseInt8Params>().window;
  return Workspace::bytes({h.size, w.size, problem.inputs[0].shape[3]});
}

void depthwise_conv2d_int8_lines(const KernelArgs& args) {
  const auto& p = args.problem.as<DepthwiseInt8Params>();
  const auto& [h, w] = p.window;
  const Shape &xs = args.in[0].shape(), &ys = args.out[0].shape();
  const Int8Operands operands = int8_operands(p.end, args);
  const Int8Finish finish = int8_finish(p.end, args);
  const std::int64_t channels = xs[3], line_bytes = xs[2] * channels;
  const DepthwiseInt8Packing packing{h.size, w.size, channels};
  const Workspace workspace(args.workspace, packing);
  const auto* packed = args.in[1].as<unsigned char>();
  set_blocks(finish, p.end, operands, reinterpret_cast<const std::int32_t*>(packed), packing, workspace.blocks);
  std::memset(workspace.zeros, p.end.x.zero_point, static_cast<std::size_t>(channels));

  const std::int64_t grain = max_i64(1, kTaskOutputs / max_i64(1, ys[2] * channels));
  parallel_ranges(ys[0] * ys[1], grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::uint8_t* picture = operands.x + line / ys[1] * xs[1] * line_bytes;
      const unsigned char* rows[kDepthwiseRows];
      std::int64_t steps[kDepthwiseRows];
      for (std::int64_t r = 0; r < kDepthwiseRows; ++r) {
        const std::int64_t row = h.start(line % ys[1]) + r;
        const bool real = r < h.size && row >= 0 && row < xs[1];
        rows[r] = real ? picture + row * line_bytes : workspace.zeros;
        steps[r] = real ? channels : 0;
      }
      avx512vnni::depthwise_line({rows, steps, xs[2], channels, p.end.x.zero_point, ys[2], w.size, w.stride, w.before,
                                  packed + packing.header_bytes(), workspace.blocks, &finish,
                                  operands.y + line * ys[2] * channels});
    }
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
