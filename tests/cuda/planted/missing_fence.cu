// The last block adds up what all blocks left; without fences nothing orders their writes before its reads.
__global__ void add_parts(const int* x, int* parts, unsigned* done, int* total) {
  FC_SHARED(bool, last, [1]);
  if (threadIdx.x == 0) {
    parts[blockIdx.x] = 2 * x[blockIdx.x];
#if REPAIRED
    __threadfence();
#endif
    last[0] = atomicAdd(done, 1u) == gridDim.x - 1;
#if REPAIRED
    __threadfence();
#endif
  }
  __syncthreads();
  if (!last[0] || threadIdx.x != 0) return;
  int sum = 0;
  for (unsigned i = 0; i < gridDim.x; ++i) sum += parts[i];
  *total = sum;
}

bool missing_fence() {
  const Array<int> x(counted<int>(16)), parts(16), total(1);
  const Array<unsigned> done(1);
  run(16, 32, [x = x.data(), parts = parts.data(), done = done.data(), total = total.data()] {
    add_parts(x, parts, done, total);
  });
  return total.read()[0] == 272;
}
