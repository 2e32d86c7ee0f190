// Computes   conv2d_transpose as one matrix product for each phase of the stride: the output pixels p with the same
//            p mod s meet the same taps, every (s / gcd(s, d))-th, and those move over the input by whole pixels. So a
//            phase is a convolution of stride 1 with a smaller kernel, its taps in descending order, and its pixels
//            are every s-th of the result ("sub-pixel convolution").
// Layout     NHWC in and out, read and written in place (ops/picture_rows.h); packed weights: phase by phase, in each
//            group by group, panels of filters (gemm/README.md).
// Why        no multiplication by the zeros between the pixels (1 - 1/s^2 of all), no scattered addition and
//            so the same bits for any number of threads.
// Needs      weights packed by the op of the row's engine; a row of zeros as workspace. conv2d_transpose_bf16: a
//            picture stored in bfloat16, channels that are a multiple of 32, no dilation.
// Accuracy   AVX2 and AVX-512: one chain of fused multiply-adds an output, from the bias on. In bf16 parts:
//            gemm/gemm_amx.cpp, gemm/gemm_avx512bf16.cpp.
// Source     W. Shi et al., Is the deconvolution layer the same as a convolutional layer?, 2016.
#include <cstring>

#include <vector>

#include "gemm/split_gemm.h"
#include "ops/bf16_windows.h"
#include "ops/picture_rows.h"
#include "ops/conv2d_transpose/conv2d_transpose.h"
#include "ops/epilogue_operands.h"

