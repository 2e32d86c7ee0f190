// Calls in what finish() will touch (split.h). Included in the namespace of a kernel, to be compiled into it: a call
// would cost the kernel all that it holds in registers.

template <int write>
FC_INLINE void prefetch_columns(const SplitFinish& f, const void* from, bool bf16, std::int64_t at) {
  constexpr std::int64_t kLine = 64;
  const std::int64_t item = bf16 ? sizeof(Bf16) : sizeof(float);
  const char* first = static_cast<const char*>(from) + at * item;
  for (std::int64_t n = 0; n < f.columns * item; n += kLine) __builtin_prefetch(first + n, write);
}

// A row that starts at element `at`.
FC_INLINE void prefetch_row(const SplitFinish& f, std::int64_t at) {
  prefetch_columns<1>(f, f.c, f.bf16_c, at);
  if (f.residual != nullptr) prefetch_columns<0>(f, f.residual, f.bf16_residual, at);
}

// Rows [begin, end) ahead of a strip.
FC_INLINE void prefetch_rows(const SplitFinish& f, int begin, int end) {
  for (int row = begin; row < end; ++row)
    if (f.ahead[row] >= 0) prefetch_row(f, f.ahead[row]);
}
