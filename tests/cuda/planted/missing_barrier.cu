// Threads read what others loaded, without the barrier in between.
__global__ void turn_around(const float* x, float* y) {
  FC_SHARED(float, tile, [64]);
  const int t = threadIdx.x;
  tile[t] = x[t];
#if REPAIRED
  __syncthreads();
#endif
  y[t] = tile[63 - t];
}

bool missing_barrier() {
  const Array<float> x(counted(64)), y(64);
  run(1, 64, [x = x.data(), y = y.data()] { turn_around(x, y); });
  const auto result = y.read();
  return result[0] == 64 && result[63] == 1;
}
