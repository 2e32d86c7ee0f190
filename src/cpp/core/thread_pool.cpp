#include "core/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "core/buffer.h"
#include "core/error.h"

#if FC_X86
#include <immintrin.h>
#endif

namespace fastcnn {
namespace {

FC_INLINE void cpu_relax() {
#if FC_X86
  _mm_pause();
#endif
}

// A worker that has just finished expects the next step of the same plan within microseconds, and
// waking from a futex costs more than that: spin for a bounded moment, then sleep.
constexpr auto kSpin = std::chrono::microseconds(50);

thread_local bool t_inside_task = false;
thread_local void* t_scratch = nullptr;  // of the task that this thread computes

void enlarge(Buffer& buffer, std::int64_t bytes) {
  if (buffer.bytes() >= bytes) return;
  buffer = Buffer();  // frees before it allocates: the old content is not wanted
  buffer = Buffer(bytes);
}

class Pool {
 public:
  explicit Pool(int threads)
      : wanted_(threads),
        ranges_(new Range[static_cast<std::size_t>(threads)]),
        scratch_(static_cast<std::size_t>(threads)) {
    if (sched_getaffinity(0, sizeof cpus_, &cpus_) != 0) CPU_ZERO(&cpus_);
    workers_.reserve(static_cast<std::size_t>(threads - 1));
    try {
      while (size() < threads) {
        const std::size_t index = workers_.size() + 1;
        workers_.emplace_back([this, index] { work(index); });
      }
    } catch (const std::system_error&) {
      // The system gives no more threads: those that are there compute, with the same results.
    }
  }

  ~Pool() {
    stop_.store(true);
    epoch_.fetch_add(1);
    epoch_.notify_all();
    for (std::thread& t : workers_) t.join();
  }

  int size() const { return static_cast<int>(workers_.size()) + 1; }
  int wanted() const { return wanted_; }  // what it was made for; size() is less where threads are scarce

  void run(std::int64_t tasks, TaskFn fn, const void* body, std::int64_t scratch_bytes) {
    // A worker that woke late for the previous job may still hold its place in the queue: it must have
    // left before the job's fields change.
    while (active_.load(std::memory_order_seq_cst) != 0) cpu_relax();
    for (Buffer& scratch : scratch_) enlarge(scratch, scratch_bytes);
    fn_ = fn;
    body_ = body;
    done_.store(0, std::memory_order_relaxed);
    for (int k = 0; k < size(); ++k) {
      Range& range = ranges_[static_cast<std::size_t>(k)];
      range.next.store(ceil_div(k * tasks, size()), std::memory_order_relaxed);
      range.end = ceil_div((k + 1) * tasks, size());
    }
    caller_cpu_.store(sched_getcpu(), std::memory_order_relaxed);
    open_.store(true, std::memory_order_seq_cst);
    epoch_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) epoch_.notify_all();
    drain(0);
    for (int spins = 0; done_.load(std::memory_order_acquire) != tasks; ++spins) {
      cpu_relax();
      // The task still running may have lost its core to another process: give it ours.
      if (spins > 4096) std::this_thread::yield();
    }
    open_.store(false, std::memory_order_seq_cst);
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  // The tasks of one thread; any other may take them when it has done its own.
  struct alignas(64) Range {
    std::atomic<std::int64_t> next{0};
    std::int64_t end = 0;
  };

  // Neighbouring tasks read and write neighbouring memory: a thread that has the same stretch of each job finds in its
  // cache what it wrote in the one before.
  void drain(std::size_t own) {
    t_inside_task = true;
    t_scratch = scratch_[own].data();
    const auto threads = static_cast<std::size_t>(size());
    for (std::size_t k = 0; k < threads; ++k) drain(ranges_[(own + k) % threads]);
    t_inside_task = false;
  }

  void drain(Range& range) {
    for (;;) {
      const std::int64_t i = range.next.fetch_add(1, std::memory_order_relaxed);
      if (i >= range.end) break;
      try {
        fn_(body_, i);
      } catch (...) {  // no memory for a task's scratch: the caller gets to know
        const std::lock_guard<std::mutex> lock(error_mutex_);
        if (!error_) error_ = std::current_exception();
      }
      done_.fetch_add(1, std::memory_order_release);
    }
  }

  void work(std::size_t index) {
    std::uint32_t seen = 0;
    int avoided = -1;
    while (!stop_.load(std::memory_order_acquire)) {
      wait_for_change(seen);
      seen = epoch_.load(std::memory_order_acquire);
      if (const int cpu = caller_cpu_.load(std::memory_order_relaxed); cpu != avoided) keep_off(avoided = cpu);
      active_.fetch_add(1, std::memory_order_seq_cst);
      if (open_.load(std::memory_order_seq_cst)) drain(index);
      active_.fetch_sub(1, std::memory_order_release);
    }
  }

  // A thread that wakes another expects to sleep, so the system likes to put the two on one CPU; here both compute.
  void keep_off(int cpu) const {
    cpu_set_t others = cpus_;
    if (cpu < 0 || cpu >= CPU_SETSIZE || !CPU_ISSET(cpu, &others) || CPU_COUNT(&others) < size()) return;
    CPU_CLR(cpu, &others);
    sched_setaffinity(0, sizeof others, &others);  // no harm where it is refused
  }

