// Blocks add to one cell, not atomically.
__global__ void add_up(const int* x, int* total) {
  if (threadIdx.x != 0) return;
#if REPAIRED
  atomicAdd(total, x[blockIdx.x]);
#else
  *total += x[blockIdx.x];
#endif
}

bool blocks_add() {
  const Array<int> x(counted<int>(16)), total(1);
  run(16, 32, [x = x.data(), total = total.data()] { add_up(x, total); });
  return total.read()[0] == 136;
}
