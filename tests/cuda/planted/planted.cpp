// planted VERSION NAME: runs one planted kernel, or with NAME `all` every one, broken or repaired.
// Ends with 0 if the results are right, with 3 if the emulator objects and with 4 if the results are wrong.
#include "planted.h"

#include <cstring>

namespace planted::broken {
#define REPAIRED 0
#include "all.inl"
#undef REPAIRED
}  // namespace planted::broken

namespace planted::repaired {
#define REPAIRED 1
#include "all.inl"
#undef REPAIRED
}  // namespace planted::repaired

namespace {

struct Entry {
  const char* name;
  bool (*broken)();
  bool (*repaired)();
};
#define ENTRY(name) {#name, planted::broken::name, planted::repaired::name}
constexpr Entry kEntries[] = {
    ENTRY(blocks_add),       ENTRY(divergent_barrier),    ENTRY(divergent_shuffle), ENTRY(double_buffer),
    ENTRY(global_overrun),   ENTRY(misaligned_copy),      ENTRY(missing_barrier),   ENTRY(missing_fence),
    ENTRY(missing_syncwarp), ENTRY(missing_wait),         ENTRY(mma_loop),          ENTRY(never_waited),
    ENTRY(shared_overrun),   ENTRY(uninitialised_shared),
};

}  // namespace

int main(int, char** argv) {
  const bool repaired = std::strcmp(argv[1], "repaired") == 0;
  for (const Entry& entry : kEntries) {
    if (std::strcmp(argv[2], "all") != 0 && std::strcmp(argv[2], entry.name) != 0) continue;
    if (!(repaired ? entry.repaired : entry.broken)()) {
      std::printf("%s: wrong result\n", entry.name);
      return 4;
    }
  }
  return 0;
}
