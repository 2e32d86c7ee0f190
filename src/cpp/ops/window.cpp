#include "ops/window.h"

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "ops/attrs.h"

namespace fastcnn {
namespace {

void pad_same(WindowAxis& axis, std::int64_t input) {
  const std::int64_t outputs = ceil_div(input, axis.stride);
  const std::int64_t total = max_i64(0, (outputs - 1) * axis.stride + axis.extent() - input);
  axis.before = total / 2;
  axis.after = total - axis.before;
}

}  // namespace

Window2d parse_window(AttrReader& attrs, const Shape& input, std::int64_t size_h, std::int64_t size_w,
                      std::int64_t default_stride_h, std::int64_t default_stride_w) {
  Window2d win;
  win.h.size = size_h;
  win.w.size = size_w;
  win.h.stride = default_stride_h;
  win.w.stride = default_stride_w;
  if (attrs.has("strides")) std::tie(win.h.stride, win.w.stride) = attrs.pair("strides", 1, 1);
  std::tie(win.h.dilation, win.w.dilation) = attrs.pair("dilation", 1, 1);
  if (attrs.has("pads")) {
    const std::vector<std::int64_t> p = attrs.integers("pads", {});
    const bool valid = p.size() == 4 && *std::min_element(p.begin(), p.end()) >= 0 &&
                       *std::max_element(p.begin(), p.end()) < (std::int64_t{1} << 31);
    require(valid, ErrorKind::Config, attrs.op(), ": pads: expected (top, bottom, left, right), each >= 0");
    win.h.before = p[0], win.h.after = p[1], win.w.before = p[2], win.w.after = p[3];
  } else if (attrs.choice("padding", {"valid", "same"}, "valid") == 1) {
    pad_same(win.h, input[1]);
    pad_same(win.w, input[2]);
  }
  return win;
}

std::int64_t window_output(const char* op, const char* axis_name, const WindowAxis& axis, std::int64_t input) {
  const std::int64_t room = input + axis.before + axis.after - axis.extent();
  require(room >= 0, ErrorKind::Shape, op, ": the window covers ", axis.extent(), " pixels of ", axis_name,
          " but the padded input has only ", input + axis.before + axis.after);
  return room / axis.stride + 1;
}

WindowAxis adjoint_axis(const WindowAxis& axis, std::int64_t inputs, std::int64_t outputs) {
  WindowAxis adjoint = axis;
  adjoint.before = axis.extent() - 1 - axis.before;
  adjoint.after = inputs - outputs + axis.extent() - 1 - adjoint.before;
  return adjoint;
}

}  // namespace fastcnn
