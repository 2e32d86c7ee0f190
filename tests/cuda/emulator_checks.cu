// Checks of the emulator itself, each a small kernel or use of the runtime API with a result that CUDA defines.
// emulator_checks NAME: ends with 0, or tells what is wrong. Without a name all of them.
#include <cstdint>
#include <cstring>
#include <utility>

#include "planted/planted.h"

namespace {

using namespace fastcnn::cuda;
using planted::Array;
using planted::check;
using planted::counted;

bool good = true;

void expect(bool holds, const char* what, int line) {
  if (holds) return;
  std::printf("line %d: %s\n", line, what);
  good = false;
}
#define EXPECT(condition) expect((condition), #condition, __LINE__)

template <class Body>
cudaError_t start(dim3 grid, dim3 block, std::size_t shared, Body body, cudaStream_t stream = nullptr) {
  return emulator::launch("check", grid, block, shared, stream, body);
}

__global__ void shuffle_all(int* y) {
  const int t = threadIdx.x;
  y[t] = __shfl_sync(kAllLanes, t, 5, 8);
  y[32 + t] = __shfl_up_sync(kAllLanes, t, 3, 16);
  y[64 + t] = __shfl_down_sync(kAllLanes, t, 3);
  y[96 + t] = __shfl_xor_sync(kAllLanes, t, 9);
  y[128 + t] = static_cast<int>(__shfl_sync(kAllLanes, static_cast<long long>(t) << 40, t + 1) >> 40);
  y[160 + t] = static_cast<int>(2 * __shfl_down_sync(kAllLanes, 0.5 + t, 1));
}

void shuffles() {
  const Array<int> y(192);
  check(start(1, 32, 0, [y = y.data()] { shuffle_all(y); }));
  const auto r = y.read();
  for (int t = 0; t < 32; ++t) {
    EXPECT(r[t] == t / 8 * 8 + 5);
    EXPECT(r[32 + t] == (t % 16 < 3 ? t : t - 3));
    EXPECT(r[64 + t] == (t > 28 ? t : t + 3));
    EXPECT(r[96 + t] == (t ^ 9));
    EXPECT(r[128 + t] == (t + 1) % 32);
    EXPECT(r[160 + t] == (t == 31 ? 63 : 2 * t + 3));
  }
}

__global__ void vote_all(unsigned* y, float* z) {
  const int t = threadIdx.x;
  const unsigned lanes = t < 32 ? kAllLanes : 0xffu;  // the last warp has 8
  y[4 * t] = __ballot_sync(lanes, t % 3 == 0);
  y[4 * t + 1] = __any_sync(lanes, t == 39);
  y[4 * t + 2] = __all_sync(lanes, t >= 32);
  if (t % 2 == 0) y[4 * t + 3] = __ballot_sync(0x55555555u & lanes, 1);  // half of a warp
  z[t] = __shfl_xor_sync(kAllLanes, 1.0f, 16);                           // what is not there gives poison
}

void votes_and_partial_warps() {
  const Array<unsigned> y(160);
  const Array<float> z(40);
  check(start(1, 40, 0, [y = y.data(), z = z.data()] { vote_all(y, z); }));
  const auto r = y.read();
  const auto s = z.read();
  EXPECT(r[0] == 0x49249249u && r[4 * 32] == 0x92u);
  EXPECT(r[1] == 0 && r[4 * 33 + 1] == 1 && r[2] == 0 && r[4 * 39 + 2] == 1);
  EXPECT(r[3] == 0x55555555u && r[4 * 32 + 3] == 0x55u);
  EXPECT(s[0] == 1 && s[31] == 1 && s[32] != s[32]);
}

__global__ void add_over_warp(int* y) {
  const int t = threadIdx.x;
  const auto sum = emulator::warp_collective<int, int>(t, [](const int (&all)[32], int (&results)[32]) {
    for (int i = 0; i < 32; ++i) results[i] = all[31 - i] + (i == 0 ? 100 : 0);
  });
  y[t] = sum;
}

void products_of_the_warp() {
  const Array<int> y(64);
  check(start(1, 64, 0, [y = y.data()] { add_over_warp(y); }));
  const auto r = y.read();
  EXPECT(r[0] == 131 && r[31] == 0 && r[32] == 163 && r[63] == 32);
  EXPECT(start(1, 40, 0, [y = y.data()] { add_over_warp(y); }) == cudaErrorLaunchFailure);
}

// ---- Blocks

__global__ void where(int* y) {
  const int block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const int thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const int lane = __shfl_sync(kAllLanes, thread, 0);
  y[block * 24 + thread] = 1000 * block + 10 * thread + lane;
}

void three_dimensions() {
  const Array<int> y(30 * 24);
  check(start({2, 3, 5}, {4, 3, 2}, 0, [y = y.data()] { where(y); }));
  const auto r = y.read();
  for (int i = 0; i < 30 * 24; ++i) EXPECT(r[i] == 1000 * (i / 24) + 10 * (i % 24));
}

__global__ void fresh(float* y) {
  FC_SHARED(float, tile, [32]);
  FC_SHARED(float, other, [32]);
  FC_DYNAMIC_SHARED(float, stage);
  const int t = threadIdx.x;
  const bool poison = tile[t] != tile[t] && other[t] != other[t] && stage[t] != stage[t];
  tile[t] = 1;
  other[t] = 2;
  stage[t] = 4;
  __syncthreads();
  y[32 * blockIdx.x + t] = poison ? tile[31 - t] + other[31 - t] + stage[31 - t] : -1;
}

void shared_memory_of_each_block() {
  const Array<float> y(96);
  check(start(3, 32, 128, [y = y.data()] { fresh(y); }));
  for (const float v : y.read()) EXPECT(v == 7);
}

template <int step>
int through_shared(int v) {
  FC_SHARED(int, cell, [1]);
  if (threadIdx.x == 0) cell[0] = v;
  __syncthreads();
  return cell[0];
}
__global__ void two_instances(int* y) { y[threadIdx.x] = through_shared<1>(1) + through_shared<2>(2); }

void instances_have_their_own_shared_memory() {
  const Array<int> y(32);
  check(start(1, 32, 0, [y = y.data()] { two_instances(y); }));
  for (const int v : y.read()) EXPECT(v == 3);
}

__global__ void leave_before(int* y, int stay) {
  FC_SHARED(int, cell, [1]);
  if (static_cast<int>(threadIdx.x) >= stay) return;
  if (threadIdx.x == 0) cell[0] = 7;
  const int present = __syncthreads_count(1);
  y[threadIdx.x] = present + cell[0] + 1000 * __syncthreads_or(threadIdx.x == 0) +
                   10000 * __syncthreads_and(threadIdx.x == 0) + __shfl_xor_sync(kAllLanes, 0, 1);
}

void threads_that_ended_do_not_count() {
  const Array<int> y(64);
  check(start(1, 64, 0, [y = y.data()] { leave_before(y, 34); }));
  const auto r = y.read();
  EXPECT(r[0] == 1041 && r[33] == 1041 && r[34] == 0);
}

__global__ void recount(unsigned* y, int* low, unsigned long long* wide) {
  atomicAdd(&y[0], 1u);
  atomicMax(&y[1], blockIdx.x * blockDim.x + threadIdx.x);
  atomicOr(&y[2], 1u << threadIdx.x);
  atomicMin(low, -static_cast<int>(threadIdx.x));
  atomicAdd(wide, 1ull << 32);
  if (atomicCAS(&y[3], 0u, threadIdx.x + 1) == 0) atomicExch(&y[4], 9u);
}

void atomics_and_many_blocks() {
  const Array<unsigned> y(5);
  const Array<int> low(1);
  const Array<unsigned long long> wide(1);
  check(start(5000, 32, 0, [y = y.data(), low = low.data(), wide = wide.data()] { recount(y, low, wide); }));
  const auto r = y.read();
  EXPECT(r[0] == 160000 && r[1] == 159999 && r[2] == ~0u && r[3] != 0 && r[4] == 9);
  EXPECT(low.read()[0] == -31 && wide.read()[0] == 160000ull << 32);
}

__global__ void stages(const float* x, float* y) {
  FC_SHARED(float, tile, [3][32]);
  const int t = threadIdx.x;
  for (int i = 0; i < 3; ++i) {
    copy_async<4>(&tile[i][t], x + 32 * i + t, i == 2 ? 0 : 4);
    copy_async_commit();
  }
  copy_async_wait<2>();
  y[t] = tile[0][t];
  y[32 + t] = tile[1][t];  // poison still
  copy_async_wait<0>();
  y[64 + t] = tile[1][t];
  y[96 + t] = tile[2][t];  // of which nothing was valid
}

void groups_of_copies_arrive_in_order() {
  const Array<float> x(counted(96)), y(128);
  check(start(1, 32, 0, [x = x.data(), y = y.data()] { stages(x, y); }));
  const auto r = y.read();
  EXPECT(r[0] == 1 && r[31] == 32 && r[32] != r[32] && r[64] == 33 && r[96] == 0);
}

void wrong_launches_are_refused() {
  const auto nothing = [] {};
  EXPECT(start(1, 1025, 0, nothing) == cudaErrorInvalidConfiguration);
  EXPECT(start(0, 32, 0, nothing) == cudaErrorInvalidConfiguration);
  EXPECT(start({1, 70000}, 32, 0, nothing) == cudaErrorInvalidConfiguration);
  EXPECT(start(1, 32, std::size_t{256} << 10, nothing) == cudaErrorInvalidValue);
  EXPECT(cudaGetLastError() == cudaErrorInvalidValue && cudaGetLastError() == cudaSuccess);
  EXPECT(start(1, 32, 0, [] { __trap(); }) == cudaErrorLaunchFailure);
  EXPECT(emulator::last_message().find("calls __trap()") != std::string::npos);
  EXPECT(start(1, 32, 0, [] { throw std::bad_alloc(); }) == cudaErrorLaunchFailure);
  EXPECT(start(4, 64, 0, [] {
           if (threadIdx.x < 32)
             __syncthreads();
           else
             __syncwarp();
         }) == cudaSuccess);
  EXPECT(start(4, 64, 0, [] {
           if (threadIdx.x < 9)
             __syncwarp();
           else
             __syncthreads();
         }) == cudaErrorLaunchFailure);
  EXPECT(start(1, 32, 0, [] { __syncwarp(2); }) == cudaErrorLaunchFailure);
  shuffles();  // stacks that were given up do no harm
}

void memory_is_told_apart() {
  float *device = nullptr, *pinned = nullptr, host[4] = {1, 2, 3, 4};
  check(cudaMalloc(&device, 16));
  check(cudaMallocHost(&pinned, 16));
  check(cudaMemcpy(device, host, 16, cudaMemcpyHostToDevice));
  check(cudaMemcpy(pinned, device, 16, cudaMemcpyDefault));
  EXPECT(pinned[3] == 4);
  EXPECT(cudaMemcpy(device, host, 20, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  EXPECT(cudaMemcpy(host, pinned, 16, cudaMemcpyDeviceToHost) == cudaErrorInvalidValue);
  EXPECT(cudaMemcpy(host, device, 16, cudaMemcpyHostToDevice) == cudaErrorInvalidValue);
  EXPECT(cudaMemset(host, 0, 16) == cudaErrorInvalidValue);
  EXPECT(cudaFree(pinned) == cudaErrorInvalidValue && cudaFreeHost(device) == cudaErrorInvalidValue);
  cudaPointerAttributes attributes;
  check(cudaPointerGetAttributes(&attributes, device + 3));
  EXPECT(attributes.type == cudaMemoryTypeDevice);
  check(cudaPointerGetAttributes(&attributes, host));
  EXPECT(attributes.type == cudaMemoryTypeUnregistered);
  std::size_t before, after, total;
  check(cudaMemGetInfo(&before, &total));
  check(cudaFree(device));
  check(cudaFreeHost(pinned));
  check(cudaMemGetInfo(&after, &total));
  EXPECT(after == before + 16);
  EXPECT(cudaFree(device) == cudaErrorInvalidValue);
  EXPECT(cudaMalloc(&device, total + 1) == cudaErrorMemoryAllocation && device == nullptr);
}

// ---- Streams, events, graphs, devices

__global__ void increase(int* x, int by) { x[threadIdx.x] += by; }

void graphs_repeat_what_was_recorded() {
  const Array<int> x(32), y(32);
  int* pinned;
  check(cudaMallocHost(&pinned, 128));
  cudaStream_t stream, side;
  cudaEvent_t fork, join;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  check(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
  check(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  check(cudaEventCreate(&join));
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  check(start(1, 32, 0, [x = x.data()] { increase(x, 1); }, stream));
  check(cudaEventRecord(fork, stream));
  check(cudaStreamWaitEvent(side, fork));
  check(start(1, 32, 0, [x = x.data()] { increase(x, 10); }, side));
  check(cudaEventRecord(join, side));
  check(cudaStreamWaitEvent(stream, join));
  check(cudaMemcpyAsync(y.data(), x.data(), 128, cudaMemcpyDeviceToDevice, stream));
  check(cudaMemcpyAsync(pinned, x.data(), 128, cudaMemcpyDeviceToHost, stream));
  EXPECT(cudaStreamSynchronize(stream) == cudaErrorStreamCaptureUnsupported);
  cudaGraph_t graph;
  check(cudaStreamEndCapture(stream, &graph));
  EXPECT(x.read()[0] == 0);
  cudaGraphExec_t executable;
  check(cudaGraphInstantiate(&executable, graph));
  check(cudaGraphDestroy(graph));
  check(cudaEventDestroy(join));
  for (int i = 0; i < 3; ++i) check(cudaGraphLaunch(executable, stream));
  check(cudaStreamSynchronize(stream));
  EXPECT(y.read()[31] == 33 && pinned[0] == 33);
  check(cudaGraphExecDestroy(executable));
  check(cudaStreamDestroy(stream));
  check(cudaStreamDestroy(side));
  check(cudaEventDestroy(fork));
  check(cudaFreeHost(pinned));
}

void events_tell_the_time() {
  const Array<int> x(32);
  cudaEvent_t begin, end;
  check(cudaEventCreate(&begin));
  check(cudaEventCreate(&end));
  float milliseconds = -1;
  EXPECT(cudaEventElapsedTime(&milliseconds, begin, end) == cudaErrorInvalidResourceHandle);
  check(cudaEventRecord(begin));
  for (int i = 0; i < 100; ++i) check(start(1, 32, 0, [x = x.data()] { increase(x, 1); }));
  check(cudaEventRecord(end));
  check(cudaEventSynchronize(end));
  EXPECT(cudaEventQuery(end) == cudaSuccess);
  check(cudaEventElapsedTime(&milliseconds, begin, end));
  EXPECT(milliseconds > 0);
  EXPECT(x.read()[0] == 100);
  check(cudaEventDestroy(begin));
  check(cudaEventDestroy(end));
}

// With FASTCNN_EMULATOR_STREAMS=deferred: nothing is there before somebody waits for it.
void deferred_work_waits() {
  const Array<int> x(32);
  int* pinned;
  check(cudaMallocHost(&pinned, 128));
  pinned[0] = -1;
  cudaStream_t stream;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  check(start(1, 32, 0, [x = x.data()] { increase(x, 5); }, stream));
  check(cudaMemcpyAsync(pinned, x.data(), 128, cudaMemcpyDeviceToHost, stream));
  const bool deferred = std::getenv("FASTCNN_EMULATOR_STREAMS") != nullptr;
  EXPECT(pinned[0] == (deferred ? -1 : 5));
  EXPECT(cudaStreamQuery(stream) == (deferred ? cudaErrorNotReady : cudaSuccess));
  check(cudaStreamSynchronize(stream));
  EXPECT(pinned[0] == 5);
  check(cudaStreamDestroy(stream));
  check(cudaFreeHost(pinned));
}

// With FASTCNN_EMULATOR_DEVICES=2 and FASTCNN_EMULATOR_CAPABILITY=8.6.
void devices_are_as_asked() {
  int count = 0, value = 0;
  check(cudaGetDeviceCount(&count));
  const bool two = std::getenv("FASTCNN_EMULATOR_DEVICES") != nullptr;
  EXPECT(count == (two ? 2 : 1));
  check(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0));
  EXPECT(value == (two ? 8 : 9));
  check(cudaDeviceGetAttribute(&value, cudaDevAttrMaxSharedMemoryPerBlockOptin, 0));
  EXPECT(value == (two ? 99 : 227) * 1024);
  EXPECT(cudaSetDevice(2) == cudaErrorInvalidDevice);
  if (!two) return;
  cudaStream_t first;
  check(cudaStreamCreate(&first));
  check(cudaSetDevice(1));
  EXPECT(start(1, 32, 0, [] {}, first) == cudaErrorInvalidResourceHandle);
  EXPECT(start(1, 32, 0, [] {}) == cudaSuccess);
  check(cudaSetDevice(0));
  check(cudaStreamDestroy(first));
}

void numbers() {
  EXPECT(__popc(0xf0f0u) == 8 && __clz(1) == 31 && __clz(0) == 32 && __ffs(8) == 4 && __ffs(0) == 0);
  EXPECT(__brev(1u) == 0x80000000u && __brevll(2) == 1ull << 62 && __clzll(1) == 63 && __popcll(~0ull) == 64);
  EXPECT(__byte_perm(0x33221100u, 0x77665544u, 0x7350u) == 0x77335500u);
  EXPECT(__float_as_int(1.0f) == 0x3f800000 && __int_as_float(0x40000000) == 2.0f);
  EXPECT(__dp4a(0x01ff02fe, 0x02030405, 7) == 7 + 2 - 3 + 8 - 10 && __umulhi(1u << 31, 6u) == 3);
  EXPECT(__float2int_rn(2.5f) == 2 && __float2int_rd(-0.5f) == -1 && __float2int_rz(1e20f) == INT32_MAX);
  EXPECT(__saturatef(NAN) == 0 && __saturatef(2) == 1 && min(NAN, 1.0f) == 1 && max(-1, 1u) == 0xffffffffu);
  EXPECT(rsqrtf(4) == 0.5f && __fdiv_rn(1, 3) == 1.0f / 3 && __fmaf_rn(2, 3, 4) == 10);
}

struct Check {
  const char* name;
  void (*run)();
};
#define CHECK(name) {#name, name}
constexpr Check kChecks[] = {
    CHECK(shuffles),
    CHECK(votes_and_partial_warps),
    CHECK(products_of_the_warp),
    CHECK(three_dimensions),
    CHECK(shared_memory_of_each_block),
    CHECK(instances_have_their_own_shared_memory),
    CHECK(threads_that_ended_do_not_count),
    CHECK(atomics_and_many_blocks),
    CHECK(groups_of_copies_arrive_in_order),
    CHECK(wrong_launches_are_refused),
    CHECK(memory_is_told_apart),
    CHECK(graphs_repeat_what_was_recorded),
    CHECK(events_tell_the_time),
    CHECK(deferred_work_waits),
    CHECK(devices_are_as_asked),
    CHECK(numbers),
};

}  // namespace

int main(int count, char** names) {
  for (const Check& check : kChecks)
    if (count < 2 || std::strcmp(names[1], check.name) == 0) {
      const bool before = std::exchange(good, true);
      check.run();
      if (!good) std::printf("%s\n", check.name);
      good = good && before;
    }
  return good ? 0 : 1;
}
