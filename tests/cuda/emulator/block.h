// Where a block executes: its threads and their stacks, its warps, its shared memory, and what TSan is told of them.
// Private to the engine.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "barriers.h"
#include "execution.h"
#include "fiber.h"

namespace emulator {

inline constexpr int kMaxThreads = 1024;
inline constexpr int kLanes = 32;
inline constexpr int kMaxVariables = 64;  // of static shared memory in a kernel

// A stack that runs threads: under TSan always the same thread of a block, otherwise whichever comes next.
struct Worker {
  Fiber fiber;
  std::uint64_t launch = 0;  // the last one whose start it has seen
};

struct Copy {  // cp.async under way
  void* to;
  const void* from;
  int bytes, valid, group;
};

struct Thread;

// What a lane waits for at a function of the warp. The last lane to arrive completes it for all.
struct WarpRequest {
  const char* function;
  unsigned mask;
  void (*complete)(Thread* lanes, unsigned participants);
  const void* in = nullptr;
  void* out = nullptr;
  std::size_t in_bytes = 0, out_bytes = 0;
  int number = 0, width = kLanes, kind = 0;
  unsigned votes = 0;
  WarpFunction run = nullptr;
  void* context = nullptr;
};

struct Thread {
  uint3 index;
  int number;
  Worker* worker;
  bool ended;
  const char* waits_at;  // a function's name, or nullptr
  Site site;
  BarrierKind barrier;
  int predicate, result;
  WarpRequest* request;
  std::vector<Copy> copies;
  int groups;  // of copies, committed
};

// Objects whose addresses TSan orders by. A barrier alternates between two: with one, who leaves late would also be
// ordered after what others did before the *next* barrier.
struct Alternating {
  char objects[2];
  unsigned generation = 0;
  void* current() { return &objects[generation & 1]; }
  void* previous() { return &objects[~generation & 1]; }
};

struct Warp {
  unsigned alive, waiting;
  Alternating barriers[kLanes];  // of __syncwarp, by the lowest lane of the mask
};

struct SharedVariable {
  const void* key;
  Site site;
  char* address;
  std::size_t bytes;
};

// The shared memory of a block: each variable of exact size between red zones, full of NaN.
class SharedMemory {
 public:
  SharedMemory();
  void begin(std::size_t dynamic_bytes);
  bool end();  // false: something wrote into a red zone
  void* variable(const void* key, Site site, std::size_t bytes, std::size_t alignment);
  void* dynamic() const { return dynamic_; }
  std::size_t static_bytes() const { return static_bytes_; }
  bool contains(const void* address, std::size_t bytes) const;

 private:
  char* place(const void* key, Site site, std::size_t bytes, std::size_t alignment);
  char* arena_;
  char* end_;  // of what is in use
  char* dynamic_;
  std::size_t static_bytes_;
  int count_ = 0;
  SharedVariable variables_[kMaxVariables];  // no vector: TSan would see threads move it
};

struct Block {
  std::vector<std::unique_ptr<Worker>> workers;
  std::vector<Worker*> idle;
  Thread threads[kMaxThreads];
  Warp warps[kMaxThreads / kLanes];
  int count, alive, at_barrier;
  Alternating barrier;
  Alternating ends;  // blocks that use this one after the other do not race
  SharedMemory shared;
};

}  // namespace emulator
