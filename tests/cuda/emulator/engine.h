// The engine's inside: who executes, who can go on, and how threads wait. One kernel executes at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include "block.h"
#include "execution_engine.h"
#include "schedule.h"

namespace emulator {

// Words about a failure. Threads of a kernel write them, so nothing here is on the heap, where TSan would see it.
class Text {
 public:
  void clear() { text_[size_ = 0] = 0; }
  bool empty() const { return size_ == 0; }
  const char* c_str() const { return text_; }
  Text& operator<<(const char* words);
  Text& operator<<(long long number);
  Text& operator<<(uint3 index);
  Text& operator<<(Site site);

 private:
  char text_[2000] = "";
  unsigned size_ = 0;
};

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
  Text failure;
  char start_order, fence_order;  // addresses for TSan
};

Engine& engine();
inline Warp& warp_of(Engine& e, const Thread& t) { return e.block->warps[t.number / kLanes]; }
bool same(Site a, Site b);

void suspend(Engine& e);  // the current thread waits until somebody makes it ready
void make_ready(Engine& e, Thread& thread);
void give_way(Engine& e);  // who completed what others waited for goes on, except in a random schedule

// The kernel ends, with what is in e.failure.
[[noreturn]] void leave(Engine& e);
[[noreturn]] void leave_divergent(Engine& e, const char* what);  // and says who waits where

// Whether what others wait for is complete now that a thread has ended.
void thread_left_barrier(Engine& e);
void lane_left_warp(Engine& e, int warp);

}  // namespace emulator