  void wait_for_change(std::uint32_t seen) {
    const auto deadline = std::chrono::steady_clock::now() + kSpin;
    do {
      for (int i = 0; i < 64; ++i) {
        if (epoch_.load(std::memory_order_acquire) != seen) return;
        cpu_relax();
      }
    } while (std::chrono::steady_clock::now() < deadline);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    epoch_.wait(seen, std::memory_order_seq_cst);
    sleepers_.fetch_sub(1, std::memory_order_seq_cst);
  }

  alignas(64) std::atomic<std::int64_t> done_{0};
  alignas(64) std::atomic<std::uint32_t> epoch_{0};
  alignas(64) std::atomic<int> active_{0};
  std::atomic<int> caller_cpu_{-1};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> open_{false};
  std::atomic<bool> stop_{false};
  std::mutex error_mutex_;
  std::exception_ptr error_;  // the first of a job; read when all its tasks are done
  TaskFn fn_ = nullptr;
  const void* body_ = nullptr;
  const int wanted_;
  cpu_set_t cpus_;                         // that the process may use
  const std::unique_ptr<Range[]> ranges_;  // one for the caller, one for each worker
  std::vector<Buffer> scratch_;            // likewise
  std::vector<std::thread> workers_;
};

// One job at a time has the pool. A pointer, so that a forked child, which inherits the memory but not
// the threads (and perhaps a held lock), can drop it all and start afresh.
struct State {
  std::mutex busy;
  std::unique_ptr<Pool> pool;
  std::atomic<int> wanted{0};
};

State* g_state = nullptr;

State& state() {
  static const bool once = [] {
    g_state = new State;
    g_state->wanted = default_num_threads();
    pthread_atfork(nullptr, nullptr, [] {
      State* fresh = new State;  // the parent's is leaked on purpose: its threads do not exist here
      fresh->wanted = g_state->wanted.load();
      g_state = fresh;
      t_inside_task = false;
    });
    return true;
  }();
  (void)once;
  return *g_state;
}

int env_threads(const char* name) {
  const char* text = std::getenv(name);
  if (text == nullptr || *text == '\0') return 0;
  char* end = nullptr;
  errno = 0;
  const long n = std::strtol(text, &end, 10);
  // OMP_NUM_THREADS may be a list, one number a nesting level ("4,2"): the first is ours.
  const bool valid = errno == 0 && end != text && (*end == '\0' || *end == ',') && n >= 1 && n <= 4096;
  if (!valid) fail(ErrorKind::Config, name, ": expected a number of threads from 1 to 4096; got '", text, "'");
  return static_cast<int>(n);
}

// Cores this process may use by cgroup v2 or v1 quota; 0 when there is no limit.
int cgroup_quota() {
  std::string quota;
  double period = 0, q = 0;
  if (std::ifstream v2("/sys/fs/cgroup/cpu.max"); v2 >> quota >> period) {
    if (quota == "max") return 0;
    q = std::strtod(quota.c_str(), nullptr);
  } else {
    std::ifstream v1q("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), v1p("/sys/fs/cgroup/cpu/cpu.cfs_period_us");
    if (!(v1q >> q) || !(v1p >> period)) return 0;
  }
  return q > 0 && period > 0 ? static_cast<int>(std::max(1.0, std::ceil(q / period))) : 0;
}

}  // namespace

int default_num_threads() {
  if (const int n = env_threads("FASTCNN_NUM_THREADS")) return n;
  int n = static_cast<int>(std::thread::hardware_concurrency());
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
  if (const int quota = cgroup_quota(); quota > 0) n = std::min(n, quota);
  if (const int omp = env_threads("OMP_NUM_THREADS"); omp > 0) n = std::min(n, omp);
  return std::max(1, n);
}

int num_threads() { return state().wanted; }

void set_num_threads(int n) {
  require(n >= 1 && n <= 4096, ErrorKind::Config, "set_num_threads: expected 1 to 4096, got ", n);
  State& s = state();
  const std::lock_guard<std::mutex> lock(s.busy);
  s.wanted = n;
  s.pool.reset();
}

void* task_scratch() { return t_scratch; }

void run_tasks(std::int64_t tasks, TaskFn fn, const void* body) { run_tasks(tasks, fn, body, 0); }

void run_tasks(std::int64_t tasks, TaskFn fn, const void* body, std::int64_t scratch_bytes) {
  State& s = state();
  if (tasks > 1 && !t_inside_task && s.wanted > 1) {
    if (const std::unique_lock<std::mutex> lock(s.busy, std::try_to_lock); lock.owns_lock()) {
      if (!s.pool || s.pool->wanted() != s.wanted) s.pool = std::make_unique<Pool>(s.wanted);
      s.pool->run(tasks, fn, body, scratch_bytes);
      return;
    }
  }
  thread_local Buffer own;
  void* const outer = t_scratch;
  if (scratch_bytes > 0) {
    enlarge(own, scratch_bytes);
    t_scratch = own.data();
  }
  for (std::int64_t i = 0; i < tasks; ++i) fn(body, i);
  t_scratch = outer;
}

}  // namespace fastcnn