#if FC_X86
namespace fastcnn {
namespace {

// Calls body(h, w, floats of packed weights before this phase) for every phase; returns the floats of all.
// packed_size(h, w) says what a phase takes.
template <class Size, class Body>
std::int64_t each_phase(const Conv2dTransposeParams& p, const Size& packed_size, const Body& body) {
  std::int64_t offset = 0;
  for (std::int64_t i = 0; i < min_i64(p.window.h.stride, p.out_h); ++i)
    for (std::int64_t j = 0; j < min_i64(p.window.w.stride, p.out_w); ++j) {
      const PhaseAxis h(p.window.h, i, p.out_h), w(p.window.w, j, p.out_w);
      body(h, w, offset);
      offset += packed_size(h, w);
    }
  return offset;
}

template <class Engine, class Body>
std::int64_t each_product(const Engine& engine, const Conv2dTransposeParams& p, const Body& body) {
  const auto packed_size = [&](const PhaseAxis& h, const PhaseAxis& w) {
    const std::int64_t depth = h.window.size * w.window.size * p.group_channels();
    return p.groups * gemm::packed_size(engine, depth, p.group_filters());
  };
  return each_phase(p, packed_size, body);
}

template <class Body>
std::int64_t each_bf16_phase(const Conv2dTransposeParams& p, const Body& body) {
  const auto packed_size = [&](const PhaseAxis& h, const PhaseAxis& w) {
    return bf16_packed_size({h.window, w.window}, p.channels, p.filters);
  };
  return each_phase(p, packed_size, body);
}

}  // namespace

template <const auto& engine>
void TransposeProduct<engine>::run(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
  const Shape &x = args.in[0].shape(), &y = args.out[0].shape();
  auto* zeros = static_cast<float*>(args.workspace);
  std::memset(zeros, 0, static_cast<std::size_t>(conv2d_transpose_workspace(args.problem)));
  const std::int64_t pixel = args.out[0].pixel_pitch(), row = y[2] * pixel, picture = y[1] * row;
  each_product(engine, p, [&](const PhaseAxis& h, const PhaseAxis& w, std::int64_t offset) {
    const std::int64_t start = h.first * row + w.first * pixel;
    gemm::Product product;
    product.rows = y[0] * h.count * w.count;
    product.columns = p.group_filters();
    product.depth = h.window.size * w.window.size * p.group_channels();
    product.packed = args.in[1].as<float>() + offset;
    product.set_epilogue(p.epilogue, EpilogueOperands(p.epilogue, args, 2));
    product.c = args.out[0].as<float>() + start;
    if (product.residual != nullptr) product.residual += start;
    product.batch = p.groups;
    product.packed_stride = gemm::packed_size(engine, product.depth, product.columns);
    product.c_stride = product.bias_stride = product.columns;
    gemm::multiply(engine, product,
                   PictureRows({h.window, w.window}, {args.in[0].as<float>(), x[1], x[2], x[3], p.groups},
                               {h.count, w.count, picture, p.window.h.stride * row, p.window.w.stride * pixel}, zeros));
  });
}

template <const auto& engine>
void TransposeProduct<engine>::pack(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
  const std::int64_t channels = p.group_channels(), filters = p.group_filters();
  std::vector<float> b;  // of one phase and group: (taps, channels, filters)
  each_product(engine, p, [&](const PhaseAxis& h, const PhaseAxis& w, std::int64_t offset) {
    const std::int64_t taps = h.window.size * w.window.size, depth = taps * channels;
    b.resize(static_cast<std::size_t>(depth * filters));
    for (std::int64_t g = 0; g < p.groups; ++g) {
      parallel_for(taps, [&](std::int64_t t) {
        const std::int64_t i = h.last_tap - t / w.window.size * h.tap_step;
        const std::int64_t j = w.last_tap - t % w.window.size * w.tap_step;
        const float* from = args.in[0].as<float>() + (i * p.window.w.size + j) * filters * p.channels + g * channels;
        float* to = b.data() + t * channels * filters;
        for (std::int64_t c = 0; c < channels; ++c)
          for (std::int64_t f = 0; f < filters; ++f) *to++ = from[f * p.channels + c];
      });
      gemm::pack(engine, {b.data(), filters, 1, depth, filters},
                 args.out[0].as<float>() + offset + g * gemm::packed_size(engine, depth, filters));
    }
  });
}

template <const auto& engine>
std::int64_t TransposeProduct<engine>::packed_size(const Params& params) {
  return each_product(engine, params.as<Conv2dTransposeParams>(), [](const auto&...) {});
}

template struct TransposeProduct<gemm::avx2::engine>;
template struct TransposeProduct<gemm::avx512::engine>;
template struct TransposeProduct<gemm::amx::bf16x6>;
template struct TransposeProduct<gemm::amx::bf16x3>;
template struct TransposeProduct<gemm::amx::bf16>;
template struct TransposeProduct<gemm::avx512bf16::bf16>;

std::int64_t conv2d_transpose_workspace(const Problem& problem) {
  const auto& p = problem.as<Conv2dTransposeParams>();
  return PictureRows::zeros_bytes(p.window, p.group_channels());
}

const char* conv2d_transpose_bf16_declines(const Problem& problem) {
  const auto& p = problem.as<Conv2dTransposeParams>();
  if (problem.inputs[0].dtype != DType::BF16) return "the picture is not stored in bfloat16";
  if (p.groups != 1) return "takes one group only";
  if (p.channels % 32 != 0) return "takes a multiple of 32 channels only";
  const auto &h = p.window.h, &w = p.window.w;
  if (h.dilation != 1 || w.dilation != 1) return "takes dilation 1 only";
  return bf16_windows_decline(p.window, p.channels, p.filters);
}

std::int64_t conv2d_transpose_bf16_packed_size(const Conv2dTransposeParams& p) {
  return each_bf16_phase(p, [](const auto&...) {});
}

template <const gemm::SplitEngine& engine>
void conv2d_transpose_bf16(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
  const Shape& y = args.out[0].shape();
  const EpilogueOperands operands(p.epilogue, args, 2);
  const bool bf16_c = p.epilogue.result == DType::BF16;
  const std::int64_t pixel = args.out[0].pixel_pitch(), row = y[2] * pixel;
  each_bf16_phase(p, [&](const PhaseAxis& h, const PhaseAxis& w, std::int64_t offset) {
    const std::int64_t start = h.first * row + w.first * pixel;
    multiply({.engine = engine,
              .window = {h.window, w.window},
              .filters = p.filters,
              .x = args.in[0],
              .height = h.count,
              .width = w.count,
              .picture = y[1] * row,
              .row = p.window.h.stride * row,
              .pixel = p.window.w.stride * pixel,
              .packed = args.in[1].as<float>() + offset,
              .c = gemm::element(args.out[0].data, bf16_c, start),
              .residual = gemm::element(static_cast<const void*>(operands.residual), operands.bf16_residual, start),
              .bias = operands.bias,
              .bf16_c = bf16_c,
              .bf16_residual = operands.bf16_residual,
              .activation = p.epilogue.activation,
              .alpha = p.epilogue.alpha});
  });
}

template void conv2d_transpose_bf16<gemm::amx::bf16>(const KernelArgs&);
template void conv2d_transpose_bf16<gemm::avx512bf16::bf16>(const KernelArgs&);

void conv2d_transpose_bf16_pack(const KernelArgs& args) {
  const auto& p = args.problem.as<Conv2dTransposeParams>();
  each_bf16_phase(p, [&](const PhaseAxis& h, const PhaseAxis& w, std::int64_t offset) {
    for (std::int64_t a = 0; a < h.window.size; ++a)
      for (std::int64_t b = 0; b < w.window.size; ++b) {
        const std::int64_t tap = (h.last_tap - a * h.tap_step) * p.window.w.size + w.last_tap - b * w.tap_step;
        pack_bf16_taps({h.window, w.window}, p.channels, p.filters,
                       {.a = a,
                        .b = b,
                        .taps = 1,
                        .from = args.in[0].as<float>() + tap * p.filters * p.channels,
                        .row_stride = 1,
                        .column_stride = p.channels},
                       args.out[0].as<float>() + offset);
      }
  });
}

}  // namespace fastcnn

#endif  // FC_X86
