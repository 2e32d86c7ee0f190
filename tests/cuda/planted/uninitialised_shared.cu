// A sum over more elements than were written.
__global__ void sum_tile(const float* x, float* y, int size) {
  FC_SHARED(float, tile, [64]);
  const int t = threadIdx.x;
#if REPAIRED
  tile[t] = t < size ? x[t] : 0;
#else
  if (t < size) tile[t] = x[t];
#endif
  __syncthreads();
  float sum = 0;
  for (int i = 0; i < 64; ++i) sum += tile[i];
  y[t] = sum;
}

bool uninitialised_shared() {
  const Array<float> x(counted(48)), y(64);
  run(1, 64, [x = x.data(), y = y.data()] { sum_tile(x, y, 48); });
  return y.read()[0] == 24 * 49;
}
