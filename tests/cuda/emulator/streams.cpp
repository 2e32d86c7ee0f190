#include "streams.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "device.h"
#include "execution.h"
#include "execution_engine.h"

namespace emulator {
namespace {

struct Everything {
  std::recursive_mutex lock;
  std::vector<CUstream_st*> streams;  // default ones first, one for each device
  std::vector<CUevent_st*> events;
};

Everything& everything() {
  static auto* const only = new Everything;
  return *only;
}

std::vector<CUstream_st*>& streams() {
  auto& all = everything().streams;
  for (int device = static_cast<int>(all.size()); device < device_model().devices; ++device) {
    all.push_back(new CUstream_st);
    all.back()->device = device;
  }
  return all;
}

bool deferred() {
  const char* const text = std::getenv("FASTCNN_EMULATOR_STREAMS");
  return text && std::strcmp(text, "deferred") == 0;
}

thread_local cudaError_t last_error = cudaSuccess;
thread_local int device_in_use = 0;
thread_local std::string* message = nullptr;  // never freed before the thread's last use

bool is_default(const CUstream_st* s) { return streams()[static_cast<std::size_t>(s->device)] == s; }

CUstream_st* known(cudaStream_t stream) {
  auto& all = streams();
  return std::find(all.begin(), all.end(), stream) == all.end() ? nullptr : stream;
}

cudaError_t bad_stream() { return failed(cudaErrorInvalidResourceHandle, "not a stream"); }

}  // namespace

std::recursive_mutex& lock() { return everything().lock; }

cudaError_t failed(cudaError_t error, const std::string& text) {
  last_error = error;
  if (!message) message = new std::string;
  *message = text;
  return error;
}

std::string last_message() { return message ? *message : std::string(); }

int current_device() { return device_in_use; }

CUstream_st* resolve(cudaStream_t stream) {
  if (device_model().devices == 0) return nullptr;
  if (reinterpret_cast<std::uintptr_t>(stream) <= 2) return streams()[static_cast<std::size_t>(device_in_use)];
  return known(stream);
}

bool capturing() {
  return std::any_of(streams().begin(), streams().end(),
                     [](const CUstream_st* s) { return s->began_capture && s->mode != cudaStreamCaptureModeRelaxed; });
}

cudaError_t submit(cudaStream_t stream, Operation operation) {
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  if (s->device != device_in_use)
    return failed(cudaErrorInvalidResourceHandle, "the stream belongs to device " + std::to_string(s->device) +
                                                      ", in use is " + std::to_string(device_in_use));
  if (s->capture) {
    s->capture->operations.push_back(std::move(operation));
    return cudaSuccess;
  }
  if (is_default(s) && capturing())
    return failed(cudaErrorStreamCaptureUnsupported, "the default stream was used while another captures");
  // The default stream and those that are not "non-blocking" wait for each other.
  std::vector<std::pair<CUstream_st*, std::uint64_t>> before;
  for (CUstream_st* const other : streams())
    if (other != s && other->device == s->device && other->blocking && s->blocking &&
        (is_default(s) || is_default(other)))
      before.emplace_back(other, other->submitted);
  s->pending.push_back([before = std::move(before), operation = std::move(operation)] {
    for (const auto& [other, until] : before)
      if (known(other))
        if (const cudaError_t error = drain(other, until)) return error;
    return operation();
  });
  ++s->submitted;
  return deferred() ? cudaSuccess : drain(s);
}

cudaError_t drain(CUstream_st* s, std::uint64_t until) {
  cudaError_t result = cudaSuccess;
  while (s->executed < until && !s->pending.empty()) {
    const Operation operation = std::move(s->pending.front());
    s->pending.pop_front();
    ++s->executed;
    if (const cudaError_t error = operation()) result = error;
  }
  return result;
}

cudaError_t drain_device(int device) {
  cudaError_t result = cudaSuccess;
  for (CUstream_st* const s : streams())
    if (s->device == device)
      if (const cudaError_t error = drain(s)) result = error;
  return result;
}

// ---- Launches

cudaError_t launch(const char* name, dim3 grid, dim3 block, std::size_t shared_bytes, cudaStream_t stream,
                   std::function<void()> body) {
  Guard guard(lock());
  const auto threads = std::uint64_t{block.x} * block.y * block.z;
  const std::string who = std::string("kernel ") + name + ": ";
  if (threads == 0 || threads > 1024 || block.x > 1024 || block.y > 1024 || block.z > 64)
    return failed(cudaErrorInvalidConfiguration, who + "a block of " + std::to_string(block.x) + " x " +
                                                     std::to_string(block.y) + " x " + std::to_string(block.z));
  if (grid.x == 0 || grid.x > 0x7fffffffu || grid.y == 0 || grid.y > 65535 || grid.z == 0 || grid.z > 65535)
    return failed(cudaErrorInvalidConfiguration, who + "a grid of " + std::to_string(grid.x) + " x " +
                                                     std::to_string(grid.y) + " x " + std::to_string(grid.z));
  if (shared_bytes > device_model().shared_per_block_optin)
    return failed(cudaErrorInvalidValue, who + std::to_string(shared_bytes) + " bytes of shared memory");
  return submit(stream, [launch = Launch{name, grid, block, shared_bytes, std::move(body)}, text = std::string(name)] {
    const std::string wrong = execute(launch);
    return wrong.empty() ? cudaSuccess : failed(cudaErrorLaunchFailure, wrong);
  });
}

}  // namespace emulator

