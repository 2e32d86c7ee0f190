// Stacks of their own, and the switch from one to another.
#pragma once

#include <cstddef>

namespace emulator {

class Fiber {
 public:
  Fiber() = default;  // what runs already: this thread of the host, see adopt()
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  // Gives it a stack, on which `entry` will run at the first switch; it must never return. `colour` spreads the tops
  // of stacks over the sets of the cache. Called again, it forgets what ran there before.
  void create(void (*entry)(), int colour);
  void adopt();  // before the first switch from the host's own stack

 private:
  friend void switch_fiber(Fiber& from, Fiber& to);
  void* stack_pointer_ = nullptr;
  void* stack_ = nullptr;  // with a guard page below
  const void* bottom_ = nullptr;
  std::size_t size_ = 0;
  void* fake_stack_ = nullptr;  // ASan's
  void* tsan_ = nullptr;
  void (*entry_)() = nullptr;

  static void start();
  static Fiber *previous_, *running_;  // across a switch
};

void switch_fiber(Fiber& from, Fiber& to);

}  // namespace emulator
