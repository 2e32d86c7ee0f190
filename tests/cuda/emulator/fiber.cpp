#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

#include "sanitizers.h"

// Saves what a call must preserve and the stack pointer, and goes on where the other stack left off.
extern "C" void emulator_switch_stack(void** save, void* load);
asm(R"(
.text
.hidden emulator_switch_stack
.globl emulator_switch_stack
.type emulator_switch_stack, @function
emulator_switch_stack:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emulator_switch_stack, . - emulator_switch_stack
)");

namespace emulator {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kStackBytes = 256 * 1024;  // frames are large under sanitizers; untouched pages cost nothing
constexpr unsigned kNoSync = 1;                  // a switch orders nothing for TSan

}  // namespace

Fiber* Fiber::previous_ = nullptr;
Fiber* Fiber::running_ = nullptr;

Fiber::~Fiber() {
  if (tsan_ && stack_) __tsan_destroy_fiber(tsan_);
  if (!stack_) return;
  unpoison(bottom_, size_);
  munmap(stack_, kPage + kStackBytes);
}

void Fiber::create(void (*entry)(), int colour) {
  if (!stack_) {
    stack_ = mmap(nullptr, kPage + kStackBytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
    if (stack_ == MAP_FAILED) throw std::bad_alloc();
    mprotect(stack_, kPage, PROT_NONE);
    bottom_ = static_cast<char*>(stack_) + kPage;
    size_ = kStackBytes;
  }
  unpoison(bottom_, size_);
  entry_ = entry;
  fake_stack_ = nullptr;
  if (under_tsan()) {
    if (tsan_) {  // whatever it did came before
      void* const caller = __tsan_get_current_fiber();
      __tsan_switch_to_fiber(tsan_, kNoSync);
      __tsan_release(this);
      __tsan_switch_to_fiber(caller, kNoSync);
      __tsan_acquire(this);
      __tsan_destroy_fiber(tsan_);
    }
    tsan_ = __tsan_create_fiber(kNoSync);
  }
  auto top = reinterpret_cast<std::uintptr_t>(bottom_) + size_ - static_cast<std::uintptr_t>(colour % 16) * 256;
  auto** frame = reinterpret_cast<void**>(top);
  *--frame = nullptr;  // where start() would return to: backtraces end here
  *--frame = reinterpret_cast<void*>(&Fiber::start);
  for (int i = 0; i < 6; ++i) *--frame = nullptr;
  stack_pointer_ = frame;
}

void Fiber::adopt() {
  if (under_tsan()) tsan_ = __tsan_get_current_fiber();
}

// Runs on the new stack. The bounds that ASan tells are those of the stack that was left: the host's, the first time.
void Fiber::start() {
  if (under_asan()) __sanitizer_finish_switch_fiber(nullptr, &previous_->bottom_, &previous_->size_);
  running_->entry_();
  __builtin_unreachable();
}

void switch_fiber(Fiber& from, Fiber& to) {
  Fiber::previous_ = &from;
  Fiber::running_ = &to;
  if (under_asan()) __sanitizer_start_switch_fiber(&from.fake_stack_, to.bottom_, to.size_);
  if (under_tsan()) __tsan_switch_to_fiber(to.tsan_, kNoSync);
  emulator_switch_stack(&from.stack_pointer_, to.stack_pointer_);
  if (under_asan())
    __sanitizer_finish_switch_fiber(from.fake_stack_, &Fiber::previous_->bottom_, &Fiber::previous_->size_);
}

}  // namespace emulator
