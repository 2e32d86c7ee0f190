// Plain loops that are obviously right: every index of the result is taken apart axis by axis.
#include "ops/item_copy.h"
#include "ops/where/where.h"

namespace fastcnn::ref {
namespace {

// Where the result's element `index` comes from in an operand whose axes of size 1 (or absent) repeat.
std::int64_t source(const Shape& operand, const Shape& y, std::int64_t index) {
  std::int64_t offset = 0, step = 1;
  for (int i = 0; i < operand.rank; ++i) {
    const std::int64_t size = operand[operand.rank - 1 - i], size_y = y[y.rank - 1 - i];
    if (size != 1) offset += index % size_y * step;
    index /= size_y;
    step *= size;
  }
  return offset;
}

}  // namespace

void where(const KernelArgs& args) {
  const Tensor& condition = args.in[0];
  const Shape& y = args.out[0].shape();
  const bool is_float = condition.type.dtype == DType::F32;
  const std::int64_t item = item_size(args.out[0].type.dtype);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t at = source(condition.shape(), y, i);
    const bool yes = is_float ? condition.as<float>()[at] != 0.0f : condition.as<std::uint8_t>()[at] != 0;
    const Tensor& chosen = args.in[yes ? 1 : 2];
    copy_item(args.out[0].as<unsigned char>() + i * item,
              chosen.as<unsigned char>() + source(chosen.shape(), y, i) * item, item);
  }
}

}  // namespace fastcnn::ref
