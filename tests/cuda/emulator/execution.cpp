// Executes kernels: blocks one after the other, the threads of a block as fibers that switch where a thread waits.
// Compiled without sanitizers, so that only what kernels themselves do is seen by them.
#include "execution.h"

#include <charconv>
#include <cstring>
#include <exception>
#include <stdexcept>

#include "device.h"
#include "device_memory.h"
#include "engine.h"
#include "sanitizers.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulator {

Engine& engine() {
  static auto* const only = new Engine;  // its stacks may be in use while the process ends
  return *only;
}

bool same(Site a, Site b) { return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0); }

Text& Text::operator<<(const char* words) {
  while (*words && size_ + 1 < sizeof text_) text_[size_++] = *words++;
  text_[size_] = 0;
  return *this;
}
Text& Text::operator<<(long long number) {
  char digits[24];
  *std::to_chars(digits, digits + sizeof digits - 1, number).ptr = 0;
  return *this << digits;
}
Text& Text::operator<<(uint3 index) { return *this << "(" << index.x << ", " << index.y << ", " << index.z << ")"; }
Text& Text::operator<<(Site site) { return *this << site.file << ":" << site.line; }

// ---- Switching

namespace {

void run_threads();

Worker* make_worker(Block& block) {
  block.workers.push_back(std::make_unique<Worker>());
  block.workers.back()->fiber.create(run_threads, static_cast<int>(block.workers.size()));
  return block.workers.back().get();
}

Worker* take_worker(Engine& e, Thread& thread) {
  Block& block = *e.block;
  if (under_tsan()) return block.workers[static_cast<std::size_t>(thread.number)].get();
  if (block.idle.empty()) block.idle.push_back(make_worker(block));
  Worker* const worker = block.idle.back();
  block.idle.pop_back();
  return worker;
}

// Goes on with `next`; returns when somebody goes on with who called, or at once if that is on the same stack.
void go_on(Engine& e, Fiber& from, Thread* next) {
  e.current = next;
  threadIdx = next->index;
  if (!next->worker) next->worker = take_worker(e, *next);
  if (&next->worker->fiber != &from) switch_fiber(from, next->worker->fiber);
}

}  // namespace

void leave(Engine& e) {
  switch_fiber(e.current->worker->fiber, e.host);
  __builtin_unreachable();
}

void leave_divergent(Engine& e, const char* what) {
  const Block& b = *e.block;
  const auto together = [](const Thread& s, const Thread& t) {
    return !s.ended && !t.ended && std::strcmp(s.waits_at, t.waits_at) == 0 && same(s.site, t.site);
  };
  e.failure << what;
  int ended = 0;
  for (int i = 0; i < b.count; ++i) {
    const Thread& first = b.threads[i];
    ended += first.ended;
    bool told = first.ended;
    for (int k = 0; k < i; ++k) told = told || together(b.threads[k], first);
    if (told) continue;
    int count = 0;
    for (int k = i; k < b.count; ++k) count += together(first, b.threads[k]);
    e.failure << "; " << count << " threads wait at " << first.waits_at << " (" << first.site << "), the first is "
              << first.index;
  }
  if (ended > 0) e.failure << "; " << ended << " have ended";
  leave(e);
}

void suspend(Engine& e) {
  Thread* const me = e.current;
  Thread* const next = e.ready.pop(e.schedule);
  if (!next) leave_divergent(e, "divergent: threads wait for others that never come");
  go_on(e, me->worker->fiber, next);
}

void make_ready(Engine& e, Thread& thread) {
  thread.waits_at = nullptr;
  e.ready.push(&thread);
}

void give_way(Engine& e) {
  if (!e.schedule.random()) {
    e.current->waits_at = nullptr;
    return;
  }
  make_ready(e, *e.current);
  suspend(e);
}

// ---- The life of a thread

