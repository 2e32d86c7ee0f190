// Streams, events and graphs: what is submitted runs at once, is recorded, or waits until somebody synchronises
// (FASTCNN_EMULATOR_STREAMS=deferred), so that a missing synchronisation shows.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "runtime_types.h"

namespace emulator {

using Operation = std::function<cudaError_t()>;

std::recursive_mutex& lock();  // of all that the emulator knows
using Guard = std::lock_guard<std::recursive_mutex>;

// Notes an error for cudaGetLastError and last_message.
cudaError_t failed(cudaError_t error, const std::string& message);

CUstream_st* resolve(cudaStream_t stream);  // the default stream of the device in use for 0, 1 and 2
cudaError_t submit(cudaStream_t stream, Operation operation);
cudaError_t drain(CUstream_st* stream, std::uint64_t until = ~std::uint64_t{0});
cudaError_t drain_device(int device);
bool capturing();  // in a way that forbids what is not part of the capture
int current_device();

}  // namespace emulator

struct CUgraph_st {
  std::vector<emulator::Operation> operations;
};
struct CUgraphExec_st {
  std::vector<emulator::Operation> operations;
};

struct CUstream_st {
  int device = 0;
  bool blocking = true;  // waits for the default stream, and it for this
  std::deque<emulator::Operation> pending;
  std::uint64_t submitted = 0, executed = 0;
  CUgraph_st* capture = nullptr;
  bool began_capture = false;  // others joined it by waiting for an event
  cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
};

struct CUevent_st {
  CUstream_st* stream = nullptr;
  std::uint64_t position = 0;  // what its stream had got before it, and itself
  CUgraph_st* capture = nullptr;
  std::chrono::steady_clock::time_point time;
  bool recorded = false, complete = false, timed = true;
};
