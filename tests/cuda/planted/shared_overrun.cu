// The last thread writes one element behind its array, in front of another one.
__global__ void shift(const float* x, float* y) {
#if REPAIRED
  FC_SHARED(float, tile, [65]);
#else
  FC_SHARED(float, tile, [64]);
#endif
  FC_SHARED(float, other, [64]);
  const int t = threadIdx.x;
  other[t] = 0;
  float* const row = tile;
  row[t + 1] = x[t];
  __syncthreads();
  y[t] = tile[t == 0 ? 1 : t] + other[t];
}

bool shared_overrun() {
  const Array<float> x(counted(64)), y(64);
  run(1, 64, [x = x.data(), y = y.data()] { shift(x, y); });
  return y.read()[63] == 63;
}
