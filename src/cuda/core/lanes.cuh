// How the elements of an operand are shared out: a thread takes `lanes` neighbouring ones of its fastest axis, four
// where they can be read and written at once, and neighbouring threads take neighbours: a warp reads whole lines.
//
//   with_lanes(args, channels, [&](auto lanes) {
//     launch(name, kernel<lanes>, grid_of(size / lanes), args, ...);
//   });
//   const std::int64_t item = item_of_thread();
//   if (item < items) store(y + item * lanes, load<lanes>(x + item * lanes));
#pragma once

#include <type_traits>

#include "core/divide.cuh"
#include "core/launch.h"

namespace fastcnn::cuda {

template <int lanes>
struct alignas(lanes * sizeof(float)) Lanes {
  float v[lanes];
  __device__ __forceinline__ float& operator[](int i) { return v[i]; }
  __device__ __forceinline__ const float& operator[](int i) const { return v[i]; }
};

template <int lanes>
__device__ __forceinline__ Lanes<lanes> load(const float* from) {
  return *reinterpret_cast<const Lanes<lanes>*>(from);
}

template <int lanes>
__device__ __forceinline__ void store(float* to, const Lanes<lanes>& value) {
  *reinterpret_cast<Lanes<lanes>*>(to) = value;
}

template <int lanes>
__device__ __forceinline__ Lanes<lanes> all_lanes(float value) {
  Lanes<lanes> result;
#pragma unroll
  for (int l = 0; l < lanes; ++l) result[l] = value;
  return result;
}

// body(std::integral_constant<int, lanes>): four lanes where runs of `run` elements all start at multiples of 16 bytes.
template <class Body>
void with_lanes(const KernelArgs& args, std::int64_t run, const Body& body) {
  bool wide = run % 4 == 0;
  const auto look_at = [&](const Tensor& operand) { wide &= reinterpret_cast<std::uintptr_t>(operand.data) % 16 == 0; };
  for (int i = 0; i < args.problem.num_inputs; ++i) look_at(args.in[i]);
  for (int i = 0; i < args.problem.num_outputs; ++i) look_at(args.out[i]);
  if (wide)
    body(std::integral_constant<int, 4>());
  else
    body(std::integral_constant<int, 1>());
}

// One thread for each of `items`: a grid's first axis has room for 2^31 blocks, more than a device has memory for.
inline constexpr int kItemThreads = 256;

inline Grid grid_of(std::int64_t items) {
  return {dim3(static_cast<unsigned>(ceil_div(items, kItemThreads))), dim3(kItemThreads)};
}

__device__ __forceinline__ std::int64_t item_of_thread() {
  return static_cast<std::int64_t>(blockIdx.x) * kItemThreads + threadIdx.x;
}

// Where the pictures' elements lie, NHWC, counted in groups of `lanes` channels.
struct Place {
  std::int64_t n, row, column, channel;  // of the first lane
};

class Places {
 public:
  Places(const Shape& shape, int lanes) : groups_(shape[3] / lanes), columns_(shape[2]), rows_(shape[1]) {}

  template <int lanes>
  __device__ __forceinline__ Place of(std::int64_t item) const {
    Place place;
    const std::int64_t line = columns_.divide(groups_.divide(item, &place.channel), &place.column);
    place.n = rows_.divide(line, &place.row);
    place.channel *= lanes;
    return place;
  }

 private:
  Divisor groups_, columns_, rows_;
};

__device__ __forceinline__ std::int64_t offset_of(const Shape& shape, std::int64_t n, std::int64_t row,
                                                  std::int64_t column, std::int64_t channel) {
  return ((n * shape[1] + row) * shape[2] + column) * shape[3] + channel;
}

}  // namespace fastcnn::cuda
