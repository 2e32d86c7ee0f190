#include "barriers.h"

#include "engine.h"
#include "sanitizers.h"

namespace emulator {
namespace {

// All that have not ended are here. `last` is the one that came last and goes on by itself.
void complete_barrier(Engine& e, const Thread* last) {
  Block& b = *e.block;
  const Thread* first = nullptr;
  int count = 0;
  for (int i = 0; i < b.count; ++i) {
    const Thread& t = b.threads[i];
    if (t.ended) continue;
    if (!first) first = &t;
    if (t.barrier != first->barrier || !same(t.site, first->site)) leave_divergent(e, "divergent barrier");
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

}  // namespace

void thread_left_barrier(Engine& e) {
  if (e.block->alive > 0 && e.block->at_barrier == e.block->alive) complete_barrier(e, nullptr);
}

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

}  // namespace emulator
