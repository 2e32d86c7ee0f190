// Half of the block waits at one barrier, the other half at another.
__global__ void wait_apart(const float* x, float* y) {
  FC_SHARED(float, tile, [64]);
  const int t = threadIdx.x;
  tile[t] = x[t];
#if REPAIRED
  __syncthreads();
  y[t] = t < 32 ? tile[63 - t] : -tile[63 - t];
#else
  if (t < 32) {
    __syncthreads();
    y[t] = tile[63 - t];
  } else {
    __syncthreads();
    y[t] = -tile[63 - t];
  }
#endif
}

bool divergent_barrier() {
  const Array<float> x(counted(64)), y(64);
  run(1, 64, [x = x.data(), y = y.data()] { wait_apart(x, y); });
  const auto result = y.read();
  return result[0] == 64 && result[63] == -1;
}
