#include "ops/gather/gather.h"

#include <cstring>

#include "ops/item_copy.h"

namespace fastcnn::ref {
namespace {

constexpr std::int64_t kTaskBytes = 64 * 1024;

void clear(const Tensor& t) { std::memset(t.data, 0, static_cast<std::size_t>(t.type.bytes())); }

}  // namespace

void take(const KernelArgs& args) {
  const GatherAround x(args.in[0].shape(), args.problem.as<GatherParams>().axis);
  const std::int64_t count = args.in[1].shape().size(), bytes = x.inner * item_size(args.in[0].type.dtype);
  const auto* from = args.in[0].as<unsigned char>();
  auto* to = args.out[0].as<unsigned char>();
  if (bytes == 0) return;
  with_item_size(bytes, [&](auto item) {
    parallel_ranges(x.outer * count, max_i64(1, kTaskBytes / bytes), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t at = gathered_from(index_at(args.in[1], row % count), x.size);
        if (at >= 0)
          copy_item(to + row * item, from + (row / count * x.size + at) * item, item);
        else
          std::memset(to + row * item, 0, static_cast<std::size_t>(bytes));
      }
    });
  });
}

void take_gradient(const KernelArgs& args) {
  const GatherAround x(args.out[0].shape(), args.problem.as<GatherParams>().axis);
  const std::int64_t count = args.in[1].shape().size();
  clear(args.out[0]);
  parallel_ranges(x.outer, max_i64(1, kTaskBytes / max_i64(1, 4 * count * x.inner)),
                  [&](std::int64_t begin, std::int64_t end) {
                    for (std::int64_t row = begin * count; row < end * count; ++row) {
                      const std::int64_t at = gathered_from(index_at(args.in[1], row % count), x.size);
                      if (at < 0) continue;
                      const float* dy = args.in[0].as<float>() + row * x.inner;
                      float* dx = args.out[0].as<float>() + (row / count * x.size + at) * x.inner;
                      for (std::int64_t i = 0; i < x.inner; ++i) dx[i] += dy[i];
                    }
                  });
}

void take_along_axis(const KernelArgs& args) {
  const std::int64_t axis = args.problem.as<GatherParams>().axis;
  const GatherAround x(args.in[0].shape(), axis), y(args.out[0].shape(), axis);
  const auto* from = args.in[0].as<unsigned char>();
  auto* to = args.out[0].as<unsigned char>();
  const std::int64_t bytes = item_size(args.in[0].type.dtype), row = y.size * y.inner;
  if (row == 0) return;
  with_item_size(bytes, [&](auto item) {
    parallel_ranges(y.outer, max_i64(1, kTaskBytes / (row * bytes)), [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin * row; i < end * row; ++i) {
        const std::int64_t at = gathered_from(index_at(args.in[1], i), x.size);
        if (at >= 0)
          copy_item(to + i * item, from + ((i / row * x.size + at) * x.inner + i % y.inner) * item, item);
        else
          std::memset(to + i * item, 0, static_cast<std::size_t>(bytes));
      }
    });
  });
}

void take_along_axis_gradient(const KernelArgs& args) {
  const std::int64_t axis = args.problem.as<GatherParams>().axis;
  const GatherAround x(args.out[0].shape(), axis), y(args.in[0].shape(), axis);
  const std::int64_t row = y.size * y.inner;
  clear(args.out[0]);
  parallel_ranges(y.outer, max_i64(1, kTaskBytes / max_i64(1, 4 * row)), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin * row; i < end * row; ++i) {
      const std::int64_t at = gathered_from(index_at(args.in[1], i), x.size);
      if (at >= 0)
        args.out[0].as<float>()[(i / row * x.size + at) * x.inner + i % y.inner] += args.in[0].as<float>()[i];
    }
  });
}

}  // namespace fastcnn::ref
