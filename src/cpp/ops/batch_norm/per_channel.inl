// Runs of elements beside vectors of one value a channel, channels being the last axis. Where there are few channels
// the vectors are written out until they are long enough to keep whole registers busy.
#pragma once

#include "core/thread_pool.h"

namespace fastcnn::FC_SIMD {
namespace {

constexpr std::int64_t kFewChannels = 64, kBuffer = 512;

// The per-channel vectors of an op, repeated where there are few channels.
template <int count>
struct PerChannel {
  const float* vectors[count];
  float buffer[count][kBuffer];
  std::int64_t length;  // a multiple of the channels

  FC_INLINE PerChannel(const float* const (&in)[count], std::int64_t channels) : length(channels) {
    for (int v = 0; v < count; ++v) vectors[v] = in[v];
    if (channels >= kFewChannels) return;
    length = kBuffer / channels * channels;
    for (int v = 0; v < count; ++v) {
      if (in[v] == nullptr) continue;
      for (std::int64_t i = 0; i < length; ++i) buffer[v][i] = i < channels ? in[v][i] : buffer[v][i - channels];
      vectors[v] = buffer[v];
    }
  }
};

// Calls body(first, n, vectors) for runs of n elements from element `first` on, whole rows of channels: the vectors are
// those of `in`, long enough for the run.
template <int count, class Body>
FC_INLINE void each_run(std::int64_t size, std::int64_t channels, const float* const (&in)[count], const Body& body) {
  if (size == 0) return;
  constexpr std::int64_t kTask = 16384;
  parallel_ranges(size, round_up(kTask, channels), [&](std::int64_t begin, std::int64_t end) {
    const PerChannel<count> per_channel(in, channels);
    for (std::int64_t i = begin; i < end; i += per_channel.length)
      body(i, min_i64(per_channel.length, end - i), per_channel.vectors);
  });
}

}  // namespace
}  // namespace fastcnn::FC_SIMD
