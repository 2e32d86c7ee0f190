// The machine's own limits, for shares of peak: multiply-adds on registers, bf16 tile products, reading memory.
// Compiled at run time by peaks.py; no part of the library.
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <thread>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

double seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

volatile float sink;

constexpr int kSteps = 20000;

// Twelve independent chains of multiply-adds hide the latency of two units. In assembly, because compilers spill them.
#define FC_CHAINS(r)                                                                                     \
  "vfmadd231ps " r "15," r "14," r "0\n vfmadd231ps " r "15," r "14," r "1\n vfmadd231ps " r "15," r "14," r "2\n"   \
  "vfmadd231ps " r "15," r "14," r "3\n vfmadd231ps " r "15," r "14," r "4\n vfmadd231ps " r "15," r "14," r "5\n"   \
  "vfmadd231ps " r "15," r "14," r "6\n vfmadd231ps " r "15," r "14," r "7\n vfmadd231ps " r "15," r "14," r "8\n"   \
  "vfmadd231ps " r "15," r "14," r "9\n vfmadd231ps " r "15," r "14," r "10\n vfmadd231ps " r "15," r "14," r "11\n"
#define FC_REGISTERS                                                                                         \
  "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", \
      "xmm15"

__attribute__((target("avx512f"))) double fma_avx512() {
  asm volatile("vzeroall" ::: FC_REGISTERS);
  for (int i = 0; i < kSteps; ++i) asm volatile(FC_CHAINS("%%zmm")::: FC_REGISTERS);
  asm volatile("vzeroupper");
  return 2.0 * 16 * 12 * kSteps;
}

__attribute__((target("avx2,fma"))) double fma_avx2() {
  asm volatile("vzeroall" ::: FC_REGISTERS);
  for (int i = 0; i < kSteps; ++i) asm volatile(FC_CHAINS("%%ymm")::: FC_REGISTERS);
  asm volatile("vzeroupper");
  return 2.0 * 8 * 12 * kSteps;
}

struct alignas(64) TileConfig {
  std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
  std::uint16_t column_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Four sums of 16x16, each product of two tiles 16x32 bf16: 16 * 16 * 32 multiply-adds.
__attribute__((target("amx-tile,amx-bf16"))) double amx_bf16() {
  static const TileConfig config;
  _tile_loadconfig(&config);
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  _tile_zero(4);
  _tile_zero(5);
  _tile_zero(6);
  _tile_zero(7);
  for (int i = 0; i < kSteps / 8; ++i) {
    _tile_dpbf16ps(0, 4, 6);
    _tile_dpbf16ps(1, 4, 7);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  _tile_release();
  return 2.0 * 16 * 16 * 32 * 4 * (kSteps / 8);
}

bool amx_usable() {
  constexpr long kArchReqXcompPerm = 0x1023, kTileData = 18;
  static const bool usable = syscall(SYS_arch_prctl, kArchReqXcompPerm, kTileData) == 0;
  return usable;
}

// Reads 64 bytes at a time, four streams a step; `or` costs no latency worth hiding.
__attribute__((target("avx512f"))) double read_avx512(const float* data, std::int64_t count) {
  __m512i a = _mm512_setzero_si512(), b = a, c = a, d = a;
  for (std::int64_t i = 0; i < count; i += 64) {
    a = _mm512_or_si512(a, _mm512_loadu_si512(data + i));
    b = _mm512_or_si512(b, _mm512_loadu_si512(data + i + 16));
    c = _mm512_or_si512(c, _mm512_loadu_si512(data + i + 32));
    d = _mm512_or_si512(d, _mm512_loadu_si512(data + i + 48));
  }
  sink = _mm512_cvtss_f32(_mm512_castsi512_ps(_mm512_or_si512(_mm512_or_si512(a, b), _mm512_or_si512(c, d))));
  return 4.0 * static_cast<double>(count);
}

__attribute__((target("avx2"))) double read_avx2(const float* data, std::int64_t count) {
  __m256 a = _mm256_setzero_ps(), b = a, c = a, d = a;
  for (std::int64_t i = 0; i < count; i += 32) {
    a = _mm256_or_ps(a, _mm256_loadu_ps(data + i));
    b = _mm256_or_ps(b, _mm256_loadu_ps(data + i + 8));
    c = _mm256_or_ps(c, _mm256_loadu_ps(data + i + 16));
    d = _mm256_or_ps(d, _mm256_loadu_ps(data + i + 24));
  }
  sink = _mm256_cvtss_f32(_mm256_or_ps(_mm256_or_ps(a, b), _mm256_or_ps(c, d)));
  return 4.0 * static_cast<double>(count);
}

// Work done a second by `threads` threads that repeat `work(thread, round)` together for `limit` seconds. Each thread's
// best round counts: rounds are so short that some run undisturbed on a busy machine.
template <class Work>
double rate(int threads, double limit, const Work& work) {
  std::vector<double> best(static_cast<std::size_t>(threads), 0.0);
  std::atomic<int> ready{0};
  const auto run = [&](int t) {
    ++ready;
    while (ready < threads) std::this_thread::yield();
    const auto start = Clock::now();
    for (std::int64_t round = 0; seconds(start) < limit || round < 2; ++round) {
      const auto begin = Clock::now();
      const double amount = work(t, round);
      best[static_cast<std::size_t>(t)] = std::max(best[static_cast<std::size_t>(t)], amount / seconds(begin));
    }
  };
  std::vector<std::thread> others;
  for (int t = 1; t < threads; ++t) others.emplace_back(run, t);
  run(0);
  for (auto& thread : others) thread.join();
  double sum = 0;
  for (double b : best) sum += b;
  return sum;
}

}  // namespace

// FLOP a second of kind 0: FMA AVX2, 1: FMA AVX-512, 2: AMX bf16; 0 where the CPU lacks it.
extern "C" double peak_flops(int kind, int threads, double limit) {
  double (*work)() = nullptr;
  if (kind == 0 && __builtin_cpu_supports("fma")) work = fma_avx2;
  if (kind == 1 && __builtin_cpu_supports("avx512f")) work = fma_avx512;
  if (kind == 2 && __builtin_cpu_supports("amx-bf16") && amx_usable()) work = amx_bf16;
  return work == nullptr ? 0.0 : rate(threads, limit, [work](int, std::int64_t) { return work(); });
}

// Bytes a second that threads read from `bytes` of memory in all.
extern "C" double peak_read(std::int64_t bytes, int threads, double limit) {
  double (*read)(const float*, std::int64_t) = nullptr;
  if (__builtin_cpu_supports("avx2")) read = read_avx2;
  if (__builtin_cpu_supports("avx512f")) read = read_avx512;
  if (read == nullptr) return 0.0;
  constexpr std::int64_t kPiece = 1 << 16;  // floats read a round
  const std::int64_t pieces = std::max<std::int64_t>(bytes / threads / 4 / kPiece, 1);
  std::vector<std::vector<float>> data(static_cast<std::size_t>(threads));
  for (auto& d : data) d.assign(static_cast<std::size_t>(pieces * kPiece), 1.0f);
  return rate(threads, limit, [&](int t, std::int64_t round) {
    return read(data[static_cast<std::size_t>(t)].data() + round % pieces * kPiece, kPiece);
  });
}