using namespace emulator;

// ---- CUDA's names

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= device_model().devices) return failed(cudaErrorInvalidDevice, "no such device");
  device_in_use = device;
  return cudaSuccess;
}
cudaError_t cudaGetDevice(int* device) {
  *device = device_in_use;
  return cudaSuccess;
}
cudaError_t cudaDeviceSynchronize() {
  Guard guard(lock());
  if (capturing()) return failed(cudaErrorStreamCaptureUnsupported, "cudaDeviceSynchronize while a stream captures");
  return drain_device(device_in_use);
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  Guard guard(lock());
  *stream = new CUstream_st;
  (*stream)->device = device_in_use;
  (*stream)->blocking = !(flags & cudaStreamNonBlocking);
  streams().push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, cudaStreamDefault); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Guard guard(lock());
  CUstream_st* const s = known(stream);
  if (!s || is_default(s)) return bad_stream();
  const cudaError_t error = drain(s);
  std::erase(streams(), s);
  delete s;
  return error;
}
cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Guard guard(lock());
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  if (s->capture) return failed(cudaErrorStreamCaptureUnsupported, "cudaStreamSynchronize of a stream that captures");
  return drain(s);
}
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  Guard guard(lock());
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  return s->pending.empty() ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaStreamGetDevice(cudaStream_t stream, int* device) {
  Guard guard(lock());
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  *device = s->device;
  return cudaSuccess;
}
cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  Guard guard(lock());
  return submit(stream, [=] {
    function(data);
    return cudaSuccess;
  });
}

// ---- Events

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  Guard guard(lock());
  *event = new CUevent_st;
  everything().events.push_back(*event);
  (*event)->timed = !(flags & cudaEventDisableTiming);
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, cudaEventDefault); }

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Guard guard(lock());
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  event->stream = s;
  event->capture = s->capture;
  event->recorded = true;
  event->complete = false;
  event->position = s->submitted + 1;
  return submit(stream, [event, position = event->position] {
    const auto& events = everything().events;  // in a graph it may outlive its event
    if (std::find(events.begin(), events.end(), event) != events.end() && event->position == position) {
      event->time = std::chrono::steady_clock::now();
      event->complete = true;
    }
    return cudaSuccess;
  });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  Guard guard(lock());
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  if (!event->recorded) return cudaSuccess;
  if (event->capture && !s->capture) s->capture = event->capture;
  if (s->capture) return cudaSuccess;
  return submit(stream, [other = event->stream, position = event->position] {
    return known(other) ? drain(other, position) : cudaSuccess;
  });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  Guard guard(lock());
  if (!event->recorded || event->complete || !known(event->stream)) return cudaSuccess;
  return drain(event->stream, event->position);
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  Guard guard(lock());
  return !event->recorded || event->complete ? cudaSuccess : cudaErrorNotReady;
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  Guard guard(lock());
  if (!start->recorded || !end->recorded || !start->timed || !end->timed)
    return failed(cudaErrorInvalidResourceHandle, "the time between events that were not both recorded with time");
  if (!start->complete || !end->complete) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  Guard guard(lock());
  if (event->recorded && !event->complete && known(event->stream)) drain(event->stream, event->position);
  std::erase(everything().events, event);
  delete event;
  return cudaSuccess;
}

// ---- Graphs

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  Guard guard(lock());
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  if (is_default(s)) return failed(cudaErrorStreamCaptureUnsupported, "the default stream cannot capture");
  if (s->capture) return failed(cudaErrorInvalidValue, "the stream captures already");
  s->capture = new CUgraph_st;
  s->began_capture = true;
  s->mode = mode;
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Guard guard(lock());
  *graph = nullptr;
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  if (!s->began_capture) return failed(cudaErrorStreamCaptureUnmatched, "the stream did not begin to capture");
  *graph = s->capture;
  for (CUstream_st* const other : streams())
    if (other->capture == *graph) other->capture = nullptr;
  s->began_capture = false;
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* status) {
  Guard guard(lock());
  CUstream_st* const s = resolve(stream);
  if (!s) return bad_stream();
  *status = s->capture ? cudaStreamCaptureStatusActive : cudaStreamCaptureStatusNone;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long) {
  *executable = new CUgraphExec_st{graph->operations};
  return cudaSuccess;
}
cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t) { return cudaSuccess; }
cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  Guard guard(lock());
  return submit(stream, [operations = executable->operations] {
    for (const Operation& operation : operations)
      if (const cudaError_t error = operation()) return error;
    return cudaSuccess;
  });
}
cudaError_t cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, std::size_t* count) {
  *count = graph->operations.size();
  return cudaSuccess;
}
cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}
cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}
