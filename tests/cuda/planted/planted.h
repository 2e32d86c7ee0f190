// What the planted kernels need of the host. Each file here holds one kernel with one bug, which -DREPAIRED=1 mends,
// and a function that runs it and tells whether the result is right. planted.cpp includes every file twice.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "core/ptx.h"

namespace planted {

using namespace fastcnn::cuda;

inline void check(cudaError_t status) {
  if (status == cudaSuccess) return;
  std::printf("emulator: %s: %s\n", cudaGetErrorName(status), emulator::last_message().c_str());
  std::exit(3);
}

template <class T>
class Array {
 public:
  explicit Array(const std::vector<T>& values) : size_(values.size()) {
    check(cudaMalloc(&data_, size_ * sizeof(T)));
    check(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  explicit Array(std::size_t size) : Array(std::vector<T>(size)) {}
  Array(const Array&) = delete;
  ~Array() { check(cudaFree(data_)); }
  T* data() const { return data_; }
  std::vector<T> read() const {
    std::vector<T> values(size_);
    check(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

// 1, 2, 3, ...
template <class T = float>
std::vector<T> counted(int size) {
  std::vector<T> values(size);
  for (int i = 0; i < size; ++i) values[i] = static_cast<T>(i + 1);
  return values;
}

template <class Body>
void run(int blocks, int threads, Body body) {
  check(emulator::launch("planted", blocks, threads, 0, nullptr, body));
  check(cudaDeviceSynchronize());
}

}  // namespace planted
