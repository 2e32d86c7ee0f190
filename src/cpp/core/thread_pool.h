// The library's own threads. Work is split by the shape of the problem and never by the number of
// threads, so any count gives the same bits; threads only decide who computes which piece.
#pragma once

#include "core/base.h"

namespace fastcnn {

using TaskFn = void (*)(const void* body, std::int64_t index);

// Calls fn(body, i) for every i in [0, tasks) on the pool and returns when all are done. From inside a
// task, or while another Python thread has the pool, it runs in the calling thread. If tasks throw, the first
// exception is thrown here when all have ended.
void run_tasks(std::int64_t tasks, TaskFn fn, const void* body);

int num_threads();
void set_num_threads(int n);  // n >= 1, else Error(Config)
int default_num_threads();    // affinity, cgroup quota, OMP_NUM_THREADS, FASTCNN_NUM_THREADS

// parallel_for(n, [&](std::int64_t i) { ... }). Inlined into its caller, so that the body keeps the
// caller's instruction set.
template <class Body>
FC_INLINE void parallel_for(std::int64_t tasks, const Body& body) {
  run_tasks(tasks, [](const void* b, std::int64_t i) { (*static_cast<const Body*>(b))(i); }, &body);
}

// The same with `bytes` of scratch memory for whoever computes a task: body(i, scratch), aligned to kAlignment, with
// unknown content. The pool keeps it for each of its threads and enlarges it before the tasks start, so that a plan's
// second call allocates nothing, whoever takes which task. Not for tasks within tasks.
void run_tasks(std::int64_t tasks, TaskFn fn, const void* body, std::int64_t bytes);
void* task_scratch();

template <class Body>
FC_INLINE void parallel_for(std::int64_t tasks, std::int64_t bytes, const Body& body) {
  run_tasks(
      tasks, [](const void* b, std::int64_t i) { (*static_cast<const Body*>(b))(i, task_scratch()); }, &body, bytes);
}

// Splits [0, size) into pieces of `grain` (the last may be shorter): body(begin, end).
template <class Body>
FC_INLINE void parallel_ranges(std::int64_t size, std::int64_t grain, const Body& body) {
  parallel_for(ceil_div(size, grain), [&](std::int64_t i) { body(i * grain, min_i64(size, (i + 1) * grain)); });
}

}  // namespace fastcnn