namespace {

void end_thread(Engine& e) {
  Thread& me = *e.current;
  Block& b = *e.block;
  if (!me.copies.empty()) fail("ends with asynchronous copies that it never waited for");
  release(b.ends.current());
  me.ended = true;
  --b.alive;
  lane_left_warp(e, me.number / kLanes);
  thread_left_barrier(e);

  Worker* const worker = me.worker;
  if (!under_tsan()) b.idle.push_back(worker);
  if (Thread* const next = e.ready.pop(e.schedule))
    go_on(e, worker->fiber, next);
  else if (b.alive == 0)
    switch_fiber(worker->fiber, e.host);
  else
    leave_divergent(e, "divergent: threads wait for others that have ended or wait elsewhere");
}

// What a worker does for ever.
void run_threads() {
  Engine& e = engine();
  for (;;) {
    Worker& worker = *e.current->worker;
    if (worker.launch != e.launches) acquire(&e.start_order);
    worker.launch = e.launches;
    acquire(e.block->ends.previous());
    try {
      e.launch->body();
    } catch (const std::exception& error) {
      e.failure << "an exception: " << error.what();
    }
    if (!e.failure.empty()) leave(e);
    end_thread(e);
  }
}

// ---- Blocks

void begin_block(Engine& e, std::uint64_t number) {
  Block& b = *e.block;
  blockIdx.x = static_cast<unsigned>(number % gridDim.x);
  blockIdx.y = static_cast<unsigned>(number / gridDim.x % gridDim.y);
  blockIdx.z = static_cast<unsigned>(number / gridDim.x / gridDim.y);
  b.count = b.alive = static_cast<int>(blockDim.x * blockDim.y * blockDim.z);
  b.at_barrier = 0;
  for (int w = 0; w * kLanes < b.count; ++w) {
    b.warps[w].waiting = 0;
    b.warps[w].alive = b.count - w * kLanes >= kLanes ? ~0u : (1u << (b.count - w * kLanes)) - 1;
  }
  // Here, because for TSan a fiber is ordered after what its maker did before.
  while (under_tsan() && static_cast<int>(b.workers.size()) < b.count) make_worker(b);
  e.ready.clear();
  uint3 index{0, 0, 0};
  for (int i = 0; i < b.count; ++i) {
    Thread& t = b.threads[i];
    t.index = index;
    t.number = i;
    t.worker = nullptr;
    t.ended = false;
    t.waits_at = nullptr;
    t.request = nullptr;
    t.copies.clear();
    t.groups = 0;
    if (++index.x == blockDim.x) index.x = 0, ++index.y;
    if (index.y == blockDim.y) index.y = 0, ++index.z;
  }
  for (int i = 0; i < b.count; ++i) e.ready.push(&b.threads[e.schedule.reverse() ? b.count - 1 - i : i]);
  b.shared.begin(e.launch->shared_bytes);
}

// Stacks on which something is left that never came to its end are made anew.
void forget_block(Engine& e) {
  Block& b = *e.block;
  for (int i = 0; i < b.count; ++i) {
    Thread& t = b.threads[i];
    if (!t.worker || (t.ended && &t != e.current)) continue;
    t.worker->fiber.create(run_threads, i + 1);
    t.worker->launch = 0;
    if (!t.ended && !under_tsan()) b.idle.push_back(t.worker);
  }
}

}  // namespace

std::string execute(const Launch& launch) {
  Engine& e = engine();
  ++e.launches;
  e.launch = &launch;
  e.failure.clear();
  e.host.adopt();
  e.schedule = Schedule::from_environment(e.launches);
  gridDim = launch.grid;
  blockDim = launch.block;
  release(&e.start_order);
  const std::uint64_t blocks = std::uint64_t{gridDim.x} * gridDim.y * gridDim.z;
  e.schedule.begin(blocks);
  for (std::uint64_t step = 0; step < blocks && e.failure.empty(); ++step) {
    auto& owner = e.blocks[under_tsan() ? step & 1 : 0];
    if (!owner) owner = std::make_unique<Block>();
    e.block = owner.get();
    begin_block(e, e.schedule.block(step));
    go_on(e, e.host, e.ready.pop(e.schedule));
    if (!e.failure.empty()) forget_block(e);
    e.current = nullptr;
    ++e.block->ends.generation;
    if (!e.block->shared.end() && e.failure.empty()) e.failure << "wrote outside its shared memory";
    if (!e.failure.empty()) e.failure << "; block " << blockIdx;
  }
  for (auto& block : e.blocks)
    if (block) acquire(block->ends.current()), acquire(block->ends.previous());
  std::string wrong = e.failure.c_str();
  if (wrong.empty()) wrong = check_red_zones();
  return wrong.empty() ? wrong : std::string("kernel ") + launch.name + ": " + wrong;
}

void fail(const char* message) {
  Engine& e = engine();
  if (!e.current) throw std::runtime_error(message);
  e.failure << "thread " << e.current->index << " " << message;
  leave(e);
}

void* static_shared_bytes(const void* key, std::size_t bytes, std::size_t alignment, Site site) {
  Engine& e = engine();
  SharedMemory& shared = e.block->shared;
  void* const address = shared.variable(key, site, bytes, alignment);
  if (!address || shared.static_bytes() > device_model().shared_per_block ||
      shared.static_bytes() + e.launch->shared_bytes > device_model().shared_per_block_optin) {
    e.failure << "more shared memory than a block can have, at " << site;
    leave(e);
  }
  return address;
}

void* dynamic_shared() { return engine().block->shared.dynamic(); }

}  // namespace emulator
