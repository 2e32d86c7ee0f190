// Executes kernels: blocks one after the other, the threads of a block as fibers that switch where a thread waits.
// Compiled without sanitizers, so that only what kernels themselves do is seen by them.
#include "execution.h"

#include <cstring>
#include <exception>
#include <stdexcept>

#include "block.h"
#include "device.h"
#include "device_memory.h"
#include "execution_engine.h"
#include "sanitizers.h"
#include "schedule.h"
#include "warp.h"

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace emulator {
namespace {

std::string text(uint3 v) {
  return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) + ")";
}
std::string text(Site site) { return std::string(site.file) + ":" + std::to_string(site.line); }
bool same(Site a, Site b) { return a.line == b.line && (a.file == b.file || std::strcmp(a.file, b.file) == 0); }

// Threads that can go on, in the order in which they became able to.
class Ready {
 public:
  void clear() { head_ = count_ = 0; }
  void push(Thread* thread) { ring_[(head_ + count_++) % kMaxThreads] = thread; }
  Thread* pop(Schedule& schedule) {
    if (count_ == 0) return nullptr;
    if (schedule.random()) std::swap(ring_[head_], ring_[(head_ + schedule.below(count_)) % kMaxThreads]);
    Thread* const thread = ring_[head_];
    head_ = (head_ + 1) % kMaxThreads;
    --count_;
    return thread;
  }

 private:
  Thread* ring_[kMaxThreads];
  unsigned head_ = 0, count_ = 0;
};

// One kernel executes at a time.
struct Engine {
  Fiber host;
  // Under TSan two in turn: what a block does is then not ordered before what the next one does.
  std::unique_ptr<Block> blocks[2];
  Block* block = nullptr;
  Thread* current = nullptr;
  Ready ready;
  Schedule schedule;
  const Launch* launch = nullptr;
  std::uint64_t launches = 0;
  std::string failure;
  char start_order, failure_order, fence_order;  // addresses for TSan
};

Engine& engine() {
  static auto* const only = new Engine;  // its stacks may be in use while the process ends
  return *only;
}

void run_threads();

// ---- Switching

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

[[noreturn]] void leave(Engine& e, std::string failure) {
  e.failure = std::move(failure);
  release(&e.failure_order);
  switch_fiber(e.current->worker->fiber, e.host);
  __builtin_unreachable();
}

// Nobody can go on: says who waits where.
[[noreturn]] void report_deadlock(Engine& e, const char* what) {
  struct Group {
    const Thread* first;
    int count;
  };
  std::vector<Group> groups;
  int ended = 0;
  for (int i = 0; i < e.block->count; ++i) {
    const Thread& t = e.block->threads[i];
    if (t.ended) {
      ++ended;
      continue;
    }
    Group* found = nullptr;
    for (Group& g : groups)
      if (std::strcmp(g.first->waits_at, t.waits_at) == 0 && same(g.first->site, t.site)) found = &g;
    if (found)
      ++found->count;
    else
      groups.push_back({&t, 1});
  }
  std::string message = what;
  for (const Group& g : groups)
    message += std::string("; ") + std::to_string(g.count) + " threads wait at " + g.first->waits_at + " (" +
               text(g.first->site) + "), the first is " + text(g.first->index);
  if (ended > 0) message += "; " + std::to_string(ended) + " have ended";
  leave(e, message);
}

// The thread that calls waits until somebody makes it ready.
void suspend(Engine& e) {
  Thread* const me = e.current;
  Thread* const next = e.ready.pop(e.schedule);
  if (!next) report_deadlock(e, "divergent: threads wait for others that never come");
  go_on(e, me->worker->fiber, next);
}

void make_ready(Engine& e, Thread& thread) {
  thread.waits_at = nullptr;
  e.ready.push(&thread);
}

// The last to arrive goes on, except in a random schedule.
void give_way(Engine& e) {
  if (!e.schedule.random()) {
    e.current->waits_at = nullptr;
    return;
  }
  make_ready(e, *e.current);
  suspend(e);
}

// ---- Barriers of the block

void complete_barrier(Engine& e, const Thread* last) {
  Block& b = *e.block;
  const Thread* first = nullptr;
  int count = 0;
  for (int i = 0; i < b.count; ++i) {
    const Thread& t = b.threads[i];
    if (t.ended) continue;
    if (!first) first = &t;
    if (t.barrier != first->barrier || !same(t.site, first->site)) report_deadlock(e, "divergent barrier");
    count += t.predicate != 0;
  }
  for (int i = 0; i < b.count; ++i) {
    Thread& t = b.threads[e.schedule.reverse() ? b.count - 1 - i : i];
    if (t.ended) continue;
    t.result = t.barrier == BarrierKind::Count ? count : t.barrier == BarrierKind::Or ? count > 0 : count == b.alive;
    if (&t != last) make_ready(e, t);
  }
  b.at_barrier = 0;
  ++b.barrier.generation;
}

// ---- Functions of the warp

Warp& warp_of(Engine& e, const Thread& t) { return e.block->warps[t.number / kLanes]; }

// Whether all lanes that `request` names and that have not ended are here; if so they can go on.
bool complete_warp(Engine& e, int warp_number, const WarpRequest& request) {
  Warp& warp = e.block->warps[warp_number];
  Thread* const lanes = e.block->threads + warp_number * kLanes;
  const unsigned participants = request.mask & warp.alive;
  if ((warp.waiting & participants) != participants) return false;
  for (int i = 0; i < kLanes; ++i)
    if (participants >> i & 1 &&
        (lanes[i].request->mask != request.mask || lanes[i].request->complete != request.complete ||
         lanes[i].request->kind != request.kind))
      return false;
  request.complete(lanes, participants);
  warp.waiting &= ~participants;
  for (int i = 0; i < kLanes; ++i) {
    Thread& t = lanes[e.schedule.reverse() ? kLanes - 1 - i : i];
    if (!(participants >> t.number % kLanes & 1)) continue;
    t.request = nullptr;
    if (&t != e.current) make_ready(e, t);
  }
  return true;
}

void meet(WarpRequest& request, Site site) {
  Engine& e = engine();
  Thread& me = *e.current;
  const int lane = me.number % kLanes;
  me.waits_at = request.function;
  me.site = site;
  if (!(request.mask >> lane & 1))
    leave(e, std::string(request.function) + " (" + text(site) + ") of thread " + text(me.index) +
                 " with a mask that does not name its lane");
  me.request = &request;
  warp_of(e, me).waiting |= 1u << lane;
  if (complete_warp(e, me.number / kLanes, request))
    give_way(e);
  else
    suspend(e);
}

// Values of 4 or 8 bytes, read and written where no sanitizer looks.
std::uint64_t load(const WarpRequest& r) {
  std::uint64_t value = 0;
  r.in_bytes == 4 ? __builtin_memcpy(&value, r.in, 4) : __builtin_memcpy(&value, r.in, 8);
  return value;
}
void store(const WarpRequest& r, std::uint64_t value) {
  r.in_bytes == 4 ? __builtin_memcpy(r.out, &value, 4) : __builtin_memcpy(r.out, &value, 8);
}

void exchange(Thread* lanes, unsigned participants) {
  std::uint64_t values[kLanes];
  for (int i = 0; i < kLanes; ++i) values[i] = participants >> i & 1 ? load(*lanes[i].request) : ~std::uint64_t{0};
  for (int i = 0; i < kLanes; ++i) {
    if (!(participants >> i & 1)) continue;
    const WarpRequest& r = *lanes[i].request;
    const int base = i & ~(r.width - 1), end = base + r.width;
    int from = i;
    switch (static_cast<Shuffle>(r.kind)) {
      case Shuffle::Index: from = base + (r.number & (r.width - 1)); break;
      case Shuffle::Up: from = i - r.number; break;
      case Shuffle::Down: from = i + r.number; break;
      case Shuffle::Xor: from = i ^ r.number; break;
    }
    const bool outside = from >= end || (from < base && static_cast<Shuffle>(r.kind) == Shuffle::Up);
    store(r, values[outside ? i : from]);
  }
}

void vote(Thread* lanes, unsigned participants) {
  unsigned bits = 0;
  for (int i = 0; i < kLanes; ++i)
    if (participants >> i & 1 && lanes[i].request->number) bits |= 1u << i;
  for (int i = 0; i < kLanes; ++i)
    if (participants >> i & 1) lanes[i].request->votes = bits;
}

void pass_warp_barrier(Thread* lanes, unsigned participants) {
  Engine& e = engine();
  const int leader = __builtin_ctz(lanes[__builtin_ctz(participants)].request->mask);
  ++warp_of(e, lanes[0]).barriers[leader].generation;
}

void compute_together(Thread* lanes, unsigned participants) {
  Engine& e = engine();
  if (participants != ~0u) leave(e, "a product of the warp needs all of its 32 lanes");
  const WarpRequest& any = *e.current->request;  // its own: what TSan sees of this stays on this stack
  auto* const all = static_cast<char*>(__builtin_alloca_with_align(kLanes * any.in_bytes, 8 * 64));
  auto* const results = static_cast<char*>(__builtin_alloca_with_align(kLanes * any.out_bytes, 8 * 64));
  for (std::size_t i = 0; i < kLanes; ++i) hidden_copy(all + i * any.in_bytes, lanes[i].request->in, any.in_bytes);
  any.run(any.context, all, results);
  for (std::size_t i = 0; i < kLanes; ++i)
    hidden_copy(lanes[i].request->out, results + i * any.out_bytes, any.out_bytes);
}

// ---- The life of a thread

void end_thread(Engine& e) {
  Thread& me = *e.current;
  Block& b = *e.block;
  if (!me.copies.empty())
    leave(e, "thread " + text(me.index) + " ends with asynchronous copies that it never waited for");
  release(b.ends.current());
  me.ended = true;
  --b.alive;
  Warp& warp = warp_of(e, me);
  warp.alive &= ~(1u << me.number % kLanes);
  for (unsigned left = warp.waiting; left != 0; left &= warp.waiting & (left - 1))
    complete_warp(e, me.number / kLanes, *b.threads[me.number / kLanes * kLanes + __builtin_ctz(left)].request);
  if (b.alive > 0 && b.at_barrier == b.alive) complete_barrier(e, nullptr);

  Worker* const worker = me.worker;
  if (!under_tsan()) b.idle.push_back(worker);
  if (Thread* const next = e.ready.pop(e.schedule))
    go_on(e, worker->fiber, next);
  else if (b.alive == 0)
    switch_fiber(worker->fiber, e.host);
  else
    report_deadlock(e, "divergent: threads wait for others that have ended or wait elsewhere");
}

// What a worker does for ever.
void run_threads() {
  Engine& e = engine();
  for (;;) {
    Worker& worker = *e.current->worker;
    if (worker.launch != e.launches) acquire(&e.start_order);
    worker.launch = e.launches;
    acquire(e.block->ends.previous());
    std::string thrown;
    try {
      e.launch->body();
    } catch (const std::exception& error) {
      thrown = std::string("an exception: ") + error.what();
    }
    if (!thrown.empty()) leave(e, std::move(thrown));
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
    if (!e.failure.empty()) acquire(&e.failure_order), forget_block(e);
    e.current = nullptr;
    ++e.block->ends.generation;
    if (!e.block->shared.end() && e.failure.empty()) e.failure = "wrote outside its shared memory";
    if (!e.failure.empty()) e.failure += "; block " + text(blockIdx);
  }
  for (auto& block : e.blocks)
    if (block) acquire(block->ends.current()), acquire(block->ends.previous());
  if (e.failure.empty()) e.failure = check_red_zones();
  if (!e.failure.empty()) e.failure = std::string("kernel ") + launch.name + ": " + e.failure;
  return e.failure;
}

void fail(const std::string& message) {
  Engine& e = engine();
  if (!e.current) throw std::runtime_error(message);
  leave(e, message + "; thread " + text(e.current->index));
}

void* static_shared_bytes(const void* key, std::size_t bytes, std::size_t alignment, Site site) {
  SharedMemory& shared = engine().block->shared;
  void* const address = shared.variable(key, site, bytes, alignment);
  if (!address || shared.static_bytes() > 48 * 1024) fail("more than 48 KB of static shared memory at " + text(site));
  return address;
}

void* dynamic_shared() { return engine().block->shared.dynamic(); }

int block_barrier(BarrierKind kind, int predicate, Site site) {
  static constexpr const char* kNames[] = {"__syncthreads", "__syncthreads_or", "__syncthreads_and",
                                           "__syncthreads_count"};
  Engine& e = engine();
  Block& b = *e.block;
  Thread& me = *e.current;
  me.waits_at = kNames[static_cast<int>(kind)];
  me.site = site;
  me.barrier = kind;
  me.predicate = predicate;
  void* const order = b.barrier.current();
  release(order);
  if (++b.at_barrier == b.alive) {
    complete_barrier(e, &me);
    give_way(e);
  } else {
    suspend(e);
  }
  acquire(order);
  return me.result;
}

void fence() {
  release(&engine().fence_order);
  acquire(&engine().fence_order);
}

void shuffle(Shuffle kind, unsigned mask, const void* value, void* result, std::size_t bytes, int lane, int width,
             Site site) {
  WarpRequest request{"a shuffle", mask, exchange};
  request.kind = static_cast<int>(kind);
  request.in = value;
  request.out = result;
  request.in_bytes = bytes;
  request.number = lane;
  request.width = width;
  meet(request, site);
}

unsigned ballot(unsigned mask, int predicate, Site site) {
  WarpRequest request{"a vote", mask, vote};
  request.number = predicate;
  meet(request, site);
  return request.votes;
}

void warp_barrier(unsigned mask, Site site) {
  WarpRequest request{"__syncwarp", mask, pass_warp_barrier};
  Engine& e = engine();
  void* const order = mask ? warp_of(e, *e.current).barriers[__builtin_ctz(mask)].current() : nullptr;
  if (order) release(order);
  meet(request, site);
  acquire(order);
}

void warp_collective_bytes(const void* in, std::size_t in_bytes, void* out, std::size_t out_bytes, WarpFunction run,
                           void* context, Site site) {
  WarpRequest request{"a product of the warp", ~0u, compute_together};
  request.in = in;
  request.in_bytes = in_bytes;
  request.out = out;
  request.out_bytes = out_bytes;
  request.run = run;
  request.context = context;
  meet(request, site);
}

// ---- Asynchronous copies

void copy_async(void* shared, const void* global, int bytes, int valid) {
  Engine& e = engine();
  const auto misaligned = [bytes](const void* p) {
    return reinterpret_cast<std::uintptr_t>(p) % static_cast<unsigned>(bytes) != 0;
  };
  if (valid < 0 || valid > bytes) fail("cp.async reads " + std::to_string(valid) + " of " + std::to_string(bytes));
  if (misaligned(shared) || (valid > 0 && misaligned(global)))
    fail("cp.async of " + std::to_string(bytes) + " bytes between addresses that are not aligned to that");
  if (!e.block->shared.contains(shared, static_cast<std::size_t>(bytes))) fail("cp.async to outside shared memory");
  if (valid > 0) {
    const Allocation* const from = find_allocation(global);
    if (!from || from->space != Space::Device || static_cast<const char*>(global) + valid > from->address + from->bytes)
      fail("cp.async from outside device memory");
  }
  std::memset(shared, 0xff, static_cast<std::size_t>(bytes));  // a write that TSan sees
  e.current->copies.push_back({shared, global, bytes, valid, e.current->groups});
}

void copy_async_commit() { ++engine().current->groups; }

void copy_async_wait(int pending) {
  Thread& me = *engine().current;
  const auto arrives = [&](const Copy& copy) {
    if (copy.group >= me.groups - pending) return false;
    std::memcpy(copy.to, copy.from, static_cast<std::size_t>(copy.valid));
    std::memset(static_cast<char*>(copy.to) + copy.valid, 0, static_cast<std::size_t>(copy.bytes - copy.valid));
    return true;
  };
  std::erase_if(me.copies, arrives);
}

}  // namespace emulator
