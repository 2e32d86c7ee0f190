#include "core/cpu.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "core/base.h"
#include "core/error.h"

#if FC_X86
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace fastcnn {
namespace {

constexpr const char* kNames[] = {"ref", "avx2", "avx512", "avx512vnni", "avx512bf16", "amx"};

#if FC_X86
struct CpuidLeaf {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  CpuidLeaf(unsigned leaf, unsigned sub) {
    if (leaf <= __get_cpuid_max(0, nullptr)) __cpuid_count(leaf, sub, eax, ebx, ecx, edx);
  }
};

bool bit(unsigned word, int n) { return (word >> n) & 1u; }

// The registers that the operating system saves on a context switch.
unsigned long long enabled_state() {
  unsigned lo, hi;
  __asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
  return (static_cast<unsigned long long>(hi) << 32) | lo;
}

// Linux hands out the 8 KiB of tile state only to processes that ask, once, before any thread uses it.
bool request_amx_permission() {
#if defined(__linux__)
  constexpr long kArchReqXcompPerm = 0x1023, kXfeatureTileData = 18;
  return syscall(SYS_arch_prctl, kArchReqXcompPerm, kXfeatureTileData) == 0;
#else
  return false;
#endif
}

Isa detect() {
  const CpuidLeaf l1(1, 0), l7(7, 0);
  constexpr int kOsxsave = 27, kAvx = 28, kFma = 12, kF16c = 29;
  if (!(bit(l1.ecx, kOsxsave) && bit(l1.ecx, kAvx) && bit(l1.ecx, kFma) && bit(l1.ecx, kF16c))) return Isa::Ref;
  const unsigned long long state = enabled_state();
  constexpr int kAvx2 = 5, kBmi2 = 8;
  if ((state & 0x6) != 0x6 || !bit(l7.ebx, kAvx2) || !bit(l7.ebx, kBmi2)) return Isa::Ref;
  constexpr int kF = 16, kDq = 17, kBw = 30, kVl = 31;
  const bool avx512 =
      (state & 0xe6) == 0xe6 && bit(l7.ebx, kF) && bit(l7.ebx, kDq) && bit(l7.ebx, kBw) && bit(l7.ebx, kVl);
  if (!avx512) return Isa::Avx2;
  // A virtual machine may hide each of these on its own: the flags of a level's files (cmake/isa.cmake) allow all
  // before.
  constexpr int kVnni = 11, kAvx512Bf16 = 5;  // of ecx; of eax
  if (!bit(l7.ecx, kVnni)) return Isa::Avx512;
  if (!(l7.eax >= 1 && bit(CpuidLeaf(7, 1).eax, kAvx512Bf16))) return Isa::Avx512Vnni;
  constexpr int kAmxBf16 = 22, kAmxTile = 24, kAmxInt8 = 25;
  const bool amx =
      bit(l7.edx, kAmxBf16) && bit(l7.edx, kAmxTile) && bit(l7.edx, kAmxInt8) && (state & 0x60000) == 0x60000;
  return amx && request_amx_permission() ? Isa::Amx : Isa::Avx512Bf16;
}
#else
Isa detect() { return Isa::Ref; }
#endif

#if FC_X86
struct CpuModel {
  char text[80] = {};
  CpuModel() {
    constexpr unsigned kBrand = 0x80000002;
    unsigned words[12] = {};
    if (__get_cpuid_max(0x80000000, nullptr) >= kBrand + 2)
      for (unsigned i = 0; i < 3; ++i)
        __cpuid(kBrand + i, words[4 * i], words[4 * i + 1], words[4 * i + 2], words[4 * i + 3]);
    const char* name = reinterpret_cast<const char*>(words);
    std::snprintf(text, sizeof text, "%.*s (%x)", static_cast<int>(strnlen(name, sizeof words)), name,
                  CpuidLeaf(1, 0).eax);
  }
};
#else
struct CpuModel {
  char text[80] = "unknown";
};
#endif

}  // namespace

const char* isa_name(Isa isa) { return kNames[static_cast<int>(isa)]; }

Isa parse_isa(const char* name) {
  for (int i = 0; i < 6; ++i)
    if (std::strcmp(name, kNames[i]) == 0) return static_cast<Isa>(i);
  fail(ErrorKind::Config, "FASTCNN_MAX_ISA: expected one of ref, avx2, avx512, avx512vnni, avx512bf16, amx; got '",
       name, "'");
}

Isa cpu_isa() {
  static const Isa isa = detect();
  return isa;
}

const char* cpu_model() {
  static const CpuModel model;
  return model.text;
}

Isa max_isa() {
  // Read at every call: it is cheap beside compiling a plan, and tests change it while running.
  const char* env = std::getenv("FASTCNN_MAX_ISA");
  if (env == nullptr || *env == '\0') return cpu_isa();
  const Isa wanted = parse_isa(env);
  require(wanted <= cpu_isa(), ErrorKind::Config, "FASTCNN_MAX_ISA=", env, " asks for more than this CPU has (",
          isa_name(cpu_isa()), "); unset it or name a lower level");
  return wanted;
}

}  // namespace fastcnn
