#include "warp.h"

#include <cstring>

#include "engine.h"
#include "sanitizers.h"

namespace emulator {
namespace {

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
    const int lane = e.schedule.reverse() ? kLanes - 1 - i : i;
    if (!(participants >> lane & 1)) continue;
    lanes[lane].request = nullptr;
    if (&lanes[lane] != e.current) make_ready(e, lanes[lane]);
  }
  return true;
}

void meet(WarpRequest& request, Site site) {
  Engine& e = engine();
  Thread& me = *e.current;
  const int lane = me.number % kLanes;
  me.waits_at = request.function;
  me.site = site;
  if (!(request.mask >> lane & 1)) fail("takes part in a function of the warp with a mask that does not name its lane");
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
  if (participants != ~0u) fail("takes part in a product of the warp without all of its 32 lanes");
  const WarpRequest& any = *e.current->request;  // its own: what TSan sees of this stays on this stack
  auto* const all = static_cast<char*>(__builtin_alloca_with_align(kLanes * any.in_bytes, 8 * 64));
  auto* const results = static_cast<char*>(__builtin_alloca_with_align(kLanes * any.out_bytes, 8 * 64));
  for (std::size_t i = 0; i < kLanes; ++i) hidden_copy(all + i * any.in_bytes, lanes[i].request->in, any.in_bytes);
  any.run(any.context, all, results);
  for (std::size_t i = 0; i < kLanes; ++i)
    hidden_copy(lanes[i].request->out, results + i * any.out_bytes, any.out_bytes);
}

}  // namespace

void lane_left_warp(Engine& e, int number) {
  Warp& warp = e.block->warps[number];
  warp.alive &= ~(1u << e.current->number % kLanes);
  for (unsigned left = warp.waiting; left != 0; left &= warp.waiting & (left - 1))
    complete_warp(e, number, *e.block->threads[number * kLanes + __builtin_ctz(left)].request);
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

}  // namespace emulator
