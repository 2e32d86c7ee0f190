#include "core/runtime.h"

#include <cuda_runtime.h>

#include <deque>
#include <new>

#include "core/status.h"

namespace fastcnn::cuda {
namespace {

std::int64_t to_bytes(std::size_t n) { return static_cast<std::int64_t>(n); }
cudaStream_t to_stream(DeviceRuntime::Stream stream) { return static_cast<cudaStream_t>(stream); }

// The streams of a Runtime do not wait for the legacy default stream, nor it for them: what is asked of `nullptr` is
// followed by synchronize().
class Runtime final : public DeviceRuntime {
 public:
  explicit Runtime(int index) : index_(index) {
    cudaDeviceProp properties;
    check(cudaGetDeviceProperties(&properties, index), "cudaGetDeviceProperties");
    name_ = properties.name;
    capability_.major = properties.major;
    capability_.minor = properties.minor;
    capability_.multiprocessors = properties.multiProcessorCount;
    capability_.shared_bytes_per_block = properties.sharedMemPerBlockOptin;
  }

  std::string name() override { return name_; }
  std::string capability() override { return cat(capability_.major, '.', capability_.minor); }
  const Capability& features() const { return capability_; }
  void activate() override { check(cudaSetDevice(index_), "cudaSetDevice"); }

  void memory(std::int64_t& free, std::int64_t& total) override {
    activate();
    std::size_t free_bytes = 0, total_bytes = 0;
    check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
    free = to_bytes(free_bytes), total = to_bytes(total_bytes);
  }

  void* allocate(std::int64_t bytes) override {
    activate();
    void* memory = nullptr;
    check_allocation(cudaMalloc(&memory, static_cast<std::size_t>(bytes)), "cudaMalloc");
    return memory;
  }
  void release(void* memory) noexcept override {
    if (memory != nullptr) cudaFree(memory);
  }
  void* allocate_pinned(std::int64_t bytes) override {
    activate();
    void* memory = nullptr;
    check_allocation(cudaMallocHost(&memory, static_cast<std::size_t>(bytes)), "cudaMallocHost");
    return memory;
  }
  void release_pinned(void* memory) noexcept override { cudaFreeHost(memory); }

  Stream create_stream() override {
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    return stream;
  }
  void destroy_stream(Stream stream) noexcept override { cudaStreamDestroy(to_stream(stream)); }
  void upload(void* to, const void* from, std::int64_t bytes, Stream stream) override {
    transfer(to, from, bytes, cudaMemcpyHostToDevice, stream);
  }
  void download(void* to, const void* from, std::int64_t bytes, Stream stream) override {
    transfer(to, from, bytes, cudaMemcpyDeviceToHost, stream);
  }
  void copy(void* to, const void* from, std::int64_t bytes, Stream stream) override {
    transfer(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
  }
  void wait_for(Stream stream, Stream other) override {
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
    const cudaError_t recorded = cudaEventRecord(event, to_stream(other));
    const cudaError_t waits = recorded == cudaSuccess ? cudaStreamWaitEvent(to_stream(stream), event, 0) : recorded;
    cudaEventDestroy(event);  // CUDA keeps it until the stream has passed it
    check(waits, "cudaStreamWaitEvent");
  }
  void synchronize(Stream stream) override { check(cudaStreamSynchronize(to_stream(stream)), "cudaStreamSynchronize"); }
  void synchronize() override {
    activate();
    check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  }

  void begin_recording(Stream stream) override {
    // Of this thread alone: others may allocate meanwhile.
    check(cudaStreamBeginCapture(to_stream(stream), cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  }
  Recording end_recording(Stream stream) override {
    cudaGraph_t graph = nullptr;
    check(cudaStreamEndCapture(to_stream(stream), &graph), "cudaStreamEndCapture");
    cudaGraphExec_t executable = nullptr;
    const cudaError_t status = cudaGraphInstantiate(&executable, graph, 0);
    cudaGraphDestroy(graph);
    check(status, "cudaGraphInstantiate");
    return executable;
  }
  void abandon_recording(Stream stream) noexcept override {
    cudaGraph_t graph = nullptr;
    if (cudaStreamEndCapture(to_stream(stream), &graph) == cudaSuccess) cudaGraphDestroy(graph);
    cudaGetLastError();
  }
  void replay(Recording recording, Stream stream) override {
    check(cudaGraphLaunch(static_cast<cudaGraphExec_t>(recording), to_stream(stream)), "cudaGraphLaunch");
  }
  void destroy_recording(Recording recording) noexcept override {
    cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(recording));
  }

 private:
  static void check_allocation(cudaError_t status, const char* what) {
    if (status == cudaErrorMemoryAllocation) {
      cudaGetLastError();  // else the next launch would report it
      throw std::bad_alloc();
    }
    check(status, what);
  }
  static void transfer(void* to, const void* from, std::int64_t bytes, cudaMemcpyKind kind, Stream stream) {
    if (bytes > 0)
      check(cudaMemcpyAsync(to, from, static_cast<std::size_t>(bytes), kind, to_stream(stream)), "cudaMemcpyAsync");
  }

  int index_;
  std::string name_;
  Capability capability_;
};

// For as long as the process lives: memory may be released when it ends.
std::deque<Runtime>& runtimes() {
  static auto* const all = new std::deque<Runtime>();
  return *all;
}

}  // namespace

void check(cudaError_t status, const char* what) {
  if (status == cudaSuccess) return;
  cudaGetLastError();  // else the next call would report it, too
  fail(ErrorKind::Internal, what, ": ", cudaGetErrorName(status), ": ", cudaGetErrorString(status));
}

void check_launch(cudaError_t status, const char* kernel, const KernelArgs& args) {
  if (status == cudaSuccess) return;
  cudaGetLastError();
  std::string operands;
  for (int i = 0; i < args.problem.num_inputs; ++i) operands += cat(i > 0 ? ", " : "", args.problem.inputs[i]);
  fail(ErrorKind::Internal, kernel, " on ", operands, ": ", cudaGetErrorName(status), ": ", cudaGetErrorString(status));
}

const Capability& capability() {
  int index = 0;
  check(cudaGetDevice(&index), "cudaGetDevice");
  return runtimes().at(static_cast<std::size_t>(index)).features();
}

DeviceProvider find_devices() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  require(status == cudaSuccess && count > 0, ErrorKind::Config,
          "cuda: no device: ", status == cudaSuccess ? "the driver knows none" : cudaGetErrorString(status));
  for (int i = static_cast<int>(runtimes().size()); i < count; ++i) runtimes().emplace_back(i);
  return {[] { return static_cast<int>(runtimes().size()); },
          [](int index) -> DeviceRuntime& { return runtimes()[static_cast<std::size_t>(index)]; }};
}

}  // namespace fastcnn::cuda
